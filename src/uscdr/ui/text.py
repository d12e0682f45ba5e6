"""Text for people: a clock, width and wrapping, and lines with tones."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

from uscdr.ui.pasted import CARRIED
from uscdr.words import HOUR, MINUTE, escape


def clock(seconds: float) -> str:
    """Seconds as `hh:mm:ss`, never negative."""
    whole = max(0, int(seconds))
    return f"{whole // HOUR:02d}:{whole % HOUR // MINUTE:02d}:{whole % MINUTE:02d}"


def cells(text: str) -> int:
    """Columns that `text` takes on a terminal: two for a wide character, none for a combining one."""
    if text.isascii():  # most text, and much faster
        return len(text)
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


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` columns, with an ellipsis if it was truncated."""
    if cells(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        if used + _cell(char) > width - 1:
            break
        kept.append(char)
        used += _cell(char)
    return "".join(kept).rstrip() + "…" if width > 0 else ""


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
