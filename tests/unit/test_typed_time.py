"""Times that a person types."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from uscdr.errors import BadInput
from uscdr.typed_time import moment_typed, past_typed, window_typed

NOW = datetime(2026, 11, 28, 2, 50, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("02:10", datetime(2026, 11, 28, 2, 10, tzinfo=UTC)),
        ("2:10", datetime(2026, 11, 28, 2, 10, tzinfo=UTC)),
        ("02:10Z", datetime(2026, 11, 28, 2, 10, tzinfo=UTC)),
        ("23:55", datetime(2026, 11, 27, 23, 55, tzinfo=UTC)),
        ("40m", datetime(2026, 11, 28, 2, 10, 30, tzinfo=UTC)),
        ("40m ago", datetime(2026, 11, 28, 2, 10, 30, tzinfo=UTC)),
        ("40 Minutes ago", datetime(2026, 11, 28, 2, 10, 30, tzinfo=UTC)),
        ("1 min ago", datetime(2026, 11, 28, 2, 49, 30, tzinfo=UTC)),
        ("2 hours", datetime(2026, 11, 28, 0, 50, 30, tzinfo=UTC)),
        ("1 day ago", datetime(2026, 11, 27, 2, 50, 30, tzinfo=UTC)),
        ("1.5h", datetime(2026, 11, 28, 1, 20, 30, tzinfo=UTC)),
        ("2026-11-28T02:10", datetime(2026, 11, 28, 2, 10, tzinfo=UTC)),
        ("2026-11-28 10:10+08:00", datetime(2026, 11, 28, 2, 10, tzinfo=UTC)),
    ],
)
def test_the_time_of_an_outage(text: str, wanted: datetime) -> None:
    assert past_typed(text, NOW, "--since") == wanted


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "02:60", "2026-11-28T10:10", "2026-13-01", "101 dogs ago", "3000-01-01"]
)
def test_what_is_no_past_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        past_typed(text, NOW, "--since")
    assert "--since" in refused.value.next_action


def test_a_future_time_names_the_present_in_utc() -> None:
    with pytest.raises(BadInput, match="is in the future") as refused:
        past_typed("2026-11-28T10:10", NOW, "--since")
    assert "2026-11-28 02:50 UTC" in refused.value.why


def test_a_time_without_a_zone_is_utc() -> None:
    assert moment_typed("2026-11-23T10:00", "--replaced-since") == datetime(2026, 11, 23, 10, tzinfo=UTC)


def at(day: int, hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("03:25-03:40", at(28, 3, 25), at(28, 3, 40)),
        ("03:25 - 03:40", at(28, 3, 25), at(28, 3, 40)),
        ("02:30-03:10", at(28, 2, 30), at(28, 3, 10)),  # begun already: today, not tomorrow
        ("23:50-00:10", at(28, 23, 50), at(29, 0, 10)),
        ("01:00", at(29, 1, 0), at(29, 1, 0)),
        ("45m", at(28, 3, 35, 30), at(28, 3, 35, 30)),
        ("45m-90m", at(28, 3, 35, 30), at(28, 4, 20, 30)),
        ("2026-11-30T03:25", at(30, 3, 25), at(30, 3, 25)),
        ("2026-11-30T03:25Z/2026-11-30T04:25Z", at(30, 3, 25), at(30, 4, 25)),
        ("2026-11-30T11:25+08:00 - 2026-11-30T04:25Z", at(30, 3, 25), at(30, 4, 25)),
    ],
)
def test_when_service_is_expected_back(text: str, begin: datetime, end: datetime) -> None:
    assert window_typed(text, NOW, "--expected") == (begin, end)


@pytest.mark.parametrize(
    "text", ["soon", "-5m", "90m-45m", "03:40-03:25", "2026-11-20", "99999999d", "1h-2h-3h", "03:25-soon", "0001-01-01"]
)
def test_a_window_that_is_wrong_or_over_is_refused_with_examples_of_windows(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        window_typed(text, NOW, "--expected")
    assert "--expected 03:25-03:40, 45m" in refused.value.next_action
