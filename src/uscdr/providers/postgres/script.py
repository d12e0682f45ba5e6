"""A dump as what a database is to be told: SQL, and the rows in between, as `pg_restore` writes them.

Here it writes to us instead of the database: its own session waits for locks without end, fails on
servers before 17 (`transaction_timeout`), and drops nothing that hangs on a table but is not in the dump.
"""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from uscdr.errors import CheckFailed, MachineError
from uscdr.providers.postgres.archive import Archive
from uscdr.providers.postgres.complaints import blames_machine
from uscdr.providers.postgres.restoring import collect

_OPTIONS = (
    "--no-owner",
    "--no-acl",
    "--no-comments",
    "--no-security-labels",
    "--no-publications",
    "--no-subscriptions",
)
_CHUNK = 1 << 18
_PLACES = re.compile(r"^\d+; \d+ \d+ (SCHEMA|EXTENSION) - ")
_TIMEOUTS = re.compile(rb"^SET (?:\w+_)?timeout = 0;\n", re.MULTILINE)
_META = re.compile(rb"^\\(?:un)?restrict \w+\n", re.MULTILINE)
_TABLE = re.compile(rb"^COPY (.+?) (?:\(|FROM )")
_SHOWN = 3


@dataclass(frozen=True)
class Sql:
    """Statements to be sent as they are, in the encoding that they declare."""

    text: bytes


@dataclass(frozen=True)
class Rows:
    """A COPY statement and its data in pieces, which must be read to the end."""

    table: str
    statement: bytes
    data: Iterator[bytes] = field(repr=False)


Piece = Sql | Rows


class Script:
    """The parts of one dump in the order of their use. `kill` may be called by another thread at any time."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = threading.Event()

    def places(self) -> list[bytes]:
        """The statements, one each, that make the dump's schemas and extensions; a schema's as `CREATE SCHEMA x;`."""
        entries = [entry for entry in self._archive.entries if _PLACES.match(entry)]
        if not entries:
            return []
        text = b"".join(piece.text for piece in self._pieces((), entries) if isinstance(piece, Sql))
        return [line for line in text.splitlines() if line.startswith((b"CREATE SCHEMA ", b"CREATE EXTENSION "))]

    def tables(self) -> tuple[bytes, bytes]:
        """What removes the dump's objects (with `IF EXISTS`), and what makes them without rows and keys."""
        text = b"".join(
            piece.text for piece in self._section("pre-data", "--clean", "--if-exists") if isinstance(piece, Sql)
        )
        head, separator, rest = text.partition(b"\n--\n-- Name: ")
        return head + b"\n", separator + rest

    def rows(self) -> Generator[Piece, None, None]:
        """The rows, table by table, and the positions of sequences."""
        return self._section("data")

    def constraints(self) -> Generator[Piece, None, None]:
        """Keys, indexes, constraints and triggers."""
        return self._section("post-data")

    def kill(self) -> None:
        """End pg_restore, now and whenever it would be started again."""
        self._killed.set()
        process = self._process
        if process is not None:
            process.kill()

    def _section(self, name: str, *options: str) -> Generator[Piece, None, None]:
        entries = [entry for entry in self._archive.entries if not _PLACES.match(entry)]
        return self._pieces((f"--section={name}", *options), entries)

    def _pieces(self, options: Sequence[str], entries: Sequence[str]) -> Generator[Piece, None, None]:
        with self._written(options, entries) as stream:
            yield from pieces(stream)

    @contextlib.contextmanager
    def _written(self, options: Sequence[str], entries: Sequence[str]) -> Iterator[IO[bytes]]:
        """pg_restore's output; its failure is an error once the output has been read."""
        found: list[str] = []
        process = self._start(options)
        try:
            reader = threading.Thread(target=_complaints, args=(process.stderr, found), daemon=True)
            reader.start()
            _choose(process, entries)
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

    def _start(self, options: Sequence[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [self._archive.tool.path, *_OPTIONS, *options, "-L", "/dev/stdin", "-f", "-", self._archive.dump],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        self._process = process
        if self._killed.is_set():
            process.kill()
        return process


def pieces(stream: IO[bytes]) -> Iterator[Piece]:
    """Splits a script of pg_restore at its COPY data; `Rows.data` must be read before the next piece.

    Raises:
        CheckFailed: the script ends within rows.
    """
    statements: list[bytes] = []
    for line in stream:
        if not (line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n")):
            statements.append(line)
            continue
        yield Sql(_clean(b"".join(statements)))
        statements.clear()
        yield Rows(table=_table(line), statement=line, data=_data(stream))
    yield Sql(_clean(b"".join(statements)))


def _data(stream: IO[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for line in stream:
        if line == b"\\.\n":  # within a row a backslash is doubled
            yield bytes(held)
            return
        held += line
        if len(held) >= _CHUNK:
            yield bytes(held)
            held.clear()
    # Whatever is in hand must not be taken for all.
    raise CheckFailed("the dump does not load: its rows end too early", next_action="choose another backup")


def _clean(text: bytes) -> bytes:
    """Without psql's own commands and without giving up our time-outs: both stand in the head, before any entry."""
    head, separator, rest = text.partition(b"\n-- Name: ")
    head = _META.sub(b"", _TIMEOUTS.sub(b"", head))
    start = rest.rfind(b"\n-- PostgreSQL database dump complete\n")
    end = _META.sub(b"", rest[start:]) if start >= 0 else b""
    return head + separator + (rest[:start] + end if start >= 0 else rest)


def _table(statement: bytes) -> str:
    match = _TABLE.match(statement)
    return match[1].decode(errors="replace") if match else "a table"


def _choose(process: subprocess.Popen[bytes], entries: Sequence[str]) -> None:
    """Tells pg_restore by its standard input which entries are wanted, and in which order."""
    assert process.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
    with contextlib.suppress(BrokenPipeError), process.stdin as listing:
        listing.write("".join(f"{entry}\n" for entry in entries).encode())


def _complaints(stream: IO[bytes], found: list[str]) -> None:
    collect(io.TextIOWrapper(stream, errors="replace"), found)


def _judge(code: int, found: Sequence[str]) -> None:
    if code == 0 and not found:
        return
    if code < 0:
        raise MachineError(f"pg_restore was killed by signal {-code}", why="perhaps for want of memory")
    shown = "; ".join(dict.fromkeys(found[:_SHOWN])) or f"pg_restore ended with {code}"
    if any(map(blames_machine, found)):
        raise MachineError("the dump could not be read for want of something on this machine", why=shown)
    raise CheckFailed(
        "the dump does not load: pg_restore cannot read all of it",
        why=shown,
        next_action="choose another backup, or fetch this one again; the database is as it was",
    )
