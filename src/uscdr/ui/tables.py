"""Small result tables: rich on a terminal, aligned words in a pipe, JSON lines for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from uscdr.models.checklists import list_title, sum_words
from uscdr.models.events import CheckFinished, ChecklistResult, ChecksFinished
from uscdr.ui.console import Output, environment
from uscdr.ui.sentences import verdict_span
from uscdr.ui.text import Line, Span, Tone, cells, line, painted, wrap
from uscdr.words import escape

Row = Mapping[str, object]


@dataclass(frozen=True)
class ResultColumn:
    """A column: the key of its values, its title, and whether its values stand to the right."""

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
    """Show `rows` on stdout. Without `columns` the keys of the first row are used.

    With --json each row is one JSON line, all its keys included, and an empty table prints nothing.
    `plain` keeps rich unloaded even on a terminal.
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


def cell(value: object) -> str:
    """A value in words: None is `-`, booleans `yes` and `no`, everything escaped."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(cell(item) for item in value) or "-"
        case _:
            return escape(str(value))


def _aligned(rows: Sequence[Row], columns: Sequence[ResultColumn]) -> list[str]:
    texts = [[column.title for column in columns]]
    texts += [[cell(row.get(column.key)) for column in columns] for row in rows]
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
        table.add_row(*(Text(cell(row.get(column.key))) for column in columns))
    with console.capture() as capture:
        console.print(table)
    return capture.get()


# The result of a round of checks: the lines of the runbook's lists with their verdicts, and the sum.


VERDICT = 14
"""Columns of the verdict's word."""
INDENT = 2
LEAST = 24
"""Columns that text is given even on a narrower terminal."""


def show_result(finished: ChecksFinished, checks: Iterable[CheckFinished], output: Output) -> None:
    """Show the result on stdout; broken at the width of a terminal, in a pipe not at all."""
    width = output.out.width if output.out.is_tty else None
    color = output.color_on(output.out)
    lines = result_lines(finished, checks, width)
    output.out.offer("".join(painted(spans, color=color) + "\n" for spans in lines))


def result_lines(finished: ChecksFinished, checks: Iterable[CheckFinished], width: int | None = None) -> list[Line]:
    """Each line of the lists that was asked for with its verdict; where it is no pass, why; the sum at the end.

    `checks` are those of the same round. Words are broken at `width` columns when given. The advice of a check
    that stands for several lines is given once.
    """
    ended, advised = {check.check: check for check in checks}, set[str]()
    lines: list[Line] = []
    for key, items in groupby(finished.items, key=lambda item: item.list):
        lines.append(line(Span(list_title(key), "title")))
        for item in items:
            lines += _item(item, ended, advised, width)
            advised.update(item.checks)
        lines.append(())
    lines += _others(finished, ended, width)
    verdicts = [item.verdict for item in finished.items]
    tone: Tone = "good" if set(verdicts) == {"pass"} else "bad"
    words = sum_words(verdicts, skipped_manual=finished.skipped_manual)
    return [*lines, *(line(Span(piece, tone)) for piece in (wrap(words, width) if width else [words]))]


def _item(
    item: ChecklistResult, ended: Mapping[str, CheckFinished], advised: set[str], width: int | None
) -> list[Line]:
    names = f"{item.item} ({', '.join(item.checks) or 'no check was run'})"
    lines = _beside(verdict_span(item.verdict), names, width)
    for name in item.checks:
        check = ended.get(name)
        if check is None:
            lines += _below(Span("inconclusive", "warn"), f"{name}: it did not end", width)
        elif check.verdict != "pass":
            lines += _reasons(check, width, advice=name not in advised)
    if item.skipped:
        lines += _below(Span("skipped", "warn"), ", ".join(item.skipped), width)
    return lines


def _reasons(check: CheckFinished, width: int | None, *, advice: bool = True) -> list[Line]:
    lines = _below(verdict_span(check.verdict), f"{check.check}: {check.evidence}", width)
    return lines + (_below(Span("why", "dim"), check.why, width) if check.why and advice else [])


def _others(finished: ChecksFinished, ended: Mapping[str, CheckFinished], width: int | None) -> list[Line]:
    """Checks that did not pass and stand for no line: nothing that failed is left out."""
    named = {name for item in finished.items for name in item.checks}
    found = [check for check in ended.values() if check.check not in named and check.verdict != "pass"]
    if not found:
        return []
    lines = [line(Span("Checks that stand for no line", "title"))]
    return [*lines, *(spans for check in found for spans in _reasons(check, width)), ()]


def _beside(verdict: Span, text: str, width: int | None) -> list[Line]:
    pieces = _broken(text, None if width is None else width - INDENT - VERDICT)
    first = line(" " * INDENT, Span(f"{verdict.text:<{VERDICT}}", verdict.tone), pieces[0])
    return [first, *(line(" " * (INDENT + VERDICT), piece) for piece in pieces[1:])]


def _below(head: Span, text: str, width: int | None) -> list[Line]:
    indent = INDENT + VERDICT
    pieces = _broken(f"{head.text} {text}", None if width is None else width - indent - INDENT)
    rest = [line(" " * (indent + INDENT), piece) for piece in pieces[1:]]
    return [line(" " * indent, head, pieces[0].removeprefix(head.text)), *rest]


def _broken(text: str, room: int | None) -> list[str]:
    # Escaped before it is measured: what is spelt out is longer.
    return wrap(escape(text), max(room, LEAST)) if room is not None else [text]
