"""The statements that create a dump's objects in a database, each as it was dumped."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import threading
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from uscdr.errors import CheckFailed, MachineError
from uscdr.providers.postgres.complaints import Complaint
from uscdr.providers.postgres.contents import DATA, NO_SECTION, OBJECTS, POST_DATA, PRE_DATA, DumpEntry
from uscdr.providers.postgres.restoring import choose, killed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from uscdr.providers.postgres.archive import Archive

_CONSTANT = (
    b"SET check_function_bodies = false; SET xmloption = content; SET client_min_messages = warning;"
    b" SET row_security = off;"
)
_SETTINGS = ("ENCODING", "STDSTRINGS", "SEARCHPATH")
_PLACES = frozenset({"SCHEMA", "EXTENSION"})
_RELATIONS = frozenset({"TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"})
_OBJECTS = frozenset({"BLOB", "BLOB METADATA"})
_LAST = "MATERIALIZED VIEW DATA"
"""May query anything: tables, keys and functions must exist."""


@dataclass(frozen=True)
class RestoreStatements:
    """The statements that create the objects of these entries."""

    entries: Sequence[DumpEntry]

    def settings(self) -> bytes:
        """The session settings for the statements: encoding, quoting, an empty search path."""
        return b"".join(entry.definition for entry in self.entries if entry.kind in _SETTINGS) + _CONSTANT

    def places(self) -> list[DumpEntry]:
        """Schemas first, then extensions."""
        return [entry for kind in ("SCHEMA", "EXTENSION") for entry in self.entries if entry.kind == kind]

    def relation_drops(self) -> list[bytes]:
        """Statements that drop the dump's tables and views with their dependents."""
        made = [entry for entry in self._makes() if entry.kind in _RELATIONS]
        return [_if_exists(entry).rstrip(b";\n ") + b" CASCADE;" for entry in reversed(made) if _if_exists(entry)]

    def other_drops(self) -> list[bytes]:
        """Statements that drop its functions, types, sequences and the like, but nothing that is not in the dump."""
        made = [entry for entry in self._makes() if entry.kind not in _RELATIONS]
        return [drop for drop in map(_if_exists, reversed(made)) if drop]

    def tables(self) -> list[DumpEntry]:
        """Types, functions, tables and views, in order."""
        return [entry for entry in self._makes() if entry.definition]

    def constraints(self) -> list[DumpEntry]:
        """Keys, indexes, rules, triggers and policies, in order; the content of materialized views at the end."""
        found = [entry for entry in self._section(POST_DATA) if entry.definition]
        return sorted(found, key=lambda entry: entry.kind == _LAST)

    def rows(self) -> list[DumpEntry]:
        """The entries with rows, of any name; large objects do not count as rows."""
        return [entry for entry in self._section(DATA) if entry.rows and entry.kind != OBJECTS]

    def positions(self) -> list[bytes]:
        """Statements after the rows: the positions of sequences."""
        found = self._section(DATA)
        return [
            entry.definition for entry in found if entry.definition and not entry.rows and entry.kind not in _OBJECTS
        ]

    def objects(self) -> list[int]:
        """The numbers of large objects."""
        listed = (entry.definition for entry in self.entries if entry.kind in _OBJECTS)
        return [int(number) for definition in listed for number in re.findall(rb"\b\d+\b", definition)]

    def made(self) -> list[bytes]:
        """The definitions of all entries, each table with its access method."""
        statements, current = list[bytes](), ""
        for entry in self.entries:
            if entry.method and entry.method != current:
                current = entry.method
                statements.append(f'SET default_table_access_method = "{current}";'.encode())
            statements.append(entry.definition)
        return statements

    def _makes(self) -> list[DumpEntry]:
        return [entry for entry in self._section(PRE_DATA) if entry.kind not in _PLACES | _OBJECTS]

    def _section(self, section: int) -> list[DumpEntry]:
        """The entries of a section; an entry without one belongs to the section around it."""
        found, current = list[DumpEntry](), PRE_DATA
        for entry in self.entries:
            current = entry.section if entry.section != NO_SECTION else current
            if current == section:
                found.append(entry)
        return found


def _if_exists(entry: DumpEntry) -> bytes:
    """`DROP TABLE IF EXISTS …`; nothing for an object dropped with another, such as a default."""
    for kind in (entry.kind, "TYPE"):
        start = f"DROP {kind} ".encode()
        if entry.removal.startswith(start):
            return start + b"IF EXISTS " + entry.removal[len(start) :]
    if entry.kind in _RELATIONS:  # for views that need each other, the removal creates an empty one
        return _relation_drop(entry)
    return b""


def _relation_drop(entry: DumpEntry) -> bytes:
    from psycopg import sql

    return f"DROP {entry.kind} IF EXISTS ".encode() + sql.Identifier(entry.schema, entry.name).as_bytes() + b";\n"


# The rows and large objects of a dump, as `pg_restore` prints them; everything else is in the table of contents.


_OPTIONS = ("--no-owner", "--no-acl", "--no-comments", "--section=data")
_CHUNK = 1 << 18
_OBJECT = re.compile(rb"SELECT pg_catalog\.(?:lo_open|lowrite|lo_close)\(")
_HEAD = (b"SET ", b"SELECT pg_catalog.set_config(", b"--", b"\\", b"\n")
_SHOWN = 3


@dataclass(frozen=True)
class Rows:
    """A COPY statement and its data in chunks, which must be read to the end."""

    table: str
    statement: bytes
    data: Iterator[bytes] = field(repr=False)


class RestoreScript:
    """The data of one dump. Another thread may call `kill` at any time."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = threading.Event()

    def rows(self, entries: Sequence[DumpEntry]) -> Generator[Rows, None, None]:
        """The rows of tables that were dumped for COPY, table by table."""
        with self._written(entries) as stream:
            yield from _copied(stream, entries)

    def inserts(self, entry: DumpEntry) -> bytes:
        """The rows of a table that was dumped as INSERT statements."""
        with self._written([entry]) as stream:
            return _without_frame(stream.read())

    def objects(self, entries: Sequence[DumpEntry]) -> Generator[bytes, None, None]:
        """Statements that fill existing large objects, in chunks; send them within a transaction."""
        with self._written(entries) as stream:
            held = bytearray()
            for line in stream:
                held += line if _OBJECT.match(line) else b""
                if len(held) >= _CHUNK:
                    yield bytes(held)
                    held.clear()
            yield bytes(held)

    def kill(self) -> None:
        """End pg_restore now, and prevent another start."""
        self._killed.set()
        process = self._process
        if process is not None:
            process.kill()

    @contextlib.contextmanager
    def _written(self, entries: Sequence[DumpEntry]) -> Iterator[IO[bytes]]:
        """pg_restore's output; raises its failure after the output was read."""
        found: list[Complaint] = []
        process = self._start()
        try:
            reader = threading.Thread(target=_complaints, args=(process.stderr, found), daemon=True)
            reader.start()
            choose(io.TextIOWrapper(process.stdin) if process.stdin else None, entries)
            assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
            yield process.stdout
            code = process.wait()
            reader.join()
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        _judge(code, found)

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [self._archive.tool.path, *_OPTIONS, "--use-list", "/dev/stdin", "-f", "-", self._archive.dump],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            start_new_session=True,  # only we handle Ctrl-C
        )
        self._process = process
        if self._killed.is_set():
            process.kill()
        return process


def _copied(stream: IO[bytes], entries: Sequence[DumpEntry]) -> Iterator[Rows]:
    """The rows of each of `entries` in turn; `Rows.data` must be read before the next.

    Raises:
        CheckFailed: the output ends before the rows of the last entry do.
    """
    for entry in entries:
        _go_behind(stream, entry.copy)
        yield Rows(table=entry.words.removeprefix("table data "), statement=entry.copy, data=_data(stream))


def _go_behind(stream: IO[bytes], statement: bytes) -> None:
    """Reads one statement, of one or more lines, with only comments before it."""
    wanted = statement.splitlines(keepends=True)
    seen: list[bytes] = []
    for line in stream:
        seen = [*seen, line][-len(wanted) :]
        if seen == wanted:
            return
    raise _too_early()


def _data(stream: IO[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for line in stream:
        if line == b"\\.\n":  # a backslash within a row is doubled
            yield bytes(held)
            return
        held += line
        if len(held) >= _CHUNK:
            yield bytes(held)
            held.clear()
    raise _too_early()


def _too_early() -> CheckFailed:
    """Raises for truncated rows."""
    return CheckFailed("uscdr cannot load the dump: its rows end too early.", next_action="Choose another backup.")


def _without_frame(text: bytes) -> bytes:
    """Without the settings before the first statement and psql's command at the end, which belong to no entry."""
    lines = text.splitlines(keepends=True)
    first = next((number for number, line in enumerate(lines) if not line.startswith(_HEAD)), len(lines))
    last = next((number for number in range(len(lines), first, -1) if not lines[number - 1].startswith(_HEAD)), first)
    return b"".join(lines[first:last])


def _complaints(stream: IO[bytes], found: list[Complaint]) -> None:
    with io.TextIOWrapper(stream, errors="replace") as lines:
        for line in lines:
            found.extend(Complaint.all_in([line]))


def _judge(code: int, found: Sequence[Complaint]) -> None:
    if code == 0 and not found:
        return
    if code < 0:
        raise killed(code)
    shown = "; ".join(dict.fromkeys(found[:_SHOWN])) or f"pg_restore exited with {code}"
    if any(one.blames_machine for one in found):
        raise MachineError("This machine could not read the dump.", why=shown)
    raise CheckFailed(
        "uscdr cannot load the dump: pg_restore cannot read all of it.",
        why=shown,
        next_action="Choose another backup, or download this one again; the database is unchanged.",
    )
