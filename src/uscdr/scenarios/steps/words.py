"""Numbers and times in words, and the calls and manual commands that steps name."""

from __future__ import annotations

from datetime import datetime

from uscdr.models.events import Call

KILO = 1000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def reads(method: str, path: str) -> Call:
    """A call to the platform that only reads."""
    return Call(provider="heroku", request=f"{method} {path}", writes=False)


def writes(method: str, path: str) -> Call:
    """A call to the platform that changes something."""
    return Call(provider="heroku", request=f"{method} {path}", writes=True)


def sql(what: str, *, changes: bool = False) -> Call:
    """What is asked of the database."""
    return Call(provider="postgres", request=what, writes=changes)


def size(count: float) -> str:
    """`34.8 MB`."""
    for unit in ("B", "kB", "MB"):
        if count < KILO:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= KILO
    return f"{count:.1f} GB"


def age(seconds: float) -> str:
    """`3 h 20 min`, `2 days 4 h`, `40 s`."""
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min"
    if seconds < 2 * DAY:
        return f"{seconds // HOUR:.0f} h {seconds % HOUR // MINUTE:.0f} min"
    return f"{seconds // DAY:.0f} days {seconds % DAY // HOUR:.0f} h"


def clock(time: datetime) -> str:
    """`2026-11-23 02:00 UTC`."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def plural(count: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
