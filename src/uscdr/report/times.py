"""Splits the time of a run into waiting for providers, this machine's work, and waiting for a person."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from uscdr.models import events as ev
from uscdr.models.base import elapsed
from uscdr.report.markdown import grid
from uscdr.words import duration, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NOT_RECORDED = "not recorded"
_PLAN, _END, _CUT = "plan", "end", "cut off"
_TITLES = {_PLAN: "Look at everything and plan", _END: "End the run", _CUT: "Before a process ended early"}
_HEADS = ("Step", "Together", "Provider", "This machine", "A person")


@dataclass(frozen=True)
class TimeShare:
    """Seconds that one step took, by what they were spent on; None if the journal does not say.

    `step` is the step's id, or `plan`, `end`, `cut off`. A wait for a provider counts whole, also when this machine
    worked meanwhile.
    """

    step: str
    title: str
    seconds: float
    provider: float | None
    machine: float | None
    person: float | None

    def plus(self, other: TimeShare) -> TimeShare:
        """Both together, under this one's name."""
        return replace(
            self, seconds=self.seconds + other.seconds, provider=_sum(self.provider, other.provider),
            machine=_sum(self.machine, other.machine), person=_sum(self.person, other.person),
        )  # fmt: skip

    def rounded(self) -> TimeShare:
        """With milliseconds."""
        provider, person, seconds = _round(self.provider), _round(self.person), round(self.seconds, 3)
        rest = None if provider is None or person is None else round(seconds - provider - person, 3)
        return replace(self, seconds=seconds, provider=provider, machine=rest, person=person)

    @property
    def cells(self) -> tuple[str, ...]:
        """For the table."""
        return (escape(self.title), *map(_span, (self.seconds, self.provider, self.machine, self.person)))


@dataclass(frozen=True)
class RunTimes:
    """The times of a run by step, and in total; they add up. Seconds between its processes stand apart."""

    run: str
    steps: tuple[TimeShare, ...]
    total: TimeShare
    between_processes: float

    @classmethod
    def of(cls, events: Iterable[ev.Stamped | Mapping[str, object]]) -> RunTimes:
        """From the events of a journal in their order; at least one."""
        read = [one if isinstance(one, ev.Stamped) else ev.Stamped.model_validate(one) for one in events]
        titles = dict(_titles(read))
        found: dict[str, TimeShare] = {}
        processes = list(_processes(read))
        for process in processes:
            for share in _shares(process):
                found[share.step] = found[share.step].plus(share) if share.step in found else share
        steps = tuple(replace(one, title=titles.get(name, name)).rounded() for name, one in found.items())
        total = TimeShare("", "Total", 0.0, 0.0, 0.0, 0.0)
        for one in steps:
            total = total.plus(one)
        apart = sum(max(0.0, elapsed(one[-1].at, other[0].at)) for one, other in pairwise(processes))
        return cls(read[0].run, steps, total.rounded(), round(apart, 3))

    @property
    def words(self) -> str:
        """In one line."""
        total = self.total
        if total.provider is None:
            return f"{duration(total.seconds)}; what they were spent on is {NOT_RECORDED}"
        parts = [f"{_span(total.provider)} for providers", f"{_span(total.machine)} on this machine"]
        parts += [f"{_span(total.person)} for a person"] if total.person else []
        apart = f"; {duration(self.between_processes)} between processes" if self.between_processes else ""
        return f"{duration(total.seconds)}: {', '.join(parts)}{apart}"

    def to_markdown(self) -> str:
        """A table with a line for each step, and the total."""
        lines = ["## Times", "", *grid(_HEADS, (one.cells for one in (*self.steps, self.total))), ""]
        if self.between_processes:
            lines += [f"Between the processes of this run, not in the total: {duration(self.between_processes)}.", ""]
        return "\n".join(lines)

    def as_object(self) -> dict[str, object]:
        """For JSON."""
        from dataclasses import asdict

        return asdict(self)


def _titles(events: Sequence[ev.Stamped]) -> Iterator[tuple[str, str]]:
    yield from _TITLES.items()
    for one in events:
        if isinstance(one.event, ev.PlanReady):
            yield from ((step.id, step.title) for step in one.event.steps)
        elif isinstance(one.event, ev.StepStarted):
            yield one.event.step, one.event.title


def _processes(events: Sequence[ev.Stamped]) -> Iterator[list[ev.Stamped]]:
    """The events of each process that worked on the run."""
    now: list[ev.Stamped] = []
    for one in events:
        if now and isinstance(one.event, ev.RunResumed):
            yield now
            now = []
        now.append(one)
    yield now


def _shares(process: Sequence[ev.Stamped]) -> Iterator[TimeShare]:
    """What passed between two ends belongs to the step that ends with the second; of one process."""
    begun = process[0]
    for one in process:
        step = _ended(one)
        if step:
            yield _between(step, begun, one)
            begun = one
    if begun is not process[-1]:
        yield _between(_CUT, begun, process[-1])


def _ended(one: ev.Stamped) -> str:
    match one.event:
        case ev.StepSucceeded() | ev.StepSkipped() | ev.StepFailed() as event:
            return event.step
        case ev.PlanReady():
            return _PLAN
        case ev.RunFinished():
            return _END
    return ""


def _between(step: str, begun: ev.Stamped, ended: ev.Stamped) -> TimeShare:
    seconds = max(0.0, ended.mono - begun.mono)
    before, after = begun.waited, ended.waited
    if before is None or after is None:
        return TimeShare(step, step, seconds, None, None, None)
    provider, person = after.provider - before.provider, after.person - before.person
    return TimeShare(step, step, seconds, provider, seconds - provider - person, person)


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _span(seconds: float | None) -> str:
    return NOT_RECORDED if seconds is None else duration(max(0.0, seconds))
