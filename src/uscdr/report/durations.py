"""How long the steps of a recorded run took, without the time in which it waited for the operator's answer.

A step's recorded seconds begin before its first look. They hold the question before the change, if there was one.
The question before a run's first change has no event, so that step counts from its start on, which follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uscdr.models.base import elapsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from uscdr.report.fold import Fold
    from uscdr.report.model import StepReport

SIZES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "backup": (("backup.choose", "bytes"), ("infra.choose", "bytes"), ("backup.prove", "bytes")),
    "database": (("database.look", "size"),),
    "files": (("media.look", "files"),),
    "restored files": (("media.plan", "from_backup"),),
    "uploaded bytes": (("media.plan", "effort.upload_bytes"),),
}
"""By name of a size: the steps and the field of their result that say it; the first that does counts."""
TELL_SIZES = frozenset(name for places in SIZES.values() for name, _ in places)
"""The names of those steps."""
SIZED: Mapping[str, str] = {
    "backup.prove": "backup",
    "infra.prove": "backup",
    "infra.prove_last": "backup",
    "backup.restore": "backup",
    "infra.load": "backup",
    "data.ledger": "backup",
    "data.compare": "backup",
    "data.verify": "backup",
    "backup.capture": "backup",
    "backup.capture_safety": "database",
    "media.restore_backups": "restored files",
    "media.upload": "uploaded bytes",
    "media.verify": "files",
}
"""By name of a step: the size on which its duration depends."""


@dataclass(frozen=True)
class StepTime:
    """The time of one step in an earlier run, in seconds."""

    turn: float
    """From the end of the step before to its own end, or its own duration."""
    skipped: bool = False
    """Whether the step was not necessary: then `turn` is the time to find that out, and no duration."""


@dataclass(frozen=True)
class EarlierRun:
    """What a recorded run says of durations."""

    steps: Mapping[tuple[str, str], StepTime]
    """By name and id of a step. Without steps that did not end, were adopted, or needed more than one attempt."""
    sizes: Mapping[str, float]

    @classmethod
    def of(cls, fold: Fold) -> EarlierRun | None:
        """The times of a run; None for a dry run or a run without a plan or any time."""
        if fold.plan is None or fold.plan.dry_run:
            return None
        times = dict(_times(fold))
        results = {step.name: step.result for step in fold.steps.values() if step.result}
        return cls(times, sizes_in(results)) if times else None


def sizes_in(results: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The known sizes, by name; `results` are those of steps, by the steps' names."""
    found = {}
    for size, places in SIZES.items():
        numbers = (_number(results.get(name, {}), field) for name, field in places)
        if known := next((number for number in numbers if number), None):
            found[size] = known
    return found


def _number(result: Mapping[str, Any], field: str) -> float | None:
    value: object = result
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _times(fold: Fold) -> Iterator[tuple[tuple[str, str], StepTime]]:
    first, before = first_change(fold), fold.plan_at
    for step in fold.steps.values():
        if step.status == "done" and step.attempts == 1 and not step.adopted and not step.settled:
            yield (step.name, step.id), StepTime(_worked(fold, step, first))
        elif step.status == "skipped" and before and step.ended_at and _undivided(fold, before, step.ended_at):
            yield (step.name, step.id), StepTime(elapsed(before, step.ended_at), skipped=True)
        before = step.ended_at or before


def _undivided(fold: Fold, before: datetime, after: datetime) -> bool:
    """Whether one process worked from `before` to `after`: between two processes the run stood still."""
    return not any(before < attempt.started_at <= after for attempt in fold.attempts)


def first_change(fold: Fold) -> StepReport | None:
    """The first step that began to change something, if a question came before it that is not recorded."""
    if fold.begun is None or fold.begun.request.get("confirm") is not None:
        return None
    changes = [step for step in fold.steps.values() if step.started_at and step.effect != "read"]
    first = min(changes, key=lambda step: (step.started_at, step.number or 0), default=None)
    return None if first is None or any(gate.step == first.id for gate in fold.gates) else first


def _worked(fold: Fold, step: StepReport, first: StepReport | None) -> float:
    whole = step.seconds or 0.0
    acted = elapsed(step.started_at, step.ended_at) if step.started_at and step.ended_at else whole
    if step is first:
        return min(whole, acted)
    asked = [gate for gate in fold.gates if gate.step == step.id and gate.answered_at]
    if not asked or not asked[-1].answered_at:
        return whole
    # a machine that slept during the question counted that in the gate's times only
    return max(whole - elapsed(asked[-1].asked_at, asked[-1].answered_at), min(whole, acted))


def waited(fold: Fold, until: datetime) -> float:
    """Seconds for which the run waited for answers, from its plan `until` a time."""
    answered = [gate for gate in fold.gates if gate.answered_at and gate.answered_at <= until]
    recorded = sum(elapsed(gate.asked_at, gate.answered_at) for gate in answered if gate.answered_at)
    first = first_change(fold)
    began = first.started_at if first else None
    if began is None or began > until:
        return recorded
    ended = [step.ended_at for step in fold.steps.values() if step.ended_at and step.ended_at <= began]
    before = max(ended, default=fold.plan_at)
    return recorded + (elapsed(before, began) if before else 0.0)
