"""Short words for evidence: a number with its noun, and the first few of many names."""

from __future__ import annotations

from collections.abc import Collection

SHOWN = 3
NO_BASELINE = "no baseline to compare with"


def counted(number: int, noun: str, many: str = "") -> str:
    """`1 row`, `2 rows`, `12,345 rows`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def first_of(names: Collection[str], most: int = SHOWN) -> str:
    """`a, b, c and 4 more`."""
    shown = list(names)[:most]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
