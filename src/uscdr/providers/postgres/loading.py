"""A dump loaded into a live database: in one transaction, so that it is all there or nothing is changed."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.errors import AnswerLost, Interrupted, WriteRefused
from uscdr.leave import ANYHOW, Leave
from uscdr.models.postgres import LeftOut
from uscdr.providers.ports.progress import Progress
from uscdr.providers.postgres import archive as archives
from uscdr.providers.postgres.connection import Link
from uscdr.providers.postgres.errors import PROVIDER, translated
from uscdr.providers.postgres.transaction import UNCHANGED, LoadTransaction, unconfirmed
from uscdr.settings import is_loopback_host

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

_INTERVAL = 0.25
"""Seconds between two looks at the progress and at the stop token."""
_GRACE = 15.0
"""Seconds that a load which was told to end may take to do so."""


class PostgresLoader:
    """Adapter of the port `Loader`.

    `tools` is a directory of PostgreSQL programs; a set `stop` cuts a load short; `lock_timeout` (seconds)
    bounds the wait for a table that another session holds, `connect_timeout` (seconds) each attempt to
    connect. `leave` is asked before the load is committed. `read_only` refuses everything. TLS is required of any
    host but this machine.

    Not removed: tables, functions and types that the dump does not know, and extensions and schemas that
    are there already. Removed with the tables of the dump: what hangs on them (foreign keys, views and
    partitions that the dump does not know).
    """

    def __init__(
        self,
        *,
        tools: Path | None = None,
        stop: threading.Event | None = None,
        read_only: bool,
        lock_timeout: float = 15.0,
        connect_timeout: float = 10.0,
        leave: Leave = ANYHOW,
    ) -> None:
        self._tools = tools
        self._stop = stop
        self._read_only = read_only
        self._lock_timeout = lock_timeout
        self._connect_timeout = connect_timeout
        self._leave = leave

    def load(self, url: SecretStr, dump: Path, progress: Progress) -> tuple[LeftOut, ...]:
        """Make the tables of the database at `url` those of `dump` (write, idempotent); see the port.

        `progress` gets the bytes of rows sent, and no total, which no dump tells; the number stands
        still while keys and indexes are built.

        Raises:
            CheckFailed: the dump does not decode, or the server refuses what it says.
            Conflict: a table stays locked, or what the dump does not know hangs on what it replaces.
            ProviderError: the database does not answer or does not let us.
            AnswerLost: the end was sent and not confirmed: look at the tables, or load once more.
            MachineError: no pg_restore that is new enough, an unreadable file, this machine's memory.
            Interrupted: the stop token was set; nothing was changed.
            WriteRefused: wired read-only; nothing was called.
        """
        if self._read_only:
            raise WriteRefused("loading a dump is refused: wired read-only", provider=PROVIDER)
        archive = archives.read(dump, self._tools)
        link = self._link(url)
        with contextlib.closing(link.retried(lambda: _opened(link))) as connection:
            load = LoadTransaction(connection, archive, link)
            _watch(load, progress, self._stop)
            return load.left_out

    def _link(self, url: SecretStr) -> Link:
        return Link(
            url=url,
            statement_timeout=self._lock_timeout * 2,
            lock_timeout=self._lock_timeout,
            connect_timeout=self._connect_timeout,
            application_name="uscdr load",
            require_tls=not on_this_machine(url),
            leave=self._leave,
        )


def _opened(link: Link) -> Connection:
    with translated(link.server):
        return link.open()


def _watch(load: LoadTransaction, progress: Progress, stop: threading.Event | None) -> None:
    """Runs `load` in a thread; on a stop or any exception here it is ended first."""
    result: Future[None] = Future()
    thread = threading.Thread(target=_work, args=(load, result), daemon=True)
    thread.start()
    try:
        _look_on(load, thread, progress, stop)
    except Interrupted:
        _end(load, thread)
        _after_stop(load, result)
    except BaseException:
        _end(load, thread)
        raise
    else:
        result.result()


def _look_on(load: LoadTransaction, thread: threading.Thread, progress: Progress, stop: threading.Event | None) -> None:
    while thread.is_alive():
        thread.join(_INTERVAL)
        progress(load.sent, None)
        if stop is not None and stop.is_set() and thread.is_alive():
            raise Interrupted("the load is to be stopped")


def _after_stop(load: LoadTransaction, result: Future[None]) -> None:
    """A stop may come too late: what is done is done, and what nobody knows is said to be so."""
    if not result.done():
        raise unconfirmed(load.server, "it could not be stopped")
    outcome = result.exception()
    if isinstance(outcome, AnswerLost):
        raise outcome
    if outcome is not None:
        raise Interrupted("the load was stopped", why=UNCHANGED, next_action="start it again")


def _work(load: LoadTransaction, result: Future[None]) -> None:
    try:
        load.run()
    except BaseException as error:  # noqa: BLE001 - handed over whole to the thread that waits for it
        result.set_exception(error)
    else:
        result.set_result(None)


def _end(load: LoadTransaction, thread: threading.Thread) -> None:
    for _ in range(int(_GRACE)):
        if not thread.is_alive():
            return
        load.abandon()
        thread.join(1.0)


def on_this_machine(url: SecretStr) -> bool:
    """Whether every host of the URL is a socket or a loopback address; an unreadable URL is not."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url.get_secret_value())
    except psycopg.ProgrammingError:
        return False
    hosts = [host for name in ("host", "hostaddr") for host in str(parts.get(name) or "").split(",")]
    return all(not host or host.startswith("/") or is_loopback_host(host) for host in hosts)
