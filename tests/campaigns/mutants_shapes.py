"""How a file becomes a stranger's: bytes, JSON values, names and kinds of files, each drawn."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from uscdr.journal import chain

Document = Any
ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 10**30, 10**400, -(10**400), 1e308, float("nan"), float("inf"), 0.5, "", " ",
    "x" * 100_000, "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-11-23T00:00:00", "2026-11-23T00:00:00+23:59",
    "soon", "-5", "1e400", "\ud800", "\u202egnp.exe",
    "\x1b[2J\x07", "../../../../etc/passwd", "/dev/zero", "%s%n{0}{x}",
    "a\nb\r\n", "\x00", [], [[]], {}, {"x": 1}, [None], ["x"] * 10_000, {"a" * 5000: 1},
)  # fmt: skip
"""Values that some field of some document does not take."""
DEEP = 3000
"""Levels of a list in a list; more than any reader of JSON that recurses can take."""


def of_bytes(data: bytes, chance: random.Random) -> bytes:
    """One way to damage any file, at a place that is drawn."""
    kinds = (_flipped, _cut, _emptied, _doubled, _zeroed, _lines_swapped, _line_lost, _carriage, _junk, _digits, _grown)
    return chance.choice(kinds)(data, chance)


def _place(data: bytes, chance: random.Random) -> int:
    return chance.randrange(len(data)) if data else 0


def _flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(chance.choice((1, 1, 1, 8))):
        changed[_place(bytes(changed), chance)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: _place(data, chance)]


def _emptied(data: bytes, chance: random.Random) -> bytes:
    del data
    return chance.choice((b"", b"\n", b"\0", b"{}", b"[]", b"null", b"\xef\xbb\xbf"))


def _doubled(data: bytes, chance: random.Random) -> bytes:
    at, size = _place(data, chance), chance.choice((1, 64, 4096))
    return data[:at] + data[at : at + size] * 2 + data[at + size :]


def _zeroed(data: bytes, chance: random.Random) -> bytes:
    at, size = _place(data, chance), chance.choice((16, 512, 4096))
    return data[:at] + b"\0" * len(data[at : at + size]) + data[at + size :]


def _lines_swapped(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def _line_lost(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at = _place(data, chance) % max(1, len(lines))
    return b"".join([*lines[:at], *lines[at + 1 :]])


def _carriage(data: bytes, chance: random.Random) -> bytes:
    del chance
    return data.replace(b"\n", b"\r\n")


def _junk(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + chance.randbytes(chance.choice((1, 7, 300))) + data[at:]


def _digits(data: bytes, chance: random.Random) -> bytes:
    places = [n for n, byte in enumerate(data) if 0x30 <= byte <= 0x39]
    at = chance.choice(places) if places else 0
    return data[:at] + b"9" * chance.choice((2, 30, 5000)) + data[at:]


def _grown(data: bytes, chance: random.Random) -> bytes:
    return data + chance.choice((b"x", b"\n", data, b"[" * 100_000, b" " * 2_000_000))


def of_document(document: Document, chance: random.Random) -> Document:
    """The document with another value, name or order at a place that is drawn."""
    changed = copy.deepcopy(document)
    holders = [one for one in _holders(changed) if one]
    if not holders:
        return chance.choice(ODD)
    for _ in range(chance.choice((1, 1, 1, 3))):
        _changed(chance.choice(holders), holders, chance)
    return changed


def _holders(value: Document) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)


def _changed(holder: Any, holders: list[Any], chance: random.Random) -> None:
    if not holder:
        return
    places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    at = chance.choice(places)
    match chance.randrange(8):
        case 0:
            del holder[at]
        case 1 if isinstance(holder, dict):
            holder[chance.choice(("new", "kind", "id", "__class__", "\ud800", ""))] = chance.choice(ODD)
        case 1:
            holder.extend(copy.deepcopy(holder))
        case 2:
            other = chance.choice(holders)
            holder[at] = copy.deepcopy(other if other is not holder else None)
        case 3:
            holder[at] = _deep()
        case 4 if isinstance(holder[at], str):
            holder[at] = holder[at] + chance.choice(("x", " ", "\n", "0", "\u0000"))
        case _:
            holder[at] = chance.choice(ODD)


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(200):
        value = [value]
    return value


def as_json(document: Document, chance: random.Random) -> bytes:
    """As text, now and then of more levels than a reader can take."""
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.02:
        text = "[" * DEEP + text + "]" * DEEP
    return text.encode(errors="surrogatepass" if chance.random() < 0.1 else "replace")


def rechained(records: list[Document]) -> bytes:
    """A journal's lines with right hashes and checksums, whatever they say."""
    previous, lines = chain.FIRST, b""
    for record in records:
        told = {name: value for name, value in record.items() if name not in ("prev", "sum")}
        line = chain.encode(told, previous)
        previous, lines = chain.line_hash(line), lines + line
    return lines


FileKind = Callable[[Path], object]


def of_kind(path: Path, chance: random.Random) -> None:
    """What has that name is no file any more, or another one."""
    _gone(path)
    kinds: tuple[FileKind, ...] = (
        Path.mkdir, os.mkfifo, lambda it: it.symlink_to(it.name), lambda it: it.symlink_to("nowhere"),
        lambda it: it.symlink_to("/dev/zero"), lambda it: it.symlink_to("/proc/self/mem"), lambda it: None,
    )  # fmt: skip
    chance.choice(kinds)(path)


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
