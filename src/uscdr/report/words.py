"""The words of a report: durations, times and text that cannot disturb the page."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60, 3600, 86400


def span(seconds: float | None) -> str:
    """Seconds as `0.4 s`, `42 s`, `5 min 03 s` or `1 h 05 min`; None is `not known`."""
    if seconds is None:
        return "not known"
    if seconds < 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02d} s" if whole % MINUTE else f"{whole // MINUTE} min"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"
    return f"{whole // DAY} d {whole % DAY // HOUR:02d} h"


def at(moment: datetime | None) -> str:
    """A time in UTC with its date."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else "not known"


def count(number: int | None) -> str:
    """A count with its thousands parted; None is `not known`, never zero."""
    return "not known" if number is None else f"{number:,}"


def visible(text: str) -> str:
    """One line of `text` with control, bidirectional and zero-width characters spelt out."""
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029"
        else char
        for char in text
    )


def in_markdown(text: str) -> str:
    """`text` as literal words in Markdown: no markup, no HTML, no table borders, no line breaks."""
    marked = "".join(f"\\{char}" if char in "\\`*_[]|~#" else char for char in visible(text))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
