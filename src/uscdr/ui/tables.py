"""Small result tables: rich on a terminal, aligned words in a pipe, JSON lines for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uscdr.ui.console import Output, environment
from uscdr.ui.text import cells
from uscdr.words import escape

Row = Mapping[str, object]


@dataclass(frozen=True)
class ResultColumn:
    """A column: the key of its values, its title, and whether its values are right-aligned."""

    key: str
    title: str
    right: bool = False


def show_table(
    rows: Sequence[Row],
    output: Output,
    *,
    columns: Sequence[ResultColumn] = (),
    plain: bool = False,
    empty: str = "none",
) -> None:
    """Show `rows` on stdout. Without `columns`, use the keys of the first row.

    With --json each row is one JSON line, all its keys included, and an empty table prints nothing.
    With `plain`, rich is not imported even on a terminal.
    """
    if output.json_lines:
        for row in rows:
            output.record(row)
        return
    if not rows:
        output.result(empty)
        return
    shown = tuple(columns) or tuple(ResultColumn(key, key.replace("_", " ")) for key in rows[0])
    if plain or not output.out.is_tty:
        output.result("\n".join(_aligned(rows, shown)))
    else:
        output.out.offer(_ruled(rows, shown, output))


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
            return escape(str(value))


def _aligned(rows: Sequence[Row], columns: Sequence[ResultColumn]) -> list[str]:
    texts = [[column.title for column in columns]]
    texts += [[_cell(row.get(column.key)) for column in columns] for row in rows]
    widths = [max(cells(text[index]) for text in texts) for index in range(len(columns))]
    return ["  ".join(map(_padded, text, widths, columns)).rstrip() for text in texts]


def _padded(text: str, width: int, column: ResultColumn) -> str:
    blank = " " * (width - cells(text))
    return blank + text if column.right else text + blank


def _ruled(rows: Sequence[Row], columns: Sequence[ResultColumn], output: Output) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    color = output.color_on(output.out)
    console = Console(
        width=output.out.width, force_terminal=color, no_color=not color, highlight=False, _environ=environment()
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(column.key))) for column in columns))
    with console.capture() as capture:
        console.print(table)
    return capture.get()
