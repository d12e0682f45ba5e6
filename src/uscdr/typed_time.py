"""Times that a person types: `2026-11-23T10:00Z`, `02:10`, or how long ago (`40m`). Without a zone they are UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from uscdr.errors import BadInput
from uscdr.models.base import DURATION, is_ours, seconds

_CLOCK = re.compile(r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)Z?")
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
    """A time up to `now`: as above, `02:10` (its last occurrence in UTC), or a duration before now such as `40m`.

    Raises BadInput for anything else, and for a time in the future.
    """
    typed = text.strip()
    if (clock := _CLOCK.fullmatch(typed)) is not None:
        today = now.astimezone(UTC).replace(
            hour=int(clock["hour"]), minute=int(clock["minute"]), second=0, microsecond=0
        )
        return today if today <= now else today - _DAY
    if DURATION.fullmatch(typed):
        return _before(typed, now, option)
    found = moment_typed(typed, option, "02:10 (the last 02:10 UTC), 2026-11-23T02:10Z or 40m (that long ago)")
    if found > now:
        raise BadInput(
            f"“{text}” is in the future.",
            why=f"A time without a zone is UTC, and now it is {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC.",
            next_action=f"Pass the time of the outage in UTC, or how long ago it was: {option} 40m",
        )
    return found


def _before(text: str, now: datetime, option: str) -> datetime:
    try:
        found = now - timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        raise BadInput(f"“{text}” is not a valid duration.", next_action=f"For example: {option} 40m") from None
    if not is_ours(found):
        raise BadInput(f"“{text}” is too long ago.", next_action=f"For example: {option} 40m")
    return found
