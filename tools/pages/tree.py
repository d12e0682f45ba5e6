"""The commands of the program as data, from the code that parses them: what a page says of each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

VERBATIM = "\b"
"""The first line of a paragraph whose lines stay as they are."""
_CODES = re.compile(r"(?:^|\s{2,})\s*([0-9]{1,3}) (.+?)(?=\s{2,}[0-9]{1,3} |$)")
_TITLE = re.compile(r"[A-Z][A-Za-z ]*[A-Za-z]:?")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `verbatim`: its lines are kept."""

    text: str
    verbatim: bool = False


@dataclass(frozen=True)
class Section:
    """What stands below a heading at the end of a command's help: EXAMPLES, EXIT STATUS."""

    title: str
    paragraphs: tuple[Paragraph, ...]

    @property
    def codes(self) -> tuple[tuple[int, str], ...]:
        """Exit codes with their meanings, in order, however many stand in a line; empty for any other section."""
        lines = [line for one in self.paragraphs if one.verbatim for line in one.text.splitlines()]
        found = [_CODES.findall(line) for line in lines]
        whole = bool(lines) and all(found) and all(one.verbatim for one in self.paragraphs)
        return tuple(sorted((int(code), words.strip()) for line in found for code, words in line)) if whole else ()


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
    import typer.main

    from uscdr.cli.app import load

    return _command(typer.main.get_command(load([])), ("uscdr",))


def _command(found: Any, path: tuple[str, ...]) -> Command:  # noqa: ANN401 - Typer's own kind of command
    described = paragraphs(found.help or found.short_help or "")
    summary, rest = _summary(described)
    shown = [one for one in found.params if not getattr(one, "hidden", False)]
    children = [(name, one) for name, one in getattr(found, "commands", {}).items() if not one.hidden]
    return Command(
        path=path,
        summary=summary,
        description=rest,
        arguments=tuple(_argument(one) for one in shown if one.param_type_name == "argument"),
        options=tuple(_option(one) for one in shown if one.param_type_name == "option"),
        sections=sections(found.epilog or ""),
        children=tuple(_command(one, (*path, name)) for name, one in children),
    )


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


def sections(text: str) -> tuple[Section, ...]:
    """The headings at the end of a help text, with what is below each; text before the first one is NOTES."""
    made: list[tuple[str, list[Paragraph]]] = []
    for one in paragraphs(text):
        title, _, rest = one.text.partition("\n")
        if _TITLE.fullmatch(title) and (title.isupper() or title.endswith(":")):
            made.append((title.rstrip(":").upper(), [Paragraph(rest, one.verbatim)] if rest else []))
        elif made:
            made[-1][1].append(one)
        else:
            made.append(("NOTES", [one]))
    return tuple(Section(title, tuple(below)) for title, below in made)


def _option(found: Any) -> Entry:  # noqa: ANN401 - as above
    return Entry(
        names=(*found.opts, *found.secondary_opts),
        value="" if found.is_flag or found.count else _value(found),
        help=" ".join((found.help or "").split()),
        required=found.required,
        repeated=found.multiple,
        environment=_environment(found),
    )


def _argument(found: Any) -> Entry:  # noqa: ANN401 - as above
    name = _value(found).strip("[]…. ")
    return Entry(
        names=(name,),
        value="",
        help=" ".join((getattr(found, "help", None) or "").split()),
        required=found.required,
        repeated=found.nargs == -1,
    )


def _value(found: Any) -> str:  # noqa: ANN401 - as above
    choices = getattr(found.type, "choices", None)
    if found.metavar:
        return str(found.metavar)
    return (
        "|".join(map(str, choices)) if choices else str(found.type.name if found.name is None else found.name).upper()
    )


def _environment(found: Any) -> str:  # noqa: ANN401 - as above
    named = found.envvar
    return ", ".join(named) if isinstance(named, list | tuple) else named or ""
