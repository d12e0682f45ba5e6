"""Names and addresses of files that rows hold, and nothing else of those rows."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

from uscdr.models.media import FileReferences, ReferenceColumn, StoredReference
from uscdr.models.postgres import Unread
from uscdr.models.postgres_names import ColumnName
from uscdr.providers.postgres.inventory import LiveColumn, Table, columns, known, primary_key
from uscdr.providers.postgres.reading import attempt, can_be, is_time, mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection

_JSONS = ("json", "jsonb")
_INTEGERS = frozenset({20, 21, 23})
_PLAIN_KEYS = frozenset({20, 21, 23, 2950})
FILE_LIKE = (
    r"^(https?:)?//[^[:cntrl:]]+$|^/?media/[^[:cntrl:]]+$|^/?(image|raw|video)/(upload|private|authenticated)/[^[:cntrl:]]+$"
    r"|^[^[:space:]]+/[^[:space:]/]+\.[A-Za-z0-9]{2,5}$"
)
"""What is taken from JSON: an address, or a path that ends in a file's extension."""
# `json` keeps what `jsonb` refuses: NUL, and halves of a character. An even number of backslashes before
# one of its own says nothing.
_NO_TEXT = (
    r"(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F][0-9a-fA-F]{2})"
)
_FILE_LIKE = re.compile(FILE_LIKE.replace("[:cntrl:]", r"\x00-\x1f\x7f").replace("[:space:]", r"\s"))
_STRINGS = 'strict $.** ? (@.type() == "string")'
_LONE_IDS = "strict $.** ? (exists(@.public_id) && !exists(@.url) && !exists(@.secure_url)).public_id"
"""An id that an object of the service's own answers holds, where no address stands beside it."""
_TYPE = """
WITH RECURSIVE base AS (
    SELECT oid, typname, typcategory, typelem, typbasetype FROM pg_type WHERE oid = %(type)s
    UNION ALL
    SELECT t.oid, t.typname, t.typcategory, t.typelem, t.typbasetype
    FROM pg_type t JOIN base b ON t.oid = b.typbasetype)
SELECT typname, typcategory::text, typelem::int FROM base WHERE typbasetype = 0"""


@dataclass(frozen=True)
class _Shape:
    """How a column holds names: as text or in JSON, one value or an array; `name` of its type as people know it."""

    holds: Literal["text", "json", "nothing"]
    many: bool
    name: str
    old_json: bool = False
    """Of type json, which may hold what jsonb does not take."""


def read(connection: Connection, wanted: Sequence[ReferenceColumn]) -> FileReferences:
    """Every reference in `wanted`, by column and key, and the columns that are not there or cannot be read."""
    there = known(connection)
    found: list[StoredReference] = []
    absent: list[str] = []
    unread: list[str] = []
    unreadable: list[Unread] = []
    mark(connection)
    for one in wanted:
        name = ColumnName.parse(one.column)
        table = there.get(str(name.table))
        live = {} if table is None else {column.name: column for column in columns(connection, table)}
        if table is None or name.column not in live:
            absent.append(one.column)
            continue
        shape = _shape(connection, live[name.column])
        if shape.holds == "nothing":
            unread.append(f"{one.column} ({shape.name})")
            continue
        asked = _Asked(live[name.column], shape, live.get(one.written), live.get(one.size))
        rows = attempt(connection, table, partial(_of_column, asked=asked), name=one.column)
        if isinstance(rows, Unread):
            unreadable.append(rows)
        else:
            found += rows
    return FileReferences(
        found=tuple(found), absent=tuple(absent), unread=tuple(unread), unreadable=tuple(unreadable)
    )  # fmt: skip


@dataclass(frozen=True)
class _Asked:
    column: LiveColumn
    shape: _Shape
    written: LiveColumn | None
    size: LiveColumn | None


def _shape(connection: Connection, column: LiveColumn) -> _Shape:
    """By the type itself, that below a domain, and that of an array's elements."""
    name, category, element = connection.execute(_TYPE, {"type": column.type}).fetchall()[0]
    if category == "A":
        inner = _shape(connection, LiveColumn(column.name, element))
        return replace(inner, many=True, name=f"{inner.name}[]")
    if category == "S":
        return _Shape("text", many=False, name=name)
    return _Shape("json" if name in _JSONS else "nothing", many=False, name=name, old_json=name == "json")


def _of_column(connection: Connection, table: Table, asked: _Asked) -> list[StoredReference]:
    from psycopg import sql

    in_json = asked.shape.holds == "json"
    query = sql.SQL(
        "SELECT {key}, {value}, {at}, {odd}, {size} FROM {table} AS t {more} WHERE {where} ORDER BY 1"
    ).format(
        key=_key(primary_key(connection, table)),
        value=sql.SQL("found.path"),
        at=_at(asked.written),
        odd=_odd(asked.written),
        size=_size(asked),
        table=table.quoted(),
        more=_inside(asked),
        where=sql.SQL("found.named OR found.path ~ %(like)s" if in_json else "found.path <> '' AND %(like)s <> ''"),
    )
    return [
        StoredReference(
            table=table.name,
            column=asked.column.name,
            key=str(where),
            value=name,
            created_at=datetime.fromtimestamp(at, UTC) if at is not None else None,
            odd_time=odd,
            bytes=told or None if name == value else None,
        )
        for where, value, at, odd, told in connection.execute(query, {"like": FILE_LIKE})
        for name in ((value,) if in_json else _listed(value))
    ]


def _listed(value: str) -> tuple[str, ...]:
    """The names in a text that is a list or an object itself, as JSON or as Python writes it; any other is a name."""
    if not value.lstrip().startswith(("[", "{")):
        return (value,)
    for parse in (json.loads, ast.literal_eval):
        try:
            found = tuple(_strings(parse(value.strip())))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return tuple(one for one in found if _FILE_LIKE.search(one))
    return (value,)


def _strings(document: object) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for inner in document.values():
            yield from _strings(inner)
    elif isinstance(document, list | tuple | set):
        for inner in document:
            yield from _strings(inner)


def _inside(asked: _Asked) -> sql.Composable:
    """Every name in the column: its text or the elements of its array, and of JSON every string anywhere in it."""
    from psycopg import sql

    column = sql.Identifier("t", asked.column.name)
    whole = sql.SQL("unnest({}::text[])" if asked.shape.many else "(SELECT {}::text)").format(column)
    values = sql.SQL("CROSS JOIN LATERAL {} AS one(value)").format(whole)
    if asked.shape.holds == "text":
        return sql.SQL("{} CROSS JOIN LATERAL (SELECT one.value, false) AS found(path, named)").format(values)
    text: sql.Composable = sql.SQL("one.value")
    if asked.shape.old_json:
        text = sql.SQL("regexp_replace(one.value, {}, '\\1', 'g')").format(sql.Literal(_NO_TEXT))
    return sql.SQL(
        "{values} CROSS JOIN LATERAL ("
        "SELECT path #>> '{{}}', false FROM jsonb_path_query({text}::jsonb, {strings}) AS path UNION ALL "
        "SELECT path #>> '{{}}', true FROM jsonb_path_query({text}::jsonb, {ids}) AS path "
        "WHERE jsonb_typeof(path) = 'string') AS found(path, named)"
    ).format(values=values, text=text, strings=sql.Literal(_STRINGS), ids=sql.Literal(_LONE_IDS))


def _key(key: LiveColumn | None) -> sql.Composable:
    """The row's key where that is a number or UUID; any other may be a person's, and is not read."""
    from psycopg import sql

    if key is None or key.type not in _PLAIN_KEYS:
        return sql.SQL("'?'::text")
    return sql.SQL("{}::text").format(sql.Identifier("t", key.name))


def _at(written: LiveColumn | None) -> sql.Composable:
    """Seconds since the epoch, of a time that can be; the session's time zone is UTC."""
    from psycopg import sql

    if written is None or not is_time(written):
        return sql.SQL("NULL::float8")
    column = sql.Identifier("t", written.name)
    return sql.SQL("CASE WHEN {can_be} THEN extract(epoch FROM {column}::timestamptz)::float8 END").format(
        can_be=can_be(written, column), column=column
    )


def _odd(written: LiveColumn | None) -> sql.Composable:
    """Whether the row has a time, and that cannot be."""
    from psycopg import sql

    if written is None or not is_time(written):
        return sql.SQL("false")
    return sql.SQL("coalesce(NOT {}, false)").format(can_be(written, sql.Identifier("t", written.name)))


def _size(asked: _Asked) -> sql.Composable:
    """The file's size; a column that holds several files in a row has one number for all, which tells nothing."""
    from psycopg import sql

    size = asked.size
    if size is None or size.type not in _INTEGERS or asked.shape.many or asked.shape.holds == "json":
        return sql.SQL("NULL::int8")
    return sql.SQL("{}::int8").format(sql.Identifier("t", size.name))
