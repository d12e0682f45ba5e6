"""The reference of all commands in Markdown: `docs/commands.md`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from tools.pages.tree import Command, Entry, Paragraph, Section

HEAD = """\
# Commands

Every command with its arguments and options, written from the code (`make pages`). The guides say when to use which:
[README](../README.md), [recovery.md](recovery.md). On a machine with uscdr: `--help` after any command, `man uscdr`,
`uscdr docs commands`.
"""


def reference(program: Command) -> str:
    """The whole page."""
    return "\n".join([HEAD, *_lines(program)]).rstrip() + "\n"


def _lines(program: Command) -> Iterator[str]:
    yield from ["| command | what it does |", "|---|---|"]
    for one in program.all():
        if not one.children:
            yield f"| [`{one.words}`](#{one.words.replace(' ', '-')}) | {_cell(one.summary)} |"
    yield from ["", "## Global options", ""]
    yield from _table([("option", "meaning")], [(_option(one), one.help) for one in program.options])
    for section in program.sections:
        yield from _section(section, "## ")
    for child in program.children:
        for one in child.all():
            yield from _command(one)


def _command(command: Command) -> Iterator[str]:
    level = "##" if len(command.path) <= 2 else "###"
    yield from [f"{level} {command.words}", "", f"{command.summary}.", ""]
    for one in command.description:
        yield from _paragraph(one)
    if not command.children:
        yield from [f"    {_synopsis(command)}", ""]
    rows = [(f"`{one.names[0]}`", _words(one)) for one in command.arguments]
    rows += [(_option(one), _words(one)) for one in command.options]
    yield from _table([("argument, option", "meaning")], rows)
    for section in command.sections:
        yield from _section(section, "**")


def _synopsis(command: Command) -> str:
    required = [f"{one.names[0]} {one.value}" for one in command.options if one.required]
    some = ["[OPTIONS]"] if len(required) < len(command.options) else []
    named = [one.names[0] + ("…" if one.repeated else "") for one in command.arguments]
    shown = [name if one.required else f"[{name}]" for name, one in zip(named, command.arguments, strict=True)]
    return " ".join([command.words, *some, *required, *shown])


def _option(entry: Entry) -> str:
    value = f" {entry.value}" if entry.value else ""
    return f"`{_cell(', '.join(entry.names) + value)}`"


def _words(entry: Entry) -> str:
    unsaid = entry.environment and f"${entry.environment}" not in entry.help
    more = [f"Also ${entry.environment}."] if unsaid else []
    return " ".join([entry.help, *(["Required."] if entry.required else []), *more])


def _table(head: list[tuple[str, str]], rows: list[tuple[str, str]]) -> Iterator[str]:
    if not rows:
        return
    for left, right in head:
        yield from [f"| {left} | {right} |", "|---|---|"]
    for left, right in rows:
        yield f"| {left} | {_cell(right)} |"
    yield ""


def _section(section: Section, mark: str) -> Iterator[str]:
    title = section.title.capitalize()
    yield from [f"{mark}{title}" if mark.endswith(" ") else f"{mark}{title}{mark}", ""]
    if section.codes:
        yield from _table([("code", "meaning")], [(str(code), words) for code, words in section.codes])
        return
    for one in section.paragraphs:
        yield from _paragraph(one)


def _paragraph(one: Paragraph) -> Iterator[str]:
    yield from [textwrap.indent(textwrap.dedent(one.text), "    ") if one.verbatim else one.text, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
