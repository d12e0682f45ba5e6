"""Times that can be: what is written today is not of the future, nor before the year 1, nor beyond every year.

A form takes the year 20226, and an import 4713 BC; such a row tells nothing of when somebody wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from uscdr.models.postgres import Unread, Written
from uscdr.models.table_names import ColumnName
from uscdr.providers.postgres.inventory import Column, Table, columns, known
from uscdr.providers.postgres.reading import attempt, mark

if TYPE_CHECKING:
    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection

_DATE, _TIMESTAMP, _TIMESTAMPTZ = 1082, 1114, 1184
# Clocks differ by a little; a date is that of the place's own zone, which may have tomorrow already.
_LATEST = {
    _DATE: "(now() + interval '1 day')::date",
    _TIMESTAMP: "(now() + interval '5 minutes')::timestamp",
    _TIMESTAMPTZ: "now() + interval '5 minutes'",
}


def is_time(column: Column | None) -> bool:
    """Whether it holds dates or times."""
    return column is not None and column.type in _LATEST


def can_be(column: Column, of: sql.Composable) -> sql.Composable:
    """The condition on the value `of` a date or time column; NULL for NULL. The session's time zone is UTC."""
    from psycopg import sql

    return sql.SQL("({of} BETWEEN '0001-01-01' AND {latest})").format(of=of, latest=sql.SQL(_LATEST[column.type]))


def of_columns(connection: Connection, wanted: Sequence[str]) -> dict[str, Written]:
    """By `table.column` what `written` gives, or why it cannot be read."""
    there = known(connection)
    mark(connection)
    found: dict[str, Written] = {}
    for text in wanted:
        name = ColumnName.parse(text)
        table = there.get(str(name.table))
        told = attempt(connection, table, partial(written, column=name.column)) if table else Written()
        found[text] = Written(unread=told) if isinstance(told, Unread) else told
    return found


def written(connection: Connection, table: Table, column: str) -> Written:
    """The newest time that can be in a date or time column, and how many cannot; a time without zone counts as UTC.

    Nothing is known when there is no row, no such column, or the column holds something else.
    """
    from psycopg import sql

    found = next((live for live in columns(connection, table) if live.name == column), None)
    if found is None or not is_time(found):
        return Written()
    value = sql.Identifier("t", found.name)
    # ::timestamp is UTC's clock for all three types.
    query = sql.SQL(
        'SELECT to_char((max({value}) FILTER (WHERE {can_be}))::timestamp, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\'),'
        " count(*) FILTER (WHERE NOT {can_be}) FROM {rows} AS t"
    ).format(value=value, can_be=can_be(found, value), rows=table.quoted())
    newest, beyond = connection.execute(query).fetchall()[0]
    return Written(newest=newest, beyond=beyond)
