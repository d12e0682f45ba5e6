"""Reads a dump's table of contents from the file itself: every entry is complete, and each text has its length.

The format is that of pg_dump's custom archives (PostgreSQL's pg_backup_archiver.c and pg_backup_custom.c). pg_restore
prints one text, in which a function's body may look like anything; the file is unambiguous.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from uscdr.errors import CheckFailed, MachineError
from uscdr.files import opened
from uscdr.words import escape, first_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_KNOWN = frozenset({(1, minor) for minor in range(12, 17)})
"""Archive versions of PostgreSQL 9.0 to 18."""
_INT, _OFFSET = 4, 8
_ROWS_BLOCK, _OBJECTS_BLOCK = 1, 3
"""Kinds of blocks: a table's rows, large objects."""
_END = bytes(1 + _INT)
_RUNS_OVER = "Its table of contents is truncated, or overlaps its rows."
ANOTHER_BACKUP = "Choose another backup, or download this one again."

NO_SECTION, PRE_DATA, DATA, POST_DATA = 1, 2, 3, 4
"""Sections of entries; an entry without one (a comment, a grant) belongs to the section around it."""
ROWS: Final = "TABLE DATA"
OBJECTS: Final = "BLOBS"
MAIN_SCHEMA: Final = "public"


FOREIGN = frozenset({"FOREIGN DATA WRAPPER", "SERVER", "USER MAPPING", "FOREIGN TABLE"})
_ONLY_WATCHING = frozenset(
    {
        "amcheck", "auto_explain", "hypopg", "pageinspect", "pg_buffercache", "pg_cron", "pg_freespacemap",
        "pg_hint_plan", "pg_prewarm", "pg_proctab", "pg_qualstats", "pg_repack", "pg_stat_kcache", "pg_stat_monitor",
        "pg_stat_statements", "pg_track_settings", "pg_visibility", "pg_wait_sampling", "pg_walinspect", "pgaudit",
        "pgrowlocks", "pgstattuple", "pldbgapi", "plpgsql_check", "plprofiler", "sslinfo", "system_stats",
    }
)  # fmt: skip
"""Extensions that monitor a server; no table depends on them."""
_ELSEWHERE = frozenset(
    {"dblink", "file_fdw", "mongo_fdw", "multicorn", "mysql_fdw", "oracle_fdw", "postgres_fdw", "redis_fdw", "tds_fdw"}
)
"""Extensions for data on other servers, which no dump contains."""

_NAME = r'(?:"(?:[^"]|"")+"|[a-z_0-9$]+)'
_POLICY_ROLES = re.compile(
    rf"CREATE POLICY {_NAME} ON {_NAME}(?:\.{_NAME})?(?: AS RESTRICTIVE)?(?: FOR [A-Z]+)? TO ({_NAME}(?:, {_NAME})*)"
)
_MAPPED_ROLE = re.compile(rf"CREATE USER MAPPING FOR ({_NAME}) SERVER")
_IN_SCHEMA = re.compile(rf" WITH SCHEMA ({_NAME});\s*$")
_ANYBODY = frozenset({"public", "PUBLIC", "current_user", "session_user", "current_role"})


@dataclass(frozen=True)
class DumpEntry:
    """One object of a dump.

    `kind` is pg_dump's name for it (`TABLE DATA`). `name` is its name or the name of its owner object. `schema` is
    empty for an object outside of schemas. `definition`, `removal` and `copy` are statements in the dump's encoding, or
    empty. `rows` is 1 when a block of data follows for it. `needs` has the numbers of the entries that it depends on.
    """

    number: int
    rows: int
    kind: str
    name: str
    schema: str
    section: int
    definition: bytes
    removal: bytes
    copy: bytes
    method: str
    """The access method of a table, as `heap`."""
    needs: frozenset[int]

    @property
    def words(self) -> str:
        """For messages: `policy notes mine`, `table audit.event`."""
        inside = f"{self.schema}." if self.schema and self.schema != MAIN_SCHEMA else ""
        what = self.kind.lower()
        name = self.name.removeprefix(f"{self.kind} ")
        return escape(f"{what} {inside}{name}".strip())

    @property
    def is_delicate(self) -> bool:
        """Whether an owner may lack the permission or the server the role to create it, and no row depends on it."""
        return self.kind in FOREIGN | {"POLICY"} or self.comments_on({"SCHEMA"})

    @property
    def is_dispensable(self) -> bool:
        """Whether this extension only monitors or reaches a server: no row of a dump needs it."""
        return self.name in _ONLY_WATCHING | _ELSEWHERE

    @property
    def extension_schema(self) -> str:
        """The schema that the dump names for this extension; empty when it names none."""
        found = _IN_SCHEMA.search(self.definition.decode("utf-8", "replace"))
        return _plain(found[1]) if found else ""

    @property
    def roles(self) -> frozenset[str]:
        """The roles that this policy or user mapping names."""
        pattern = {"POLICY": _POLICY_ROLES, "USER MAPPING": _MAPPED_ROLE}.get(self.kind)
        found = pattern.search(self.definition.decode("utf-8", "replace")) if pattern else None
        names = re.findall(_NAME, found[1]) if found else []
        return frozenset(_plain(name) for name in names) - _ANYBODY

    def comments_on(self, kinds: Iterable[str]) -> bool:
        """Whether it is a comment on an object of one of these kinds."""
        return self.kind == "COMMENT" and any(self.name.startswith(f"{kind} ") for kind in kinds)


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


class _Torn(Exception):
    """The file is malformed at this position."""


def read_entries(dump: Path) -> tuple[DumpEntry, ...]:
    """Every entry of a custom-format dump, in its order.

    Raises:
        CheckFailed: it does not decode, or its format is too new for this version.
        MachineError: the file cannot be read.
    """
    try:
        with opened(dump) as file:
            reader = _ContentsReader(file)
            if not reader.readable():
                raise _unknown(reader)
            return tuple(reader.entries())
    except OSError as error:
        raise MachineError(f"uscdr cannot read {dump}.", why=f"{error.strerror or type(error).__name__}.") from error
    except _Torn as error:
        raise CheckFailed("The dump does not decode.", why=str(error), next_action=ANOTHER_BACKUP) from None


def _unknown(reader: _ContentsReader) -> MachineError:
    return MachineError(
        f"The dump is too new for this version of uscdr: its archive format is {reader.version}.",
        why="The dump itself may be valid.",
        next_action="Install a newer version of uscdr from the source of this one, or choose another backup.",
    )


class _ContentsReader:
    """Reads the file once, from start to end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._version = (0, 0)

    @property
    def version(self) -> str:
        """The format's version, such as `1.16`."""
        return ".".join(map(str, self._version))

    def readable(self) -> bool:
        """Whether the format is known; moves to the first entry."""
        head = self._take(11)
        self._version = (head[5], head[6])
        return head.startswith(b"PGDMP") and self._version in _KNOWN and tuple(head[8:11]) == (_INT, _OFFSET, 1)

    def entries(self) -> Iterator[DumpEntry]:
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

    def _entry(self) -> DumpEntry:
        number, rows = self._number(), self._number()
        self._text()  # the catalogue's and the object's own numbers
        self._text()
        name, kind, section = self._words(), self._words(), self._number()
        definition, removal, copy = self._text() or b"", self._text() or b"", self._text() or b""
        schema, _tablespace = self._words(), self._text()
        method = self._words() if self._version >= (1, 14) else ""
        if self._version >= (1, 16):
            self._number()  # the relation kind
        self._text()  # owner
        self._text()  # a field of old versions
        needs = frozenset(found for one in self._needs() if (found := whole(one)) is not None)
        self._take(1 + _OFFSET)
        return DumpEntry(number, rows, kind, name, schema, section, definition, removal, copy, method, needs)

    def _needs(self) -> Iterator[bytes]:
        while (one := self._text()) is not None:
            yield one

    def blocks(self, wanted: frozenset[int]) -> set[int]:
        """The numbers of the blocks that follow, up to the end or to anything that is not a block."""
        found: set[int] = set()
        try:
            while not wanted <= found:
                kind, number = self._take(1)[0], self._number()
                if kind not in (_ROWS_BLOCK, _OBJECTS_BLOCK):
                    break
                self._pass_over(objects=kind == _OBJECTS_BLOCK)
                found.add(number)
        except _Torn:
            pass  # the caller sees what is missing by what was found
        return found

    def _pass_over(self, *, objects: bool) -> None:
        while objects and self._number():
            self._pieces()
        if not objects:
            self._pieces()

    def _pieces(self) -> None:
        """Skips from one length to the next without reading the data."""
        source, at, frame = self._file.fileno(), self._file.tell(), 1 + _INT
        while True:
            head = os.pread(source, frame, at)
            if len(head) < frame or head[0]:
                raise _Torn("Its rows are truncated.")
            at += frame + int.from_bytes(head[1:], "little")
            if head == _END:
                break
        self._file.seek(at)

    def _number(self) -> int:
        taken = self._take(1 + _INT)
        number = int.from_bytes(taken[1:], "little")
        return -number if taken[0] else number

    def _words(self) -> str:
        return (self._text() or b"").decode("utf-8", "replace")

    def _text(self) -> bytes | None:
        size = self._number()
        return None if size < 0 else self._take(size)

    def _take(self, size: int) -> bytes:
        if size > self._size:
            raise _Torn(_RUNS_OVER)
        taken = self._file.read(size)
        if len(taken) < size:
            raise _Torn(_RUNS_OVER)
        return taken


# Whether a dump's table of contents matches its rows: pg_restore skips a mismatch silently.


_SECTIONS = frozenset({NO_SECTION, PRE_DATA, DATA, POST_DATA})


def check_blocks(dump: Path) -> None:
    """Compare entries and blocks; takes under half a second for a gigabyte. Only the entries are held in memory.

    Raises:
        CheckFailed: pg_restore would leave something out; the message names it by table and kind.
        MachineError: the file cannot be read.
    """
    try:
        with opened(dump) as file:
            complaint = _complaint(_ContentsReader(file))
    except OSError as error:
        raise MachineError(f"uscdr cannot read {dump}.", why=f"{error.strerror or type(error).__name__}.") from error
    if complaint:
        raise CheckFailed(
            "The dump is damaged: a restore would leave something out without an error.",
            why=complaint,
            next_action=ANOTHER_BACKUP,
        )


def _complaint(reader: _ContentsReader) -> str:
    try:
        if not reader.readable():
            return ""
        entries = list(reader.entries())
    except _Torn as error:
        return str(error)
    names = {one.number: f"{one.kind} {one.name}".strip() for one in entries}
    strange = [names[one.number] for one in entries if one.section not in _SECTIONS or one.rows not in (0, 1)]
    if strange:
        return f"No restore would execute these entries: {first_of(strange)}."
    wanted = {one.number for one in entries if one.rows}
    found = reader.blocks(frozenset(wanted))
    if found - wanted:
        return "It contains rows that are not in its table of contents."
    if lacking := [names[one.number] for one in entries if one.rows and one.number not in found]:
        return f"It contains no rows for {first_of(lacking)}."
    return ""
