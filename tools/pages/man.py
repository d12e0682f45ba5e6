"""Manual pages in roff: one for the program, and one for each command of its first level."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from tools.pages.tree import Command, Entry, Paragraph, Section
from uscdr.cli.environment import ENVIRONMENT

FILES = (
    ("~/.config/uscdr/scenarios.yaml", "What to recover, and how: targets, checks, objectives, contacts."),
    (
        "~/.local/state/uscdr",
        "Journals of runs and incidents, locks, records of drills. $USCDR_STATE_DIR names another.",
    ),
)
LONGEST = 72
"""Characters of a line of an example, as man indents it."""


def pages(program: Command, version: str) -> dict[str, str]:
    """File name to text. `version` stands in the foot of each."""
    made = {"uscdr.1": _text(_main(program, version))}
    for child in program.children:
        made[f"{_name(child)}.1"] = _text(_page(child, program, version))
    return made


def _name(command: Command) -> str:
    return "-".join(command.path)


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _head(command: Command, version: str) -> Iterator[str]:
    yield '.\\" Generated from the commands of the program: make pages'
    yield f'.TH {_plain(_name(command).upper())} 1 "" "uscdr {_plain(version)}" "uscdr manual"'
    yield ".SH NAME"
    yield f"{_plain(_name(command))} \\- {_plain(command.summary[:1].lower() + command.summary[1:])}"


def _main(program: Command, version: str) -> Iterator[str]:
    yield from _head(program, version)
    yield ".SH SYNOPSIS"
    yield ".B uscdr"
    yield "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]"
    yield from _described(program, ".SH DESCRIPTION")
    yield ".SH COMMANDS"
    for child in program.children:
        yield from _tagged(f"\\fB{_plain(_name(child))}\\fR(1)", f"{child.summary}.")
    yield from _entries(program, ".SH OPTIONS")
    yield from _sections(program.sections, ".SH")
    for title, rows in (("ENVIRONMENT", [(one.name, one.meaning) for one in ENVIRONMENT]), ("FILES", FILES)):
        yield f".SH {title}"
        for name, words in rows:
            yield from _tagged(f"\\fB{_plain(name)}\\fR", words)
    yield from _see_also([_name(child) for child in program.children])


def _page(command: Command, program: Command, version: str) -> Iterator[str]:
    yield from _head(command, version)
    yield ".SH SYNOPSIS"
    callable_ = [one for one in command.all() if not one.children]
    for number, one in enumerate(callable_):
        yield from [".br"] if number else []
        yield _synopsis(one)
    yield from _described(command, ".SH DESCRIPTION")
    if command.children:
        yield ".SH COMMANDS"
        for one in callable_:
            yield f".SS {_quoted(one.words)}"
            yield from _body(one)
        yield from _sections(command.sections, ".SH")
    else:
        yield from _entries(command, ".SH OPTIONS")
        yield from _sections(command.sections, ".SH")
    yield from _sections([one for one in program.sections if one.title == "EXIT STATUS"], ".SH")
    yield from _see_also(["uscdr"])


def _body(command: Command) -> Iterator[str]:
    yield _line(f"{command.summary}.")
    for one in command.description:
        yield from _paragraph(one)
    yield from _entries(command, "")
    for section in command.sections:
        yield ".PP"
        yield f"\\fB{_plain(section.title.capitalize())}\\fR"
        for one in section.paragraphs:
            yield from _paragraph(one)


def _described(command: Command, heading: str) -> Iterator[str]:
    yield heading
    yield _line(f"{command.summary}.")
    for one in command.description:
        yield from _paragraph(one)


def _synopsis(command: Command) -> str:
    required = [
        f"\\fB{_plain(one.names[0])}\\fR \\fI{_plain(one.value)}\\fR" for one in command.options if one.required
    ]
    some = ["[\\fIOPTIONS\\fR]"] if len(required) < len(command.options) else []
    named = [_argument(one) for one in command.arguments]
    return " ".join([f"\\fB{_plain(command.words)}\\fR", *some, *required, *named])


def _argument(entry: Entry) -> str:
    name = f"\\fI{_plain(entry.names[0])}\\fR" + ("..." if entry.repeated else "")
    return name if entry.required else f"[{name}]"


def _entries(command: Command, heading: str) -> Iterator[str]:
    if not command.arguments and not command.options:
        return
    if heading:
        yield heading
    for one in command.arguments:
        yield from _tagged(f"\\fI{_plain(one.names[0])}\\fR", one.help)
    for one in command.options:
        value = f" \\fI{_plain(one.value)}\\fR" if one.value else ""
        names = ", ".join(f"\\fB{_plain(name)}\\fR" for name in one.names)
        yield from _tagged(names + value, _words(one))


def _words(entry: Entry) -> str:
    unsaid = entry.environment and f"${entry.environment}" not in entry.help
    more = [f"The variable ${entry.environment} gives it, too."] if unsaid else []
    return " ".join([entry.help, *(["Required."] if entry.required else []), *more])


def _tagged(tag: str, words: str) -> Iterator[str]:
    yield ".TP"
    yield tag
    yield _line(words) if words else "\\&"


def _sections(found: Iterable[Section], heading: str) -> Iterator[str]:
    for section in found:
        yield f"{heading} {_quoted(section.title)}"
        for code, words in section.codes:
            yield from _tagged(f"\\fB{code}\\fR", words)
        if section.codes:
            continue
        for number, one in enumerate(section.paragraphs):
            yield from _paragraph(one, first=number == 0)


def _paragraph(one: Paragraph, *, first: bool = False) -> Iterator[str]:
    if not first:
        yield ".PP"
    if not one.verbatim:
        yield _line(one.text)
        return
    yield ".nf"
    for text in textwrap.dedent(one.text).splitlines():
        yield from (_line(part) if part else "" for part in _broken(text))
    yield ".fi"


def _broken(text: str) -> list[str]:
    """A command that is too long for a page, continued as a shell does."""
    if len(text) <= LONGEST:
        return [text]
    made = textwrap.wrap(text, LONGEST - 2, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return [*(f"{part} \\" for part in made[:-1]), made[-1]] if text.lstrip().startswith("uscdr ") else made


def _see_also(names: list[str]) -> Iterator[str]:
    yield ".SH SEE ALSO"
    yield ",\n".join(f"\\fB{_plain(name)}\\fR(1)" for name in names)
    yield ".PP"
    yield _line("The documentation is part of the program: uscdr docs")


def _quoted(text: str) -> str:
    return f'"{_plain(text)}"'


def _line(text: str) -> str:
    """A line of text: none begins as a request of roff."""
    made = _plain(text)
    return f"\\&{made}" if made.startswith((".", "'")) else made


def _plain(text: str) -> str:
    """Escaped: backslashes, hyphens that people copy, quotes, and what is not ASCII."""
    made = (
        text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("`", "\\(ga").replace("^", "\\(ha")
    )
    made = made.replace("~", "\\(ti")
    return "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in made)
