"""A database's tables, columns, keys, extensions and migrations, from the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.errors import NotFound
from uscdr.models.data_settings import TableName
from uscdr.models.postgres import Extension, Migration, ServerFacts, TableColumn
from uscdr.providers.postgres.errors import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection


# Ordinary tables, and partitioned ones with their leaves. `heroku_ext` and `_heroku` are the platform's
# own; an extension's own tables are not the application's.
_TABLES = """
SELECT c.oid::int8, n.nspname::text, c.relname::text,
       greatest(c.relpages, 0)::int8 * current_setting('block_size')::int8, c.relkind = 'p',
       EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary),
       pg_catalog.pg_stat_get_live_tuples(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'heroku_ext', '_heroku')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
"""
_COLUMNS = """
SELECT a.attname::text, a.atttypid::int8, a.attgenerated <> '' FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_EVERY_COLUMN = """
SELECT a.attrelid::int8, a.attname::text, a.atttypid::int8, a.attgenerated <> '' FROM pg_catalog.pg_attribute a
WHERE a.attrelid = ANY (%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""
_EVERY_PRIMARY_KEY = """
SELECT i.indrelid::int8, pg_catalog.array_agg(a.attname::text) FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = ANY (%s::oid[]) AND i.indisprimary GROUP BY 1
"""
_PRIMARY_KEY = """
SELECT a.attname::text, a.atttypid::int8 FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = %s AND i.indisprimary
"""
_FACTS = """
SELECT current_setting('server_version_num')::int, current_database()::text,
       pg_catalog.pg_database_size(current_database())
"""


_DATE, _TIMESTAMP, _TIMESTAMPTZ = 1082, 1114, 1184
# Clocks differ slightly, and a date may be in a time zone that is a day ahead.
_LATEST = {
    _DATE: "(now() + interval '1 day')::date",
    _TIMESTAMP: "(now() + interval '5 minutes')::timestamp",
    _TIMESTAMPTZ: "now() + interval '5 minutes'",
}


@dataclass(frozen=True)
class Table:
    """One table as the catalogue has it. `bytes` is an estimate, from the server's last count.

    A `partitioned` table has no rows itself: its leaves, which are tables too, have them.
    """

    oid: int
    schema: str
    relation: str
    bytes: int
    partitioned: bool = False
    keyed: bool = True
    """Whether it has a primary key, which prevents duplicate rows."""
    counted: int = 0
    """Rows by the server's running statistics, which it may have lost: an estimate."""

    @property
    def name(self) -> str:
        """As `TableName` prints it; unique for each table."""
        return str(TableName(self.schema, self.relation))

    def quoted(self) -> sql.Identifier:
        """Its full name for a statement, which includes the rows of its children and leaves."""
        from psycopg import sql

        return sql.Identifier(self.schema, self.relation)

    def rows(self) -> sql.Composable:
        """Its own rows for a statement: without child tables, but with the leaves of a partitioned table."""
        from psycopg import sql

        return self.quoted() if self.partitioned else sql.SQL("ONLY {}").format(self.quoted())

    def columns(self, connection: Connection) -> list[LiveColumn]:
        """The live columns in the order of the table, without dropped ones."""
        return [LiveColumn(*row) for row in connection.execute(_COLUMNS, (self.oid,)).fetchall()]

    def written(self, connection: Connection) -> list[LiveColumn]:
        """The live columns of a dump: all but the generated ones, which may differ by server without a loss."""
        return [column for column in self.columns(connection) if not column.generated]

    def primary_key(self, connection: Connection) -> LiveColumn | None:
        """The column of a single-column primary key; None when there is no such key."""
        rows = connection.execute(_PRIMARY_KEY, (self.oid,)).fetchall()
        return LiveColumn(*rows[0]) if len(rows) == 1 else None


@dataclass(frozen=True)
class Layout:
    """A table with its live columns, and the column of a single-column primary key."""

    table: Table
    columns: tuple[LiveColumn, ...]
    key: LiveColumn | None

    @property
    def written(self) -> tuple[LiveColumn, ...]:
        """As `Table.written`."""
        return tuple(column for column in self.columns if not column.generated)

    def has(self, names: Collection[str]) -> bool:
        """Whether there are `names`, and all of them are columns."""
        return bool(names) and {*names} <= {column.name for column in self.columns}


@dataclass(frozen=True)
class LiveColumn:
    """One live column; `type` is the type's OID, fixed for PostgreSQL's own types.

    Each server computes a `generated` column again on restore, by its own text rules.
    """

    name: str
    type: int
    generated: bool = False

    @property
    def is_time(self) -> bool:
        """Whether it holds dates or times."""
        return self.type in _LATEST

    def can_be(self, of: sql.Composable) -> sql.Composable:
        """The condition that the value `of` this date or time column is possible; NULL for NULL.

        Not in the future, not before the year 1, not infinite. The session's time zone is UTC.
        """
        from psycopg import sql

        return sql.SQL("({of} BETWEEN '0001-01-01' AND {latest})").format(of=of, latest=sql.SQL(_LATEST[self.type]))


# A BEFORE INSERT row trigger (1: each row, 2: before, 4: insert) may fill a column that a statement omits.
_BARE_COLUMNS = """
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


@dataclass(frozen=True)
class Catalogue:
    """What the catalogue of the connected database says."""

    connection: Connection

    def facts(self) -> ServerFacts:
        """Version, name and size in bytes."""
        number, database, size = self.connection.execute(_FACTS).fetchall()[0]
        return ServerFacts(version=(number // 10_000, number % 10_000), database=database, size=size)

    def tables(self) -> list[Table]:
        """Every table with the application's rows, by name; of a partitioned table only the leaves."""
        found = (table for table in self.tables_by_name().values() if not table.partitioned)
        return sorted(found, key=lambda table: table.name)

    def tables_by_name(self) -> dict[str, Table]:
        """The tables that can be requested, by name: those with rows, and the partitioned ones as a whole."""
        rows = self.connection.execute(_TABLES).fetchall()
        return {table.name: table for table in (Table(*row) for row in rows)}

    def layouts(self, names: Collection[str]) -> dict[str, Layout]:
        """The existing tables of `names` with their columns: three queries, however many tables there are."""
        there = self.tables_by_name()
        wanted = [there[name] for name in dict.fromkeys(names) if name in there]
        numbers = [table.oid for table in wanted]
        columns: dict[int, list[LiveColumn]] = {}
        for number, *facts in self.connection.execute(_EVERY_COLUMN, (numbers,)):
            columns.setdefault(number, []).append(LiveColumn(*facts))
        keys: dict[int, list[str]] = dict(self.connection.execute(_EVERY_PRIMARY_KEY, (numbers,)).fetchall())
        return {one.name: _laid_out(one, columns.get(one.oid, []), keys.get(one.oid, [])) for one in wanted}

    def tables_named(self, names: Sequence[str]) -> list[Layout]:
        """The tables `names`, biggest first, each once. Raises `NotFound` for missing ones."""
        there = self.layouts(names)
        missing = sorted(set(names) - there.keys())
        if missing:
            raise NotFound(
                f"The database has no table {', '.join(missing)}.",
                provider=PROVIDER,
                why="The table was dropped or never created, or the name is misspelt.",
                error_id="42P01",
            )
        return sorted(there.values(), key=lambda one: -one.table.bytes)

    def extensions(self) -> tuple[Extension, ...]:
        """Installed extensions by name."""
        query = "SELECT extname::text, extversion FROM pg_catalog.pg_extension ORDER BY 1"
        return tuple(Extension(name=name, version=version) for name, version in self.connection.execute(query))

    def migrations(self) -> tuple[Migration, ...]:
        """Applied Django migrations in the order of their application; empty without Django's table."""
        table = self.tables_by_name().get("django_migrations")
        if table is None or not {"id", "app", "name"} <= {column.name for column in table.columns(self.connection)}:
            return ()
        query = "SELECT app, name FROM public.django_migrations ORDER BY id"
        return tuple(Migration(app=app, name=name) for app, name in self.connection.execute(query))

    def visible_columns(self) -> tuple[TableColumn, ...]:
        """Every column of the tables that are visible without a schema name, in each table's order."""
        rows = self.connection.execute(_BARE_COLUMNS).fetchall()
        return tuple(TableColumn(table=table, name=name, must_be_given=given) for table, name, given in rows)


def _laid_out(table: Table, columns: Sequence[LiveColumn], key: Sequence[str]) -> Layout:
    single = next((column for column in columns if [column.name] == [*key]), None)
    return Layout(table, tuple(columns), single)
