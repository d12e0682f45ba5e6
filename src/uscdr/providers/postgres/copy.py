"""A dump restored into a private database: for reads, and for SQL trials that are rolled back."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from uscdr.errors import ProviderError
from uscdr.models.postgres import of_names
from uscdr.models.trial import MigrationScript, ScriptEnd
from uscdr.providers.postgres.complaints import lack
from uscdr.providers.postgres.connection import Link
from uscdr.providers.postgres.database import PostgresDatabase
from uscdr.providers.postgres.errors import LOST, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import psycopg
    from pydantic import SecretStr

    from uscdr.models.postgres import LeftOut
    from uscdr.providers.postgres.connection import Connection

LOCK_TIMEOUT, CONNECT_TIMEOUT = 10.0, 10.0
SHORTEST = 0.01
"""The least seconds for a statement: PostgreSQL takes zero as no limit."""


class RestoredCopy(PostgresDatabase):
    """Adapter of the port `Copy`.

    Every session is read-only, except that of a trial, which is rolled back. `owner` returns the URL of a role that may
    change the restored objects; it is called when a trial starts. `left_out` lists what was not restored, and why.
    """

    def __init__(
        self,
        url: SecretStr,
        owner: Callable[[], SecretStr],
        *,
        statement_timeout: float,
        require_tls: bool,
        left_out: Sequence[LeftOut] = (),
    ) -> None:
        super().__init__(
            url, read_only=True, statement_timeout=statement_timeout, lock_timeout=LOCK_TIMEOUT,
            connect_timeout=CONNECT_TIMEOUT, require_tls=require_tls,
        )  # fmt: skip
        self._owner = owner
        self.left_out = tuple(left_out)
        self._require_tls = require_tls

    @cached_property
    def _writer(self) -> Link:
        return Link(
            url=self._owner(), statement_timeout=self._link.statement_timeout, lock_timeout=LOCK_TIMEOUT,
            connect_timeout=CONNECT_TIMEOUT, application_name="uscdr trial", require_tls=self._require_tls,
        )  # fmt: skip

    def tried(self, scripts: Sequence[MigrationScript], *, seconds: float) -> tuple[ScriptEnd, ...]:
        """See the port. All run in one transaction, rolled back at its end: later scripts see what earlier ones did."""
        if not scripts:
            return ()
        try:
            with self._writer.session() as connection:
                return tuple(_each(connection, scripts, time.monotonic() + seconds))
        except ProviderError as error:
            return (ScriptEnd(name=scripts[0].name, state=error.error_id or LOST, words=error.message),)


def _each(connection: Connection, scripts: Sequence[MigrationScript], deadline: float) -> Iterator[ScriptEnd]:
    import psycopg

    connection.execute(f"BEGIN READ WRITE; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s'".encode())
    try:
        for script in scripts:
            end = _end(connection, script, deadline)
            yield end
            if not end.ran:
                return
    finally:
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")


def _end(connection: Connection, script: MigrationScript, deadline: float) -> ScriptEnd:
    import psycopg

    done = 0
    try:
        for part in script.parts:
            _run(connection, part, deadline)
            done += 1
        # Check now what a commit would check, then defer the constraints again for the next script.
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    except psycopg.Error as error:
        return ScriptEnd(
            name=script.name, state=error.sqlstate or LOST, words=_said(error), after_code=done > 0 and script.runs_code
        )
    return ScriptEnd(name=script.name)


def _run(connection: Connection, text: str, deadline: float) -> None:
    """One block, so that no statement in it can end the transaction, and the time limit covers all of them."""
    from psycopg import sql

    left = max(SHORTEST, deadline - time.monotonic())
    block = sql.SQL("BEGIN EXECUTE {}; END").format(sql.Literal(text)).as_string(connection)
    limit = sql.Literal(f"{round(left * 1000)}ms")
    connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(limit))
    connection.execute(sql.SQL("DO {}").format(sql.Literal(block)))


def _said(error: psycopg.Error) -> str:
    """The server's message if it contains only names; DETAIL, which quotes rows, is never used."""
    message = str(error.diag.message_primary or "")
    if what := lack(message):
        return f"the copy's server lacks {what}"
    return of_names(message) or f"{words(error)} (uscdr does not show the server's message, which may quote a row)"
