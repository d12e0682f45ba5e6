"""The help of a command as sections, and its plain form. Loaded only when somebody asks for help."""

from __future__ import annotations

import inspect
import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from typer.core import TyperGroup

from uscdr.cli.global_options import GLOBAL_OPTIONS
from uscdr.cli.manual import EXIT_CODES, manual_of

WIDEST = 100
"""Columns. Longer lines are hard to read."""
_SIDE_BY_SIDE = 60
"""Columns that a page needs to show a name and its explanation on one line."""
_NAMES = 30
"""Columns of the longest name that stands beside its explanation."""
_INDENT = "  "
_BROKEN = (
    ("uscdr recover db", "the database is damaged, or data is lost"),
    ("uscdr recover app", "the application fails after a deploy, or does not start"),
    ("uscdr recover media", "files are lost"),
    ("uscdr recover infra --kit newest", "the application is gone, or the whole platform: rebuild the infrastructure"),
    ("uscdr recover backups", "no backup is made any more"),
    ("uscdr verify", "you do not know what is broken"),
    ("uscdr runs resume", "a recovery stopped halfway"),
)
"""What to type at 3 a.m., by what is broken."""


@dataclass(frozen=True)
class HelpSection:
    """A part of the page: paragraphs, or rows of a name and its explanation, or command lines to paste."""

    title: str
    text: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class HelpPage:
    """The help of one command, or of a topic: then without a usage."""

    command: str
    usage: str
    text: tuple[str, ...]
    sections: tuple[HelpSection, ...]


def width_of(columns: int, *, terminal: bool) -> int:
    """Columns for the page: those of the terminal; without one, $COLUMNS or 80."""
    given = os.environ.get("COLUMNS", "")
    return min(int(given) if given.isdecimal() and not terminal and int(given) else columns, WIDEST)


def page_of(context: Any) -> HelpPage:  # noqa: ANN401 - Click's types are private
    """What the help of the context's command says."""
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    return HelpPage(context.command_path, usage, _paragraphs(command.help or ""), tuple(_sections(context)))


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n") if part.strip())


def _sections(context: Any) -> Iterator[HelpSection]:  # noqa: ANN401 - Click's types are private
    command, is_root = context.command, context.parent is None
    said = manual_of(command.callback)
    if is_root:
        words = "Each shows its plan, and asks for a phrase before it changes anything."
        yield HelpSection("When something is broken", text=(words,), rows=_BROKEN)
    if said is not None:
        yield HelpSection("Reads", text=(said.reads,))
        yield HelpSection("Changes", text=(said.changes,))
    if isinstance(command, TyperGroup):
        yield from _commands(context)
    yield from _parameters(context)
    if not is_root:
        yield HelpSection("Global options", text=(_global_names(context),))
    if said is not None:
        yield HelpSection("Examples", lines=tuple(f"uscdr {one}" for one in said.examples))
        yield HelpSection("Exit codes", rows=tuple((str(code), words) for code, words in sorted(said.exits.items())))
        yield HelpSection("See also", lines=tuple(f"uscdr {one}" for one in said.see))
    elif is_root:
        yield HelpSection("Exit codes", rows=tuple((str(code), words) for code, words in EXIT_CODES.items()))
        yield HelpSection("See also", lines=("uscdr help environment", "uscdr help exit-codes", "uscdr help dates"))


def _commands(context: Any) -> Iterator[HelpSection]:  # noqa: ANN401 - Click's types are private
    command = context.command
    headed: dict[str, list[str]] = getattr(command, "headings", {"Commands": command.list_commands(context)})
    for title, names in headed.items():
        found = [(name, command.get_command(context, name)) for name in names]
        rows = tuple((name, summary(one.help or "")) for name, one in found if one is not None and not one.hidden)
        yield HelpSection(title, rows=rows)


def summary(text: str) -> str:
    """The first sentence of a help text, without its full stop."""
    first = (_paragraphs(text) or ("",))[0]
    return re.split(r"(?<=[^.])\.(?:\s|$)", first, maxsplit=1)[0]


def _parameters(context: Any) -> Iterator[HelpSection]:  # noqa: ANN401 - Click's types are private
    command = context.command
    shared = () if context.parent is None else GLOBAL_OPTIONS
    found = [one for one in command.get_params(context) if not any(one is other for other in shared)]
    for title, kind in (("Arguments", "argument"), ("Options", "option")):
        rows = [one.get_help_record(context) for one in found if one.param_type_name == kind]
        if shown := tuple((_tidy(row[0]), row[1]) for row in rows if row is not None):
            yield HelpSection(title, rows=shown)


def _tidy(name: str) -> str:
    """`-h, --help` in that order."""
    return ", ".join(sorted(name.split(", "), key=lambda one: one.startswith("--"))) if ", " in name else name


def _global_names(context: Any) -> str:  # noqa: ANN401 - Click's types are private
    names = (_tidy(str((one.get_help_record(context) or ("",))[0])).replace(", ", "/") for one in GLOBAL_OPTIONS)
    return f"{', '.join(names)}. They are explained in: uscdr --help"


def plain(page: HelpPage, width: int) -> str:
    """The page as text. No word is broken, and no command line that can be pasted."""
    lines = [*_wrapped(f"Usage: {page.usage}", width, " " * 7), ""] if page.usage else []
    for paragraph in page.text:
        lines += [*_wrapped(paragraph, width), ""]
    for section in page.sections:
        lines += [f"{section.title}:"]
        for paragraph in section.text:
            lines += _wrapped(_INDENT + paragraph, width, _INDENT)
        lines += rows_as_text(section.rows, width)
        lines += [f"{_INDENT}{line}" for long in section.lines for line in folded(long, width - len(_INDENT))]
        lines.append("")
    return "\n".join(lines).rstrip()


def as_json(page: HelpPage) -> str:
    """The page as one JSON object, without the end of its line."""
    from uscdr.ui.console import json_text
    from uscdr.ui.schemas import Schema

    return json_text(Schema.HELP, asdict(page)).rstrip("\n")


def rows_as_text(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Two columns; on a narrow screen, or beside a long name, the explanation stands below the name."""
    if not rows:
        return []
    longest = max(len(name) for name, _ in rows if len(name) <= _NAMES or name == rows[0][0])
    column = min(longest, _NAMES) + 2
    lines: list[str] = []
    for name, words in rows:
        if width < _SIDE_BY_SIDE or len(name) > _NAMES:
            between = _INDENT * 3 if width < _SIDE_BY_SIDE else " " * (len(_INDENT) + column)
            lines += [f"{_INDENT}{name}", *_wrapped(between + words, width, between)]
        else:
            hanging = " " * (len(_INDENT) + column)
            lines += _wrapped(f"{_INDENT}{name:<{column}}{words}", width, hanging)
    return lines


def folded(command: str, width: int) -> list[str]:
    """A command line; one that is too long goes on after a backslash, so that it can still be pasted."""
    if len(command) <= width:
        return [command]
    lines = _wrapped(command, width - 2, _INDENT)
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def _wrapped(text: str, width: int, hanging: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False,
        drop_whitespace=True,
    ) or [text]  # fmt: skip
