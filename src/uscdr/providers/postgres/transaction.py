"""One load of a dump as one transaction of one connection, and its errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from uscdr.errors import AnswerLost, CheckFailed, Conflict
from uscdr.providers.postgres.archive import Archive
from uscdr.providers.postgres.errors import PROVIDER, mapped, words
from uscdr.providers.postgres.script import Rows, Script

if TYPE_CHECKING:
    import psycopg

    from uscdr.providers.postgres.connection import Connection

_WITH_CONNECTION_CHECKS = 140_000
_WITH_TRANSACTION_TIMEOUT = 170_000
"""Server versions, as libpq numbers them, from which a setting is known."""
_TURN = 7_229_513_118
"""The advisory lock of a load: two at once would mix their errors."""

# Classes of SQLSTATE that tell of what the dump says, not of the server's state.
_OF_THE_DUMP = frozenset({"0A", "22", "23", "26", "2B", "38", "39", "3F", "42", "54", "58", "P0"})
_DROPPED = re.compile(rb"^DROP (?:TABLE|VIEW|MATERIALIZED VIEW) IF EXISTS .+(?=;$)", re.MULTILINE)
_IN_SCHEMA = re.compile(rb" WITH SCHEMA (.+);$")
UNCHANGED = "the database is as it was"


class LoadTransaction:
    """One load on one connection: `run` in a thread of its own, `abandon` from another."""

    def __init__(self, connection: Connection, archive: Archive, server: str) -> None:
        self._connection = connection
        self._script = Script(archive)
        self.server = server
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
        import psycopg

        # A load may take long; only a wait for a lock may not.
        self._send(b"SET default_transaction_read_only = off; SET statement_timeout = 0")
        self._send(b"SET idle_in_transaction_session_timeout = 0")
        if self._connection.info.server_version >= _WITH_CONNECTION_CHECKS:
            # A killed laptop's load must not go on building an index; not every platform of servers can tell.
            with contextlib.suppress(psycopg.DataError):
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
                raise unconfirmed(self.server, words(error)) from None

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
                next_action=f"load into an empty database, or remove it first; {UNCHANGED}",
                error_id=state,
            )
        if state[:2] in _OF_THE_DUMP and state != "42501":
            return CheckFailed(
                f"the dump does not load into the database at {self.server}",
                why=why,
                next_action=f"choose another backup; {UNCHANGED}",
            )
        return mapped(error, self.server)


def unconfirmed(server: str, why: str) -> AnswerLost:
    """The end of a load at `server` was asked for, and nobody knows whether it came."""
    return AnswerLost(
        f"the database at {server} did not confirm the end of the load",
        provider=PROVIDER,
        why=why,
        next_action="look whether the tables are the dump's; loading it once more does no harm",
    )
