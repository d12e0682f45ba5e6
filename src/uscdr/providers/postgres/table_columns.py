"""Every column of the tables that an application finds by their bare names, from the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.models.postgres import TableColumn

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

# A trigger before the row is written (1: each row, 2: before, 4: insert) may fill what a statement leaves out.
_COLUMNS = """
SELECT c.relname::text, a.attname::text,
       c.relkind IN ('r', 'p') AND (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull))
       AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '' AND t.typdefault IS NULL
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g
                       WHERE g.tgrelid = c.oid AND g.tgenabled <> 'D' AND g.tgtype & 7 = 7)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND pg_catalog.pg_table_is_visible(c.oid)
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, a.attnum
"""


def read(connection: Connection) -> tuple[TableColumn, ...]:
    """By table, in each table's order."""
    rows = connection.execute(_COLUMNS).fetchall()
    return tuple(TableColumn(table=table, name=name, must_be_given=given) for table, name, given in rows)
