"""Numbers and times in an answer's headers. What is not exactly that is passed over: the peer may send anything."""

from __future__ import annotations

import email.utils
import re
from datetime import UTC, datetime


def whole_number(value: str | None) -> int | None:
    """A count; None when it is absent or is anything but ASCII digits, at most 15 of them."""
    return int(value) if value is not None and re.fullmatch(r"[0-9]{1,15}", value) else None


def http_date(value: str) -> datetime | None:
    """An HTTP date, in UTC where it names no zone; None when it is none."""
    try:
        found = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header: a number of seconds or an HTTP date; None when unusable."""
    seconds = whole_number(value)
    if value is None or seconds is not None:
        return seconds
    until = http_date(value)
    return None if until is None else max(0.0, (until - now).total_seconds())
