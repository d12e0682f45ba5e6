"""The columns of a restored copy, with everything that a mask must respect: types, keys, constraints, references."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from uscdr.models.data_settings import TableName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.providers.postgres.connection import Connection

Kind = Literal[
    "text", "json", "bytes", "date", "time", "uuid", "address", "search", "number", "span", "plain", "unknown"
]  # fmt: skip
"""What a type may hold of a person. `span`: an interval. `plain`: truth values, words of an enumeration, oids."""
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext"), "text"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), "date"),
    **dict.fromkeys(("time", "timetz"), "time"),
    **dict.fromkeys(("inet", "cidr"), "address"),
    **dict.fromkeys(("int2", "int4", "int8", "numeric", "float4", "float8", "money"), "number"),
    **dict.fromkeys(("bool", "oid"), "plain"),
    "bytea": "bytes", "uuid": "uuid", "tsvector": "search", "interval": "span",
}  # fmt: skip
_TOPS = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1, "money": 2**63 - 1}

# Every column of every table that holds rows of its own: not of views, of foreign tables, or of an extension's tables.
_COLUMNS = """
WITH RECURSIVE base AS (
    SELECT oid AS type, oid, typname, typtype, typcategory, typelem, typbasetype, -1 AS modifier FROM pg_type
    WHERE typtype <> 'd'
    UNION ALL
    SELECT d.oid, b.oid, b.typname, b.typtype, b.typcategory, b.typelem, b.typbasetype,
           CASE WHEN b.modifier >= 0 THEN b.modifier ELSE d.typtypmod END
    FROM pg_type d JOIN base b ON b.type = d.typbasetype WHERE d.typtype = 'd')
SELECT c.oid::int8, n.nspname::text, c.relname::text, rn.nspname::text, r.relname::text, a.attnum::int, a.attname::text,
       e.typname::text, e.typtype::text, b.typcategory::text = 'A' AND b.typelem <> 0,
       format_type(a.atttypid, a.atttypmod),
       format_type(b.oid, CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE b.modifier END),
       CASE WHEN e.typname IN ('varchar', 'bpchar')
            THEN nullif(CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE b.modifier END, -1) - 4 END,
       NOT a.attnotnull AND NOT t.typnotnull,
       a.attidentity <> '' OR EXISTS (SELECT FROM pg_attrdef f WHERE f.adrelid = c.oid AND f.adnum = a.attnum
                                      AND pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%')
       OR EXISTS (SELECT FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
                  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                  AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i'))
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = CASE WHEN c.relispartition THEN pg_partition_root(c.oid) ELSE c.oid END
JOIN pg_namespace rn ON rn.oid = r.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_type t ON t.oid = a.atttypid
JOIN base b ON b.type = a.atttypid
JOIN LATERAL (SELECT * FROM base x WHERE x.type = CASE WHEN b.typcategory = 'A' AND b.typelem <> 0
              THEN b.typelem ELSE b.oid END) e ON true
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_temp'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                  AND d.deptype = 'e')
ORDER BY 2, 3, 6
"""
# Indexes on expressions bind the columns that they name, too: lower(email) may be unique.
_UNIQUE = """
SELECT i.indrelid::int8, d.refobjsubid::int, i.indisprimary
FROM pg_index i JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
     AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0
WHERE i.indisunique OR i.indisexclusion
UNION
SELECT i.indrelid::int8, k.key::int, i.indisprimary FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) k (key)
WHERE (i.indisunique OR i.indisexclusion) AND k.key > 0
"""
_REFERENCES = """
SELECT conrelid::int8, confrelid::int8, a::int, b::int, array_length(conkey, 1) = 1
FROM pg_constraint CROSS JOIN LATERAL unnest(conkey, confkey) k (a, b) WHERE contype = 'f'
"""
_CHECKS = """
SELECT conrelid::int8, conname::text, conkey::int[],
       array_length(conkey, 1) = 1 AND pg_get_constraintdef(oid) ~ '= ANY \\(+ARRAY\\['
FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 AND conkey IS NOT NULL
"""
# What a CHECK says of one column alone: the name that it has there, and the condition. A domain calls it VALUE.
_CONDITIONS = """
WITH RECURSIVE d AS (
    SELECT oid AS type, oid FROM pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT d.type, b.oid FROM d JOIN pg_type t ON t.oid = d.oid JOIN pg_type b ON b.oid = t.typbasetype
    WHERE b.typtype = 'd')
SELECT k.conrelid::int8, k.conkey[1]::int, a.attname::text, pg_get_expr(k.conbin, k.conrelid)
FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.contype = 'c' AND array_length(k.conkey, 1) = 1 AND k.conkey[1] > 0
UNION ALL
SELECT a.attrelid::int8, a.attnum::int, 'value', pg_get_expr(k.conbin, 0)
FROM pg_attribute a JOIN d ON d.type = a.atttypid JOIN pg_constraint k ON k.contypid = d.oid AND k.contype = 'c'
WHERE a.attnum > 0 AND NOT a.attisdropped
"""
_PARTITION_KEYS = """
SELECT i.oid::int8, a.attname::text FROM pg_class i
JOIN LATERAL pg_partition_ancestors(i.oid) p (above) ON true
JOIN pg_partitioned_table t ON t.partrelid = p.above
JOIN pg_attribute a ON a.attrelid = t.partrelid AND (a.attnum = ANY (t.partattrs) OR t.partexprs IS NOT NULL
     AND pg_get_partkeydef(t.partrelid) ~ ('\\m' || a.attname || '\\M')) AND a.attnum > 0
WHERE i.relispartition AND i.relkind = 'r'
"""

Spot = tuple[int, int]
"""A column: the table's oid and the column's number."""


@dataclass(frozen=True)
class MaskColumn:
    """One column. `of` is the table that people name: that of a partition is its root.

    `cast` is the type's name with its length; `base` that of a domain's base type. `longest`: characters that fit.
    """

    spot: Spot
    table: TableName
    of: TableName
    name: str
    kind: Kind
    many: bool
    cast: str
    base: str
    longest: int | None
    nullable: bool
    unique: bool = False
    primary: bool = False
    listed: bool = False
    """Whether a CHECK lists its words."""
    divides: bool = False
    """Whether it decides which partition a row is in."""
    counted: bool = False
    """Whether a sequence makes its numbers."""
    bound: bool = False
    """Whether a CHECK compares it with another column."""
    conditions: tuple[tuple[str, str], ...] = ()
    """What each CHECK says of it alone: the name that it has there, and the condition."""

    @property
    def top(self) -> int | None:
        """The greatest whole number that fits, of money in its smallest unit; None: any that is as long as another."""
        return _TOPS.get(self.base.removesuffix("[]"))

    @property
    def words(self) -> str:
        """`table.column`, for people."""
        return f"{self.of}.{self.name}"


@dataclass(frozen=True)
class Reference:
    """One pair of columns of a foreign key; `alone`: the key has no other."""

    column: Spot
    target: Spot
    alone: bool


@dataclass(frozen=True)
class MaskCatalog:
    """All columns, foreign keys and CHECK constraints of a copy."""

    columns: Sequence[MaskColumn]
    references: Sequence[Reference]
    checks: dict[tuple[TableName, str], tuple[str, ...]] = field(default_factory=dict)
    """The columns of each CHECK, by table and the constraint's name."""

    @classmethod
    def read(cls, connection: Connection) -> MaskCatalog:
        """Read it from the database of the connection."""
        unique, primary = dict[Spot, bool](), set[Spot]()
        for table, column, main in connection.execute(_UNIQUE.encode()):
            unique[table, column] = True
            if main:
                primary.add((table, column))
        checks = connection.execute(_CHECKS.encode()).fetchall()
        listed = {(table, keys[0]) for table, _, keys, lists in checks if lists}
        bound = {(table, key) for table, _, keys, _ in checks if len(keys) > 1 for key in keys}
        conditions = defaultdict[Spot, list[tuple[str, str]]](list)
        for table, key, name, condition in connection.execute(_CONDITIONS.encode()):
            conditions[table, key].append((name, condition))
        divides = {(table, name) for table, name in connection.execute(_PARTITION_KEYS.encode())}
        columns = tuple(
            replace(
                _column(row),
                unique=spot in unique,
                primary=spot in primary,
                listed=spot in listed,
                divides=(row[0], row[6]) in divides,
                bound=spot in bound,
                conditions=tuple(conditions[spot]),
            )
            for row in connection.execute(_COLUMNS.encode()).fetchall()
            for spot in [(row[0], row[5])]
        )
        named = {one.spot: one for one in columns}
        references = tuple(
            Reference((table, a), (other, b), alone)
            for table, other, a, b, alone in connection.execute(_REFERENCES.encode())
        )
        tables = {one.spot[0]: one.table for one in columns}
        constraints = {
            (tables[table], name): tuple(named[table, key].name for key in keys if (table, key) in named)
            for table, name, keys, _ in checks
            if table in tables
        }
        return cls(columns, references, constraints)


def _column(row: Sequence[object]) -> MaskColumn:
    """What the type says; keys and constraints are added."""
    table, schema, relation, of_schema, of_relation, number, name, element, sort, many, cast, base = row[:12]
    longest, nullable, counted = row[12:]
    return MaskColumn(
        spot=(int(str(table)), int(str(number))),
        table=TableName(str(schema), str(relation)),
        of=TableName(str(of_schema), str(of_relation)),
        name=str(name),
        kind="plain" if sort == "e" else _KINDS.get(str(element), "unknown"),
        many=bool(many),
        cast=str(cast),
        base=str(base),
        longest=None if longest is None else int(str(longest)),
        nullable=bool(nullable),
        counted=bool(counted),
    )
