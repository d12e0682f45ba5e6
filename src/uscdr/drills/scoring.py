"""Scores a surprise drill: what the journal shows of each fault, how soon, and whether the outcome is as expected.

Nothing passes by default: a fault that struck and left no evidence failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.drills.faults import Reaction, Sign
from uscdr.errors import ExitCode
from uscdr.models import events as ev
from uscdr.providers.http.download import CUT
from uscdr.scenarios.steps.media_restore import ANSWER_LOST
from uscdr.wiring.context import RETRIED
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from uscdr.drills.faults import PlannedFault
    from uscdr.models.base import Event
    from uscdr.models.events import Stamped

CHOOSE = "backup.choose"
"""The kind of step that chooses the backup."""


@dataclass(frozen=True)
class Strike:
    """The first effect of a fault: when, on what request, and how many requests it hit."""

    at: datetime
    request: str
    count: int = 1


@dataclass(frozen=True)
class Ending:
    """How one attempt of uscdr ended. `message` and `next_action` are empty after a success."""

    code: ExitCode
    at: datetime
    message: str = ""
    next_action: str = ""


@dataclass(frozen=True)
class DrillTrace:
    """What happened in a surprise drill, from the journal, the sandbox's audit log and the exit codes."""

    events: Sequence[Stamped]
    strikes: Mapping[str, Strike]
    """By the fault's name; a fault that is not there did not strike."""
    endings: Sequence[Ending]
    """The first attempt, and the second one where there was one."""
    destroyed: str = ""
    """What the first attempt destroyed before it stopped; empty if nothing."""
    bad_backup: str = ""
    """The name of the newest, bad backup."""
    compared: bool = False
    """Whether every comparison with the healthy state holds."""


@dataclass(frozen=True)
class FaultScore:
    """One fault: what was expected, what happened. `seconds` run from its first effect to its detection.

    Reports and `--json` have every field.
    """

    name: str
    what: str
    expected: str
    struck: str
    """The first request that it hit; empty if it never struck."""
    detected: bool
    evidence: str
    seconds: float | None
    right: bool
    outcome: str
    verdict: str = ""
    """In a word or two; always what follows from the others."""

    def __post_init__(self) -> None:
        verdict = "handled" if self.handled else "FAILED"
        object.__setattr__(self, "verdict", verdict if self.struck else "did not strike")

    @property
    def handled(self) -> bool:
        """Whether it did not strike, or was detected and had the expected outcome."""
        return not self.struck or (self.detected and self.right)

    @property
    def words(self) -> str:
        """The score in one line, for the screen."""
        if not self.struck:
            return f"{self.verdict}: {self.name} ({self.what})"
        after = f" after {duration(self.seconds)}" if self.seconds is not None else ""
        seen = f"detected{after} by {self.evidence}" if self.detected else "NOT DETECTED"
        return f"{self.verdict}: {self.name} ({self.what}); {seen}; {self.outcome}"


def scores(faults: Sequence[PlannedFault], seen: DrillTrace) -> tuple[FaultScore, ...]:
    """The score of each fault, in the order of the plan."""
    struck = [one for one in faults if one.name in seen.strikes]
    return tuple(_score(one, struck, seen) for one in faults)


def recovery_expected(faults: Sequence[PlannedFault], seen: DrillTrace) -> bool:
    """Whether the drill must end with a recovered application: no fault that struck stops uscdr for good."""
    return not any(one.expected is Reaction.STOP for one in faults if one.name in seen.strikes)


def _score(fault: PlannedFault, struck: Sequence[PlannedFault], seen: DrillTrace) -> FaultScore:
    strike = seen.strikes.get(fault.name)
    plain = (fault.name, fault.what, fault.expected.value)
    if strike is None:
        return FaultScore(*plain, "", detected=False, evidence="", seconds=None, right=False, outcome="")
    found = _detection(fault, strike, seen)
    wrong = "; ".join(_complaints(fault, struck, seen))
    return FaultScore(
        *plain,
        strike.request + (f" and {strike.count - 1} more" if strike.count > 1 else ""),
        detected=found is not None,
        evidence=found[1] if found else "",
        seconds=max(0.0, (found[0] - strike.at).total_seconds()) if found else None,
        right=not wrong,
        outcome=wrong or _as_expected(seen),
    )


def _as_expected(seen: DrillTrace) -> str:
    codes = ", then ".join(str(int(one.code)) for one in seen.endings)
    return f"as expected (exit code {codes})"


# Evidence of a detection: the first event at or after the first effect that only this kind of fault explains.


def _detection(fault: PlannedFault, strike: Strike, seen: DrillTrace) -> tuple[datetime, str] | None:
    """When, and which event; None if nothing shows that uscdr noticed."""
    if fault.sign is Sign.LOCKED:
        told = (one for one in seen.endings if one.code is ExitCode.LOCKED)
        return next(((one.at, f"exit code 6: {one.message}") for one in told), None)
    words = _SIGNS[fault.sign]
    after = (one for one in seen.events if one.at >= strike.at)
    found = ((one.at, words(one, fault, strike, seen)) for one in after)
    return next(((at, evidence) for at, evidence in found if evidence), None)


def _retried(one: Stamped, fault: PlannedFault, strike: Strike, seen: DrillTrace) -> str:
    del fault, strike, seen
    said = _note_of_a_retry(one.event)
    return "" if CUT in said else said


def _note_of_a_retry(event: Event) -> str:
    is_retry = isinstance(event, ev.Note) and event.level == "warning" and event.text.startswith(RETRIED)
    return f"note: {event.text}" if is_retry and isinstance(event, ev.Note) else ""


def _settled(one: Stamped, fault: PlannedFault, strike: Strike, seen: DrillTrace) -> str:
    del fault, strike, seen
    event = one.event
    if isinstance(event, ev.Note) and event.text.startswith(ANSWER_LOST):
        return f"note: {event.text}"
    if not isinstance(event, ev.StepSettled):
        return ""
    return f"step {event.step} settled: {event.found} ({event.decision})"


def _lasted(one: Stamped, fault: PlannedFault, strike: Strike, seen: DrillTrace) -> str:
    """The step during which the answer was late, if its duration in the journal shows the delay."""
    event = one.event
    if not isinstance(event, ev.StepSucceeded) or event.seconds < fault.delay:
        return ""
    begun = [was.at for was in seen.events if isinstance(was.event, ev.StepStarted) and was.event.step == event.step]
    during = any(at <= one.at and (strike.at - at).total_seconds() >= -fault.delay for at in begun)
    return f"step {event.step} lasted {duration(event.seconds)}" if during else ""


def _passed_over(one: Stamped, fault: PlannedFault, strike: Strike, seen: DrillTrace) -> str:
    del fault, strike
    said = next((words for words in _left_aside(one.event) if words.startswith(f"{seen.bad_backup} (")), "")
    return f"passed over {said}" if said and seen.bad_backup else ""


def _left_aside(event: Event) -> Iterator[str]:
    """What the choice of the backup says of those that it passed over, in the plan or as a step."""
    if isinstance(event, ev.StepSucceeded) and event.name == CHOOSE:
        yield from map(str, event.result.get("passed_over") or ())
    if isinstance(event, ev.PlanReady):
        for step in event.steps:
            if step.name == CHOOSE:
                yield step.summary.partition("passed over: ")[2]


def _refused(one: Stamped, fault: PlannedFault, strike: Strike, seen: DrillTrace) -> str:
    """The failure of a step or of the run, if its words name the cause."""
    del fault, strike, seen
    event, word = one.event, "refused"
    if isinstance(event, ev.StepFailed) and word in f"{event.message} {event.why}":
        return f"step {event.step} failed: {event.message}"
    if isinstance(event, ev.RunFinished) and event.outcome != "done" and word in event.summary:
        return f"the run ended: {event.summary}"
    return ""


def _broken(one: Stamped, fault: PlannedFault, strike: Strike, seen: DrillTrace) -> str:
    del fault, strike, seen
    said = _note_of_a_retry(one.event)
    return said if CUT in said else ""


_SIGNS: Mapping[Sign, Callable[[Stamped, PlannedFault, Strike, DrillTrace], str]] = {
    Sign.RETRIED: _retried,
    Sign.SETTLED: _settled,
    Sign.LASTED: _lasted,
    Sign.PASSED_OVER: _passed_over,
    Sign.REFUSED: _refused,
    Sign.BROKEN: _broken,
}


# The outcome: what is wrong with it, in words.


def _complaints(fault: PlannedFault, struck: Sequence[PlannedFault], seen: DrillTrace) -> Iterator[str]:
    strictest = next((one for one in struck if one.expected.stops), None)
    if strictest is None:
        yield from _not_survived(seen, attempts=1)
    else:
        yield from _not_stopped(strictest, seen)
        if strictest.expected is Reaction.AGAIN:
            yield from _not_survived(seen, attempts=2)
        elif len(seen.endings) > 1:
            yield "uscdr went on"
    if fault.expected is Reaction.CHOOSE and seen.bad_backup in _chosen(seen.events):
        yield f"uscdr chose the bad backup {seen.bad_backup}"


def _not_survived(seen: DrillTrace, *, attempts: int) -> Iterator[str]:
    last = seen.endings[-1]
    if last.code is not ExitCode.DONE:
        yield f"the recovery ended with exit code {int(last.code)}: {last.message}"
    elif len(seen.endings) != attempts:
        yield f"{attempts} attempts were expected, {len(seen.endings)} were made"
    elif not seen.compared:
        yield "a comparison with the healthy state does not hold"


def _not_stopped(fault: PlannedFault, seen: DrillTrace) -> Iterator[str]:
    first = seen.endings[0]
    if first.code not in fault.codes:
        wanted = " or ".join(str(int(code)) for code in fault.codes)
        yield f"exit code {int(first.code)} instead of {wanted}"
    if not first.next_action and first.code is not ExitCode.DONE:
        yield "the error named no next action"
    if seen.destroyed:
        yield f"uscdr did not stop in time: {seen.destroyed}"


def _chosen(events: Sequence[Stamped]) -> set[str]:
    """The names of the backups that the choice came to."""
    ended = (one.event for one in events)
    return {str(event.result.get("backup")) for event in ended
            if isinstance(event, ev.StepSucceeded) and event.name == CHOOSE}  # fmt: skip
