"""Texts of a report: unknown values are named as such, and foreign text cannot break the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from uscdr.words import duration, escape, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from uscdr.report.model import DataReport, Integrity

UNKNOWN = "not known"


def span(seconds: float | None) -> str:
    """Seconds in words; None is `not known`."""
    return UNKNOWN if seconds is None else duration(seconds)


def at(time: datetime | None) -> str:
    """A time in words; None is `not known`."""
    return UNKNOWN if time is None else moment(time)


def stamp(time: datetime) -> str:
    """The time of an event in UTC, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def count(number: int | None) -> str:
    """A count with thousands separators; None is `not known`, never zero."""
    return UNKNOWN if number is None else f"{number:,}"


def bound(number: int | None, *, at_least: bool) -> str:
    """A count, with `at least` for a lower bound."""
    return f"at least {count(number)}" if at_least and number is not None else count(number)


def lost(data: DataReport) -> str:
    """The number of lost rows, with `at least` for a lower bound."""
    return bound(data.rows_lost, at_least=data.at_least)


def in_markdown(text: str) -> str:
    """`text` as literal text in Markdown: no markup, no HTML, no table borders, no line breaks."""
    marked = "".join(f"\\{char}" if char in "\\`*_[]|~#" else char for char in escape(text))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# Parts of Markdown that every report has.


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; its cells are already Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def integrity_section(integrity: Integrity) -> list[str]:
    """The integrity of the report's journal."""
    whole = f"MISSING: {', '.join(map(str, integrity.missing))}" if integrity.missing else "none missing"
    last = f"`{in_markdown(integrity.last_hash)}`" if integrity.last_hash else "not available"
    words = f"{integrity.events} events read, {whole}. SHA-256 of the journal's last line: {last}."
    return ["## Integrity", "", words, ""]
