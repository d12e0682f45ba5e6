"""The clock for leases and runs: monotonic, and it counts while the machine sleeps."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""CLOCK_MONOTONIC stops while Linux sleeps; CLOCK_BOOTTIME does not, nor does macOS's CLOCK_MONOTONIC."""


def running() -> float:
    """Seconds since an arbitrary moment, including the machine's sleep."""
    return time.clock_gettime(CLOCK)


_BEGUN = (datetime.now(UTC), running())


def system_time() -> datetime:
    """The time in UTC by the system's clock: to compare with the times of providers."""
    return datetime.now(UTC)


def now() -> datetime:
    """The time in UTC: this process's start, plus `running` since then. Setting the system's clock changes nothing."""
    at, since = _BEGUN
    return at + timedelta(seconds=running() - since)
