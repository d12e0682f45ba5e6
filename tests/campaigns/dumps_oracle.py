"""What a restored database holds, by SQL of its own: a digest of each table's rows, and everything of the schema."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

_OURS = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'heroku_ext')"
_TABLES = f"""
SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {_OURS} ORDER BY 1, 2
"""
# Comments, owners and grants are left out: a proof restores without them.
_SCHEMA = f"""
SELECT format('column %s.%s %s %s null=%s default=%s', a.attrelid::regclass,
              row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum), a.attname,
              format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm') AND {_OURS}
UNION ALL SELECT format('identity %s.%s %s', a.attrelid::regclass, a.attname, a.attidentity)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attidentity <> '' AND {_OURS}
UNION ALL SELECT format('constraint %s %s %s', t.conrelid::regclass, t.conname, pg_get_constraintdef(t.oid))
FROM pg_constraint t JOIN pg_namespace n ON n.oid = t.connamespace WHERE {_OURS} AND t.contype <> 'n'
UNION ALL SELECT 'index ' || i.indexdef FROM pg_indexes i JOIN pg_namespace n ON n.nspname = i.schemaname WHERE {_OURS}
UNION ALL SELECT format('view %s %s', v.viewname, v.definition)
FROM pg_views v JOIN pg_namespace n ON n.nspname = v.schemaname WHERE {_OURS}
UNION ALL SELECT format('function %s %s', p.oid::regprocedure, md5(pg_get_functiondef(p.oid)))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_OURS} AND p.prokind IN ('f', 'p')
UNION ALL SELECT 'extension ' || extname FROM pg_extension
UNION ALL SELECT format('sequence %s %s %s %s %s %s %s', s.sequencename, s.data_type, s.start_value, s.min_value,
                        s.max_value, s.increment_by, s.cycle)
FROM pg_sequences s JOIN pg_namespace n ON n.nspname = s.schemaname WHERE {_OURS}
"""
_SEQUENCES = f"""
SELECT s.sequencename::text, s.last_value::text FROM pg_sequences s JOIN pg_namespace n ON n.nspname = s.schemaname
WHERE {_OURS}
"""


@dataclass(frozen=True)
class Holding:
    """Rows and a digest of them by table; sequences with their last value; the schema's statements."""

    tables: dict[str, tuple[int, str]]
    sequences: dict[str, str | None]
    schema: frozenset[str]

    def differences(self, other: Holding) -> list[str]:
        """What differs, by kind and name; never a value."""
        names = sorted(set(self.tables) | set(other.tables))
        rows = [f"rows of {name}" for name in names if self.tables.get(name) != other.tables.get(name)]
        counters = set(self.sequences.items()) ^ set(other.sequences.items())
        changed = sorted({name for name, _ in counters})
        statements = len(self.schema ^ other.schema)
        return [
            *rows,
            *(f"sequence {name}" for name in changed),
            *([f"schema ({statements} statements)"] if statements else []),
        ]


def look(dsn: str) -> Holding:
    """Everything that the database at `dsn` holds."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        names = connection.execute(_TABLES).fetchall()
        return Holding(
            {f"{schema}.{name}": _digest(connection, schema, name) for schema, name in names},
            dict(connection.execute(_SEQUENCES).fetchall()),
            frozenset(str(row[0]) for row in connection.execute(_SCHEMA)),
        )


def _digest(connection: psycopg.Connection, schema: str, name: str) -> tuple[int, str]:
    query = sql.SQL(
        "SELECT count(*), coalesce(md5(string_agg(h, '' ORDER BY h)), '') FROM"
        " (SELECT md5(t::text) AS h FROM ONLY {} AS t) AS hashed"
    ).format(sql.Identifier(schema, name))
    rows, digest = connection.execute(query).fetchall()[0]
    return rows, digest
