"""How many different values the columns of a table hold, in numbers only: an UPDATE without its WHERE leaves one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from uscdr.providers.postgres.inventory import Table, known

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

# Texts and numbers, of domains the base type: times, switches and JSON are often written alike, in good order.
_COLUMNS = """
SELECT a.attname::text FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND t.typcategory IN ('S', 'N')
ORDER BY a.attnum
"""


def of_tables(connection: Connection, names: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """By table and column; NULL is a value like others. Tables that are not there are left out."""
    there = known(connection)
    return {name: _of_table(connection, there[name]) for name in dict.fromkeys(names) if name in there}


def _of_table(connection: Connection, table: Table) -> dict[str, int]:
    from psycopg import sql

    columns = [name for (name,) in connection.execute(_COLUMNS, (table.oid,)).fetchall()]
    if not columns:
        return {}
    counts = [
        sql.SQL('count(DISTINCT {0}::text COLLATE "C") + coalesce(max(({0} IS NULL)::int), 0)').format(
            sql.Identifier("t", name)
        )
        for name in columns
    ]
    query = sql.SQL("SELECT {} FROM {} AS t").format(sql.SQL(", ").join(counts), table.rows())
    return dict(zip(columns, map(int, connection.execute(query).fetchall()[0]), strict=True))
