"""Whether each notice was in time, as the clock said before it."""

from __future__ import annotations

from datetime import datetime

import pytest
from ledgers import opened
from test_notice_clock import at, given, prepared, records

from uscdr.incident.kept_clock import notices_kept
from uscdr.models.incidents import (
    OUTBOX,
    Entry,
    IncidentClosed,
    IncidentReopened,
    IncidentResolved,
    NoticeDoubted,
    NoticeFailed,
    NoticeSending,
    NoticeSent,
    NoticeSettled,
)

Row = tuple[str, str, float | None, float | None, str]


def kept(*timed: tuple[float, Entry], now: float = 12.0, readers: str = "internal") -> list[Row]:
    """Notice, what was due, by which minute, sent at which minute, verdict."""
    rows = notices_kept(records([(0.0, opened()), *timed]), at(now))
    return [
        (one.notice, one.due_stage or "", minutes(one.due_at), minutes(one.sent_at), one.verdict)
        for one in rows
        if one.readers == readers
    ]


def minutes(time: datetime | None) -> float | None:
    return None if time is None else (time - at(0)).total_seconds() / 60


def sent(number: int, channel: str = "chat") -> Entry:
    return NoticeSent(notice=f"n{number}", channel=channel)


def test_nothing_is_sent_and_the_first_notice_is_due() -> None:
    assert kept() == [("", "first", 15, None, "due")]
    assert kept(now=16) == [("", "first", 15, None, "overdue")]


@pytest.mark.parametrize(("minute", "verdict"), [(14.0, "in time"), (15.0, "in time"), (15.1, "late")])
def test_the_first_notice_is_due_fifteen_minutes_after_the_detection(minute: float, verdict: str) -> None:
    rows = kept((minute, prepared(1)), (minute, sent(1)), now=20)
    assert rows == [("n1", "first", 15, minute, verdict), ("", "update", minute + 30, None, "due")]


def test_updates_count_from_the_notice_before() -> None:
    rows = kept((5, given("first")), (36, given("update")), (60, given("update")), now=61)
    assert [row[1:] for row in rows] == [
        ("first", 15, 5, "in time"), ("update", 35, 36, "late"), ("update", 66, 60, "in time"),
        ("update", 90, None, "due"),
    ]  # fmt: skip


def test_a_first_notice_that_never_came_is_missed_and_the_restoration_is_told() -> None:
    rows = kept((40, IncidentResolved(restored_at=at(39))), (50, given("completion")), now=60)
    assert rows == [("", "first", 15, None, "missed"), ("by hand", "completion", 55, 50, "in time")]


def test_a_first_notice_that_is_not_due_yet_is_not_missed() -> None:
    rows = kept((10, IncidentResolved(restored_at=at(9))), (12, given("completion")), now=60)
    assert rows == [("by hand", "completion", 25, 12, "in time")]


def test_a_second_word_of_the_restoration_misses_nothing() -> None:
    resolved = IncidentResolved(restored_at=at(20))
    rows = kept((5, given("first")), (20, resolved), (40, resolved), (50, given("completion")), now=60)
    assert [row[4] for row in rows] == ["in time", "in time"]


def test_down_again_after_an_announcement_starts_the_clock_of_updates() -> None:
    rows = kept(
        (5, given("first")), (20, IncidentResolved(restored_at=at(20))), (22, given("completion")),
        (60, IncidentReopened(why="errors again")), now=61,
    )  # fmt: skip
    assert [row[4] for row in rows] == ["in time", "in time", "overdue"]


def test_a_closed_incident_has_nothing_due_and_what_was_overdue_is_missed() -> None:
    assert kept((30, IncidentClosed()), now=60) == [("", "first", 15, None, "missed")]
    assert kept((5, IncidentClosed()), now=60) == []


def test_a_file_tells_nobody() -> None:
    rows = kept((5, prepared(1)), (5, sent(1, OUTBOX)), now=6)
    assert rows == [("n1", "", None, None, "not received"), ("", "first", 15, None, "due")]


def test_messages_are_counted_as_they_are_now() -> None:
    entries: list[tuple[float, Entry]] = [(5, prepared(1))]
    for place, end in (
        ("a", NoticeSent(notice="n1", channel="mail", recipient="a")),
        ("b", NoticeFailed(notice="n1", channel="mail", recipient="b", reason="550", final=True)),
        ("c", NoticeFailed(notice="n1", channel="mail", recipient="c", reason="421")),
        ("d", NoticeDoubted(notice="n1", channel="mail", recipient="d", reason="lost")),
        ("e", None),
    ):
        entries.append((5, NoticeSending(notice="n1", channel="mail", recipients=(place,))))
        entries += [(6, end)] if end else []
    row = notices_kept(records([(0.0, opened()), *entries]), at(7))[0]
    assert (row.sent, row.failed, row.refused, row.in_doubt) == (1, 1, 1, 2)


def test_a_doubt_that_a_person_settles_counts_from_the_answer() -> None:
    rows = kept(
        (5, prepared(1)), (5, NoticeSending(notice="n1", channel="chat")),
        (6, NoticeDoubted(notice="n1", channel="chat", reason="lost")),
        (20, NoticeSettled(notice="n1", channel="chat", decision="sent")), now=21,
    )  # fmt: skip
    assert rows[0] == ("n1", "first", 15, 20, "late")
