"""Reads tables separately: one damaged or locked table does not stop the reading of the others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from uscdr.models.data_settings import ColumnName
from uscdr.models.postgres import NewestTime, Unread
from uscdr.providers.postgres.errors import LOCK_TIMEOUT, PASSING, words
from uscdr.providers.postgres.inventory import Catalogue, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from uscdr.providers.postgres.connection import Connection


T = TypeVar("T")
R = TypeVar("R")

TOO_LONG, NO_RIGHT, GONE = "57014", "42501", "42P01"
DROPPED = "it was dropped meanwhile"
_DAMAGED = {
    "XX000": "data corrupted",  # a TOAST value that is missing or malformed
    "XX001": "data corrupted",
    "XX002": "data corrupted (index)",
    "58P01": "data corrupted (a data file is missing)",
    "58030": "data corrupted (a data file cannot be read)",
    "58000": "data corrupted (a data file cannot be read)",
    "22021": "data corrupted (text with invalid encoding)",
}
_OF_THE_SERVER = ("08", "25", "53", "57P")
"""Prefixes of SQLSTATEs that are about the connection or the whole server, not one table."""

_ROW_SECURITY = "SELECT relrowsecurity, relforcerowsecurity FROM pg_catalog.pg_class WHERE oid = %s"
_HOLDERS = """
SELECT DISTINCT l.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, '')
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.relation = %s AND l.granted AND l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
ORDER BY 1
"""


def savepoint(connection: Connection) -> None:
    """The savepoint to return to when a part fails; one is enough, because reads change nothing."""
    connection.execute("SAVEPOINT part")


def attempt(
    connection: Connection, table: Table, work: Callable[[Connection, Table], R], *, name: str = ""
) -> R | Unread:
    """The result of `work`, or why `table` (as `name`) cannot be read.

    The transaction has a `mark` and stays usable. Raises psycopg's errors about the connection or the whole server.
    """
    import psycopg

    try:
        return work(connection, table)
    except psycopg.Error as error:
        if connection.closed or not _of_the_table(error):
            raise
        connection.execute("ROLLBACK TO SAVEPOINT part")
        return _unread(connection, table, error, name or table.name)


def _of_the_table(error: psycopg.Error) -> bool:
    state = error.sqlstate
    return bool(state) and state not in PASSING and not str(state).startswith(_OF_THE_SERVER)


def _unread(connection: Connection, table: Table, error: psycopg.Error, name: str) -> Unread:
    state = error.sqlstate or ""
    if state in _DAMAGED:
        return Unread(table=name, why=_DAMAGED[state], damaged=True)
    if state == LOCK_TIMEOUT:
        return Unread(table=name, why=f"locked by {_holders(connection, table)}")
    if state == NO_RIGHT:
        return _withheld(connection, table, name)
    if state == TOO_LONG:
        return Unread(table=name, why="the server cancelled the query, as it does after the statement timeout")
    if state == GONE:
        return Unread(table=name, why=DROPPED)
    return Unread(table=name, why=f"{words(error)} (SQLSTATE {state})")


def _holders(connection: Connection, table: Table) -> str:
    """Who holds the lock; a session's query is not read, because it may contain personal data."""
    found = connection.execute(_HOLDERS, (table.oid,)).fetchall()
    sessions = [
        "a prepared transaction" if pid is None else f"session {pid} ({', '.join(filter(None, (user, application)))})"
        for pid, user, application in found
    ]
    return ", ".join(sessions) or "another session"


def _withheld(connection: Connection, table: Table, name: str) -> Unread:
    found = connection.execute(_ROW_SECURITY, (table.oid,)).fetchall()
    secured, forced = found[0] if found else (False, False)
    if not secured:
        return Unread(table=name, why="the database user lacks the permission to read it")
    why = "row-level security is forced" if forced else "row-level security would hide rows"
    return Unread(table=name, why=why, hidden=True)


# The newest times in columns.


def newest_times(connection: Connection, wanted: Sequence[str]) -> dict[str, NewestTime]:
    """By `table.column` the result of `written`, or why it cannot be read."""
    there = Catalogue(connection).tables_by_name()
    savepoint(connection)
    found: dict[str, NewestTime] = {}
    for text in wanted:
        name = ColumnName.parse(text)
        table = there.get(str(name.table))
        told = attempt(connection, table, partial(_written, column=name.column)) if table else NewestTime()
        found[text] = NewestTime(unread=told) if isinstance(told, Unread) else told
    return found


def _written(connection: Connection, table: Table, column: str) -> NewestTime:
    """The newest possible time in a date or time column, and the number of impossible ones.

    A time without zone counts as UTC. None when there is no row, no such column, or the column has another type.
    """
    from psycopg import sql

    found = next((live for live in table.columns(connection) if live.name == column), None)
    if found is None or not found.is_time:
        return NewestTime()
    value = sql.Identifier("t", found.name)
    # ::timestamp is UTC's clock for all three types.
    query = sql.SQL(
        'SELECT to_char((max({value}) FILTER (WHERE {can_be}))::timestamp, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\'),'
        " count(*) FILTER (WHERE NOT {can_be}) FROM {rows} AS t"
    ).format(value=value, can_be=found.can_be(value), rows=table.quoted())
    newest, beyond = connection.execute(query).fetchall()[0]
    return NewestTime(newest=newest, beyond=beyond)
