"""The clock by which a lease is judged: this machine's own, which runs on while the machine sleeps and is never set."""

from __future__ import annotations

import time

CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Python's monotonic clock stands still in a sleep. Linux has another beside it; macOS's CLOCK_MONOTONIC runs on."""


def running() -> float:
    """Seconds since some moment; a sleep of the machine counts."""
    return time.clock_gettime(CLOCK)
