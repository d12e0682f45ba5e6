"""Foreign keys and the rows that violate them: PostgreSQL does not check data loaded with triggers off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from uscdr.models.postgres import ForeignKey, SequenceState, UniqueKey, Unread
from uscdr.providers.postgres.inventory import Catalogue, Table
from uscdr.providers.postgres.reading import attempt, savepoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection
    from uscdr.providers.postgres.inventory import Layout


# Keys inherited by partitions (conparentid) are counted with the parent. For each pair of columns: the key's own
# comparison operator, and the collation if the two columns differ in it.
_FOREIGN_KEYS = """
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
class KeyConstraint:
    """One foreign key as the catalogue has it. `full`: a row must have all its columns or none (MATCH FULL)."""

    name: str
    validated: bool
    full: bool
    own: Table
    other: Table
    pairs: tuple[_Pair, ...]

    @classmethod
    def all_in(cls, connection: Connection) -> list[Self]:
        """Every foreign key, those of big tables first."""
        rows = connection.execute(_FOREIGN_KEYS).fetchall()
        return sorted((cls._of(row) for row in rows), key=lambda key: -key.own.bytes)

    @classmethod
    def _of(cls, row: tuple[Any, ...]) -> Self:
        name, validated, full, oid, schema, relation, parts, pages, oid2, schema2, relation2, parts2, pairs = row
        return cls(
            name=name,
            validated=validated,
            full=full,
            own=Table(oid, schema, relation, pages, partitioned=parts),
            other=Table(oid2, schema2, relation2, 0, partitioned=parts2),
            pairs=tuple(_Pair(*pair) for pair in pairs),
        )

    def counted(self, connection: Connection) -> int | Unread:
        """How many rows are orphans, or why the two tables cannot be read; the transaction has a savepoint (`mark`)."""
        return attempt(connection, self.own, lambda live, _: self._orphans(live))

    def fact(self, orphans: int | Unread) -> ForeignKey:
        """The result: this key, with its orphans."""
        told = ForeignKey(
            table=self.own.name, name=self.name, validated=self.validated, orphans=0, other=self.other.name,
            columns=tuple(pair.own for pair in self.pairs), others=tuple(pair.other for pair in self.pairs),
        )  # fmt: skip
        change = {"unread": orphans} if isinstance(orphans, Unread) else {"orphans": orphans}
        return told.model_copy(update=change)

    def _orphans(self, connection: Connection) -> int:
        """How many rows are orphans. A row with a NULL in its columns is not one (with MATCH FULL: all NULL)."""
        from psycopg import sql

        blank = [sql.SQL("{} IS NULL").format(sql.Identifier("f", pair.own)) for pair in self.pairs]
        query = sql.SQL(
            "SELECT count(*) FROM {own} AS f WHERE NOT ({blank}) AND NOT EXISTS (SELECT FROM {other} AS p WHERE {same})"
        ).format(
            own=self.own.rows(),
            blank=sql.SQL(" AND " if self.full else " OR ").join(blank),
            other=self.other.rows(),
            same=sql.SQL(" AND ").join(map(_same, self.pairs)),
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


def rows_without_parent(connection: Connection, wanted: Sequence[ForeignKey]) -> tuple[int, ...]:
    """How many rows violate each key of another database, which this one may lack; 0 for a missing column."""
    there = Catalogue(connection).layouts([name for key in wanted for name in (key.table, key.other)])
    return tuple(_breaking(connection, key, there.get(key.table), there.get(key.other)) for key in wanted)


def _breaking(connection: Connection, key: ForeignKey, own: Layout | None, other: Layout | None) -> int:
    from psycopg import sql

    if own is None or other is None or not (own.has(key.columns) and other.has(key.others)):
        return 0
    one = 'pg_catalog.lower({}::text COLLATE "C")'  # citext compares without case
    same = sql.SQL(f"{one} OPERATOR(pg_catalog.=) {one}")
    query = sql.SQL(
        "SELECT count(*) FROM {own} AS f WHERE {filled} AND NOT EXISTS (SELECT FROM {other} AS p WHERE {same})"
    ).format(
        own=own.table.rows(),
        filled=sql.SQL(" AND ").join(
            sql.SQL("{} IS NOT NULL").format(sql.Identifier("f", name)) for name in key.columns
        ),
        other=other.table.rows(),
        same=sql.SQL(" AND ").join(
            same.format(sql.Identifier("p", theirs), sql.Identifier("f", ours))
            for ours, theirs in zip(key.columns, key.others, strict=True)
        ),
    )
    rows: int = connection.execute(query).fetchall()[0][0]
    return rows


# Primary keys and unique indexes of plain columns, and the rows that violate those of another database.


# No expression indexes and no partial ones: column names cannot describe them.
_UNIQUE_KEYS = """
SELECT c.oid::int8, pg_catalog.array_agg(a.attname::text ORDER BY k.place)
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
CROSS JOIN pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct' IS DISTINCT FROM 'true'
  AND k.place <= i.indnkeyatts
GROUP BY i.indexrelid, c.oid
"""


def list_unique_keys(connection: Connection) -> tuple[UniqueKey, ...]:
    """Those of all the application's tables, by table and columns."""
    names = {table.oid: table.name for table in Catalogue(connection).tables_by_name().values()}
    found = connection.execute(_UNIQUE_KEYS).fetchall()
    keys = {UniqueKey(table=names[oid], columns=tuple(own)) for oid, own in found if oid in names}
    return tuple(sorted(keys, key=lambda key: (key.table, key.columns)))


def repeated_rows(connection: Connection, wanted: Sequence[UniqueKey]) -> tuple[int, ...]:
    """How many duplicate rows this database has for each key; 0 for a missing column."""
    there = Catalogue(connection).layouts([key.table for key in wanted])
    return tuple(_again(connection, key, there.get(key.table)) for key in wanted)


def _again(connection: Connection, key: UniqueKey, table: Layout | None) -> int:
    from psycopg import sql

    if table is None or not table.has(key.columns):
        return 0
    named = [sql.Identifier("t", name) for name in key.columns]
    query = sql.SQL(
        "SELECT coalesce(sum(g.rows - 1), 0) FROM"
        " (SELECT count(*) AS rows FROM {table} AS t WHERE {filled} GROUP BY {names}) AS g"
    ).format(
        table=table.table.rows(),
        filled=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(name) for name in named),
        names=sql.SQL(", ").join(named),
    )
    return int(connection.execute(query).fetchall()[0][0])


# Whether sequences are ahead of their keys: after a bad restore the next insert would use an existing key.


# Owned by a column (serial 'a', identity 'i'), or only its default. A partition shares its parent's sequence. A
# sequence that cycles may be behind correctly. A text column has no greatest number.
_FILLING = """
SELECT t.oid::int8, tn.nspname::text, t.relname::text, a.attname::text, sn.nspname::text, s.relname::text,
       q.seqincrement
FROM (SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
      UNION
      SELECT d.refobjid, f.adrelid, f.adnum
      FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
      WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass) AS fills
JOIN pg_catalog.pg_sequence q ON q.seqrelid = fills.sequence
JOIN pg_catalog.pg_class s ON s.oid = q.seqrelid JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = fills.relation JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = fills.number AND NOT a.attisdropped
JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
WHERE t.relkind IN ('r', 'p') AND NOT t.relispartition AND t.relpersistence <> 't' AND NOT q.seqcycle
  AND CASE WHEN y.typtype = 'd' THEN y.typbasetype ELSE y.oid END IN (20, 21, 23)
  AND tn.nspname !~ '^pg_' AND tn.nspname NOT IN ('information_schema', 'heroku_ext', '_heroku')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid = t.oid AND d.deptype = 'e')
ORDER BY 2, 3, 4, 5, 6
"""


def sequences(connection: Connection) -> tuple[SequenceState, ...]:
    """Every sequence that fills an integer column.

    A sequence is not part of a snapshot. It is read after the snapshot is taken, so concurrent inserts can only make it
    look further ahead, never behind.
    """
    from psycopg import sql

    found = connection.execute(_FILLING).fetchall()
    if not found:
        return ()
    query = sql.SQL(" UNION ALL ").join(_state(number, row) for number, row in enumerate(found))
    savepoint(connection)
    states = attempt(connection, _table(found[0]), lambda live, _: sorted(live.execute(query).fetchall()))
    if isinstance(states, Unread):  # one of the tables failed; ask each by itself
        return tuple(_alone(connection, row) for row in found)
    return tuple(_fact(row, state) for row, state in zip(found, states, strict=True))


def _alone(connection: Connection, row: tuple[Any, ...]) -> SequenceState:
    state = attempt(connection, _table(row), lambda live, _: live.execute(_state(0, row)).fetchall()[0])
    if isinstance(state, Unread):
        return SequenceState(table=state.table, column=row[3], last=None, greatest=None, next=0, unread=state)
    return _fact(row, state)


def _table(row: tuple[Any, ...]) -> Table:
    oid, schema, relation = row[:3]
    return Table(oid, schema, relation, 0)


SOON = 100
"""The number of next values that are checked."""

# One pass over the column. Not ONLY: child tables and partitions use the same sequence. A sequence at the end of its
# type has no next value: it is capped there, and is not behind.
_STATE = """
SELECT {number}::int4, s.last_value, s.is_called, k.* FROM {sequence} AS s
CROSS JOIN LATERAL (SELECT s.last_value::numeric + CASE WHEN s.is_called THEN {step} ELSE 0 END AS next) AS wide
CROSS JOIN LATERAL (SELECT pg_catalog.int8(least(greatest(wide.next, {least}), {most})) AS next,
                           pg_catalog.int8(least(greatest(wide.next + {more}, {least}), {most})) AS soon) AS n
CROSS JOIN LATERAL (
  SELECT pg_catalog.{furthest}(t.{column}::int8),
         pg_catalog.count(*) = 1,
         pg_catalog.count(*) FILTER (WHERE t.{column}::int8 {beyond} n.next),
         pg_catalog.bool_or(t.{column}::int8 = n.next) IS TRUE,
         pg_catalog.bool_or(t.{column}::int8 {beyond} n.next AND n.soon {beyond} t.{column}::int8) IS TRUE
  FROM {table} AS t) AS k
"""


def _state(number: int, row: tuple[Any, ...]) -> sql.Composed:
    from psycopg import sql

    _, schema, relation, column, sequence_schema, sequence, step = row
    return sql.SQL(_STATE).format(
        number=sql.Literal(number),
        step=sql.Literal(step),
        more=sql.Literal(SOON * step),
        least=sql.Literal(-(2**63)),
        most=sql.Literal(2**63 - 1),
        beyond=sql.SQL(">=" if step > 0 else "<="),
        furthest=sql.SQL("max" if step > 0 else "min"),
        column=sql.Identifier(column),
        table=sql.Identifier(schema, relation),
        sequence=sql.Identifier(sequence_schema, sequence),
    )


def _fact(row: tuple[Any, ...], state: tuple[Any, ...]) -> SequenceState:
    _, _, _, column, _, _, step = row
    _, value, called, greatest, alone, ahead, taken, soon = state
    return SequenceState(
        table=_table(row).name,
        column=column,
        last=value if called else None,
        greatest=greatest,
        next=value + step if called else value,
        step=step,
        alone=alone,
        ahead=ahead,
        taken=taken,
        soon=soon,
    )
