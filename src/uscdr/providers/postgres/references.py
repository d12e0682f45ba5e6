"""Reads names and addresses of files from rows, and nothing else of those rows."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

from uscdr.models.data_settings import ColumnName, ReferenceColumn
from uscdr.models.media import FileReferences, StoredReference
from uscdr.models.postgres import Unread
from uscdr.providers.postgres.inventory import Catalogue, LiveColumn, Table
from uscdr.providers.postgres.reading import attempt, savepoint

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
"""JSON strings that count: an address, or a path that ends in a file extension."""
# `json` accepts what `jsonb` refuses: NUL and lone surrogates. After an even number of backslashes it is plain text.
_NO_TEXT = (
    r"(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F][0-9a-fA-F]{2})"
)
_FILE_LIKE = re.compile(FILE_LIKE.replace("[:cntrl:]", r"\x00-\x1f\x7f").replace("[:space:]", r"\s"))
_STRINGS = 'strict $.** ? (@.type() == "string")'
_LONE_IDS = "strict $.** ? (exists(@.public_id) && !exists(@.url) && !exists(@.secure_url)).public_id"
"""The id in a stored answer of the media service, when the object has no address."""
_TYPE = """
WITH RECURSIVE base AS (
    SELECT oid, typname, typcategory, typelem, typbasetype FROM pg_type WHERE oid = %(type)s
    UNION ALL
    SELECT t.oid, t.typname, t.typcategory, t.typelem, t.typbasetype
    FROM pg_type t JOIN base b ON t.oid = b.typbasetype)
SELECT typname, typcategory::text, typelem::int FROM base WHERE typbasetype = 0"""


@dataclass(frozen=True)
class _Shape:
    """How a column stores names: as text or JSON, one value or an array; `name` is the type's usual name."""

    holds: Literal["text", "json", "nothing"]
    many: bool
    name: str
    old_json: bool = False
    """Of type json, which may contain what jsonb refuses."""


def file_references(connection: Connection, wanted: Sequence[ReferenceColumn]) -> FileReferences:
    """Every reference in `wanted`, by column and key, and the columns that are missing or cannot be read."""
    there = Catalogue(connection).tables_by_name()
    found: list[StoredReference] = []
    absent: list[str] = []
    unread: list[str] = []
    unreadable: list[Unread] = []
    savepoint(connection)
    for one in wanted:
        name = ColumnName.parse(one.column)
        table = there.get(str(name.table))
        live = {} if table is None else {column.name: column for column in table.columns(connection)}
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
    """By the type itself, a domain's base type, or an array's element type."""
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
        key=_key(table.primary_key(connection)),
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
    """The names in a text that is itself a list or an object, in JSON or Python notation; any other text is a name."""
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
    """Every name in the column: its text, its array elements, or every string anywhere in its JSON."""
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
    """The row's key if it is a number or UUID; any other may be personal, and is not read."""
    from psycopg import sql

    if key is None or key.type not in _PLAIN_KEYS:
        return sql.SQL("'?'::text")
    return sql.SQL("{}::text").format(sql.Identifier("t", key.name))


def _at(written: LiveColumn | None) -> sql.Composable:
    """Seconds since the epoch of a possible time; the session's time zone is UTC."""
    from psycopg import sql

    if written is None or not written.is_time:
        return sql.SQL("NULL::float8")
    column = sql.Identifier("t", written.name)
    return sql.SQL("CASE WHEN {can_be} THEN extract(epoch FROM {column}::timestamptz)::float8 END").format(
        can_be=written.can_be(column), column=column
    )


def _odd(written: LiveColumn | None) -> sql.Composable:
    """Whether the row has an impossible time."""
    from psycopg import sql

    if written is None or not written.is_time:
        return sql.SQL("false")
    return sql.SQL("coalesce(NOT {}, false)").format(written.can_be(sql.Identifier("t", written.name)))


def _size(asked: _Asked) -> sql.Composable:
    """The file's size; NULL for a column with several files in a row, whose one number is for all of them."""
    from psycopg import sql

    size = asked.size
    if size is None or size.type not in _INTEGERS or asked.shape.many or asked.shape.holds == "json":
        return sql.SQL("NULL::int8")
    return sql.SQL("{}::int8").format(sql.Identifier("t", size.name))
