"""Names and addresses of files that rows hold, and nothing else of those rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from uscdr.models.media import FileReferences, ReferenceColumn, StoredReference
from uscdr.providers.postgres.inventory import Column, Table, columns, primary_key, tables

if TYPE_CHECKING:
    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection

_JSON, _JSONB = 114, 3802
_TEXTS = frozenset({25, 1042, 1043})
_INTEGERS = frozenset({20, 21, 23})
_TIMES = frozenset({1082, 1114, 1184})
_PLAIN_KEYS = frozenset({20, 21, 23, 2950})
FILE_LIKE = r"^(https?://|/?media/)[^[:space:]]+$|^[^[:space:]]+/[^[:space:]/]+\.[A-Za-z0-9]{2,5}$"
"""What is taken from JSON: an address, or a path that ends in a file's extension."""


def read(connection: Connection, wanted: Sequence[ReferenceColumn]) -> FileReferences:
    """Every reference in `wanted`, by column and key, and the columns that are not there."""
    known = {table.name: table for table in tables(connection, sizes=False)}
    found: list[StoredReference] = []
    absent: list[str] = []
    for one in wanted:
        name, _, column = one.column.rpartition(".")
        table = known.get(name)
        live = {} if table is None else {column.name: column for column in columns(connection, table)}
        if table is None or column not in live:
            absent.append(one.column)
            continue
        found += _of_column(connection, table, live[column], live.get(one.written), live.get(one.size))
    return FileReferences(found=tuple(found), absent=tuple(absent))


def _of_column(
    connection: Connection, table: Table, column: Column, written: Column | None, size: Column | None
) -> Iterator[StoredReference]:
    from psycopg import sql

    key = primary_key(connection, table)
    query = sql.SQL(
        "SELECT {key}, {value}, {at}, {size} FROM ONLY {table} AS t {more} WHERE {where} ORDER BY 1"
    ).format(
        key=_key(key),
        value=sql.SQL("found.path #>> '{{}}'") if _is_json(column) else sql.Identifier("t", column.name),
        at=_at(written),
        size=_size(column, size),
        table=table.quoted(),
        more=_inside(column) if _is_json(column) else sql.SQL(""),
        where=_is_file(column),
    )
    for where, value, at, told in connection.execute(query, {"like": FILE_LIKE}):
        yield StoredReference(
            table=table.name,
            column=column.name,
            key=str(where),
            value=value,
            created_at=datetime.fromtimestamp(at, UTC) if at is not None else None,
            bytes=told or None,
        )


def _is_json(column: Column) -> bool:
    return column.type in (_JSON, _JSONB)


def _inside(column: Column) -> sql.Composable:
    """Every string anywhere in the JSON."""
    from psycopg import sql

    path = 'strict $.** ? (@.type() == "string")'
    return sql.SQL("CROSS JOIN LATERAL jsonb_path_query({column}::jsonb, {path}) AS found(path)").format(
        column=sql.Identifier("t", column.name), path=sql.Literal(path)
    )


def _is_file(column: Column) -> sql.Composable:
    from psycopg import sql

    if _is_json(column):
        return sql.SQL("(found.path #>> '{{}}') ~ %(like)s").format()
    if column.type in _TEXTS:
        return sql.SQL("{0} <> '' AND %(like)s <> ''").format(sql.Identifier("t", column.name))
    # Neither text nor JSON: it names no file.
    return sql.SQL("false AND %(like)s <> ''")


def _key(key: Column | None) -> sql.Composable:
    """The row's key where that is a number or UUID; any other may be a person's, and is not read."""
    from psycopg import sql

    if key is None or key.type not in _PLAIN_KEYS:
        return sql.SQL("'?'::text")
    return sql.SQL("{}::text").format(sql.Identifier("t", key.name))


def _at(written: Column | None) -> sql.Composable:
    """Seconds since the epoch; the session's time zone is UTC."""
    from psycopg import sql

    if written is None or written.type not in _TIMES:
        return sql.SQL("NULL::float8")
    column = sql.Identifier("t", written.name)
    return sql.SQL("CASE WHEN isfinite({0}) THEN extract(epoch FROM {0}::timestamptz)::float8 END").format(column)


def _size(column: Column, size: Column | None) -> sql.Composable:
    """The file's size; a JSON column holds several files, so that one number tells nothing."""
    from psycopg import sql

    if size is None or size.type not in _INTEGERS or _is_json(column):
        return sql.SQL("NULL::int8")
    return sql.SQL("{}::int8").format(sql.Identifier("t", size.name))
