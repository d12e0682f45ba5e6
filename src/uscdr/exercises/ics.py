"""The calendar as an iCalendar file (RFC 5545). All events last whole days, so that no time zone can move them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from icalendar import Calendar, Event

from uscdr import __version__
from uscdr.exercises.periods import MONTHS, Period
from uscdr.exercises.standing import ExerciseStanding, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime

    from uscdr.exercises.readiness import ReviewState

DAY = timedelta(days=1)


def calendar(
    name: str, standings: Sequence[ExerciseStanding], review: ReviewState | None, now: datetime, today: date
) -> bytes:
    """The file. `name` is the application's; UIDs are made of it and of the exercises' names, and stay the same."""
    found = Calendar()
    found.add("prodid", f"-//uscdr//{__version__}//EN")
    found.add("version", "2.0")
    found.add("method", "PUBLISH")
    found.add("name", f"Recovery exercises of {name}")
    events = [*_exercises(name, standings, today), *([_review(name, review, today)] if review else [])]
    for event in events:
        event.add("dtstamp", now)
        event.add("transp", "TRANSPARENT")
        found.add_component(event)
    data: bytes = found.to_ical()
    return data


def _exercises(name: str, standings: Sequence[ExerciseStanding], today: date) -> Iterator[Event]:
    """A series for each exercise, on the first day of its periods; for an overdue one also an event today."""
    for one in standings:
        exercise = one.exercise
        this = Period.of(exercise.every, today)
        first = this.later(1) if one.state is State.DONE else this
        event = _event(f"{name}-{exercise.name}", exercise.title, first.start, one)
        event.add("rrule", {"freq": "monthly", "interval": MONTHS[exercise.every]})
        yield event
        if one.fails:
            yield _event(
                f"{name}-{exercise.name}-overdue", f"{one.state.value.capitalize()}: {exercise.title}", today, one
            )


def _review(name: str, review: ReviewState, today: date) -> Event:
    late = review.next < today
    event = _bare(f"{name}-document-review", "Next review of the runbook", today if late else review.next)
    event.add("description", f"Due on {review.next}; the last one was on {review.last}.")
    return event


def _event(uid: str, summary: str, day: date, one: ExerciseStanding) -> Event:
    event = _bare(uid, summary, day)
    event.add("description", f"{one.state.value}: {one.why}\n{one.do}")
    return event


def _bare(uid: str, summary: str, day: date) -> Event:
    event = Event()
    event.add("uid", f"{uid}@uscdr")
    event.add("summary", summary)
    event.add("dtstart", day)
    event.add("dtend", day + DAY)
    return event
