"""What the tables hold, without showing it: counts, digests, keys and newest times."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from uscdr.models.postgres import TableDigest, TableKeys
from uscdr.providers.postgres.inventory import Table, columns, primary_key

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

_INTEGERS = frozenset({20, 21, 23})
_UUID = 2950
_DATE, _TIMESTAMP, _TIMESTAMPTZ = 1082, 1114, 1184


def count(connection: Connection, table: Table) -> int:
    """The exact number of rows."""
    from psycopg import sql

    query = sql.SQL("SELECT count(*) FROM ONLY {}").format(table.quoted())
    rows: int = connection.execute(query).fetchall()[0][0]
    return rows


def digest(connection: Connection, table: Table) -> TableDigest:
    """Exact count and content digest, the same for the same rows in any order on any server.

    Per row the SHA-256 of the text of its live columns, which tells NULL from an empty text; the
    first 128 bits are added up in two sums, and these, the count and the column names are hashed
    once more. Sums, unlike exclusive or, notice a row that is there twice.
    """
    from psycopg import sql

    live = columns(connection, table)
    # OFFSET 0 keeps the planner from computing the hash once for each sum.
    query = sql.SQL(
        "SELECT count(*), coalesce(sum(('x' || substr(h, 1, 16))::bit(64)::int8), 0)::text,"
        " coalesce(sum(('x' || substr(h, 17, 16))::bit(64)::int8), 0)::text FROM"
        " (SELECT encode(sha256(convert_to(ROW({columns})::text, 'UTF8')), 'hex') AS h"
        " FROM ONLY {table} AS t OFFSET 0) AS hashed"
    ).format(
        columns=sql.SQL(", ").join(sql.Identifier("t", column.name) for column in live),
        table=table.quoted(),
    )
    rows, first, second = connection.execute(query).fetchall()[0]
    whole = "\0".join([str(rows), first, second, *(column.name for column in live)])
    return TableDigest(name=table.name, rows=rows, digest=hashlib.sha256(whole.encode()).hexdigest()[:32])


def keys(connection: Connection, table: Table) -> TableKeys:
    """The values of a single-column primary key, each with a fingerprint of its row.

    Integers and UUIDs are given as they are. Any other key may be a secret or a person's (a session,
    a token, an e-mail address): it is given as the first 16 hexadecimal digits of its SHA-256.
    """
    from psycopg import sql

    column = primary_key(connection, table)
    if column is None:
        return TableKeys(name=table.name, column=None, keys=None)
    plain = column.type in {*_INTEGERS, _UUID}
    shown = "{}" if plain else "left(encode(sha256(convert_to({}::text, 'UTF8')), 'hex'), 16)"
    expression = sql.SQL(shown).format(sql.Identifier("t", column.name))
    row = sql.SQL(", ").join(sql.Identifier("t", live.name) for live in columns(connection, table))
    query = sql.SQL(
        "COPY (SELECT {}, ('x' || left(md5(ROW({})::text), 8))::bit(32)::int FROM ONLY {} AS t) TO STDOUT"
    ).format(expression, row, table.quoted())
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        pairs = [(value[0], int(value[1])) for value in copy.rows()]
    order: Callable[[str], int | str] = int if column.type in _INTEGERS else str
    pairs.sort(key=lambda pair: order(pair[0]))
    return TableKeys(
        name=table.name,
        column=column.name,
        keys=tuple(key for key, _ in pairs),
        prints=tuple(fingerprint for _, fingerprint in pairs),
    )


def newest(connection: Connection, table: Table, column: str) -> str | None:
    """The newest finite time in a date or time column, ISO 8601 in UTC; a time without zone counts as UTC.

    None when there is no row, no such column, or the column holds something else.
    """
    from psycopg import sql

    found = next((live for live in columns(connection, table) if live.name == column), None)
    if found is None or found.type not in {_DATE, _TIMESTAMP, _TIMESTAMPTZ}:
        return None
    # The session's time zone is UTC, so ::timestamp is UTC's clock for all three types.
    query = sql.SQL(
        'SELECT to_char(max({column})::timestamp, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'
        " FROM ONLY {table} WHERE isfinite({column})"
    ).format(column=sql.Identifier(found.name), table=table.quoted())
    latest: str | None = connection.execute(query).fetchall()[0][0]
    return latest
