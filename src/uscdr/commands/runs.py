"""Runs by their journals: a list that loads nothing heavy and answers on a struggling machine; one as a report."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from uscdr.commands.housekeeping import state
from uscdr.errors import BadInput, JournalError
from uscdr.journal import runs
from uscdr.journal.reader import Journal
from uscdr.settings import Directories
from uscdr.ui.tables import show_table
from uscdr.words import plural

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.report.model import RunReport
    from uscdr.ui.console import Output


def show_runs(output: Output) -> None:
    """Every run, oldest first, on stdout."""
    rows = [asdict(summary) for summary in runs.LocalRuns(Directories(os.environ).state).summaries()]
    show_table(rows, output, plain=True, empty="No run yet.")


def newest(wanted: str | None) -> Path:
    """The journal of run `wanted`, or of the newest run."""
    if wanted is not None:
        return runs.LocalRuns(state()).find(wanted)
    every = list(runs.LocalRuns(state()).journals())
    if not every:
        raise BadInput("There is no run on this machine yet.", next_action="Begin with: uscdr recover db --dry-run")
    return every[-1]


@dataclass(frozen=True)
class LoadedReport:
    """A journal folded into a report; with a `damage` only what stands before it."""

    report: RunReport
    journal: Journal
    damage: JournalError | None


def load(path: Path, output: Output) -> LoadedReport:
    """Fold the journal at `path`, as far as it can be read, and say so. Raises JournalError when nothing can."""
    from uscdr.report.objectives import build

    journal = Journal.salvage(path)
    if journal.damage is not None:
        if not journal.records:
            raise journal.damage
        output.warn(f"Only what stands before a damage is shown: {plural(len(journal.records), 'line')}.")
    return LoadedReport(build(journal.records, last_hash=journal.last_hash), journal, journal.damage)
