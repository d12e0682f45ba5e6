"""Loads a dump into a live database in one transaction: all of it or nothing."""

from __future__ import annotations

import contextlib
import re
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from uscdr.errors import AnswerLost, CheckFailed, Conflict, Interrupted, WriteRefused
from uscdr.providers.postgres.archive import Archive
from uscdr.providers.postgres.complaints import lack, lacking
from uscdr.providers.postgres.connection import Link
from uscdr.providers.postgres.contents import OBJECTS, DumpEntry
from uscdr.providers.postgres.errors import PROVIDER, mapped, translated, words
from uscdr.providers.postgres.statements import RestoreScript, RestoreStatements
from uscdr.settings import is_loopback_host
from uscdr.write_guard import ANYHOW, WriteGuard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import psycopg
    from pydantic import SecretStr

    from uscdr.models.postgres import LeftOut
    from uscdr.providers.ports.progress import Progress
    from uscdr.providers.postgres.connection import Connection


# One load of a dump, as one transaction on one connection, and its errors.


_WITH_CONNECTION_CHECKS = 140_000
_WITH_TRANSACTION_TIMEOUT = 170_000
"""The first server version, as libpq numbers them, that knows a setting."""
_TURN = 7_229_513_118
"""The advisory lock of a load: two concurrent loads would mix their errors."""

# SQLSTATE classes that are about the dump's content, not the server's state.
_OF_THE_DUMP = frozenset({"0A", "22", "23", "26", "2B", "38", "39", "3F", "42", "54", "58", "P0"})
_UNLINK = "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = ANY (%s::oid[])"
_NO_RIGHT, _UNDEFINED, _NO_FEATURE, _NO_FILE = "42501", "42704", "0A000", "58P01"
_ROLE = re.compile(r'role "([^"]{1,63})" does not exist')
_HAVE_IT = "Order a database of the same version and plan as the dump's"
UNCHANGED = "the database is unchanged"


class _LoadTransaction:
    """One load on one connection: `run` in a thread of its own, `abandon` from another."""

    def __init__(self, connection: Connection, archive: Archive, link: Link) -> None:
        self._connection = connection
        self._archive = archive
        self._selection = archive.selection
        self._script = RestoreScript(archive)
        self._link = link
        self.server = link.server
        self._place = "waiting for the lock"
        self.sent = 0
        """Bytes of rows loaded so far."""

    def run(self) -> None:
        """The whole load, to the end of its transaction."""
        with self._judged():
            try:
                self._begin()
                self._fill()
            except BaseException:
                self._roll_back()
                raise
        self._commit()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The entries of the dump that were left out so far."""
        return self._selection.left_out

    @property
    def _statements(self) -> RestoreStatements:
        """Those of the entries that were not left out so far."""
        return RestoreStatements(self._selection.entries)

    def abandon(self) -> None:
        """End pg_restore and cancel our statement; `run` rolls the transaction back."""
        import psycopg

        self._script.kill()
        try:
            self._connection.cancel_safe(timeout=2)
        except psycopg.Error:
            self._connection.close()

    def _begin(self) -> None:
        """For this transaction only: a connection pooler gives the next one another session."""
        limits = self._link.local_settings({"idle_in_transaction_session_timeout": "0"})
        # A load may take long; only waiting for a lock is limited.
        self._send(b"BEGIN READ WRITE; " + limits + b"; SET LOCAL statement_timeout = 0")
        if self._connection.info.server_version >= _WITH_CONNECTION_CHECKS:
            self._have_connection_checked()
        if self._connection.info.server_version >= _WITH_TRANSACTION_TIMEOUT:
            self._send(b"SET LOCAL transaction_timeout = 0")

    def _have_connection_checked(self) -> None:
        """A load must not go on after its client died; not every server platform supports this setting."""
        import psycopg

        self._send(b"SAVEPOINT checked")
        try:
            self._send(b"SET LOCAL client_connection_check_interval = '5s'")
        except psycopg.DataError:
            self._send(b"ROLLBACK TO SAVEPOINT checked")

    def _fill(self) -> None:
        self._take_turn()
        wanted = self._statements
        self._send(RestoreStatements(self._archive.entries).settings())
        self._place = "creating extensions and schemas"
        for entry in wanted.places():
            self._make_place(entry)
        self._place = "dropping the old tables"
        # The existing schema may differ from the dump's: then pg_restore's own removal, object by object, fails.
        self._send_all([*wanted.relation_drops(), *wanted.other_drops()])
        self._place = "creating the tables"
        self._make(wanted.tables())
        self._copy()
        self._place = "building keys and indexes"
        self._make(self._statements.constraints())

    def _take_turn(self) -> None:
        turn = self._connection.execute("SELECT pg_catalog.pg_try_advisory_xact_lock(%s)", (_TURN,)).fetchall()
        if not turn[0][0]:
            raise Conflict(
                f"Another load into the database at {self.server} is running.",
                provider=PROVIDER,
                why="Its session is still open, perhaps from a process that was just killed.",
                next_action="Wait a minute, then run the command again.",
                error_id="55P03",
                retryable=True,
            )

    def _make_place(self, entry: DumpEntry) -> None:
        """Creates a schema or extension unless it exists: the owner may lack permissions on an existing one."""
        if entry.kind == "SCHEMA":
            self._make_schema(entry.name)
            return
        if schema := entry.extension_schema:
            self._make_schema(schema)
        if entry.is_dispensable:
            self._try(entry)
        else:
            self._send(entry.definition)

    def _make_schema(self, name: str) -> None:
        from psycopg import sql

        known = self._connection.execute("SELECT pg_catalog.to_regnamespace(quote_ident(%s))", (name,)).fetchall()
        if known[0][0] is None:
            self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))

    def _make(self, entries: Sequence[DumpEntry]) -> None:
        """All entries in order: most in one request; those that the server may refuse each in their own."""
        waiting: list[DumpEntry] = []
        for entry in entries:
            if not entry.is_delicate:
                waiting.append(entry)
                continue
            self._send_all(RestoreStatements(self._kept(waiting)).made())
            waiting.clear()
            if self._kept([entry]):
                self._try(entry)
        self._send_all(RestoreStatements(self._kept(waiting)).made())

    def _kept(self, entries: Sequence[DumpEntry]) -> list[DumpEntry]:
        """The entries that were not left out meanwhile."""
        wanted = {entry.number for entry in self._selection.entries}
        return [entry for entry in entries if entry.number in wanted]

    def _try(self, entry: DumpEntry) -> None:
        """Creates it. Without the permission or the role it is left out, with its dependents."""
        import psycopg

        self._send(b"SAVEPOINT tried")
        try:
            self._send(entry.definition)
        except psycopg.Error as error:
            less = self._selection.without({entry.number}, _reason(error)) if _lacks(error) else None
            if less is None:
                raise
            self._send(b"ROLLBACK TO SAVEPOINT tried")
            self._selection = less
        self._send(b"RELEASE SAVEPOINT tried")

    def _copy(self) -> None:
        filled = self._statements.rows()
        with contextlib.closing(self._script.rows([entry for entry in filled if entry.copy])) as tables:
            for table in tables:
                self._place = f"filling {table.table}"
                with self._connection.cursor() as cursor, cursor.copy(table.statement) as copy:
                    for chunk in table.data:
                        copy.write(chunk)
                        self.sent += len(chunk)
        for entry in filled:
            if not entry.copy:
                self._place = f"filling {entry.words.removeprefix('table data ')}"
                self._send(self._script.inserts(entry))
        self._write_objects()
        self._place = "setting sequences"
        self._send_all(self._statements.positions())

    def _write_objects(self) -> None:
        self._place = "writing large objects"
        numbers = self._statements.objects()
        if not numbers:
            return
        self._connection.execute(_UNLINK, (numbers,))
        self._connection.execute("SELECT count(pg_catalog.lo_create(number)) FROM unnest(%s::oid[]) number", (numbers,))
        written = [entry for entry in self._selection.entries if entry.kind == OBJECTS]
        with contextlib.closing(self._script.objects(written)) as parts:
            for part in parts:
                self._send(part)
                self.sent += len(part)

    def _commit(self) -> None:
        import psycopg

        with self._judged():
            self._ask_leave()
            try:
                self._send(b"COMMIT")
            except psycopg.Error as error:
                if not self._connection.closed:
                    raise
                raise _unconfirmed(self.server, words(error)) from None

    def _ask_leave(self) -> None:
        """Nothing is changed before this point: a load may take long, and another operator may have taken over."""
        try:
            self._link.leave()
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        import psycopg

        # A broken connection rolls back by itself.
        with contextlib.suppress(psycopg.Error):
            self._send(b"ROLLBACK")

    def _send_all(self, several: Sequence[bytes]) -> None:
        if several:
            self._send(b"\n".join(several))

    def _send(self, statements: bytes) -> None:
        """Any number of statements, in the simple protocol; results are ignored."""
        self._connection.execute(statements)

    @contextlib.contextmanager
    def _judged(self) -> Iterator[None]:
        """Psycopg's errors as ours, without the server's message, which may quote rows."""
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
                f"An object in the database at {self.server} that is not in the dump depends on a table that the "
                "dump replaces.",
                provider=PROVIDER,
                why=why,
                next_action=f"Load into an empty database, or drop the object first; {UNCHANGED}.",
                error_id=state,
            )
        if what := lack(_message(error)):
            return lacking([what], f"the database at {self.server}", f"{_HAVE_IT}; {UNCHANGED}.")
        if state[:2] in _OF_THE_DUMP and state != "42501":
            return CheckFailed(
                f"The database at {self.server} refused the dump.",
                why=why,
                next_action=f"Choose another backup; {UNCHANGED}.",
            )
        return mapped(error, self.server)


def _message(error: psycopg.Error) -> str:
    return error.diag.message_primary or ""


def _lacks(error: psycopg.Error) -> bool:
    """Whether the new database lacks something, and the statement itself is valid."""
    return error.sqlstate in {_NO_RIGHT, _UNDEFINED, _NO_FEATURE, _NO_FILE}


def _reason(error: psycopg.Error) -> str:
    if found := _ROLE.match(_message(error)):
        return f"the role {found[1]} does not exist in the new database"
    return lack(_message(error)) or f"the owner of the new database may not create it: {words(error)}"


def _unconfirmed(server: str, why: str) -> AnswerLost:
    """The error for a commit at `server` without an answer: its outcome is unknown."""
    return AnswerLost(
        f"The database at {server} did not confirm the commit of the load.",
        provider=PROVIDER,
        why=why,
        next_action="Check whether the tables are the dump's; loading the dump again does no harm.",
    )


_INTERVAL = 0.25
"""Seconds between two checks of the progress and the stop token."""
_GRACE = 15.0
"""Seconds that a cancelled load may take to end."""


class PostgresLoader:
    """Adapter of the port `Loader`.

    `tools` is a directory of PostgreSQL programs; a set `stop` cancels a load; `lock_timeout` (seconds)
    bounds the wait for a table that another session holds, `connect_timeout` (seconds) each attempt to
    connect. `leave` is asked before the commit. `read_only` refuses everything. TLS is required for any host but this
    machine.

    Not dropped: tables, functions and types that are not in the dump, and existing extensions and schemas. Dropped with
    the dump's tables: their dependents (foreign keys, views and partitions that are not in the dump).
    """

    def __init__(
        self,
        *,
        tools: Path | None = None,
        stop: threading.Event | None = None,
        read_only: bool,
        lock_timeout: float = 15.0,
        connect_timeout: float = 10.0,
        leave: WriteGuard = ANYHOW,
    ) -> None:
        self._tools = tools
        self._stop = stop
        self._read_only = read_only
        self._lock_timeout = lock_timeout
        self._connect_timeout = connect_timeout
        self._leave = leave

    def load(self, url: SecretStr, dump: Path, progress: Progress) -> tuple[LeftOut, ...]:
        """Make the tables of the database at `url` those of `dump` (write, idempotent); see the port.

        `progress` gets the bytes of rows sent, and no total, which a dump does not contain; the
        number does not change while keys and indexes are built.

        Raises:
            CheckFailed: the dump does not decode, or the server refuses its content.
            Conflict: a table stays locked, or an object outside of the dump depends on a table that it replaces.
            ProviderError: the database does not answer, or refuses access.
            AnswerLost: the commit was sent and not confirmed: check the tables, or load again.
            MachineError: there is no pg_restore that is new enough, the file is unreadable, or memory ran out.
            Interrupted: the stop token was set; nothing was changed.
            WriteRefused: the loader is read-only; nothing was called.
        """
        if self._read_only:
            raise WriteRefused("uscdr refused to load a dump: this run only reads.", provider=PROVIDER)
        archive = Archive.read(dump, self._tools)
        link = self._link(url)
        with contextlib.closing(link.retried(lambda: _opened(link))) as connection:
            load = _LoadTransaction(connection, archive, link)
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


def _watch(load: _LoadTransaction, progress: Progress, stop: threading.Event | None) -> None:
    """Runs `load` in a thread; a stop or an exception here cancels it first."""
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


def _look_on(
    load: _LoadTransaction, thread: threading.Thread, progress: Progress, stop: threading.Event | None
) -> None:
    while thread.is_alive():
        thread.join(_INTERVAL)
        progress(load.sent, None)
        if stop is not None and stop.is_set() and thread.is_alive():
            raise Interrupted("The load was cancelled.")


def _after_stop(load: _LoadTransaction, result: Future[None]) -> None:
    """A stop may come too late: then the load has completed, or its outcome is unknown."""
    if not result.done():
        raise _unconfirmed(load.server, "uscdr could not stop it")
    outcome = result.exception()
    if isinstance(outcome, AnswerLost):
        raise outcome
    if outcome is not None:
        raise Interrupted(
            "Interrupted while loading the dump.",
            why=f"{UNCHANGED.capitalize()}.",
            next_action="Run the command again.",
        )


def _work(load: _LoadTransaction, result: Future[None]) -> None:
    try:
        load.run()
    except BaseException as error:  # noqa: BLE001 - passed unchanged to the waiting thread
        result.set_exception(error)
    else:
        result.set_result(None)


def _end(load: _LoadTransaction, thread: threading.Thread) -> None:
    for _ in range(int(_GRACE)):
        if not thread.is_alive():
            return
        load.abandon()
        thread.join(1.0)


def on_this_machine(url: SecretStr) -> bool:
    """Whether every host of the URL is a socket or a loopback address; a malformed URL is not."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url.get_secret_value())
    except psycopg.ProgrammingError:
        return False
    hosts = [host for name in ("host", "hostaddr") for host in str(parts.get(name) or "").split(",")]
    return all(not host or host.startswith("/") or is_loopback_host(host) for host in hosts)
