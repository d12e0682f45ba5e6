"""Text for people: a clock, width and wrapping, lines with tones, and commands that can be pasted."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from uscdr.words import HOUR, MINUTE, escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Commands to paste: they name the configuration and the target that this process was given.


_CARRIED = ("--config", "--target")
_SANDBOX = "sandbox"
"""The target that no file has as its only one."""
_PASTED = re.compile(
    r"\buscdr (?P<named>(?:--(?:config|target)[ =]\S+ )*)"
    r"(?=(?:recover|runs|dns|verify|watch|doctor|runbook|backup|kit|drill|incident(?! command)"
    r"|config(?! init| check [\w/.]))\b)"
)
"""The beginning of a command that reads the configuration. Texts name no other thing so."""
_REST = re.compile(r"(?:(?!uscdr |\n|\\n| && |[.,;:)`\"](?:\s|$)).)*")
"""What belongs to the same command."""


class _Carried:
    """The options of this process's command line that every command it prints must have, to do what it says."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    @contextmanager
    def of(self, arguments: Sequence[str]) -> Iterator[None]:
        """While a command line is run: its --config and --target. It may be one that the parser refuses."""
        self._read(arguments)
        try:
            yield
        finally:
            self._values = {}

    def _read(self, arguments: Sequence[str]) -> None:
        words = [*takewhile(lambda word: word != "--", arguments)]
        for name in _CARRIED:
            values = [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]
            values += [words[place + 1] for place, word in enumerate(words[:-1]) if word == name]
            self._carry(name, [one for one in values if name == "--config" or "/" not in one])

    def on(self, target: str, env: Mapping[str, str]) -> None:
        """The target of the run that a command is about, if commands that name none might mean another one."""
        meant = env.get("USCDR_TARGET") or ("" if target == _SANDBOX else target)
        if "--target" in self._values or meant != target:
            self._carry("--target", [target])

    def _carry(self, name: str, values: Sequence[str]) -> None:
        self._values = {one: value for one, value in {**self._values, name: "".join(values[:1])}.items() if value}

    def text(self, text: str, *, in_json: bool = False) -> str:
        """`text` with the options in every command that lacks them; applying it twice changes nothing more."""
        if not self._values or "uscdr " not in text:
            return text
        return _PASTED.sub(lambda found: self._command(found, in_json=in_json), text)

    def _command(self, found: re.Match[str], *, in_json: bool) -> str:
        rest = _REST.match(found.string, found.end())
        line = found["named"] + (rest[0] if rest else "")
        if "--help" in line:
            return found[0]
        lacking = [word for name in _CARRIED if name in self._values and name not in line
                   for word in (name, self._values[name])]  # fmt: skip
        words = shlex.join(lacking)
        added = json.dumps(words)[1:-1] if in_json else words
        return f"uscdr {added}{' ' if added else ''}{found['named']}"


CARRIED = _Carried()


def clock(seconds: float) -> str:
    """Seconds as `hh:mm:ss`, never negative."""
    whole = max(0, int(seconds))
    return f"{whole // HOUR:02d}:{whole % HOUR // MINUTE:02d}:{whole % MINUTE:02d}"


def cells(text: str) -> int:
    """Columns that `text` takes on a terminal: two for a wide character, none for a combining one."""
    return sum(_cell(char) for char in text)


def _cell(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def wrap(text: str, width: int) -> list[str]:
    """`text` wrapped at spaces into lines of at most `width` columns; a longer word is split."""
    lines: list[str] = []
    for word in CARRIED.text(text).split(" "):
        if lines and cells(lines[-1]) + 1 + cells(word) <= width:
            lines[-1] += f" {word}"
            continue
        lines.extend(_split(word, max(width, 2)))
    return lines


def _split(word: str, width: int) -> list[str]:
    pieces = [""]
    for char in word:
        if cells(pieces[-1]) + _cell(char) > width:
            pieces.append("")
        pieces[-1] += char
    return pieces


# Lines of spans with a tone; colour is added only if the terminal has it.


Tone = Literal["plain", "strong", "dim", "good", "warn", "bad", "title"]

_SGR: dict[Tone, str] = {
    "plain": "",
    "strong": "1",
    "dim": "2",
    "good": "32",
    "warn": "33",
    "bad": "1;31",
    "title": "1;36",
}


@dataclass(frozen=True)
class Span:
    """A piece of a line. Escapes its text when created, so that no foreign text reaches a terminal unescaped.

    Its commands can be pasted.
    """

    text: str
    tone: Tone = "plain"

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", escape(CARRIED.text(self.text)))


Line = tuple[Span, ...]
Weight = Literal["quiet", "normal", "loud"]
"""`loud` is shown even with --quiet; `quiet` is not shown above the live screen."""


@dataclass(frozen=True)
class Sentence:
    """A line and its importance."""

    spans: Line
    weight: Weight = "normal"


def line(*parts: str | Span) -> Line:
    """A line of spans; a bare string is plain."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def _bare(spans: Line) -> str:
    """The text of a line, without colour or trailing blanks."""
    return "".join(span.text for span in spans).rstrip()


def painted(spans: Line, *, color: bool) -> str:
    """The line as a string, with ANSI colour when `color`."""
    if not color:
        return _bare(spans)
    return "".join(f"\x1b[{_SGR[span.tone]}m{span.text}\x1b[0m" if _SGR[span.tone] else span.text for span in spans)
