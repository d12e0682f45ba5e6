"""When a notice is due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ledgers import INCIDENT, T0, opened

from uscdr.incident.notice_clock import NoticeDue, notices_due
from uscdr.incident.state import Incident, folded
from uscdr.models.incidents import (
    Entry,
    IncidentReopened,
    IncidentResolved,
    NoticeGiven,
    NoticePrepared,
    NoticeSending,
    NoticeSent,
    Recorded,
)


def incident(*timed: tuple[float, Entry]) -> Incident:
    """With these entries at their minutes."""
    return folded(records([(0.0, opened()), *timed]))


def records(timed: Iterable[tuple[float, Entry]]) -> list[Recorded]:
    return [
        Recorded.model_validate(
            {"incident": INCIDENT, "seq": number, "at": T0 + timedelta(minutes=at), "user": "ada", "host": "here",
             "event": entry.model_dump()}
        )
        for number, (at, entry) in enumerate(timed)
    ]  # fmt: skip


def prepared(number: int, stage: str = "first", readers: str = "internal") -> Entry:
    return NoticePrepared.model_validate(
        {"notice": f"n{number}", "stage": stage, "readers": readers, "subject": "s", "text": "t", "channels": ["chat"]}
    )


def given(stage: str, readers: str = "internal") -> Entry:
    return NoticeGiven.model_validate({"stage": stage, "readers": readers, "how": "by telephone"})


def due(found: Incident, readers: str = "internal") -> NoticeDue | None:
    return next((one for one in notices_due(found) if one.readers == readers), None)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def test_the_first_notice_is_due_fifteen_minutes_after_the_detection() -> None:
    found = due(incident())
    assert found == NoticeDue("first", "internal", at(15))
    assert not found.is_overdue(at(15))
    assert found.is_overdue(at(15.1))
    assert found.words(at(11)) == "first notice to the team due in 4 min (2026-11-28 02:30 UTC)"
    assert found.words(at(19)) == "first notice to the team overdue for 4 min"


def test_an_update_is_due_half_an_hour_after_the_last_notice_and_offered_a_little_before() -> None:
    found = due(incident((10, given("first"))))
    assert found == NoticeDue("update", "internal", at(40))
    assert not found.is_offered(at(34))
    assert found.is_offered(at(35))


def test_only_what_arrived_counts() -> None:
    intent = NoticeSending(notice="n1", channel="chat")
    without = incident((1, prepared(1)), (1, intent))
    arrived = incident((1, prepared(1)), (1, intent), (2, NoticeSent(notice="n1", channel="chat")))
    assert due(without) == NoticeDue("first", "internal", at(15))
    assert due(arrived) == NoticeDue("update", "internal", at(32))
    assert due(arrived, "users") == NoticeDue("first", "users", at(15))


def test_the_restoration_is_announced_once() -> None:
    restored = IncidentResolved(restored_at=at(60))
    found = incident((10, given("first")), (61, restored))
    assert due(found) == NoticeDue("completion", "internal", at(76))
    assert due(incident((10, given("first")), (61, restored), (65, given("completion")))) is None


def test_without_a_first_notice_the_restoration_is_all_that_is_told() -> None:
    found = incident((61, IncidentResolved(restored_at=at(60))))
    assert due(found) == NoticeDue("completion", "internal", at(76))


def test_when_it_is_down_again_updates_are_due_again_and_so_is_the_next_restoration() -> None:
    before = [(10.0, given("first")), (61.0, IncidentResolved(restored_at=at(60))), (65.0, given("completion"))]
    again = [*before, (70.0, IncidentReopened(why="down again"))]
    assert due(incident(*again)) == NoticeDue("update", "internal", at(95))
    back = [*again, (90.0, IncidentResolved(restored_at=at(89)))]
    assert due(incident(*back)) == NoticeDue("completion", "internal", at(105))
