"""Times in an answer's headers. What is not exactly that is passed over: the peer may send anything."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime

from uscdr.digits import whole


def http_date(value: str) -> datetime | None:
    """An HTTP date, in UTC where it names no zone; None when it is none."""
    try:
        found = email.utils.parsedate_to_datetime(value)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header: a number of seconds or an HTTP date; None when unusable."""
    seconds = whole(value)
    if value is None or seconds is not None:
        return seconds
    until = http_date(value)
    return None if until is None else max(0.0, (until - now).total_seconds())
