"""Small result tables: rich on a terminal, aligned words in a pipe, JSON lines for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from uscdr.ui.console import Output, environment
from uscdr.ui.pasted import CARRIED
from uscdr.ui.text import cells, wrap
from uscdr.words import escape

if TYPE_CHECKING:
    from uscdr.ui.schemas import Schema

Row = Mapping[str, object]
_BETWEEN = 3
"""Columns of a terminal between two columns of a ruled table."""


def show_table(
    schema: Schema, rows: Sequence[Row], output: Output, *, plain: bool = False, empty: str = "none"
) -> None:  # fmt: skip
    """Show `rows` on stdout: with --json each as one object of this schema, and nothing for an empty table."""
    if not output.json_lines:
        draw_table(rows, output, plain=plain, empty=empty)
        return
    for row in rows:
        output.record(schema, row)


def draw_table(rows: Sequence[Row], output: Output, *, plain: bool = False, empty: str = "none") -> None:
    """Show `rows` on stdout as text; the keys of the first row are the columns.

    With `plain`, rich is not imported even on a terminal. A terminal that is too narrow for whole words side by side
    gets one value a line.
    """
    if not rows:
        output.result(empty)
        return
    lines, width = _aligned(rows), output.out.width if output.out.is_tty else None
    if width is None or (plain and max(map(cells, lines)) <= width):
        output.result("\n".join(lines))
    elif plain or _narrowest(rows) > width:
        output.result("\n".join(_listed(rows, width)))
    else:
        output.out.offer(_ruled(rows, output))


def _cell(value: object) -> str:
    """A value in words: None is `-`, booleans `yes` and `no`, everything escaped."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(_cell(item) for item in value) or "-"
        case _:
            return escape(CARRIED.text(str(value)))


def _title(key: str) -> str:
    return key.replace("_", " ")


def _aligned(rows: Sequence[Row]) -> list[str]:
    texts = [[_title(key) for key in rows[0]], *([_cell(row.get(key)) for key in rows[0]] for row in rows)]
    widths = [max(map(cells, column)) for column in zip(*texts, strict=True)]
    return ["  ".join(map(_padded, text, widths)).rstrip() for text in texts]


def _longest_word(row: Sequence[str]) -> int:
    return max(cells(word) for text in row for word in text.split(" "))


def _columns(rows: Sequence[Row]) -> list[list[str]]:
    """The texts of each column, its title first."""
    return [[_title(key), *(_cell(row.get(key)) for row in rows)] for key in rows[0]]


def _narrowest(rows: Sequence[Row]) -> int:
    """The width of a ruled table in which no word is split."""
    return sum(_longest_word(column) + _BETWEEN for column in _columns(rows))


def _listed(rows: Sequence[Row], width: int) -> list[str]:
    """Each row as lines of a name and a value, an empty line between rows."""
    indent = max(cells(_title(key)) for key in rows[0]) + 2
    lines: list[str] = []
    for row in rows:
        lines += [""] if lines else []
        for key in rows[0]:
            first, *rest = wrap(_cell(row.get(key)), width - indent)
            lines += [f"{_padded(_title(key), indent)}{first}", *(" " * indent + more for more in rest)]
    return lines


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _ruled(rows: Sequence[Row], output: Output) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    color = output.color_on(output.out)
    console = Console(
        width=output.out.width, force_terminal=color, no_color=not color, highlight=False, _environ=environment()
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in _columns(rows):
        table.add_column(column[0], overflow="fold", min_width=_longest_word(column))
    for row in rows:
        table.add_row(*(Text(_cell(row.get(key))) for key in rows[0]))
    with console.capture() as capture:
        console.print(table)
    return capture.get()
