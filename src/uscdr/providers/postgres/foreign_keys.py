"""Foreign keys, and the rows that break them: data loaded with triggers off is believed, not looked at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uscdr.models.postgres import ForeignKey, Unread
from uscdr.providers.postgres.inventory import Table, columns, known
from uscdr.providers.postgres.reading import attempt

if TYPE_CHECKING:
    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection

# The parts that partitions inherit (conparentid) are counted with the whole. For each pair of columns the
# operator that the key itself compares with, and the collation where the two columns have different ones.
_LIST = """
SELECT c.conname::text, c.convalidated, c.confmatchtype = 'f',
       t.oid::int8, tn.nspname::text, t.relname::text, t.relkind = 'p', greatest(t.relpages, 0)::int8,
       r.oid::int8, rn.nspname::text, r.relname::text, r.relkind = 'p',
       (SELECT pg_catalog.array_agg(ARRAY[fa.attname::text, pa.attname::text, onsp.nspname::text, o.oprname::text,
                                          cn.nspname::text, l.collname::text] ORDER BY k.place)
        FROM unnest(c.conkey, c.confkey, c.conpfeqop) WITH ORDINALITY AS k(own, other, operator, place)
        JOIN pg_catalog.pg_attribute fa ON fa.attrelid = c.conrelid AND fa.attnum = k.own
        JOIN pg_catalog.pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = k.other
        JOIN pg_catalog.pg_operator o ON o.oid = k.operator
        JOIN pg_catalog.pg_namespace onsp ON onsp.oid = o.oprnamespace
        LEFT JOIN pg_catalog.pg_collation l
               ON l.oid = pa.attcollation AND fa.attcollation NOT IN (0, pa.attcollation)
        LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = l.collnamespace)
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class t ON t.oid = c.conrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_catalog.pg_class r ON r.oid = c.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
WHERE c.contype = 'f' AND c.conparentid = 0 AND t.relpersistence <> 't'
  AND tn.nspname !~ '^pg_' AND tn.nspname NOT IN ('information_schema', 'heroku_ext', '_heroku')
"""


@dataclass(frozen=True)
class _Pair:
    own: str
    other: str
    operator_schema: str
    operator: str
    collation_schema: str | None
    collation: str | None


@dataclass(frozen=True)
class Key:
    """One foreign key as the catalogue has it. `full`: a row must have all its columns or none (MATCH FULL)."""

    name: str
    validated: bool
    full: bool
    own: Table
    other: Table
    pairs: tuple[_Pair, ...]


def listed(connection: Connection) -> list[Key]:
    """Every foreign key, those of big tables first."""
    rows = connection.execute(_LIST).fetchall()
    return sorted((_key(row) for row in rows), key=lambda key: -key.own.bytes)


def _key(row: tuple[Any, ...]) -> Key:
    name, validated, full, oid, schema, relation, parts, pages, oid2, schema2, relation2, parts2, pairs = row
    return Key(
        name=name,
        validated=validated,
        full=full,
        own=Table(oid, schema, relation, pages, partitioned=parts),
        other=Table(oid2, schema2, relation2, 0, partitioned=parts2),
        pairs=tuple(_Pair(*pair) for pair in pairs),
    )


def orphans(connection: Connection, key: Key) -> int:
    """How many rows have no partner. A row with a NULL in its columns needs none (with MATCH FULL: all NULL)."""
    from psycopg import sql

    blank = [sql.SQL("{} IS NULL").format(sql.Identifier("f", pair.own)) for pair in key.pairs]
    query = sql.SQL(
        "SELECT count(*) FROM {own} AS f WHERE NOT ({blank}) AND NOT EXISTS (SELECT FROM {other} AS p WHERE {same})"
    ).format(
        own=key.own.rows(),
        blank=sql.SQL(" AND " if key.full else " OR ").join(blank),
        other=key.other.rows(),
        same=sql.SQL(" AND ").join(map(_same, key.pairs)),
    )
    rows: int = connection.execute(query).fetchall()[0][0]
    return rows


def _same(pair: _Pair) -> sql.Composable:
    from psycopg import sql

    own: sql.Composable = sql.Identifier("f", pair.own)
    if pair.collation is not None and pair.collation_schema is not None:
        own = sql.SQL("{} COLLATE {}").format(own, sql.Identifier(pair.collation_schema, pair.collation))
    return sql.SQL("{other} OPERATOR({schema}.{sign}) {own}").format(
        other=sql.Identifier("p", pair.other),
        schema=sql.Identifier(pair.operator_schema),
        sign=sql.SQL(pair.operator),
        own=own,
    )


def counted(connection: Connection, key: Key) -> int | Unread:
    """As `orphans`, or why the two tables cannot be read; the connection has a `mark`."""
    return attempt(connection, key.own, lambda live, _: orphans(live, key))


def breaking(connection: Connection, wanted: Sequence[ForeignKey]) -> tuple[int, ...]:
    """How many rows break each key, which another database has and this one need not; 0 where a column is not there."""
    there = known(connection)
    return tuple(_breaking(connection, key, there.get(key.table), there.get(key.other)) for key in wanted)


def _breaking(connection: Connection, key: ForeignKey, own: Table | None, other: Table | None) -> int:
    from psycopg import sql

    if own is None or other is None or not (_has(connection, own, key.columns) and _has(connection, other, key.others)):
        return 0
    one = 'pg_catalog.lower({}::text COLLATE "C")'  # a key of citext finds its row in other letters
    same = sql.SQL(f"{one} OPERATOR(pg_catalog.=) {one}")
    query = sql.SQL(
        "SELECT count(*) FROM {own} AS f WHERE {filled} AND NOT EXISTS (SELECT FROM {other} AS p WHERE {same})"
    ).format(
        own=own.rows(),
        filled=sql.SQL(" AND ").join(
            sql.SQL("{} IS NOT NULL").format(sql.Identifier("f", name)) for name in key.columns
        ),
        other=other.rows(),
        same=sql.SQL(" AND ").join(
            same.format(sql.Identifier("p", theirs), sql.Identifier("f", ours))
            for ours, theirs in zip(key.columns, key.others, strict=True)
        ),
    )
    rows: int = connection.execute(query).fetchall()[0][0]
    return rows


def _has(connection: Connection, table: Table, names: Collection[str]) -> bool:
    return bool(names) and {*names} <= {one.name for one in columns(connection, table)}


def fact(key: Key, orphans: int | Unread) -> ForeignKey:
    """What is told of a key."""
    told = ForeignKey(
        table=key.own.name, name=key.name, validated=key.validated, orphans=0, other=key.other.name,
        columns=tuple(pair.own for pair in key.pairs), others=tuple(pair.other for pair in key.pairs),
    )  # fmt: skip
    change = {"unread": orphans} if isinstance(orphans, Unread) else {"orphans": orphans}
    return told.model_copy(update=change)
