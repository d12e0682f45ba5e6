"""The calendar file, read back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from exercise_world import CONFIG, attested, day, drilled, known
from icalendar import Calendar

from uscdr.exercises.ics import calendar
from uscdr.exercises.readiness import ReviewState
from uscdr.exercises.standing import of_all

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
REVIEW = ReviewState(day("2026-11-02"), day("2027-02-02"))


def events(*records: Any, today: str = "2026-11-20", review: ReviewState | None = REVIEW) -> dict[str, Any]:
    data = calendar("usc-pis", of_all(known(*records), day(today)), review, NOW, day(today))
    found = Calendar.from_ical(data)
    assert (found["VERSION"], found["METHOD"]) == ("2.0", "PUBLISH")
    return {str(one["UID"]): one for one in found.walk("VEVENT")}


def test_every_exercise_is_a_series_with_a_name_that_stays() -> None:
    first, later = events(), events(drilled("db", "2026-11-02"), today="2026-11-21")
    every = [one.name for one in CONFIG.exercises] + [one.name for one in CONFIG.supplies]
    names = {f"usc-pis-{name}@uscdr" for name in every}
    assert names <= first.keys()
    assert names <= later.keys()


def test_an_event_lasts_a_day_and_comes_again() -> None:
    found = events(drilled("db", "2026-11-02"))["usc-pis-database-restore@uscdr"]
    assert (found["DTSTART"].dt, found["DTEND"].dt) == (date(2026, 12, 1), date(2026, 12, 2))
    assert found["DTSTART"].params["VALUE"] == "DATE", "no time zone moves it"
    assert found["DTSTAMP"].dt == NOW
    assert dict(found["RRULE"]) == {"FREQ": ["MONTHLY"], "INTERVAL": [1]}
    assert "done in 2026-11" in found["DESCRIPTION"]


@pytest.mark.parametrize(
    ("name", "interval", "start"),
    [
        ("contacts-review", 3, "2026-10-01"),
        ("third-party-recovery", 12, "2026-01-01"),
        ("second-internet", 3, "2026-10-01"),
    ],
)
def test_what_is_not_done_stands_in_its_period(name: str, interval: int, start: str) -> None:
    found = events()[f"usc-pis-{name}@uscdr"]
    assert (found["DTSTART"].dt, found["RRULE"]["INTERVAL"]) == (day(start), [interval])


def test_what_is_overdue_stands_in_the_calendar_today() -> None:
    found = events(attested("contacts-review", "2026-11-03"))
    late = found["usc-pis-procedures-review-overdue@uscdr"]
    assert late["DTSTART"].dt == day("2026-11-20")
    assert str(late["SUMMARY"]) == "Overdue: Review and update of the procedures"
    assert "uscdr drill record procedures-review --by WHO" in late["DESCRIPTION"]
    assert "usc-pis-contacts-review-overdue@uscdr" not in found
    assert "usc-pis-third-party-recovery-overdue@uscdr" not in found, "only due"


def test_the_review_of_the_document_is_an_event_of_its_own() -> None:
    assert events()["usc-pis-document-review@uscdr"]["DTSTART"].dt == REVIEW.next
    late = ReviewState(day("2025-08-14"), day("2025-11-14"))
    assert events(review=late)["usc-pis-document-review@uscdr"]["DTSTART"].dt == day("2026-11-20")
    assert "usc-pis-document-review@uscdr" not in events(review=None)


def test_lines_are_as_the_standard_wants_them() -> None:
    data = calendar("usc-pis", of_all(known(), day("2026-11-20")), REVIEW, NOW, day("2026-11-20"))
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert data.endswith(b"END:VCALENDAR\r\n")
