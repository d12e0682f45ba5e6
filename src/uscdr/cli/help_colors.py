"""The help of a command at a terminal with colour: panels, as Typer draws them."""

from __future__ import annotations

import io

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from uscdr.cli.help_pages import HelpPage, HelpSection, folded

_NARROW = 60
"""Columns below which an explanation stands below its name."""
_FRAME = 4
"""Columns that a panel's border and padding take."""


def colored(page: HelpPage, width: int) -> str:
    """The page with panels and colours, in at most so many columns."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, highlight=False, _environ={})
    with console.capture() as held:
        console.print(Padding(Text.assemble(("Usage: ", "yellow"), (page.usage, "bold")), (1, 1)))
        for paragraph in page.text:
            console.print(Padding(Text(paragraph), (0, 1, 1, 1)))
        for section in page.sections:
            console.print(_panel(section, width))
    return held.get().rstrip("\n")


def _panel(section: HelpSection, width: int) -> Panel:
    parts: list[RenderableType] = [Text(paragraph) for paragraph in section.text]
    if section.rows:
        parts.append(_rows(section, width))
    parts += [Text(line, style="cyan") for long in section.lines for line in folded(long, width - _FRAME)]
    return Panel(Group(*parts), title=section.title, title_align="left", border_style="dim", width=width)


def _rows(section: HelpSection, width: int) -> RenderableType:
    if width < _NARROW:
        pairs = [(Text(name, style="bold cyan"), Padding(Text(words), (0, 0, 0, 2))) for name, words in section.rows]
        return Group(*(part for pair in pairs for part in pair))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold cyan", max_width=max(len(name) for name, _ in section.rows))
    table.add_column(ratio=1)
    for name, words in section.rows:
        table.add_row(Text(name), Text(words))
    return table
