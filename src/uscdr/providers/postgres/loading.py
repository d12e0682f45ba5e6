"""A dump loaded into a live database: in one transaction, so that it is all there or nothing is changed."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.errors import AnswerLost, CheckFailed, Conflict, Interrupted, WriteRefused
from uscdr.providers.ports.progress import Progress
from uscdr.providers.postgres import archive as archives
from uscdr.providers.postgres.archive import Archive
from uscdr.providers.postgres.connection import Link
from uscdr.providers.postgres.errors import PROVIDER, mapped, translated, words
from uscdr.providers.postgres.script import Rows, Script

if TYPE_CHECKING:
    import psycopg

    from uscdr.providers.postgres.connection import Connection

_INTERVAL = 0.25
"""Seconds between two looks at the progress and at the stop token."""
_GRACE = 15.0
"""Seconds that a load which was told to end may take to do so."""
_WITH_CONNECTION_CHECKS = 140_000
_WITH_TRANSACTION_TIMEOUT = 170_000
"""Server versions, as libpq numbers them, from which a setting is known."""
_TURN = 7_229_513_118
"""The advisory lock of a load: two at once would mix their errors."""

# Classes of SQLSTATE that tell of what the dump says, not of the server's state.
_OF_THE_DUMP = frozenset({"0A", "22", "23", "26", "2B", "38", "39", "3F", "42", "54", "58", "P0"})
_DROPPED = re.compile(rb"^DROP (?:TABLE|VIEW|MATERIALIZED VIEW) IF EXISTS .+(?=;$)", re.MULTILINE)
_IN_SCHEMA = re.compile(rb" WITH SCHEMA (.+);$")
_UNCHANGED = "the database is as it was"


class PostgresLoader:
    """Adapter of the port `Loader`.

    `tools` is a directory of PostgreSQL programs; a set `stop` cuts a load short; `lock_timeout` (seconds)
    bounds the wait for a table that another session holds, `connect_timeout` (seconds) each attempt to
    connect. `read_only` refuses everything. TLS is required of any host but this machine.

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
    ) -> None:
        self._tools = tools
        self._stop = stop
        self._read_only = read_only
        self._lock_timeout = lock_timeout
        self._connect_timeout = connect_timeout

    def load(self, url: SecretStr, dump: Path, progress: Progress) -> None:
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
            load = _Load(connection, archive, link.server, self._lock_timeout)
            _watch(load, progress, self._stop)

    def _link(self, url: SecretStr) -> Link:
        return Link(
            url=url,
            statement_timeout=self._lock_timeout * 2,
            lock_timeout=self._lock_timeout,
            connect_timeout=self._connect_timeout,
            application_name="uscdr load",
            require_tls=not _on_this_machine(url),
        )


class _Load:
    """One load on one connection: `run` in a thread of its own, `abandon` from another."""

    def __init__(self, connection: Connection, archive: Archive, server: str, lock_timeout: float) -> None:
        self._connection = connection
        self._script = Script(archive)
        self.server = server
        self._lock_timeout = lock_timeout
        self._place = "taking its turn"
        self.sent = 0
        """Bytes of rows so far."""

    def run(self) -> None:
        """The whole load, to the end of its transaction."""
        with self._judged():
            self._prepare()
            self._send(b"BEGIN")
            try:
                self._fill()
            except BaseException:
                self._roll_back()
                raise
        self._commit()

    def abandon(self) -> None:
        """End pg_restore and the server's work on our statement; the transaction is rolled back by `run`."""
        import psycopg

        self._script.kill()
        try:
            self._connection.cancel_safe(timeout=2)
        except psycopg.Error:
            self._connection.close()

    def _prepare(self) -> None:
        # A load may take long; only a wait for a lock may not.
        self._send(b"SET default_transaction_read_only = off; SET statement_timeout = 0")
        self._send(b"SET idle_in_transaction_session_timeout = 0")
        if self._connection.info.server_version >= _WITH_CONNECTION_CHECKS:
            # A killed laptop's load must not go on building an index.
            self._send(b"SET client_connection_check_interval = '5s'")
        if self._connection.info.server_version >= _WITH_TRANSACTION_TIMEOUT:
            self._send(b"SET transaction_timeout = 0")

    def _fill(self) -> None:
        turn = self._connection.execute("SELECT pg_catalog.pg_try_advisory_xact_lock(%s)", (_TURN,)).fetchall()
        if not turn[0][0]:
            raise Conflict(
                f"another load into the database at {self.server} is under way",
                provider=PROVIDER,
                why="its session is still open, perhaps of a process that was killed a moment ago",
                next_action="wait a minute, then try again",
                error_id="55P03",
                retryable=True,
            )
        self._place = "making extensions and schemas"
        for statement in self._script.places():
            self._make_place(statement)
        self._place = "clearing the old tables"
        removal, making = self._script.tables()
        # The shape there may be another than the dump's: then pg_restore's own removal, piece by piece, fails.
        for drop in _DROPPED.findall(removal):
            self._send(drop + b" CASCADE")
        self._send(removal)
        self._place = "making the tables"
        self._send(making)
        self._copy()
        self._place = "building keys and indexes"
        for piece in self._script.constraints():
            if not isinstance(piece, Rows):
                self._send(piece.text)

    def _make_place(self, statement: bytes) -> None:
        """Makes a schema or extension unless it is there: an owner may lack the right to what exists already."""
        schema = statement.removeprefix(b"CREATE SCHEMA ").removesuffix(b";")
        if statement.startswith(b"CREATE EXTENSION "):
            found = _IN_SCHEMA.search(statement)
            schema = found[1] if found else b"public"
        known = self._connection.execute("SELECT pg_catalog.to_regnamespace(%s)", (schema.decode(),)).fetchall()
        if known[0][0] is None:
            self._send(b"CREATE SCHEMA " + schema)
        if statement.startswith(b"CREATE EXTENSION "):
            self._send(statement)

    def _copy(self) -> None:
        with contextlib.closing(self._script.rows()) as pieces:
            for piece in pieces:
                if not isinstance(piece, Rows):
                    self._place = "setting sequences"
                    self._send(piece.text)
                    continue
                self._place = f"filling {piece.table}"
                with self._connection.cursor() as cursor, cursor.copy(piece.statement) as copy:
                    for chunk in piece.data:
                        copy.write(chunk)
                        self.sent += len(chunk)

    def _commit(self) -> None:
        import psycopg

        with self._judged():
            try:
                self._send(b"COMMIT")
            except psycopg.Error as error:
                if not self._connection.closed:
                    raise
                raise _unconfirmed(self.server, words(error)) from None

    def _roll_back(self) -> None:
        import psycopg

        # A connection that broke rolls back by itself.
        with contextlib.suppress(psycopg.Error):
            self._send(b"ROLLBACK")

    def _send(self, statements: bytes) -> None:
        """As many statements as there are, in the simple protocol; none may return anything of use."""
        self._connection.execute(statements)

    @contextlib.contextmanager
    def _judged(self) -> Iterator[None]:
        """Psycopg's errors as ours; what the server says is not repeated, as it may quote rows."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise self._error(error) from None

    def _error(self, error: psycopg.Error) -> Exception:
        state = error.sqlstate or ""
        why = f"{self._place}: {words(error)} (SQLSTATE {state})"
        if state == "2BP01":
            return Conflict(
                f"something in the database at {self.server} that the dump does not know hangs on what it replaces",
                provider=PROVIDER,
                why=why,
                next_action=f"load into an empty database, or remove it first; {_UNCHANGED}",
                error_id=state,
            )
        if state[:2] in _OF_THE_DUMP and state != "42501":
            return CheckFailed(
                f"the dump does not load into the database at {self.server}",
                why=why,
                next_action=f"choose another backup; {_UNCHANGED}",
            )
        return mapped(error, self.server)


def _unconfirmed(server: str, why: str) -> AnswerLost:
    return AnswerLost(
        f"the database at {server} did not confirm the end of the load",
        provider=PROVIDER,
        why=why,
        next_action="look whether the tables are the dump's; loading it once more does no harm",
    )


def _opened(link: Link) -> Connection:
    with translated(link.server):
        return link.open()


def _watch(load: _Load, progress: Progress, stop: threading.Event | None) -> None:
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


def _look_on(load: _Load, thread: threading.Thread, progress: Progress, stop: threading.Event | None) -> None:
    while thread.is_alive():
        thread.join(_INTERVAL)
        progress(load.sent, None)
        if stop is not None and stop.is_set() and thread.is_alive():
            raise Interrupted("the load is to be stopped")


def _after_stop(load: _Load, result: Future[None]) -> None:
    """A stop may come too late: what is done is done, and what nobody knows is said to be so."""
    if not result.done():
        raise _unconfirmed(load.server, "it could not be stopped")
    outcome = result.exception()
    if isinstance(outcome, AnswerLost):
        raise outcome
    if outcome is not None:
        raise Interrupted("the load was stopped", why=_UNCHANGED, next_action="start it again")


def _work(load: _Load, result: Future[None]) -> None:
    try:
        load.run()
    except BaseException as error:  # noqa: BLE001 - handed over whole to the thread that waits for it
        result.set_exception(error)
    else:
        result.set_result(None)


def _end(load: _Load, thread: threading.Thread) -> None:
    for _ in range(int(_GRACE)):
        if not thread.is_alive():
            return
        load.abandon()
        thread.join(1.0)


def _on_this_machine(url: SecretStr) -> bool:
    """Whether every host of the URL is a socket or a loopback address; an unreadable URL is not."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url.get_secret_value())
    except psycopg.ProgrammingError:
        return False
    hosts = [host for name in ("host", "hostaddr") for host in str(parts.get(name) or "").split(",")]
    return all(map(_is_loopback, hosts))


def _is_loopback(host: str) -> bool:
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
