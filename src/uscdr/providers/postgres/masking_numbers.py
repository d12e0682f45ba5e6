"""Masks columns of numbers, within their type and what each CHECK says of them alone.

Numbers that tell who somebody is, or that must differ, get other digits, as many: equal ones have equal masks, and no
mask is one of the old numbers. Where nearly all numbers of a length are taken, they change places instead. Any other
number is drawn anew, for each row, from its column's: its mask lies between the least and the greatest of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.providers.postgres import masking_expressions as expressions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection
    from uscdr.providers.postgres.masking_catalog import MaskColumn, Spot
    from uscdr.providers.postgres.masking_plan import PlannedMask

_TRIES = 60
"""How often numbers that are taken, or that a CHECK refuses, are masked anew."""
_DRAWS = 40
"""How often a row draws, until a CHECK accepts it and it is not the old one."""
_STEPS = 256
"""Into so many equal parts of the rows a column's numbers are cut."""
_LONG = 1_000_000
"""From here on a whole number may tell who somebody is, whatever its name is."""
_SMALL, _FEW = 1000, 12
"""At most so many kinds of whole numbers below it are dealt anew as they are: they may be an enumeration's."""
_ENDLESS = "('NaN', 'Infinity', '-Infinity')"

_MAP = """
CREATE TEMP TABLE {map} ON COMMIT DROP AS
WITH found AS (SELECT DISTINCT n FROM ({parts}) p),
     every AS (SELECT coalesce(max(scale(trim_scale(n))), 0) AS places, max(n) AS most FROM found),
     whole AS (SELECT n, places, trunc(abs(n) * power(10::numeric, places)) AS w,
                      trunc(abs(most) * power(10::numeric, places)) AS most FROM found, every),
     sized AS (SELECT *, power(10::numeric, length(w::text) - 1) AS low FROM whole),
     limited AS (SELECT *, trunc(least(low * 10 - 1, CASE WHEN {counted} THEN most END, {top})) AS high FROM sized),
     counted AS (SELECT *, count(*) OVER like_it AS kinds, min(w) OVER like_it AS first, max(w) OVER like_it AS last
                 FROM limited WINDOW like_it AS (PARTITION BY sign(n), low))
SELECT n AS old, places, low, high, first, last, shifted AS new, kinds * 4 > CASE
           WHEN {telling} OR low >= 10000 OR kinds = 1 THEN high - low + 1 ELSE last - first + 1 END AS dense
FROM (SELECT *, coalesce(lead(n) OVER turn, first_value(n) OVER turn) AS shifted FROM counted
      WINDOW turn AS (PARTITION BY sign(n), low ORDER BY pg_temp.mask_bytes(n::text, 'turn', 0), n)) AS turned
"""
"""`low` and `high`: the least and the greatest number of as many digits; of all numbers without their point."""
_DIGITS = """
UPDATE {map} AS m SET new = round(
    sign(old) * pg_temp.mask_between(old, {salt}, {low}, {high}) / power(10::numeric, places), places)::{base}::numeric
WHERE NOT dense AND old <> 0 AND ({first} OR EXISTS (SELECT FROM {map} AS o WHERE o.old = m.new)
    OR EXISTS (SELECT FROM {map} AS o WHERE o.new = m.new AND o.old < m.old) OR NOT ({fits}))
"""
_SPREAD = """
CREATE TEMP TABLE {name} ON COMMIT DROP AS
WITH found AS (SELECT t.{column}::numeric AS n FROM ONLY {table} AS t WHERE t.{column}::text NOT IN {endless}),
     every AS (SELECT min(n) AS low, max(n) AS high, coalesce(max(scale(trim_scale(n))), 0) AS places,
                      count(DISTINCT n) <= {few} AND max(abs(n)) < {small} AND max(scale(trim_scale(n))) = 0
                      AND NOT {telling} AS dealt FROM found),
     lines AS (SELECT percentile_disc({parts}) WITHIN GROUP (ORDER BY n) AS dealt,
                      percentile_cont({parts}) WITHIN GROUP (ORDER BY n::float8)::numeric[] AS drawn FROM found)
SELECT low, high, places, every.dealt, CASE WHEN every.dealt THEN lines.dealt ELSE lines.drawn END AS line
FROM every, lines
"""
_IS_LONG = """
SELECT coalesce(max(abs(t.{column}::numeric)) >= {long} AND max(scale(trim_scale(t.{column}::numeric))) = 0, false)
FROM ONLY {table} AS t WHERE t.{column}::text NOT IN {endless}
"""
_DRAWN = """
(CASE WHEN {own}::text IN {endless} THEN {own}::{base} WHEN {own} IS NOT NULL THEN coalesce(
    (SELECT x.n FROM generate_series(0, {draws}) AS k
     CROSS JOIN LATERAL (SELECT {draw_k} AS n FROM {name} AS q OFFSET 0) AS x WHERE {fits} LIMIT 1),
    (SELECT {draw_0} FROM {name} AS q)) END)
"""
_DRAW = """
pg_temp.mask_drawn(q.line, q.low, q.high, t.tableoid::text || t.ctid::text, {turn}, q.places, q.dealt)::{base}
"""


@dataclass
class NumberMasks:
    """The masks of a copy's numbers. Each column or group is looked at once."""

    connection: Connection
    _maps: dict[int | Spot, sql.Identifier] = field(default_factory=dict)
    _turned: set[int | Spot] = field(default_factory=set)

    def value(self, one: PlannedMask, like: Sequence[PlannedMask]) -> sql.Composable | None:
        """The SQL of a column's mask in the row `t`; `like`: all columns that must agree with it.

        None: not as many different numbers can be found as there must be.
        """
        from psycopg import sql

        if not self._tells(one):
            return self._drawn(one)
        key = _key(one)
        if key not in self._maps and not self._make(key, like):
            return None
        return sql.SQL(
            "(CASE WHEN {own}::text IN {endless} THEN {own}::{base}"
            " ELSE (SELECT m.new FROM {map} AS m WHERE m.old = {own}::numeric)::{base} END)::{cast}"
        ).format(
            own=expressions.own(one.column.name), endless=sql.SQL(_ENDLESS), map=self._maps[key],
            base=sql.SQL(one.column.base), cast=sql.SQL(one.column.cast),
        )  # fmt: skip

    def moves(self, one: PlannedMask) -> bool:
        """Whether numbers that must differ change places: then no row can be written while another has its number."""
        return one.column.unique and one.rule == "number" and _key(one) in self._turned

    def _tells(self, one: PlannedMask) -> bool:
        """Whether equal numbers must stay equal, different ones different, or the number tells who somebody is."""
        from psycopg import sql

        if one.column.unique or one.group is not None or one.promise == "identity":
            return True
        if one.promise or one.column.bound:
            return False
        query = sql.SQL(_IS_LONG).format(**_place(one.column), long=sql.Literal(_LONG))
        return bool(self.connection.execute(query).fetchall()[0][0])

    def _make(self, key: int | Spot, like: Sequence[PlannedMask]) -> bool:
        """A table of old and new numbers. False if it cannot be made."""
        from psycopg import sql

        short, columns = f"mask_number_{len(self._maps)}", [one.column for one in like]
        name = sql.Identifier("pg_temp", short)
        part = sql.SQL("SELECT t.{column}::numeric AS n FROM ONLY {table} AS t WHERE t.{column}::text NOT IN {endless}")
        narrow = min(columns, key=lambda column: column.top or _NO_TOP)
        make = sql.SQL(_MAP).format(
            map=sql.Identifier(short),
            parts=sql.SQL(" UNION ALL ").join(part.format(**_place(column)) for column in columns),
            counted=sql.Literal(any(column.counted for column in columns)),
            telling=sql.Literal(any(one.promise == "identity" for one in like)),
            top=sql.Literal(narrow.top),
        )  # fmt: skip
        self.connection.execute(make)
        for after in ("CREATE UNIQUE INDEX ON {} (old)", "CREATE INDEX ON {} (new)", "ANALYZE {}"):
            self.connection.execute(sql.SQL(after).format(name))
        if self.connection.execute(sql.SQL("SELECT FROM {} WHERE dense LIMIT 1").format(name)).fetchall():
            self._turned.add(key)
        self._maps[key] = name
        return self._other_digits(name, columns, narrow)

    def _other_digits(self, name: sql.Identifier, columns: Sequence[MaskColumn], narrow: MaskColumn) -> bool:
        """Every second try stays between the least and the greatest, where a CHECK may hold them."""
        from psycopg import sql

        fits = sql.SQL(" AND ").join([sql.SQL("true"), *(_fits(column, sql.SQL("new")) for column in columns)])
        for number in range(_TRIES):
            low, high = ("first", "last") if number % 2 else ("low", "high")
            query = sql.SQL(_DIGITS).format(
                map=name, salt=sql.Literal(f"#{number}"), low=sql.Identifier(low), high=sql.Identifier(high),
                base=sql.SQL(narrow.base), first=sql.Literal(number == 0), fits=fits,
            )  # fmt: skip
            if not self.connection.execute(query).rowcount:
                return True
        return False

    def _drawn(self, one: PlannedMask) -> sql.Composed:
        """A number of the column's own range, of the row's own lot: what is less than another stays less."""
        from psycopg import sql

        column, own = one.column, expressions.own(one.column.name)
        short = f"mask_spread_{column.spot[0]}_{column.spot[1]}"
        name = sql.Identifier("pg_temp", short)
        parts = sql.SQL("ARRAY[{}]::float8[]").format(sql.SQL(", ").join(
            sql.Literal(part / _STEPS) for part in range(_STEPS + 1)))  # fmt: skip
        make = sql.SQL(_SPREAD).format(
            **_place(column), name=sql.Identifier(short), parts=parts, few=sql.Literal(_FEW), small=sql.Literal(_SMALL),
            telling=sql.Literal(bool(one.promise)),
        )  # fmt: skip
        self.connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
        self.connection.execute(make)
        other = sql.SQL("true" if column.bound else "x.n <> {}::{}").format(own, sql.SQL(column.base))
        fits = sql.SQL("{} AND {}").format(other, _fits(column, sql.SQL("x.n")))
        draw, base = sql.SQL(_DRAW), sql.SQL(column.base)
        value = sql.SQL(_DRAWN).format(
            own=own, endless=sql.SQL(_ENDLESS), base=base, draws=sql.Literal(_DRAWS - 1),
            draw_k=draw.format(turn=sql.SQL("k"), base=base), draw_0=draw.format(turn=sql.SQL("0"), base=base),
            name=name, fits=fits,
        )  # fmt: skip
        return sql.SQL("{}::{}").format(value, sql.SQL(column.cast))


_NO_TOP = 10**400


def _key(one: PlannedMask) -> int | Spot:
    return one.column.spot if one.group is None else one.group


def _place(column: MaskColumn) -> dict[str, sql.Composable]:
    from psycopg import sql

    table = sql.Identifier(column.table.schema, column.table.relation)
    return {"column": sql.Identifier(column.name), "table": table, "endless": sql.SQL(_ENDLESS)}


def _fits(column: MaskColumn, value: sql.Composable) -> sql.Composable:
    """Whether every CHECK of the column accepts a number."""
    from psycopg import sql

    each = sql.SQL("(SELECT ({}) IS NOT FALSE FROM (SELECT ({})::{} AS {}) AS checked)")
    base = sql.SQL(column.base)
    parts = (each.format(sql.SQL(text), value, base, sql.Identifier(name)) for name, text in column.conditions)
    return sql.SQL(" AND ").join([sql.SQL("true"), *parts])
