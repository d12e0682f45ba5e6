"""Whether sequences are ahead of the keys they make: after a bad restore the next insert would meet a taken key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uscdr.models.postgres import SequenceState, Unread
from uscdr.providers.postgres.inventory import Table
from uscdr.providers.postgres.reading import attempt, mark

if TYPE_CHECKING:
    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection

# Owned by a column (serial 'a', identity 'i'), or merely its default. A partition shares its parent's
# sequence; one that cycles may be behind in good order; a text column has no greatest number.
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


def read(connection: Connection) -> tuple[SequenceState, ...]:
    """Every sequence that fills an integer column.

    A sequence is not part of a snapshot. It is read after the snapshot is taken, so it can only be ahead
    of the keys in it: somebody who inserts meanwhile makes no sequence look late.
    """
    from psycopg import sql

    found = connection.execute(_FILLING).fetchall()
    if not found:
        return ()
    query = sql.SQL(" UNION ALL ").join(_state(number, row) for number, row in enumerate(found))
    mark(connection)
    states = attempt(connection, _table(found[0]), lambda live, _: sorted(live.execute(query).fetchall()))
    if isinstance(states, Unread):  # one of the tables; which, each by itself tells
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
"""So many values that come next are looked at."""

# One pass over the column. Not ONLY: children of a table, and partitions, take their keys from the same sequence.
# A sequence at the end of its type has no next value: it is held at the end, and is behind nothing.
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
