"""Durations as people write them: `4h`, `10m`, `90s`, `7d`; held as seconds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: object) -> float:
    """`4h` -> 14400.0. Raises ValueError with the allowed forms."""
    match = DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("write a duration such as 90s, 10m, 4h or 7d")
    return float(match["number"]) * SECONDS[match["unit"]]


Duration = Annotated[float, BeforeValidator(seconds)]
