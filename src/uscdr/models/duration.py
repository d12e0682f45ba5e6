"""Durations as people write them, `4h`, `10m`, `90s`, `7d`, and as they pass; held as seconds."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator

from uscdr.words import duration

DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[smhd])")
LONGEST = 100 * 366 * 86400
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: object) -> float:
    """`4h` -> 14400.0. Raises ValueError with the allowed forms."""
    match = DURATION.fullmatch(value) if isinstance(value, str) else None
    found = float(match["number"]) * SECONDS[match["unit"]] if match else None
    if found is None or found > LONGEST:
        raise ValueError("write a duration such as 90s, 10m, 4h or 7d, of a hundred years at most")
    return found


Duration = Annotated[float, BeforeValidator(seconds)]


CLOCKS = 60.0
"""Seconds by which the clocks of a provider and of this machine may differ without a word."""


def aged(at: datetime, now: datetime) -> str:
    """The age of what is dated `at`, in words; what is dated later than `now` is of now, and that is said."""
    ahead = elapsed(now, at)
    old = duration(elapsed(at, now))
    return old if ahead <= CLOCKS else f"{old} (dated {duration(ahead)} in the future: the clocks differ)"


def elapsed(since: datetime, until: datetime) -> float:
    """Seconds from one moment to the other; never negative: the clocks of two machines differ."""
    return max(0.0, (until - since).total_seconds())
