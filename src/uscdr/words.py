"""Formats durations, sizes, times and plurals, with one rule each; escapes foreign text, and reads numbers from it.

A duration is rounded to the second, below one second to a tenth. From a minute on, it has its two largest
units (days from the second day on); the rest is cut off, and a second unit of zero is left out.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


MINUTE, HOUR, DAY = 60, 3600, 86400
KILO = 1000
SHOWN = 3
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def duration(seconds: float) -> str:
    """Seconds as `0 s`, `0.4 s`, `42 s`, `5 min 03 s`, `10 min`, `4 h`, `26 h 05 min` or `3 d 04 h`.

    A negative duration, from clocks that differ, is `0 s`.
    """
    tenths, whole = round(max(0.0, seconds), 1), round(max(0.0, seconds))
    if tenths < 1:
        return f"{tenths:g} s"
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _pair(whole // MINUTE, "min", whole % MINUTE, "s")
    if whole < 2 * DAY:
        return _pair(whole // HOUR, "h", whole % HOUR // MINUTE, "min")
    return _pair(whole // DAY, "d", whole % DAY // HOUR, "h")


def _pair(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large} {unit} {small:02d} {smaller}" if small else f"{large} {unit}"


def size(count: float) -> str:
    """Bytes as `812 B` or `34.8 MB`."""
    if count < KILO:
        return f"{round(count)} B"
    for unit in ("kB", "MB", "GB"):
        count /= KILO
        if round(count, 1) < KILO:
            return f"{count:.1f} {unit}"
    return f"{count / KILO:.1f} TB"


def amount(count: float, unit: str) -> str:
    """A quantity of `unit`: bytes as `size`, anything else as a number and its unit."""
    if is_size(unit):
        return size(count)
    return f"{count:,.0f} {unit}".rstrip()


def is_size(unit: str) -> bool:
    """Whether it is the unit of a size in bytes."""
    return unit in {"B", "byte", "bytes"}


def moment(at: datetime) -> str:
    """A time to the minute, as `2026-11-28 03:09 UTC`; `at` has any time zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def plural(number: int, noun: str, many: str = "") -> str:
    """`1 row`, `12,345 rows`; `many` is the plural of a noun that takes no plain s."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def first_of(names: Collection[str], most: int = SHOWN, comma: str = ", ") -> str:
    """`a, b, c and 4 more`, each on one line: a foreign name must not look like a line of ours."""
    shown = [escape(name) for name in list(names)[:most]]
    more = len(names) - len(shown)
    return comma.join(shown) + (f" and {more:,} more" if more else "")


def escape(text: str, *, keep_newlines: bool = False) -> str:
    r"""`text` with everything that a terminal interprets, or nobody sees, as escapes (`\x1b`, `\u202e`).

    Control characters, ANSI sequences, bidirectional overrides, zero-width and line-separator
    characters become visible; applying it twice changes nothing more.
    """
    return "".join(
        char if char == "\n" and keep_newlines else _spelt(char) if unicodedata.category(char) in _HIDDEN else char
        for char in text
    )


def _spelt(char: str) -> str:
    return char.encode("unicode_escape").decode()


# Whole numbers out of foreign text: at most fifteen ASCII digits. `str.isdigit` takes `²`, `\d` takes the digits of
# every script, and `int` takes `1_0` and refuses what is very long.


MOST = 10**15
_WHOLE = re.compile(r"[0-9]{1,15}")


def whole(text: str | bytes | None) -> int | None:
    """The number, 0 or more and below `MOST`; None for anything else."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    return int(text) if text is not None and _WHOLE.fullmatch(text) else None
