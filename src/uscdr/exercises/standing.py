"""Whether an exercise is done, due, overdue or stale today. Only dates: no clock, no time zone.

The rule: once in every calendar period. It is due from the first day of the period after the one in which it was last
done, and overdue when that whole period has passed without it. What was never done is counted from the day on which it
became required, as if it had been done then; without such a day it is overdue.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from uscdr.exercises.periods import Period

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from uscdr.exercises.evidence import ExerciseEvidence, KnownFacts
    from uscdr.scenarios.config import Config
    from uscdr.scenarios.config_exercises import Exercise


class State(StrEnum):
    """The states of an exercise."""

    DONE = "done"
    DUE = "due"
    STALE = "stale"
    """Done in this period, but it does not count any more: due again."""
    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    """What would show it could not be read: never success."""


@dataclass(frozen=True)
class ExerciseStanding:
    """An exercise today. `since`: from which day on it was or is owed; `until`: the last day on which it is in time.

    `until` is None when nothing says since when the exercise is required.
    """

    exercise: Exercise
    state: State
    since: date
    until: date | None
    last: date | None
    """The newest day on which it was done, whether that still counts or not."""
    why: str
    do: str
    """The command that does it."""

    @property
    def fails(self) -> bool:
        """Whether it is overdue, or not known to be in time."""
        return self.state in (State.OVERDUE, State.UNKNOWN)


def of_all(known: KnownFacts, today: date) -> tuple[ExerciseStanding, ...]:
    """Every exercise of scenarios.yaml, then every supply, in their order."""
    return tuple(
        judged(one, known.of(one, today), today, _required_since(one, known.config)) for one in _all(known.config)
    )


def _all(config: Config) -> Iterable[Exercise]:
    return (*config.exercises, *(one.exercise for one in config.supplies))


def _required_since(exercise: Exercise, config: Config) -> date | None:
    """Since when it is required; None when scenarios.yaml does not say."""
    return exercise.since or (config.document.in_force if config.document else None)


def judged(exercise: Exercise, seen: ExerciseEvidence, today: date, required: date | None) -> ExerciseStanding:
    """The state of one exercise."""
    this = Period.of(exercise.every, today)
    last = seen.newest.day if seen.newest else None
    begun = last or required
    base = Period.of(exercise.every, begun) if begun else None
    state = _state(seen, this, base)
    if state is State.STALE or base is None:
        since = this.start
    else:
        since = base.later(1).start if last else required or this.start
    return ExerciseStanding(
        exercise=exercise,
        state=state,
        since=since,
        until=base.later(1).end if base else None,
        last=last,
        why=_why(seen, state, this, required),
        do=_command(exercise, [name for name, day in seen.parts.items() if not _in(this, day)]),
    )


def _in(this: Period, day: date | None) -> bool:
    return day is not None and Period.of(this.every, day) == this


def _state(seen: ExerciseEvidence, this: Period, base: Period | None) -> State:
    if seen.unknown:
        return State.UNKNOWN
    if base is None or base.later(1) < this:
        return State.OVERDUE
    if seen.newest is None or base < this:
        return State.DUE
    return State.DONE if seen.counting and _in(this, seen.counting.day) else State.STALE


def _why(seen: ExerciseEvidence, state: State, this: Period, required: date | None) -> str:
    """The reason in a few words."""
    if state is State.UNKNOWN:
        return seen.unknown
    if seen.newest is None:
        missing = [f"drill {name}" for name, day in seen.parts.items() if day is None]
        never = f"never done ({', '.join(missing)})" if missing else "never done"
        return f"{never}; required since {required}" if required else f"{never}; nothing says since when it is required"
    doubt = f", but {seen.newest.doubt}" if seen.newest.doubt else ""
    if state in (State.DONE, State.STALE):
        return f"done in {this} ({seen.newest.what}){doubt if state is State.STALE else ''}"
    missing = [f"drill {name}" for name, day in seen.parts.items() if not _in(this, day)]
    rest = f": {', '.join(missing)}" if missing else ""
    if state is State.OVERDUE:
        return f"{Period.of(this.every, seen.newest.day).later(1)} passed without it{doubt}{rest}"
    return f"not yet done in {this}{doubt}{rest}"


def _command(exercise: Exercise, drills: Sequence[str]) -> str:
    """What to type; of several drills those that are missing."""
    match exercise.done_by:
        case "proof":
            return "uscdr backup prove newest"
        case "drill":
            return " && ".join(f"uscdr drill {name}" for name in drills or exercise.drills)
        case "training":
            return f"uscdr drill record {exercise.name} --by WHO --attendee NAME"
        case _:
            return f"uscdr drill record {exercise.name} --by WHO"
