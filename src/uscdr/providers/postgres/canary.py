"""Whether a key opens what pgcrypto encrypted: tried in the server on a sample, told in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.models.postgres import CanaryColumn, CanaryResult, Unread
from uscdr.providers.postgres.inventory import Column, Table, columns, known, primary_key
from uscdr.providers.postgres.reading import attempt, mark

if TYPE_CHECKING:
    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection

_BYTEA = 17
_ORDERED = frozenset({20, 21, 23, 1082, 1114, 1184})
_PGCRYPTO = """
SELECT n.nspname::text FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pgcrypto'
"""
_KEY, _PLACES, _COUNTS = "uscdr.key", "uscdr.places", "uscdr.counts"

# One block for the whole sample: its inner blocks are savepoints, so a row that does not open costs no
# round trip. Wrong keys end in class 39, seldom (with old ciphers) in 22.
_BLOCK = """
DECLARE
    matching int := 0; differing int := 0; blank int := 0; unreadable int := 0;
    place tid; plain text; opened text;
BEGIN
    FOREACH place IN ARRAY current_setting('uscdr.places')::tid[] LOOP
        BEGIN
            SELECT t.{plain}::text, {decrypt} INTO plain, opened FROM ONLY {table} AS t WHERE t.ctid = place;
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


def ask(
    connection: Connection, wanted: Sequence[CanaryColumn], key: SecretStr, *, sample: int
) -> tuple[CanaryResult, ...]:
    """Tries `key` on up to `sample` rows of each column, all of one moment (see `connection`).

    Half of the sample are the newest rows by key, as a rebuild with another key leaves rows under two;
    the rest is spread over the table. A bytea column is opened as it is, any other as armoured text.
    """
    schema = next((name for (name,) in connection.execute(_PGCRYPTO)), None)
    there = known(connection)
    # Set apart and by a parameter: the server's log of slow queries, which shows parameters, never gets it.
    connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", (_KEY, key.get_secret_value())).fetchall()
    mark(connection)
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
    live = {} if table is None else {column.name: column for column in columns(connection, table)}
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


def _missing(one: CanaryColumn, table: Table | None, live: dict[str, Column], schema: str | None) -> str:
    if table is None:
        return f"table {one.table}"
    absent = [f"column {one.table}.{name}" for name in (one.encrypted, one.plain) if name not in live]
    return ", ".join(absent) or ("" if schema else "extension pgcrypto")


def _sample(connection: Connection, table: Table, one: CanaryColumn, sample: int) -> list[str]:
    """Where the rows of the sample are: the newest half first."""
    from psycopg import sql

    key = primary_key(connection, table)
    newest = sql.Identifier("t", key.name) if key is not None and key.type in _ORDERED else sql.SQL("t.ctid")
    query = sql.SQL("SELECT t.ctid::text FROM ONLY {} AS t WHERE t.{} IS NOT NULL ORDER BY {} LIMIT {}")
    found: dict[str, None] = {}
    for order, most in ((sql.SQL("{} DESC").format(newest), sample - sample // 2), (_spread(), sample)):
        rows = connection.execute(
            query.format(table.quoted(), sql.Identifier(one.encrypted), order, sql.Literal(most))
        ).fetchall()
        found |= dict.fromkeys(place for (place,) in rows)
    return list(found)[:sample]


def _spread() -> sql.Composable:
    from psycopg import sql

    return sql.SQL("pg_catalog.md5(t.ctid::text)")


def _tried(
    connection: Connection, table: Table, one: CanaryColumn, encrypted: Column, schema: str, places: Sequence[str]
) -> tuple[int, ...]:
    from psycopg import sql

    if not places:
        return (0, 0, 0, 0)
    block = sql.SQL(_BLOCK).format(
        plain=sql.Identifier(one.plain), decrypt=_decrypt(encrypted, schema), table=table.quoted()
    )
    listed = "{" + ",".join(f'"{place}"' for place in places) + "}"
    connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", (_PLACES, listed))
    connection.execute(sql.SQL("DO {}").format(sql.Literal(block.as_string(connection))))
    counts: str = connection.execute("SELECT pg_catalog.current_setting(%s)", (_COUNTS,)).fetchall()[0][0]
    return tuple(map(int, counts.split()))


def _decrypt(encrypted: Column, schema: str) -> sql.Composable:
    """The expression for a row's text; the extension may live in `public` or in the platform's own schema."""
    from psycopg import sql

    column: sql.Composable = sql.Identifier("t", encrypted.name)
    if encrypted.type != _BYTEA:
        column = sql.SQL("{}({}::text)").format(sql.Identifier(schema, "dearmor"), column)
    return sql.SQL("{}({}, pg_catalog.current_setting({}))").format(
        sql.Identifier(schema, "pgp_sym_decrypt"), column, sql.Literal(_KEY)
    )


def _unencrypted(connection: Connection, table: Table, one: CanaryColumn) -> int:
    """Rows of the whole table with a plain value and nothing encrypted: written without a key."""
    from psycopg import sql

    query = sql.SQL("SELECT count(*) FROM ONLY {} WHERE {} IS NULL AND coalesce({}::text, '') <> ''").format(
        table.quoted(), sql.Identifier(one.encrypted), sql.Identifier(one.plain)
    )
    rows: int = connection.execute(query).fetchall()[0][0]
    return rows
