"""Pieces of Markdown that every report has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from uscdr.report.model import Integrity
from uscdr.report.words import in_markdown


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; its cells are Markdown already."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def integrity_section(integrity: Integrity) -> list[str]:
    """How whole the journal is that the report was made from."""
    whole = f"MISSING: {', '.join(map(str, integrity.missing))}" if integrity.missing else "none missing"
    last = f"`{in_markdown(integrity.last_hash)}`" if integrity.last_hash else "not given"
    words = f"{integrity.events} events read, {whole}. SHA-256 of the journal's last line: {last}."
    return ["## Integrity", "", words, ""]
