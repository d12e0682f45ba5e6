"""What the catalog says about a database's tables: enough to do damage to any schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

Connection = psycopg.Connection[dict[str, Any]]
BOOKKEEPING = ("django_", "auth_permission", "auth_group", "alembic_", "schema_migrations", "knex_", "flyway_")

_TABLES = """
SELECT n.nspname AS schema, c.relname AS name,
       (SELECT count(*) FROM pg_constraint f WHERE f.confrelid = c.oid AND f.contype = 'f'
          AND f.conrelid <> c.oid) AS dependants
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1, 2"""

_COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       a.atttypmod AS modifier, a.attgenerated <> '' OR a.attidentity = 'a' AS fixed,
       EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype IN ('p', 'u', 'f', 'c')
               AND a.attnum = ANY (k.conkey))
       OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique
               AND a.attnum = ANY (i.indkey)) AS bound,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique
               AND a.attnum = ANY (i.indkey)) AS single,
       EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'p'
               AND a.attnum = ANY (k.conkey)) AS key
FROM pg_attribute a
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


@dataclass(frozen=True)
class Table:
    """A table with its exact number of rows and of tables that refer to it."""

    schema: str
    name: str
    rows: int
    dependants: int

    @property
    def identifier(self) -> sql.Identifier:
        """Quoted, with its schema."""
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True)
class Column:
    """A column and what binds it.

    `bound` columns are part of a key, a unique index or a check; `single` ones of a unique index;
    `fixed` ones cannot be written.
    """

    name: str
    type: str
    bound: bool
    single: bool
    key: bool
    fixed: bool

    @property
    def is_text(self) -> bool:
        """Whether any text may be put in it."""
        return self.type == "text" or self.type.startswith("character varying")

    @property
    def is_whole_number(self) -> bool:
        """Whether it holds integers."""
        return self.type in ("integer", "bigint", "smallint")


def connect(dsn: str) -> Connection:
    """A connection whose rows are dicts."""
    return psycopg.connect(dsn, row_factory=dict_row)


def tables(connection: Connection) -> list[Table]:
    """All tables that hold the application's own data, the largest with dependants first."""
    found = []
    for row in connection.execute(_TABLES).fetchall():
        if row["name"].startswith(BOOKKEEPING):
            continue
        identifier = sql.Identifier(row["schema"], row["name"])
        counted = connection.execute(sql.SQL("SELECT count(*) AS n FROM {}").format(identifier)).fetchone()
        rows = int(counted["n"]) if counted else 0
        found.append(Table(row["schema"], row["name"], rows, int(row["dependants"])))
    return sorted(found, key=lambda one: (one.dependants > 0, one.rows), reverse=True)


def columns(connection: Connection, table: Table) -> list[Column]:
    """The columns of a table, in order."""
    qualified = table.identifier.as_string(connection)
    rows = connection.execute(_COLUMNS, [qualified]).fetchall()
    flags = ("name", "type", "bound", "single", "key", "fixed")
    return [Column(**{flag: row[flag] for flag in flags}) for row in rows]
