"""What may be there only once: keys and unique indexes of plain columns, and the rows that break those of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from uscdr.models.postgres import UniqueKey
from uscdr.providers.postgres.inventory import Table, columns, known

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

# Neither over an expression nor of a part of the rows: what those forbid cannot be said by columns.
_LIST = """
SELECT c.oid::int8, pg_catalog.array_agg(a.attname::text ORDER BY k.place)
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
CROSS JOIN pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct' IS DISTINCT FROM 'true'
  AND k.place <= i.indnkeyatts
GROUP BY i.indexrelid, c.oid
"""


def listed(connection: Connection) -> tuple[UniqueKey, ...]:
    """Every one of the application's tables, by table and columns."""
    names = {table.oid: table.name for table in known(connection).values()}
    found = connection.execute(_LIST).fetchall()
    keys = {UniqueKey(table=names[oid], columns=tuple(own)) for oid, own in found if oid in names}
    return tuple(sorted(keys, key=lambda key: (key.table, key.columns)))


def breaking(connection: Connection, wanted: Sequence[UniqueKey]) -> tuple[int, ...]:
    """How many rows of this database are there again under each key; 0 where a column is not there."""
    there = known(connection)
    return tuple(_again(connection, key, there.get(key.table)) for key in wanted)


def _again(connection: Connection, key: UniqueKey, table: Table | None) -> int:
    from psycopg import sql

    if table is None or not {*key.columns} <= {one.name for one in columns(connection, table)}:
        return 0
    named = [sql.Identifier("t", name) for name in key.columns]
    query = sql.SQL(
        "SELECT coalesce(sum(g.rows - 1), 0) FROM"
        " (SELECT count(*) AS rows FROM {table} AS t WHERE {filled} GROUP BY {names}) AS g"
    ).format(
        table=table.rows(),
        filled=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(name) for name in named),
        names=sql.SQL(", ").join(named),
    )
    return int(connection.execute(query).fetchall()[0][0])
