"""RTO and RPO of a finished recovery, as achieved."""

from __future__ import annotations

from datetime import datetime

from uscdr.engine.step import View
from uscdr.scenarios.deps import now
from uscdr.scenarios.model import Objectives
from uscdr.scenarios.results import ApplicationChecked, ChosenBackup, Ledger
from uscdr.scenarios.steps.words import age


def missed(view: View, objectives: Objectives, started: datetime) -> str | None:
    """Which objective was missed, in words; None when both were met."""
    words = []
    checked = view.get(ApplicationChecked)
    took = ((checked.at if checked else now()) - started).total_seconds()
    if took > objectives.rto:
        words.append(f"RTO {age(objectives.rto)}, achieved {age(took)}")
    lost = data_loss_seconds(view)
    if lost is not None and lost > objectives.rpo:
        words.append(f"RPO {age(objectives.rpo)}, achieved {age(lost)}")
    return "; ".join(words) or None


def data_loss_seconds(view: View) -> float | None:
    """From the backup to the last write that is lost; to now when the last write is not known."""
    chosen, ledger = view.get(ChosenBackup), view.get(Ledger)
    if chosen is None:
        return None
    if ledger is not None and ledger.last_write is not None:
        return max(0.0, (ledger.last_write - chosen.created_at).total_seconds())
    return chosen.age_seconds
