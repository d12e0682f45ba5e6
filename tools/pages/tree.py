"""The commands of the program as data, from the code that parses them: what a page says of each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from uscdr.cli.global_options import GLOBAL_OPTIONS
from uscdr.cli.manual import EXIT_CODES, manual_of

VERBATIM = "\b"
"""The first line of a paragraph whose lines stay as they are."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `verbatim`: its lines are kept."""

    text: str
    verbatim: bool = False


@dataclass(frozen=True)
class Section:
    """What stands below a heading at the end of a command's help: EXAMPLES, EXIT STATUS."""

    title: str
    paragraphs: tuple[Paragraph, ...] = ()
    codes: tuple[tuple[int, str], ...] = ()
    """Exit codes with their meanings, in order."""


@dataclass(frozen=True)
class Entry:
    """One option or argument: how it is written, its value's name, and what it is for."""

    names: tuple[str, ...]
    value: str
    help: str
    required: bool = False
    repeated: bool = False
    environment: str = ""


@dataclass(frozen=True)
class Command:
    """A command or a group. `path`: the words that call it, beginning with the program's name."""

    path: tuple[str, ...]
    summary: str
    description: tuple[Paragraph, ...]
    arguments: tuple[Entry, ...]
    options: tuple[Entry, ...]
    sections: tuple[Section, ...]
    children: tuple[Command, ...] = field(default=())

    @property
    def words(self) -> str:
        """As typed: `uscdr recover db`."""
        return " ".join(self.path)

    def all(self) -> Iterator[Command]:
        """This one, and everything below it, in the order of the help."""
        yield self
        for child in self.children:
            yield from child.all()


def program() -> Command:
    """The whole program; building it imports every module of commands."""
    from uscdr.cli import app

    return _command(app.program(), ("uscdr",), GLOBAL_OPTIONS)


def _command(found: Any, path: tuple[str, ...], besides: Sequence[Any] = ()) -> Command:
    described = paragraphs(found.help or found.short_help or "")
    summary, rest = _summary(described)
    shown = [one for one in (*found.params, *besides) if not getattr(one, "hidden", False)]
    names = found.list_commands(None) if hasattr(found, "list_commands") else ()
    children = [(name, one) for name in names if not (one := found.get_command(None, name)).hidden]
    return Command(
        path=path,
        summary=summary,
        description=rest,
        arguments=tuple(_argument(one) for one in shown if one.param_type_name == "argument"),
        options=tuple(_option(one) for one in shown if one.param_type_name == "option"),
        sections=tuple(_said(found.callback, is_root=len(path) == 1)),
        children=tuple(_command(one, (*path, name)) for name, one in children),
    )


def _said(function: object, *, is_root: bool) -> Iterator[Section]:
    """What the command's manual says, in the order of its help."""
    said = manual_of(function)
    if said is not None:
        for title, words in (("READS", said.reads), ("CHANGES", said.changes)):
            yield Section(title, (Paragraph(words),))
        yield Section("EXAMPLES", (Paragraph("\n".join(f"uscdr {one}" for one in said.examples), verbatim=True),))
    if said is not None or is_root:
        exits = said.exits if said else EXIT_CODES
        yield Section("EXIT STATUS", codes=tuple(sorted(exits.items())))
    if said is not None and said.see:
        yield Section("SEE ALSO", (Paragraph(", ".join(f"uscdr {one}" for one in said.see)),))


def _summary(described: tuple[Paragraph, ...]) -> tuple[str, tuple[Paragraph, ...]]:
    """The first sentence, and the paragraphs after it."""
    if not described:
        return "", ()
    first, *rest = described
    sentence, _, more = first.text.partition(". ")
    return sentence.rstrip("."), (*([Paragraph(more)] if more else []), *rest)


def paragraphs(text: str) -> tuple[Paragraph, ...]:
    """The paragraphs of a help text; lines of one are joined unless it begins with the mark."""
    made = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text.partition("\f")[0])):
        lines = block.splitlines()
        kept = bool(lines) and lines[0].strip() == VERBATIM
        words = "\n".join(line.rstrip() for line in lines[1:]) if kept else " ".join(line.strip() for line in lines)
        if words:
            made.append(Paragraph(words, kept))
    return tuple(made)


def _option(found: Any) -> Entry:
    return Entry(
        names=(*found.opts, *found.secondary_opts),
        value="" if found.is_flag or found.count else _value(found),
        help=" ".join((found.help or "").split()),
        required=found.required,
        repeated=found.multiple,
        environment=_environment(found),
    )


def _argument(found: Any) -> Entry:
    name = _value(found).strip("[]…. ")
    return Entry(
        names=(name,),
        value="",
        help=" ".join((getattr(found, "help", None) or "").split()),
        required=found.required,
        repeated=found.nargs == -1,
    )


def _value(found: Any) -> str:
    choices = getattr(found.type, "choices", None)
    if found.metavar:
        return str(found.metavar)
    return (
        "|".join(map(str, choices)) if choices else str(found.type.name if found.name is None else found.name).upper()
    )


def _environment(found: Any) -> str:
    named = found.envvar
    return ", ".join(named) if isinstance(named, list | tuple) else named or ""
