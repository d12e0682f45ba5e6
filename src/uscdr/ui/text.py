"""How text lies on a terminal: a clock, columns, cutting and wrapping."""

from __future__ import annotations

import unicodedata

from uscdr.words import HOUR, MINUTE


def clock(seconds: float) -> str:
    """Seconds as `hh:mm:ss`, never negative, for a clock that is read at a glance."""
    whole = max(0, int(seconds))
    return f"{whole // HOUR:02d}:{whole % HOUR // MINUTE:02d}:{whole % MINUTE:02d}"


def cells(text: str) -> int:
    """Columns that `text` takes on a terminal: wide characters two, combining ones none."""
    return sum(_cell(char) for char in text)


def _cell(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def clip(text: str, width: int) -> str:
    """`text` in at most `width` columns, an ellipsis in place of what is cut."""
    if cells(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        if used + _cell(char) > width - 1:
            break
        kept.append(char)
        used += _cell(char)
    return "".join(kept).rstrip() + "…" if width > 0 else ""


def wrap(text: str, width: int) -> list[str]:
    """`text` broken at spaces into lines of at most `width` columns; a longer word is split."""
    lines: list[str] = []
    for word in text.split(" "):
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
