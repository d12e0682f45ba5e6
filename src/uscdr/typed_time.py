"""Times that a person types: `2026-11-23T10:00Z`, `02:10`, `40m`, `3 hours ago`. Without a zone they are UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from uscdr.errors import BadInput
from uscdr.models.base import is_ours, seconds

_CLOCK = re.compile(r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)Z?")
_SPAN = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>min|minutes?|hours?|days?|[smhd])", re.IGNORECASE)
_AGO = re.compile(r"\s+ago", re.IGNORECASE)
_DAY = timedelta(days=1)


def moment_typed(text: str, option: str, example: str = "2026-11-23T10:00Z") -> datetime:
    """The time that `text` (ISO 8601) says. Raises BadInput that names the option."""
    fix = f"Pass a time in UTC: {option} {example}"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"“{text}” is not a valid time.", next_action=fix) from None
    whole = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not is_ours(whole):
        raise BadInput(f"“{text}” is too far in the past or the future.", next_action=fix)
    return whole.astimezone(UTC)


def past_typed(text: str, now: datetime, option: str) -> datetime:
    """A time up to `now`: as `time_typed`, or how long ago: `40m`, `3 hours ago`. Raises BadInput."""
    span = span_typed(_AGO.sub("", text), option)
    return time_typed(text, now, option) if span is None else _before(span, text, now, option)


def time_typed(text: str, latest: datetime, option: str) -> datetime:
    """A time up to `latest`: ISO 8601, or `02:10`, its last occurrence in UTC before that. Raises BadInput."""
    typed = text.strip()
    if (clock := _CLOCK.fullmatch(typed)) is not None:
        that_day = latest.astimezone(UTC).replace(
            hour=int(clock["hour"]), minute=int(clock["minute"]), second=0, microsecond=0
        )
        return that_day if that_day <= latest else that_day - _DAY
    found = moment_typed(typed, option, "02:10 (the last 02:10 UTC), 2026-11-23T02:10Z or 40m (that long ago)")
    if found > latest:
        raise BadInput(
            f"“{text}” is in the future.",
            why=f"A time without a zone is UTC, and now it is {latest.astimezone(UTC):%Y-%m-%d %H:%M} UTC.",
            next_action=f"Pass the time of the outage in UTC, or how long ago it was: {option} 40m",
        )
    return found


def span_typed(text: str, option: str) -> float | None:
    """Seconds of a duration such as `40m` or `3 hours`; None for another text. Raises BadInput for one too long."""
    typed = _SPAN.fullmatch(text.strip())
    if typed is None:
        return None
    try:
        return seconds(f"{typed['number']}{typed['unit'][0].lower()}")
    except (ValueError, OverflowError):
        raise BadInput(f"“{text}” is not a valid duration.", next_action=f"For example: {option} 40m") from None


def _before(span: float, text: str, now: datetime, option: str) -> datetime:
    found = now - timedelta(seconds=span)
    if not is_ours(found):
        raise BadInput(f"“{text}” is too long ago.", next_action=f"For example: {option} 40m")
    return found
