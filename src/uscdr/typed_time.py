"""Times that a person types: `2026-11-23T10:00Z`, `02:10`, or how long ago (`40m`). Without a zone they are UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from uscdr.errors import BadInput
from uscdr.models.base import is_ours, seconds

_CLOCK = re.compile(r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)Z?")
_SPAN = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>min|minutes?|hours?|days?|[smhd])", re.IGNORECASE)
_AGO = re.compile(r"\s+ago", re.IGNORECASE)
_DATED = re.compile(r"\d{4}-")
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
    """A time up to `now`: as above, `02:10` (its last occurrence in UTC), or how long ago: `40m`, `3 hours ago`.

    Raises BadInput for anything else, and for a time in the future.
    """
    typed = text.strip()
    if (last := _clock(typed, now)) is not None:
        return last
    if (span := _span(_AGO.sub("", typed), option)) is not None:
        return _before(span, text, now, option)
    found = moment_typed(typed, option, "02:10 (the last 02:10 UTC), 2026-11-23T02:10Z or 40m (that long ago)")
    if found > now:
        raise BadInput(
            f"“{text}” is in the future.",
            why=f"A time without a zone is UTC, and now it is {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC.",
            next_action=f"Pass the time in UTC, or how long ago it was: {option} 40m",
        )
    return found


def _clock(typed: str, until: datetime) -> datetime | None:
    """The last time up to `until` at which it was `02:10` in UTC; None for another form."""
    clock = _CLOCK.fullmatch(typed)
    if clock is None:
        return None
    day = until.astimezone(UTC)
    found = day.replace(hour=int(clock["hour"]), minute=int(clock["minute"]), second=0, microsecond=0)
    return found if found <= until else found - _DAY


def window_typed(text: str, now: datetime, option: str) -> tuple[datetime, datetime]:
    """When something is expected: `03:25-03:40` (the next in UTC), `45m-90m` (from now), one of each, or ISO 8601.

    Two times in ISO 8601 have a slash or blanks around the hyphen between them. Raises BadInput,
    also for a window that is over.
    """
    fix = f"Pass when in UTC: {option} 03:25-03:40, 45m, 45m-90m or 2026-11-23T03:25Z"
    first, last = _ends(text.strip())
    end = _coming(last, now, option, fix)
    begin = _clock(first, end) or _coming(first, now, option, fix)
    if end < begin or (_CLOCK.fullmatch(first) and end - begin > _DAY / 2):
        raise BadInput(f"“{text}” ends before it begins, or lasts more than 12 hours.", next_action=fix)
    if end < now:
        raise BadInput(f"“{text}” is over.", next_action=fix)
    return begin, end


def _ends(typed: str) -> tuple[str, str]:
    """The two times of a window; a single time is both."""
    parts = re.split(r"\s+-\s+|\s*/\s*", typed)
    if len(parts) == 1 and not _DATED.match(typed):
        parts = typed.split("-")
    return (parts[0].strip(), parts[-1].strip()) if len(parts) <= 2 else (typed, typed)  # noqa: PLR2004 - two ends


def _coming(typed: str, now: datetime, option: str, fix: str) -> datetime:
    """One end of a window: the next such time, so long from now, or a date and time."""
    if (last := _clock(typed, now)) is not None:
        return last if last == now else last + _DAY
    try:
        span = _span(typed, option)
        found = moment_typed(typed, option) if span is None else now + timedelta(seconds=span)
    except BadInput:
        raise BadInput(f"“{typed}” is not a valid time.", next_action=fix) from None
    if not is_ours(found):
        raise BadInput(f"“{typed}” is too far in the future.", next_action=fix)
    return found


def _span(typed: str, option: str) -> float | None:
    """Seconds of a duration such as `40m` or `3 hours`; None for another text. Raises BadInput for one too long."""
    found = _SPAN.fullmatch(typed)
    if found is None:
        return None
    try:
        return seconds(f"{found['number']}{found['unit'][0].lower()}")
    except (ValueError, OverflowError):
        raise BadInput(f"“{typed}” is not a valid duration.", next_action=f"For example: {option} 40m") from None


def _before(span: float, text: str, now: datetime, option: str) -> datetime:
    found = now - timedelta(seconds=span)
    if not is_ours(found):
        raise BadInput(f"“{text}” is too long ago.", next_action=f"For example: {option} 40m")
    return found
