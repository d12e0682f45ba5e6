"""The clock for leases and runs: monotonic, and it counts while the machine sleeps."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Python's monotonic clock stands still in a sleep. Linux has another beside it; macOS's CLOCK_MONOTONIC runs on."""


def running() -> float:
    """Seconds since some moment; a sleep of the machine counts."""
    return time.clock_gettime(CLOCK)


_BEGUN = (datetime.now(UTC), running())


def now() -> datetime:
    """The time in UTC as this process found it at its begin, and moved on by that clock: no setting makes it jump."""
    at, since = _BEGUN
    return at + timedelta(seconds=running() - since)
