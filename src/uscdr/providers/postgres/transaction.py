"""One load of a dump as one transaction of one connection, and its errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from uscdr.errors import AnswerLost, CheckFailed, Conflict
from uscdr.models.postgres import LeftOut
from uscdr.providers.postgres import statements
from uscdr.providers.postgres.archive import Archive
from uscdr.providers.postgres.contents import OBJECTS, Entry
from uscdr.providers.postgres.errors import PROVIDER, mapped, words
from uscdr.providers.postgres.lacks import lack, lacking
from uscdr.providers.postgres.script import Script
from uscdr.providers.postgres.selection import extension_schema, is_delicate, is_dispensable, rows

if TYPE_CHECKING:
    import psycopg

    from uscdr.providers.postgres.connection import Connection, Link

_WITH_CONNECTION_CHECKS = 140_000
_WITH_TRANSACTION_TIMEOUT = 170_000
"""Server versions, as libpq numbers them, from which a setting is known."""
_TURN = 7_229_513_118
"""The advisory lock of a load: two at once would mix their errors."""

# Classes of SQLSTATE that tell of what the dump says, not of the server's state.
_OF_THE_DUMP = frozenset({"0A", "22", "23", "26", "2B", "38", "39", "3F", "42", "54", "58", "P0"})
_UNLINK = "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = ANY (%s::oid[])"
_NO_RIGHT, _UNDEFINED, _NO_FEATURE, _NO_FILE = "42501", "42704", "0A000", "58P01"
_ROLE = re.compile(r'role "([^"]{1,63})" does not exist')
_HAVE_IT = "Order a database of the version and plan that the dump was made on"
UNCHANGED = "the database is as it was"


class LoadTransaction:
    """One load on one connection: `run` in a thread of its own, `abandon` from another."""

    def __init__(self, connection: Connection, archive: Archive, link: Link) -> None:
        self._connection = connection
        self._archive = archive
        self._selection = archive.selection
        self._script = Script(archive)
        self._link = link
        self.server = link.server
        self._place = "taking its turn"
        self.sent = 0
        """Bytes of rows so far."""

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
        """What of the dump was not loaded, as far as the load has come."""
        return self._selection.left_out

    def abandon(self) -> None:
        """End pg_restore and the server's work on our statement; the transaction is rolled back by `run`."""
        import psycopg

        self._script.kill()
        try:
            self._connection.cancel_safe(timeout=2)
        except psycopg.Error:
            self._connection.close()

    def _begin(self) -> None:
        """All of it for this transaction alone: a connection pooler gives the next one another session."""
        limits = self._link.local_settings({"idle_in_transaction_session_timeout": "0"})
        # A load may take long; only a wait for a lock may not.
        self._send(b"BEGIN READ WRITE; " + limits + b"; SET LOCAL statement_timeout = 0")
        if self._connection.info.server_version >= _WITH_CONNECTION_CHECKS:
            self._have_connection_checked()
        if self._connection.info.server_version >= _WITH_TRANSACTION_TIMEOUT:
            self._send(b"SET LOCAL transaction_timeout = 0")

    def _have_connection_checked(self) -> None:
        """A killed laptop's load must not go on building an index; not every platform of servers can tell."""
        import psycopg

        self._send(b"SAVEPOINT checked")
        try:
            self._send(b"SET LOCAL client_connection_check_interval = '5s'")
        except psycopg.DataError:
            self._send(b"ROLLBACK TO SAVEPOINT checked")

    def _fill(self) -> None:
        self._take_turn()
        entries = self._selection.entries
        self._send(statements.settings(self._archive.entries))
        self._place = "making extensions and schemas"
        for entry in statements.places(entries):
            self._make_place(entry)
        self._place = "clearing the old tables"
        # The shape there may be another than the dump's: then pg_restore's own removal, piece by piece, fails.
        self._send_all([*statements.relation_drops(entries), *statements.other_drops(entries)])
        self._place = "making the tables"
        self._make(statements.tables(entries))
        self._copy()
        self._place = "building keys and indexes"
        self._make(statements.constraints(self._selection.entries))

    def _take_turn(self) -> None:
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

    def _make_place(self, entry: Entry) -> None:
        """Makes a schema or extension unless it is there: an owner may lack the right to what exists already."""
        if entry.kind == "SCHEMA":
            self._make_schema(entry.name)
            return
        if schema := extension_schema(entry):
            self._make_schema(schema)
        if is_dispensable(entry):
            self._try(entry)
        else:
            self._send(entry.definition)

    def _make_schema(self, name: str) -> None:
        from psycopg import sql

        known = self._connection.execute("SELECT pg_catalog.to_regnamespace(quote_ident(%s))", (name,)).fetchall()
        if known[0][0] is None:
            self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))

    def _make(self, entries: Sequence[Entry]) -> None:
        """Each entry in its turn: most in one request, those that a server may not let us make each in its own."""
        waiting: list[Entry] = []
        for entry in entries:
            if not is_delicate(entry):
                waiting.append(entry)
                continue
            self._send_all(statements.made(self._kept(waiting)))
            waiting.clear()
            if self._kept([entry]):
                self._try(entry)
        self._send_all(statements.made(self._kept(waiting)))

    def _kept(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that were not left out meanwhile."""
        wanted = {entry.number for entry in self._selection.entries}
        return [entry for entry in entries if entry.number in wanted]

    def _try(self, entry: Entry) -> None:
        """Makes it, or leaves it out, with what hangs on it, when a right or a role is lacking."""
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
        filled = rows(self._selection.entries)
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
        self._send_all(statements.positions(self._selection.entries))

    def _write_objects(self) -> None:
        self._place = "writing large objects"
        numbers = statements.objects(self._selection.entries)
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
                raise unconfirmed(self.server, words(error)) from None

    def _ask_leave(self) -> None:
        """Nothing was changed before: a load may take long, and another may have taken over meanwhile."""
        try:
            self._link.leave()
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        import psycopg

        # A connection that broke rolls back by itself.
        with contextlib.suppress(psycopg.Error):
            self._send(b"ROLLBACK")

    def _send_all(self, several: Sequence[bytes]) -> None:
        if several:
            self._send(b"\n".join(several))

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
                next_action=f"load into an empty database, or remove it first; {UNCHANGED}",
                error_id=state,
            )
        if what := lack(_message(error)):
            return lacking([what], f"the database at {self.server}", f"{_HAVE_IT}; {UNCHANGED}")
        if state[:2] in _OF_THE_DUMP and state != "42501":
            return CheckFailed(
                f"the dump does not load into the database at {self.server}",
                why=why,
                next_action=f"choose another backup; {UNCHANGED}",
            )
        return mapped(error, self.server)


def _message(error: psycopg.Error) -> str:
    return error.diag.message_primary or ""


def _lacks(error: psycopg.Error) -> bool:
    """Whether the new place lacks something, and the statement is not wrong."""
    return error.sqlstate in {_NO_RIGHT, _UNDEFINED, _NO_FEATURE, _NO_FILE}


def _reason(error: psycopg.Error) -> str:
    if found := _ROLE.match(_message(error)):
        return f"the role {found[1]} does not exist in the new place"
    return lack(_message(error)) or f"the owner of the new database may not make it: {words(error)}"


def unconfirmed(server: str, why: str) -> AnswerLost:
    """The end of a load at `server` was asked for, and nobody knows whether it came."""
    return AnswerLost(
        f"the database at {server} did not confirm the end of the load",
        provider=PROVIDER,
        why=why,
        next_action="look whether the tables are the dump's; loading it once more does no harm",
    )
