"""Words for people: foreign text made harmless, and durations, sizes and times made readable."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, tzinfo

MINUTE, HOUR, DAY = 60, 3600, 86400
KILO = 1000
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BYTE, _PLANE = 0xFF, 0xFFFF


def escape(text: str, *, keep_newlines: bool = False) -> str:
    r"""`text` with everything a terminal could obey, or an eye not see, spelt out (`\x1b`, `\u202e`).

    Control characters, ANSI sequences, bidirectional overrides, zero-width and line-separator
    characters become visible; applying it twice changes nothing more.
    """
    return "".join(
        char if char == "\n" and keep_newlines else _spelt(char) if _is_hidden(char) else char for char in text
    )


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in _HIDDEN


def _spelt(char: str) -> str:
    code = ord(char)
    if char in "\n\r\t":
        return {"\n": r"\n", "\r": r"\r", "\t": r"\t"}[char]
    if code <= _BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _PLANE else f"\\U{code:08x}"


def duration(seconds: float) -> str:
    """Seconds as `0.4 s`, `42 s`, `5 min 03 s`, `10 min`, `1 h 05 min` or `3 d 04 h`."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        minutes, rest = divmod(whole, MINUTE)
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"
    return f"{whole // DAY} d {whole % DAY // HOUR:02d} h"


def clock(seconds: float) -> str:
    """Seconds as `hh:mm:ss`, never negative, for a clock that is read at a glance."""
    whole = max(0, int(seconds))
    return f"{whole // HOUR:02d}:{whole % HOUR // MINUTE:02d}:{whole % MINUTE:02d}"


def size(count: float) -> str:
    """Bytes in decimal units, as `812 B` or `34.8 MB`."""
    if count < KILO:
        return f"{round(count)} B"
    for unit in ("kB", "MB", "GB"):
        count /= KILO
        if round(count, 1) < KILO:
            return f"{count:.1f} {unit}"
    return f"{count / KILO:.1f} TB"


def amount(count: float, unit: str) -> str:
    """A quantity of `unit`: bytes as `size`, anything else as a number and its unit."""
    if unit in {"B", "byte", "bytes"}:
        return size(count)
    return f"{count:,.0f} {unit}".rstrip()


def age(then: datetime, now: datetime) -> str:
    """How long ago `then` was, as `3 h 10 min ago`; a time to come says so."""
    seconds = (now - then).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"


def moment(at: datetime, zone: tzinfo | None = None) -> str:
    """A time in the reader's zone and in UTC: `2026-11-23 20:31 PST (12:31 UTC)`.

    `zone` is the machine's own when None. A naive `at` is refused with ValueError.
    """
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be shown")
    local, utc = at.astimezone(zone), at.astimezone(UTC)
    if local.utcoffset() == utc.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M} UTC"
    day = "" if local.date() == utc.date() else f"{utc:%Y-%m-%d} "
    return f"{local:%Y-%m-%d %H:%M %Z} ({day}{utc:%H:%M} UTC)"


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
