"""The rows and large objects of a dump, as `pg_restore` writes them; everything else is in its table of contents.

Here it writes to us instead of the database: its own session waits for locks without end, fails on
servers before 17 (`transaction_timeout`), and drops nothing that hangs on a table but is not in the dump.
No statement of the application is looked for in its output: where rows begin, the table of contents tells.
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
from uscdr.providers.postgres.complaints import blames_machine, reasons
from uscdr.providers.postgres.contents import Entry
from uscdr.providers.postgres.restoring import choose, killed

_OPTIONS = ("--no-owner", "--no-acl", "--no-comments", "--section=data")
_CHUNK = 1 << 18
_OBJECT = re.compile(rb"SELECT pg_catalog\.(?:lo_open|lowrite|lo_close)\(")
_HEAD = (b"SET ", b"SELECT pg_catalog.set_config(", b"--", b"\\", b"\n")
_SHOWN = 3


@dataclass(frozen=True)
class Rows:
    """A COPY statement and its data in pieces, which must be read to the end."""

    table: str
    statement: bytes
    data: Iterator[bytes] = field(repr=False)


class Script:
    """What of one dump is not in its table of contents. `kill` may be called by another thread at any time."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = threading.Event()

    def rows(self, entries: Sequence[Entry]) -> Generator[Rows, None, None]:
        """The rows of tables that were dumped for COPY, table by table."""
        with self._written(entries) as stream:
            yield from copied(stream, entries)

    def inserts(self, entry: Entry) -> bytes:
        """The rows of a table that was dumped as INSERT statements."""
        with self._written([entry]) as stream:
            return _without_frame(stream.read())

    def objects(self, entries: Sequence[Entry]) -> Generator[bytes, None, None]:
        """Statements that write large objects, which exist, in pieces; to be sent within a transaction."""
        with self._written(entries) as stream:
            held = bytearray()
            for line in stream:
                held += line if _OBJECT.match(line) else b""
                if len(held) >= _CHUNK:
                    yield bytes(held)
                    held.clear()
            yield bytes(held)

    def kill(self) -> None:
        """End pg_restore, now and whenever it would be started again."""
        self._killed.set()
        process = self._process
        if process is not None:
            process.kill()

    @contextlib.contextmanager
    def _written(self, entries: Sequence[Entry]) -> Iterator[IO[bytes]]:
        """pg_restore's output; its failure is an error once the output has been read."""
        found: list[str] = []
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
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        self._process = process
        if self._killed.is_set():
            process.kill()
        return process


def copied(stream: IO[bytes], entries: Sequence[Entry]) -> Iterator[Rows]:
    """The rows of each of `entries` in turn; `Rows.data` must be read before the next.

    Raises:
        CheckFailed: the output ends before the rows of the last entry do.
    """
    for entry in entries:
        _go_behind(stream, entry.copy)
        yield Rows(table=entry.words.removeprefix("table data "), statement=entry.copy, data=_data(stream))


def _go_behind(stream: IO[bytes], statement: bytes) -> None:
    """Reads up to the end of a statement of one line or several, which nothing but comments stand before."""
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
        if line == b"\\.\n":  # within a row a backslash is doubled
            yield bytes(held)
            return
        held += line
        if len(held) >= _CHUNK:
            yield bytes(held)
            held.clear()
    raise _too_early()


def _too_early() -> CheckFailed:
    """Whatever is in hand must not be taken for all."""
    return CheckFailed("the dump does not load: its rows end too early", next_action="choose another backup")


def _without_frame(text: bytes) -> bytes:
    """Less the settings before the first statement and psql's own command at the end, which stand outside any entry."""
    lines = text.splitlines(keepends=True)
    first = next((number for number, line in enumerate(lines) if not line.startswith(_HEAD)), len(lines))
    last = next((number for number in range(len(lines), first, -1) if not lines[number - 1].startswith(_HEAD)), first)
    return b"".join(lines[first:last])


def _complaints(stream: IO[bytes], found: list[str]) -> None:
    with io.TextIOWrapper(stream, errors="replace") as lines:
        for line in lines:
            found.extend(reasons([line]))


def _judge(code: int, found: Sequence[str]) -> None:
    if code == 0 and not found:
        return
    if code < 0:
        raise killed(code)
    shown = "; ".join(dict.fromkeys(found[:_SHOWN])) or f"pg_restore ended with {code}"
    if any(map(blames_machine, found)):
        raise MachineError("the dump could not be read for want of something on this machine", why=shown)
    raise CheckFailed(
        "the dump does not load: pg_restore cannot read all of it",
        why=shown,
        next_action="choose another backup, or fetch this one again; the database is as it was",
    )
