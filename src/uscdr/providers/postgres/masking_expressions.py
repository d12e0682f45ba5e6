"""The SQL expression that gives a column's masked value, by its rule and type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.models.masking import ENCRYPTED

if TYPE_CHECKING:
    from psycopg import sql

    from uscdr.models.masking import Rule
    from uscdr.providers.postgres.masking_catalog import MaskColumn
    from uscdr.providers.postgres.masking_plan import PlannedMask

CANARY_KEY = "uscdr.key"
"""The session's setting that holds the drill's key for encrypted columns."""
NO_LIMIT = 1_000_000


def own(name: str) -> sql.Composable:
    """A column of the row."""
    from psycopg import sql

    return sql.Identifier("t", name)


def days(one: PlannedMask) -> sql.Composed:
    """The days by which the dates of a row move: those of its person; for a key the same for all rows."""
    from psycopg import sql

    if one.column.unique:
        return sql.SQL("pg_temp.mask_days('every row')").format()
    alone = sql.SQL("t.tableoid::text || t.ctid::text")
    person = sql.SQL("coalesce({}::text, {})").format(own(one.person), alone) if one.person else alone
    return sql.SQL("pg_temp.mask_days({})").format(person)


def masked(one: PlannedMask, known: list[str]) -> sql.Composed:
    """The masked value of a column in the row `t`; `known`: the names that stay in its JSON."""
    from psycopg import sql

    column, name = one.column, own(one.column.name)
    if one.rule == "null":
        return sql.SQL("NULL::{}").format(_type(column.cast))
    if column.many and one.rule == "empty":
        return sql.SQL("'{{}}'::{}").format(_type(column.cast))
    if not column.many:
        return _cast(_value(one, name, known), column)
    element = _value(one, sql.Identifier("u", "e"), known)
    each = sql.SQL("(SELECT coalesce(pg_catalog.array_agg({} ORDER BY u.o), {}) FROM pg_catalog.unnest({})"
                   " WITH ORDINALITY u (e, o) WHERE {} IS NOT NULL)")  # fmt: skip
    empty = sql.SQL("'{{}}'::{}").format(_type(column.base))
    cast = sql.SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(
        name, each.format(_as_element(element, column), empty, name, name)
    )
    return _cast(cast, column)


def _as_element(value: sql.Composable, column: MaskColumn) -> sql.Composed:
    from psycopg import sql

    return sql.SQL("({})::{}").format(value, _type(column.base.removesuffix("[]")))


def _cast(value: sql.Composable, column: MaskColumn) -> sql.Composed:
    """To the base type first: a text that is too long for it is cut, and not refused."""
    from psycopg import sql

    return sql.SQL("({})::{}::{}").format(value, _type(column.base), _type(column.cast))


def _type(name: str) -> sql.SQL:
    """A type as `format_type` prints it, which quotes what must be quoted."""
    from psycopg import sql

    return sql.SQL(name)


def of_text(rule: Rule, value: sql.Composable, salt: str, longest: int | None) -> sql.Composed:
    """The mask of a text by a rule for texts."""
    from psycopg import sql

    if rule == "empty":
        return sql.SQL("''").format()
    if rule in ("phone", "number"):
        return sql.SQL("pg_temp.mask_shape({}::text, {})").format(value, sql.Literal(salt))
    call = sql.SQL("pg_temp.{}({}::text, {}, {})")
    return call.format(sql.Identifier(f"mask_{rule}"), value, sql.Literal(salt), sql.Literal(longest or NO_LIMIT))


def _value(one: PlannedMask, value: sql.Composable, known: list[str]) -> sql.Composed:
    from psycopg import sql

    kind, rule = one.column.kind, one.rule
    if kind == "text" and rule not in ("keep", "null", ENCRYPTED):
        return of_text(rule, value, "", one.column.longest)
    if rule == "empty":
        return sql.SQL({"json": "'{{}}'", "bytes": "''", "search": "''"}[kind]).format()
    if rule == "json":
        return sql.SQL("pg_temp.mask_json({}::jsonb, {}, {})").format(value, sql.Literal(known), days(one))
    if kind == "number":
        return sql.SQL("pg_temp.mask_element(({})::numeric, {})").format(value, sql.Literal(one.column.top or 0))
    template = _BY_KIND[kind]
    return sql.SQL(template).format(v=value, days=days(one))


_BY_KIND = {
    "date": "({v} - pg_catalog.make_interval(days => {days}))",
    "span": "({v} * pg_temp.mask_share({v}::text)::float8)",
    "time": "({v} + pg_catalog.make_interval(mins => {days}))",
    "uuid": "pg_catalog.encode(pg_catalog.substr(pg_temp.mask_bytes({v}::text, 'uuid', 0), 1, 16), 'hex')",
    "bytes": "pg_catalog.substr(pg_temp.mask_bytes(pg_catalog.encode({v}, 'hex'), 'bytes', pg_catalog.length({v})), 1,"
    " pg_catalog.length({v}))",
    "address": "('10.' || pg_catalog.get_byte(pg_temp.mask_bytes({v}::text, 'a', 0), 0) || '.'"
    " || pg_catalog.get_byte(pg_temp.mask_bytes({v}::text, 'a', 0), 1) || '.'"
    " || pg_catalog.get_byte(pg_temp.mask_bytes({v}::text, 'a', 0), 2))",
}


def encrypted(one: PlannedMask, plain: sql.Composable, schema: str) -> sql.Composed:
    """The encrypted column's value, from its masked plain counterpart; NULL where there was none."""
    from psycopg import sql

    value = sql.SQL("{}(coalesce(({})::text, ''), pg_catalog.current_setting({}))").format(
        sql.Identifier(schema, "pgp_sym_encrypt"), plain, sql.Literal(CANARY_KEY)
    )
    if one.column.kind != "bytes":
        value = sql.SQL("{}({})").format(sql.Identifier(schema, "armor"), value)
    return sql.SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(own(one.column.name), value)
