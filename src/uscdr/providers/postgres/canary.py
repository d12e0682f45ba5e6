"""Whether a key decrypts pgcrypto columns: tried in the server on a sample; the result is counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.models.postgres import CanaryResult, Unread
from uscdr.providers.postgres.inventory import Catalogue, LiveColumn, Table
from uscdr.providers.postgres.reading import attempt, savepoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import sql
    from pydantic import SecretStr

    from uscdr.models.data_settings import CanaryColumn
    from uscdr.providers.postgres.connection import Connection

_BYTEA = 17
_ORDERED = frozenset({20, 21, 23, 1082, 1114, 1184})
_PGCRYPTO = """
SELECT n.nspname::text FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pgcrypto'
"""
_KEY, _PARTS, _PLACES, _COUNTS = "uscdr.key", "uscdr.parts", "uscdr.places", "uscdr.counts"
_WAYS = 4
"""Newest, oldest, evenly spaced, random: the four parts of the sample."""

# One block for the whole sample: its inner blocks are savepoints, so a row that does not decrypt costs no round trip. A
# wrong key raises class 39, or rarely (old ciphers) class 22.
_BLOCK = """
DECLARE
    matching int := 0; differing int := 0; blank int := 0; unreadable int := 0;
    part oid; place tid; plain text; opened text;
BEGIN
    FOR part, place IN
        SELECT * FROM unnest(current_setting('uscdr.parts')::oid[], current_setting('uscdr.places')::tid[])
    LOOP
        BEGIN
            SELECT t.{plain}::text, {decrypt} INTO plain, opened FROM {rows} AS t
            WHERE t.tableoid = part AND t.ctid = place;
            IF coalesce(plain, '') = '' THEN blank := blank + 1;
            ELSIF opened = plain THEN matching := matching + 1;
            ELSE differing := differing + 1;
            END IF;
        EXCEPTION WHEN external_routine_exception OR external_routine_invocation_exception OR data_exception THEN
            unreadable := unreadable + 1;
        END;
    END LOOP;
    PERFORM pg_catalog.set_config('uscdr.counts', concat_ws(' ', matching, differing, blank, unreadable), true);
END
"""


def try_key(
    connection: Connection, wanted: Sequence[CanaryColumn], key: SecretStr, *, sample: int
) -> tuple[CanaryResult, ...]:
    """Tries `key` on up to `sample` rows of each column, all in one snapshot (see `connection`).

    After a rebuild with another key or a bulk load, a table may hold rows of two keys. So the sample has the newest
    rows, the oldest, evenly spaced ones and random ones. A bytea column is decrypted as it is, any other as armoured
    text.
    """
    schema = next((name for (name,) in connection.execute(_PGCRYPTO)), None)
    there = Catalogue(connection).tables_by_name()
    # Set separately and as a parameter, so that the log of slow queries never contains the key.
    connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", (_KEY, key.get_secret_value())).fetchall()
    savepoint(connection)
    return tuple(_as_far_as_read(connection, one, there, schema, sample) for one in wanted)


def _as_far_as_read(
    connection: Connection, one: CanaryColumn, there: dict[str, Table], schema: str | None, sample: int
) -> CanaryResult:
    table = there.get(one.table)
    if table is None:
        return _of_column(connection, one, there, schema, sample)
    told = attempt(connection, table, lambda live, _: _of_column(live, one, there, schema, sample))
    if isinstance(told, Unread):
        return CanaryResult(table=one.table, column=one.encrypted, unread=told)
    return told


def _of_column(
    connection: Connection, one: CanaryColumn, there: dict[str, Table], schema: str | None, sample: int
) -> CanaryResult:
    table = there.get(one.table)
    live = {} if table is None else {column.name: column for column in table.columns(connection)}
    missing = _missing(one, table, live, schema)
    if table is None or schema is None or missing:
        return CanaryResult(table=one.table, column=one.encrypted, missing=missing)
    places = _sample(connection, table, one, sample)
    matching, differing, blank, unreadable = _tried(connection, table, one, live[one.encrypted], schema, places)
    return CanaryResult(
        table=one.table,
        column=one.encrypted,
        sampled=len(places),
        matching=matching,
        differing=differing,
        blank=blank,
        unreadable=unreadable,
        unencrypted=_unencrypted(connection, table, one),
    )


def _missing(one: CanaryColumn, table: Table | None, live: dict[str, LiveColumn], schema: str | None) -> str:
    if table is None:
        return f"table {one.table}"
    absent = [f"column {one.table}.{name}" for name in (one.encrypted, one.plain) if name not in live]
    return ", ".join(absent) or ("" if schema else "extension pgcrypto")


def _sample(connection: Connection, table: Table, one: CanaryColumn, sample: int) -> list[tuple[int, str]]:
    """Where the sampled rows are: partition and ctid, newest first."""
    from psycopg import sql

    key = table.primary_key(connection)
    age = sql.Identifier("t", key.name) if key is not None and key.type in _ORDERED else sql.SQL("t.ctid")
    part = -(-sample // _WAYS)
    sealed = sql.SQL("FROM {} AS t WHERE t.{} IS NOT NULL").format(table.rows(), sql.Identifier(one.encrypted))
    queries = (
        _first_by(sealed, sql.SQL("{} DESC").format(age), part),
        _first_by(sealed, age, part),
        _evenly(sealed, age, part),
        _first_by(sealed, sql.SQL("pg_catalog.md5(t.tableoid::text || t.ctid::text)"), sample),
    )
    found: dict[tuple[int, str], None] = {}
    for query in queries:
        found |= dict.fromkeys((int(oid), place) for oid, place in connection.execute(query).fetchall())
    return list(found)[:sample]


def _first_by(sealed: sql.Composable, order: sql.Composable, most: int) -> sql.Composed:
    from psycopg import sql

    query = sql.SQL("SELECT t.tableoid::int8, t.ctid::text {} ORDER BY {} LIMIT {}")
    return query.format(sealed, order, sql.Literal(most))


def _evenly(sealed: sql.Composable, order: sql.Composable, most: int) -> sql.Composed:
    """Evenly spaced rows: they find any run of damaged rows that is longer than the spacing."""
    from psycopg import sql

    return sql.SQL(
        "SELECT part, place FROM (SELECT t.tableoid::int8 AS part, t.ctid::text AS place,"
        " row_number() OVER (ORDER BY {order}) AS n, count(*) OVER () AS total {sealed}) AS numbered"
        " WHERE n * {most} / total <> (n - 1) * {most} / total"
    ).format(order=order, sealed=sealed, most=sql.Literal(most))


def _tried(
    connection: Connection,
    table: Table,
    one: CanaryColumn,
    encrypted: LiveColumn,
    schema: str,
    places: Sequence[tuple[int, str]],
) -> tuple[int, ...]:
    from psycopg import sql

    if not places:
        return (0, 0, 0, 0)
    block = sql.SQL(_BLOCK).format(
        plain=sql.Identifier(one.plain), decrypt=_decrypt(encrypted, schema), rows=table.rows()
    )
    for name, values in ((_PARTS, [oid for oid, _ in places]), (_PLACES, [place for _, place in places])):
        listed = "{" + ",".join(f'"{value}"' for value in values) + "}"
        connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, listed))
    connection.execute(sql.SQL("DO {}").format(sql.Literal(block.as_string(connection))))
    counts: str = connection.execute("SELECT pg_catalog.current_setting(%s)", (_COUNTS,)).fetchall()[0][0]
    return tuple(map(int, counts.split()))


def _decrypt(encrypted: LiveColumn, schema: str) -> sql.Composable:
    """The expression for a row's text; the extension may be in `public` or in the platform's schema."""
    from psycopg import sql

    column: sql.Composable = sql.Identifier("t", encrypted.name)
    if encrypted.type != _BYTEA:
        column = sql.SQL("{}({}::text)").format(sql.Identifier(schema, "dearmor"), column)
    return sql.SQL("{}({}, pg_catalog.current_setting({}))").format(
        sql.Identifier(schema, "pgp_sym_decrypt"), column, sql.Literal(_KEY)
    )


def _unencrypted(connection: Connection, table: Table, one: CanaryColumn) -> int:
    """Number of rows in the table with a plain value and no encrypted one: written without a key."""
    from psycopg import sql

    query = sql.SQL("SELECT count(*) FROM {} WHERE {} IS NULL AND coalesce({}::text, '') <> ''").format(
        table.rows(), sql.Identifier(one.encrypted), sql.Identifier(one.plain)
    )
    rows: int = connection.execute(query).fetchall()[0][0]
    return rows
