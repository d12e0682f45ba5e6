"""Whether a dump's table of contents and its rows belong together: what pg_restore passes over without a word.

An entry whose section is none that it knows, or whose mark for rows is lost, is left out by pg_restore, which
ends well all the same. Nothing of that format has a checksum but each table's rows, and those only when they are
compressed by gzip. So the entries are read here once more, and compared with the blocks that follow them.

The format is that of pg_dump's custom archives (PostgreSQL's pg_backup_archiver.c and pg_backup_custom.c).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from uscdr.errors import CheckFailed, MachineError
from uscdr.words import first_of

_KNOWN = frozenset({(1, minor) for minor in range(12, 17)})
"""Archive versions of PostgreSQL 9.0 to 17; others are left to pg_restore alone."""
_INT, _OFFSET = 4, 8
_SECTIONS = frozenset({1, 2, 3, 4})
_ROWS, _OBJECTS = 1, 3
"""Kinds of blocks: a table's rows, large objects."""
_END = bytes(1 + _INT)
_RUNS_OVER = "its table of contents is cut off, or runs into its rows"
"""How many are named."""


@dataclass(frozen=True)
class _Entry:
    """What counts of an entry: its number, what it is, where it belongs, whether rows follow for it."""

    number: int
    what: str
    section: int
    rows: int


class _Torn(Exception):
    """What was read makes no sense."""


def check(dump: Path) -> None:
    """Compare entries and blocks; less than half a second for a gigabyte. Memory is that of the entries.

    Raises:
        CheckFailed: pg_restore would leave something out; says what, by table and kind.
        MachineError: the file cannot be read.
    """
    try:
        with dump.open("rb") as file:
            complaint = _complaint(_Reader(file))
    except OSError as error:
        raise MachineError(f"{dump} cannot be read.", why=error.strerror or type(error).__name__) from error
    if complaint:
        raise CheckFailed(
            "the dump is damaged: a restore would leave something out without an error",
            why=complaint,
            next_action="choose another backup, or fetch this one again",
        )


def _complaint(reader: _Reader) -> str:
    try:
        if not reader.readable():
            return ""
        entries = list(reader.entries())
    except _Torn as error:
        return str(error)
    strange = [one.what for one in entries if one.section not in _SECTIONS or one.rows not in (0, 1)]
    if strange:
        return f"entries that no restore would carry out: {first_of(strange)}"
    wanted = {one.number: one.what for one in entries if one.rows}
    found = reader.blocks(frozenset(wanted))
    if found - wanted.keys():
        return "it holds rows that its table of contents does not know"
    if lacking := [what for number, what in wanted.items() if number not in found]:
        return f"no rows were found for {first_of(lacking)}"
    return ""


class _Reader:
    """Goes through the file once, from its head to its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._version = (0, 0)

    def readable(self) -> bool:
        """Whether the format is one that is known here; goes to the first entry."""
        head = self._take(11)
        self._version = (head[5], head[6])
        return head.startswith(b"PGDMP") and self._version in _KNOWN and tuple(head[8:11]) == (_INT, _OFFSET, 1)

    def entries(self) -> Iterator[_Entry]:
        """The table of contents. Raises _Torn."""
        if self._version >= (1, 15):
            self._take(1)
        else:
            self._number()
        for _ in range(7):  # when it was made
            self._number()
        for _ in range(3):  # the database's name, both versions
            self._text()
        for _ in range(self._number()):
            yield self._entry()

    def _entry(self) -> _Entry:
        number, rows = self._number(), self._number()
        self._text()
        self._text()
        name, kind, section = self._text(), self._text(), self._number()
        for _ in range(5 + (self._version >= (1, 14))):  # three statements, schema, tablespace, access method
            self._text()
        if self._version >= (1, 16):
            self._number()
        self._text()
        self._text()
        while self._text() is not None:
            pass  # what it depends on
        self._take(1 + _OFFSET)
        return _Entry(number, f"{kind or ''} {name or ''}".strip(), section, rows)

    def blocks(self, wanted: frozenset[int]) -> set[int]:
        """The numbers of the blocks that follow, up to the end or to what is no block any more."""
        found: set[int] = set()
        try:
            while not wanted <= found:
                kind, number = self._take(1)[0], self._number()
                if kind not in (_ROWS, _OBJECTS):
                    break
                self._pass_over(objects=kind == _OBJECTS)
                found.add(number)
        except _Torn:
            pass  # what is lacking then is told by what was found
        return found

    def _pass_over(self, *, objects: bool) -> None:
        while objects and self._number():
            self._pieces()
        if not objects:
            self._pieces()

    def _pieces(self) -> None:
        """From one length to the next; what lies between is not read."""
        source, at, frame = self._file.fileno(), self._file.tell(), 1 + _INT
        while True:
            head = os.pread(source, frame, at)
            if len(head) < frame or head[0]:
                raise _Torn("its rows are cut off")
            at += frame + int.from_bytes(head[1:], "little")
            if head == _END:
                break
        self._file.seek(at)

    def _number(self) -> int:
        taken = self._take(1 + _INT)
        number = int.from_bytes(taken[1:], "little")
        return -number if taken[0] else number

    def _text(self) -> str | None:
        size = self._number()
        return None if size < 0 else self._take(size).decode("utf-8", "replace")

    def _take(self, size: int) -> bytes:
        if size > self._size:
            raise _Torn(_RUNS_OVER)
        taken = self._file.read(size)
        if len(taken) < size:
            raise _Torn(_RUNS_OVER)
        return taken
