"""Proves a backup in a private PostgreSQL on this machine, which exists during a context."""

from __future__ import annotations

import os
import secrets
import threading
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.errors import MachineError, ProviderError
from uscdr.pgserver.server import LocalPostgres, files_under
from uscdr.providers.postgres.archive import Archive
from uscdr.providers.postgres.complaints import first_upper
from uscdr.providers.postgres.connection import OWN_SOCKET
from uscdr.providers.postgres.copy import RestoredCopy
from uscdr.providers.postgres.errors import LOST, NOT_ACCEPTING, PROVIDER, UNREACHABLE
from uscdr.providers.postgres.scratch_filling import Filling
from uscdr.providers.postgres.scratch_server import Bench, Login, Server
from uscdr.providers.probes.machine import room
from uscdr.words import size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from uscdr.models.postgres import LeftOut
    from uscdr.providers.ports.database import Copy
    from uscdr.providers.ports.progress import Progress

_DATABASE = "scratch"
_READER, _OWNER = "uscdr_reader_", "uscdr_owner_"
"""With a random suffix: a dump's policies may name any role."""
_PREFIX = "scratch-"
_OUT_OF_ROOM = "53"
_WORDS = "this machine's PostgreSQL"
_FEWEST_JOBS, _MOST_JOBS = 2, 4
"""Each may use `maintenance_work_mem`."""
_CUT = frozenset({LOST, NOT_ACCEPTING, UNREACHABLE, "57P01", "57P02"})
"""An SQLSTATE class."""

# In addition to the private server's own settings, which already disable crash safety. The log gets no errors: they may
# quote rows.
_PARAMETERS = {
    "autovacuum": "off",
    "max_wal_size": "4GB",
    "maintenance_work_mem": "256MB",
    "default_statistics_target": "3",  # sums over whole tables need no exact statistics
    "log_min_messages": "fatal",
}


@dataclass(frozen=True)
class FilledScratch:
    """A restored dump in a private server, with the owner of its objects, and what was left out of it."""

    bench: Bench
    left_out: tuple[LeftOut, ...]


class LocalScratch:
    """Adapter of the port `Scratch`: runs `pg_restore` into a server tied to this process.

    `directory` (made with mode 0700) gets one subdirectory for each server, which is removed with the
    server at the end of the context, and by a guard if this process is killed. If the guard is killed too, the next
    cleanup of `directory` removes it. `jobs` is the number of parallel restore workers (0: by this machine's
    processors); `tools` a directory of PostgreSQL programs; a set `stop` cancels a restore; `statement_timeout`
    (seconds) limits each query on the restored database, and each statement of the dump that writes nothing.
    """

    def __init__(
        self,
        directory: Path,
        *,
        jobs: int = 0,
        tools: Path | None = None,
        stop: threading.Event | None = None,
        statement_timeout: float = 600.0,
    ) -> None:
        self._directory = directory
        self._jobs = jobs or min(max(_FEWEST_JOBS, os.cpu_count() or 1), _MOST_JOBS)
        self._tools = tools
        self._stop = stop
        self._statement_timeout = statement_timeout
        self._prepared: Future[LocalPostgres] | None = None

    def prepare(self) -> None:
        """Start the server of the next `restore` in the background. Optional."""
        self._begin()

    def _begin(self) -> Future[LocalPostgres]:
        if self._prepared is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._prepared = Future()
            threading.Thread(target=_start, args=(self._directory, self._prepared), daemon=True).start()
        return self._prepared

    def close(self) -> None:
        """Remove a prepared server that was not used."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None and prepared.exception() is None:
            prepared.result().destroy()

    def restore(self, dump: Path, progress: Progress) -> AbstractContextManager[Copy]:
        """Restore `dump` (custom format) into an empty database and open it read-only.

        `progress` gets the restored database's size in bytes, without a total: a dump does not contain it. The server
        and its files are removed at the end of the context.

        Raises:
            CheckFailed: the dump does not decode or restore; pg_restore's reasons without row values.
            MachineError: this machine failed, or its PostgreSQL lacks something; the dump may be valid.
            Interrupted: the stop token was set.
        """
        return self._restored(dump, progress)

    @contextmanager
    def _restored(self, dump: Path, progress: Progress) -> Iterator[Copy]:
        with self.filled(dump, progress) as made:
            place, owner = made.bench.server, made.bench.owner
            yield RestoredCopy(
                SecretStr(place.url(_DATABASE, _add_reader(place))),
                lambda: _changing(place, owner),
                statement_timeout=self._statement_timeout,
                require_tls=False,
                left_out=made.left_out,
            )

    @contextmanager
    def filled(self, dump: Path, progress: Progress) -> Iterator[FilledScratch]:
        """Restore `dump` as `restore` does, for work as the owner of its objects. Raises what `restore` raises."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _demand_room(files_under(self._directory), dump)
            archive = Archive.read(dump, self._tools)
            server = self._begin().result()
        except BaseException:
            self.close()
            raise
        self._prepared = None  # this context owns the server from here on
        with server, _judged(server):
            how, place = Filling(self._jobs, self._stop, self._statement_timeout), _as_server(server)
            with place.session() as connection:
                owner = Login.create(connection, _OWNER + secrets.token_hex(4))
            bench = Bench(place, _DATABASE, owner)
            yield FilledScratch(bench, how.fill(bench, archive, progress))


@contextmanager
def _judged(server: LocalPostgres) -> Iterator[None]:
    """An error of a server that ended or has no room is about this machine."""
    try:
        yield
    except ProviderError as error:
        ended = _ended(error, server)
        if not ended:
            raise
        raise MachineError(
            f"{first_upper(_WORDS)}, which held the restored backup, {ended}.",
            why="This does not mean that the backup is damaged.",
            next_action="Free disk space and memory, then run the command again.",
        ) from error


def _ended(error: ProviderError, server: LocalPostgres) -> str:
    """What happened to the server; empty when the error is about something else."""
    if not server.runs:
        return "has ended"
    if error.provider == PROVIDER and error.error_id.startswith(_OUT_OF_ROOM):
        return "has run out of disk or memory"
    if error.error_id in _CUT and any(words in error.message for words in (_WORDS, OWN_SOCKET)):
        return "lost one of its processes: it crashed, or was killed (perhaps the memory ran out)"
    return ""


def _demand_room(place: Path, dump: Path) -> None:
    """Refuses to start with less room than the compressed dump's size: the restored data is larger.

    Raises MachineError.
    """
    free, needed = room(place).free, dump.stat().st_size if dump.is_file() else 0
    if free < needed:
        raise MachineError(
            f"There is no room to restore the dump: {place} has {size(free)} free, and the dump alone has "
            f"{size(needed)}.",
            why="This does not mean that the dump is damaged.",
            next_action="Free space there, then run the command again.",
        )


def _start(directory: Path, result: Future[LocalPostgres]) -> None:
    """Starts a server; the future gets the result or the failure."""
    try:
        place = directory / f"{_PREFIX}{secrets.token_hex(8)}"
        result.set_result(LocalPostgres.start(place, parameters=_PARAMETERS, tied=True, by_socket=True))
    except BaseException as error:  # noqa: BLE001 - passed unchanged to the waiting thread
        result.set_exception(error)


def _as_server(server: LocalPostgres) -> Server:
    def url(database: str, login: Login | None) -> str:
        return server.dsn(database, login.name, login.password.get_secret_value()) if login else server.dsn(database)

    return Server(
        words=_WORDS,
        place=_WORDS,
        private=True,
        home="postgres",
        url=url,
        environment=lambda database, one: server.environment(database, one.name, one.password.get_secret_value()),
        files=server.home,
    )


def _add_reader(server: Server) -> Login:
    """Creates a role that may read everything and nothing else."""
    from psycopg import sql

    login = Login(_READER + secrets.token_hex(4), SecretStr(secrets.token_urlsafe(24)))
    name = sql.Identifier(login.name)
    make = sql.SQL("CREATE ROLE {} LOGIN BYPASSRLS IN ROLE pg_read_all_data PASSWORD {}")
    with server.session() as connection:
        connection.execute(make.format(name, sql.Literal(login.password.get_secret_value())))
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(_DATABASE), name))
    return login


def _changing(server: Server, owner: Login) -> SecretStr:
    """The URL of the restored objects' owner, who is subject to policies as on the platform.

    Sets the password again: a dump may have changed it.
    """
    from psycopg import sql

    change = sql.SQL("ALTER ROLE {} NOBYPASSRLS PASSWORD {}")
    with server.session() as connection:
        connection.execute(change.format(sql.Identifier(owner.name), sql.Literal(owner.password.get_secret_value())))
    return SecretStr(server.url(_DATABASE, owner))
