"""Journal to report: the fold that every rendering starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from uscdr.models.events import Stamped
from uscdr.report.fold import Fold
from uscdr.report.model import Integrity, PhaseReport, RunReport, StepReport
from uscdr.report.objectives import data_facts, recovery_point, recovery_time


def build(events: Iterable[Stamped | Mapping[str, Any]], *, last_hash: str = "") -> RunReport:
    """Fold `events`, in journal order, into a report; a mapping is one decoded journal line.

    `last_hash` is the SHA-256 of the journal's last line, when the reader knows it. A run without a
    `run.finished` is reported as unfinished. Raises pydantic.ValidationError for a line that is no event.
    """
    return _report(fold_of(events), last_hash)


def fold_of(events: Iterable[Stamped | Mapping[str, Any]]) -> Fold:
    """What the events tell, in journal order."""
    fold = Fold()
    for item in events:
        fold.take(item if isinstance(item, Stamped) else Stamped.model_validate(item))
    return fold


def _report(fold: Fold, last_hash: str) -> RunReport:
    begun, plan, end = fold.begun, fold.plan, fold.finished
    return RunReport(
        run=fold.run,
        scenario=begun.scenario if begun else "",
        target=begun.target if begun else "",
        app=begun.app if begun else "",
        operator=f"{begun.user} on {begun.host}" if begun else "",
        version=begun.version if begun else "",
        request=begun.request if begun else {},
        started_at=fold.started_at,
        ended_at=fold.finished_at,
        outcome=end.outcome if end else "unfinished",
        exit_code=end.exit_code if end else None,
        summary=end.summary if end else "The journal ends without an outcome.",
        dry_run=plan.dry_run if plan else False,
        plan_digest=plan.digest if plan else "",
        rto=recovery_time(fold),
        rpo=recovery_point(fold),
        data=data_facts(fold),
        phases=_phases(fold),
        steps=tuple(fold.steps.values()),
        gates=tuple(fold.gates),
        checks=tuple(fold.checks),
        rounds=tuple(fold.rounds),
        notes=tuple(fold.notes),
        attempts=tuple(fold.attempts),
        left=end.left if end else {},
        follow_up=end.follow_up if end else (),
        integrity=_integrity(fold.numbers, last_hash),
    )


def _phases(fold: Fold) -> tuple[PhaseReport, ...]:
    budgets = dict(fold.plan.budgets) if fold.plan else {}
    names = list(budgets) + [step.phase for step in fold.steps.values() if step.phase not in budgets]
    return tuple(_phase(name, budgets.get(name), fold) for name in dict.fromkeys(names))


def _phase(name: str, budget: float | None, fold: Fold) -> PhaseReport:
    steps = [step for step in fold.steps.values() if step.phase == name]
    finished = sum(step.status in {"done", "skipped"} for step in steps)
    seconds = _span(steps)
    return PhaseReport(name=name, budget_seconds=budget, seconds=seconds, steps=len(steps), finished=finished)


def _span(steps: list[StepReport]) -> float | None:
    starts = [step.started_at for step in steps if step.started_at]
    ends = [step.ended_at for step in steps if step.ended_at]
    if not starts or not ends:
        return None
    return max(0.0, (max(ends) - min(starts)).total_seconds())


def _integrity(numbers: list[int], last_hash: str) -> Integrity:
    missing = list(range(numbers[0])) if numbers else []
    for before, after in pairwise(numbers):
        missing.extend(range(before + 1, after))
    return Integrity(
        events=len(numbers),
        first_seq=numbers[0] if numbers else None,
        last_seq=numbers[-1] if numbers else None,
        missing=tuple(missing),
        last_hash=last_hash,
    )
