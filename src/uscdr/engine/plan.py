"""Probe every step (reads only), plan it (pure), and compute the digest of the whole plan."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from uscdr.engine.step import Action, BlastRadius, BoundStep, Effect, Reporter, Step, View
from uscdr.models.events import PlannedStep, PlanReady

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from uscdr.models.base import Fact
    from uscdr.models.forecast import RunForecast

LATER = "checked when its turn comes"
"""What the plan says of a step that is not probed yet."""


LATE = "RTO"
"""The fact of a forecast that says that the objective will be missed."""


@dataclass(frozen=True)
class Planned:
    """One step, what its probe saw and what it would do; `seen` is None when the step must wait."""

    bound: BoundStep
    seen: Fact | None
    action: Action
    at: float = 0.0
    """When the probe ran, in monotonic seconds."""


@dataclass(frozen=True)
class Plan:
    """All steps of a run, in order, and what is known so far."""

    lines: tuple[Planned, ...]
    view: View

    @classmethod
    def foresee(cls, steps: Sequence[BoundStep], view: View, tell: Reporter) -> Plan:
        """Probe and plan all steps; later steps know what read steps saw."""
        return cls(tuple(_foresee_one(bound, view, tell) for bound in steps), view)

    def as_event(self, scenario_digest: str, budgets: dict[str, float]) -> PlanReady:
        """The plan as it is shown, journalled and approved."""
        blast = self.destruction
        return PlanReady(
            digest=_digest(self.lines, scenario_digest),
            dry_run=self.view.thorough,
            steps=tuple(_planned(line) for line in self.lines),
            budgets=budgets,
            phrase=blast.phrase if blast else None,
            facts=dict(blast.facts) if blast else {},
        )

    @property
    def blocked(self) -> str:
        """Why the plan cannot be carried out; empty when it can."""
        return " ".join(line.action.summary for line in self.lines if line.action.kind == "blocked")

    @property
    def way(self) -> str:
        """What to do instead of a plan that is blocked, in sentences; empty if the reason says it."""
        return " ".join(filter(None, (line.action.way for line in self.lines if line.action.kind == "blocked")))

    @property
    def destruction(self) -> BlastRadius | None:
        """The blast radius of the first destructive step, as far as it is known now."""
        for line in self.lines:
            if line.bound.step.destructive and line.seen is not None and line.action.kind == "change":
                return line.bound.step.blast(line.seen, self.view)
        return None


def changes(before: PlanReady, now: PlanReady) -> list[str]:
    """How a plan differs from the one that was approved, a phrase for each difference; empty if it is the same.

    Both were planned thoroughly. What only time changes (ages, forecasts) is no difference.
    """
    if [step.id for step in before.steps] != [step.id for step in now.steps]:
        return ["the scenario has other steps"]
    found = [words for old, new in zip(before.steps, now.steps, strict=True) for words in _changed(old, new)]
    if before.phrase != now.phrase:
        found.append(f"the phrase was “{before.phrase or 'none'}”, is now “{now.phrase or 'none'}”")
    return found or ([] if before.digest == now.digest else ["the scenario's steps have other options"])


def _changed(old: PlannedStep, new: PlannedStep) -> Iterator[str]:
    if old.action != new.action:
        yield f"“{new.title}” was “{old.action}”, is now “{new.action}”: {new.summary}"
        return
    for name in dict.fromkeys((*old.approved, *new.approved)):
        was, is_now = old.approved.get(name, "nothing"), new.approved.get(name, "nothing")
        if was != is_now:
            yield f"“{new.title}”: {name} was {was}, is now {is_now}"


class Forecaster(Protocol):
    """What earlier runs let expect of this one. Never raises: a recovery does not depend on it."""

    def of_plan(self, event: PlanReady, plan: Plan) -> RunForecast | None:
        """The forecast of a plan and its `event`; None when there is none for this kind of run."""
        ...

    def at_decision(self, step: str) -> Mapping[str, str]:
        """Facts for the question before the step with this id: name -> words; `LATE` only if it is to be feared."""
        ...


def _foresee_one(bound: BoundStep, view: View, tell: Reporter) -> Planned:
    step = bound.step
    waiting_for = _waits(step, view)
    if waiting_for is not None:
        return Planned(bound, None, step.plan_later(waiting_for))
    tell.progress(f"planning: {bound.title}")
    seen = step.probe(view, tell)
    action = step.plan(seen, view)
    if bound.step.effect is Effect.READ and isinstance(seen, step.gives):
        view.remember(seen)
    return Planned(bound, seen, action, time.monotonic())


def _waits(step: Step[Any, Any], view: View) -> str | None:
    if step.slow and not view.thorough:
        return LATER
    return step.ready(view)


def _digest(foreseen: Iterable[Planned], scenario_digest: str) -> str:
    """SHA-256 over the scenario, the steps in order, their parameters and the facts that the operator approves."""
    lines = [[f.bound.step.id, f.bound.step.name, dict(f.bound.params), dict(f.action.approved)] for f in foreseen]
    return hashlib.sha256(json.dumps([scenario_digest, lines], sort_keys=True, default=str).encode()).hexdigest()


def _planned(line: Planned) -> PlannedStep:
    bound, action = line.bound, line.action
    return PlannedStep(
        id=bound.step.id,
        name=bound.step.name,
        title=bound.title,
        phase=bound.phase,
        effect=bound.step.effect.value,
        action=action.kind,
        summary=action.words,
        destructive=bound.step.destructive,
        params=dict(bound.params),
        seen=bound.step.before(line.seen) if line.seen is not None else {},
        calls=action.calls,
        manual=action.manual or bound.step.by_hand(action.known),
        approved=dict(action.approved),
    )
