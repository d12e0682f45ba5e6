"""The documentation that is part of the installation: its topics, one of them, and a search."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from uscdr.errors import BadInput, ExitCode, MachineError
from uscdr.files import disk_errors
from uscdr.installation import documents
from uscdr.ui.pager import show_markdown
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import show_table
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from uscdr.ui.console import Output

_HEADING = re.compile(r"#+ +(.+)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_SENTENCE = re.compile(r"(.+?[.:])(?:\s|$)", re.DOTALL)
_LONGEST = 100
"""Characters of a line in the list of topics, and of one that was found."""


@dataclass(frozen=True)
class _Page:
    """One topic. `summary`: the first sentence below the title."""

    name: str
    title: str
    summary: str
    text: str

    @classmethod
    def read(cls, path: Path) -> _Page:
        """Raises MachineError for one that cannot be read."""
        with disk_errors(f"uscdr cannot read its documentation: {path}.", "Install uscdr again."):
            text = path.read_text(encoding="utf-8")
        title, _, rest = text.partition("\n")
        paragraphs = (one.strip() for one in rest.split("\n\n"))
        first = next((one for one in paragraphs if one and not one.startswith(("#", "|", "!", "    ", "-"))), "")
        return cls(path.stem.lower(), title.lstrip("# ").replace("`", ""), _first_sentence(first), text)

    def mentions(self, word: str) -> Iterator[_Mention]:
        """One for each section that has a word with that beginning, in any case: with the first line that has it."""
        section, told, wanted = self.title, set[str](), re.compile(rf"(?<!\w){re.escape(word)}", re.IGNORECASE)
        for number, line in enumerate(self.text.splitlines(), start=1):
            if heading := _HEADING.fullmatch(line):
                section = heading[1]
            if wanted.search(line) and section not in told:
                told.add(section)
                yield _Mention(self.name, section.replace("`", ""), number, _cut(_unlinked(line.strip("#| "))))


@dataclass(frozen=True)
class _Mention:
    topic: str
    section: str
    line: int
    text: str

    @property
    def facts(self) -> dict[str, object]:
        """As a row of a table."""
        return {"topic": self.topic, "section": self.section, "line": self.line, "text": self.text}


class _TopicObject(TypedDict):
    topic: str
    title: str
    summary: str


class _TextObject(TypedDict):
    topic: str
    title: str
    text: str


def list_topics(output: Output) -> None:
    """Print each topic with its title and one line."""
    rows = [_TopicObject(topic=one.name, title=one.title, summary=one.summary) for one in _pages()]
    show_table(Schema.TOPIC, rows, output)
    output.say("To read one: uscdr docs TOPIC. To search: uscdr docs --search WORD")


def show_topic(wanted: str, output: Output) -> None:
    """Show one topic. Raises BadInput, with the closest one, for a name that none has."""
    pages = {one.name: one for one in _pages()}
    name = wanted.lower().removeprefix("docs/").removesuffix(".md")
    found = pages.get(name)
    if found is None:
        closest = get_close_matches(name, pages, n=1, cutoff=0.0)[0]
        raise BadInput(
            f"There is no topic “{wanted}”. The closest is {closest}.",
            next_action=f"Read it: uscdr docs {closest}. Or list all: uscdr docs",
        )
    if output.json_lines:
        output.record(Schema.TOPIC_TEXT, _TextObject(topic=found.name, title=found.title, text=found.text))
    else:
        show_markdown(found.text, output)


def search(word: str, output: Output) -> int:
    """Print the sections that mention `word`; return 1 if none does."""
    found = [mention for page in _pages() for mention in page.mentions(word)]
    show_table(Schema.TOPIC_SECTION, [one.facts for one in found], output, empty=f"No section mentions “{word}”.")
    if found:
        output.say(f"{plural(len(found), 'section')}. To read one: uscdr docs TOPIC")
    return int(ExitCode.DONE if found else ExitCode.CHECK_FAILED)


def _pages() -> tuple[_Page, ...]:
    """Raises MachineError for an installation without documentation."""
    found = documents()
    if not found:
        raise MachineError(
            "This installation has no documentation.",
            next_action="Install uscdr from its wheel or checkout. Help for a command: uscdr COMMAND --help",
        )
    return tuple(map(_Page.read, found))


def _first_sentence(text: str) -> str:
    words = _unlinked(" ".join(text.split()))
    found = _SENTENCE.match(words)
    return _cut(found[1].rstrip(":") if found else words)


def _unlinked(text: str) -> str:
    """Without the addresses of links, and without marks."""
    return _LINK.sub(r"\1", text).replace("`", "").replace("**", "")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
