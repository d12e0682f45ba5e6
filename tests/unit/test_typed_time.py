"""Times that a person types."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from uscdr.errors import BadInput
from uscdr.typed_time import moment_typed, past_typed

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
