"""A restore is watched: how far it is, whether the disk holds it, and whether a statement of the dump ever ends."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.errors import CheckFailed, MachineError
from uscdr.providers.machine import room
from uscdr.providers.ports.progress import Progress
from uscdr.providers.scratch_server import Bench
from uscdr.words import duration, size

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

_RESERVE = 512 * 1024 * 1024
"""Bytes that stay free for everybody else on the disk; half of what was free, where that is less."""
_BYTES_A_SECOND = 4_000_000
"""How fast the slowest disk is read again: a big table's key may take so long and write nothing."""
_SIZE = "SELECT pg_catalog.pg_database_size(%s)"
_LONGEST = """
SELECT coalesce(max(extract(epoch FROM pg_catalog.clock_timestamp() - query_start)), 0)::float
FROM pg_catalog.pg_stat_activity WHERE usename = %s AND state = 'active' AND leader_pid IS NULL
"""


class Watch:
    """Of one restore; `connection` is one to another database. `seconds`: for a statement that brings nothing."""

    def __init__(self, connection: Connection, bench: Bench, dump: Path, seconds: float, progress: Progress) -> None:
        self._connection = connection
        self._files = bench.server.files
        self._database = bench.database
        self._owner = bench.owner.name
        self._dump = dump
        self._seconds = seconds
        self._progress = progress
        self._size = 0
        self._grew = time.monotonic()
        free = room(self._files).free if self._files else 0
        self._reserve = min(_RESERVE, free // 2)

    def look(self) -> None:
        """Tells the progress.

        Raises:
            MachineError: the disk is about to be full.
            CheckFailed: a statement of the dump runs without an end.
        """
        import psycopg

        # A server that is gone, with its files, is pg_restore's to report.
        with contextlib.suppress(psycopg.OperationalError, FileNotFoundError):
            now: int = self._connection.execute(_SIZE, (self._database,)).fetchall()[0][0]
            if now != self._size:
                self._size, self._grew = now, time.monotonic()
            self._progress(now, None)
            self._look_at_disk()
            self._look_at_statements()

    def _look_at_disk(self) -> None:
        if self._files is None or room(self._files).free >= self._reserve:
            return
        dump = size(self._dump.stat().st_size)
        raise MachineError(
            f"there is no room to restore the dump: {self._files} has {size(room(self._files).free)} left",
            why=f"of a dump of {dump} {size(self._size)} are restored, and it is not all; no more is written",
            next_action="make room there, then try again; a dump that grows so much may hold what nobody wrote",
        )

    def _look_at_statements(self) -> None:
        limit = self._seconds + self._size / _BYTES_A_SECOND
        if time.monotonic() - self._grew < limit:
            return
        longest: float = self._connection.execute(_LONGEST, (self._owner,)).fetchall()[0][0]
        if longest >= limit:
            raise CheckFailed(
                f"the dump does not restore: one of its statements has run for {duration(longest)} without an end",
                why="nothing was written meanwhile; a function of the dump may call itself for ever",
                next_action="choose another backup",
            )
