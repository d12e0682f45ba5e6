"""Masks a restored copy in place: every column by its planned rule, in one transaction, without triggers.

Foreign keys hold because both sides get the same values. Materialised views need no care: a dump has their query only,
and PostgreSQL fills them from the masked rows when it is loaded.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.errors import BadInput, CheckFailed
from uscdr.models.data_settings import TableName
from uscdr.models.masking import ENCRYPTED, MaskedColumn, MaskedDatabase
from uscdr.providers.postgres import masking_expressions as expressions
from uscdr.providers.postgres.masking_catalog import MaskCatalog
from uscdr.providers.postgres.masking_functions import FUNCTIONS, KEY
from uscdr.providers.postgres.masking_plan import MaskPlan, MaskPlanner, PlannedMask
from uscdr.words import first_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg
    from psycopg import sql

    from uscdr.models.masking import DrillUser, MaskingRules
    from uscdr.providers.postgres.connection import Connection
    from uscdr.providers.postgres.masking_catalog import MaskColumn

_TRIES = 12
"""How often values that are not unique yet are masked anew."""
_CODES, _ROWS_EACH = 12, 5
"""A column holds codes if it has at most so many, each in at least so many rows."""
_CODE = "^([A-Z][A-Z0-9_]*|[a-z][a-z0-9_]*)?$"
_PGCRYPTO = """
SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pgcrypto'
"""
# Triggers that run although the session replicates.
_TRIGGERS = """
SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname),
       format('ALTER TABLE %s ENABLE %s TRIGGER %I', tgrelid::regclass,
              CASE tgenabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, tgname)
FROM pg_trigger WHERE tgenabled IN ('A', 'R') AND NOT tgisinternal AND tgparentid = 0
"""
_NAMES_IN_JSON = """
SELECT k FROM (
    SELECT DISTINCT t.ctid, k FROM ONLY {table} t
    CROSS JOIN LATERAL jsonb_path_query({column}::jsonb, 'lax $.** ? (@.type() == "object")') o
    CROSS JOIN LATERAL jsonb_object_keys(o) k) named
WHERE k ~ '^[A-Za-z_][A-Za-z0-9_-]{{0,62}}$'
GROUP BY k HAVING count(*) > 1 AND count(*) * 10 >= (SELECT count({column}) FROM ONLY {table} t)
"""
"""Names that several rows share, one in ten at least, are the application's own; any other may be a person's."""


def mask(connection: Connection, rules: MaskingRules, user: DrillUser | None) -> MaskedDatabase:
    """Mask the database of the connection, whose role owns its tables and may set `session_replication_role`.

    Raises:
        BadInput: a column that no rule is known for, or a rule that does not fit; nothing was masked.
        CheckFailed: a masked row breaks a constraint; the message names the column and its rule.
    """
    catalog = MaskCatalog.read(connection)
    plan = MaskPlanner(catalog, rules, lambda column: _has_codes(connection, column)).plan()
    work = _Masking(connection, catalog, plan)
    before = work.counts()
    with connection.transaction():
        _prepare(connection, rules)
        with _no_triggers(connection):
            work.carry_out()
            signed_in = user is not None and _sign_in(connection, catalog, user)
    if (after := work.counts()) != before:
        changed = first_of([str(table) for table, rows in before.items() if after.get(table) != rows])
        raise CheckFailed(f"Masking changed the number of rows of {changed}.", why="A rule of the table intervened.")
    return MaskedDatabase(
        columns=tuple(_told(one) for one in plan.columns),
        rows={str(table): rows for table, rows in before.items()},
        unknown=plan.unknown,
        signed_in=signed_in,
    )


def _told(one: PlannedMask) -> MaskedColumn:
    return MaskedColumn(table=str(one.column.table), column=one.column.name, rule=one.rule, why=one.why)


def _prepare(connection: Connection, rules: MaskingRules) -> None:
    """The random key exists in this session only."""
    connection.execute("SET LOCAL session_replication_role = replica")
    for name, value in ((KEY, secrets.token_hex(32)), (expressions.CANARY_KEY, rules.key.get_secret_value())):
        connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
    for statement in FUNCTIONS:
        connection.execute(statement.encode())


@contextmanager
def _no_triggers(connection: Connection) -> Iterator[None]:
    found = connection.execute(_TRIGGERS.encode()).fetchall()
    for off, _ in found:
        connection.execute(off.encode())
    yield
    for _, on in found:
        connection.execute(on.encode())


def _table(table: TableName) -> sql.Composable:
    from psycopg import sql

    return sql.Identifier(table.schema, table.relation)


def _has_codes(connection: Connection, column: MaskColumn) -> bool:
    """Whether many rows share each of a few short words such as `ADMIN`."""
    from psycopg import sql

    query = sql.SQL(
        "SELECT count(*) BETWEEN 1 AND {most} AND min(n) >= {least} AND bool_and(v ~ {code}) FROM"
        " (SELECT {column}::text AS v, count(*) AS n FROM {table} AS t WHERE {column} IS NOT NULL GROUP BY 1) AS words"
    ).format(
        most=sql.Literal(_CODES), least=sql.Literal(_ROWS_EACH), code=sql.Literal(_CODE),
        column=expressions.own(column.name), table=_table(column.of),
    )  # fmt: skip
    return bool(connection.execute(query).fetchall()[0][0])


@dataclass
class _Masking:
    connection: Connection
    catalog: MaskCatalog
    plan: MaskPlan
    _maps: dict[int, sql.Identifier] = field(default_factory=dict)

    def counts(self) -> dict[TableName, int]:
        """The rows of every table."""
        from psycopg import sql

        query = sql.SQL("SELECT count(*) FROM ONLY {}")
        tables = dict.fromkeys(one.table for one in self.catalog.columns)
        return {
            table: int(self.connection.execute(query.format(_table(table))).fetchall()[0][0])
            for table in tables
        }  # fmt: skip

    def carry_out(self) -> None:
        """Mask every table. Raises CheckFailed."""
        groups, tables = defaultdict[int, list[PlannedMask]](list), defaultdict[TableName, list[PlannedMask]](list)
        for one in self.plan.columns:
            if one.rule == "keep":
                continue
            tables[one.column.table].append(one)
            if one.group is not None and one.column.kind == "text" and not one.column.many:
                groups[one.group].append(one)
        for group, members in groups.items():
            self._maps[group] = self._map(group, members)
        for table, wanted in tables.items():
            self._mask_table(table, wanted)

    def _map(self, group: int, members: Sequence[PlannedMask]) -> sql.Identifier:
        """A table of old and new values of columns that must agree or stay unique. Raises CheckFailed."""
        from psycopg import sql

        name, first = sql.Identifier("pg_temp", f"mask_{group}"), _narrowest(members)
        part = sql.SQL("SELECT t.{}::text AS old FROM ONLY {} AS t WHERE t.{} IS NOT NULL")
        parts = (part.format(sql.Identifier(one.column.name), _table(one.column.table), sql.Identifier(one.column.name))
                 for one in members)  # fmt: skip
        make = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT old, {} AS new FROM ({}) AS found")
        short = sql.Identifier(f"mask_{group}")
        self.connection.execute(make.format(short, _new_value(first, ""), sql.SQL(" UNION ").join(parts)))
        self.connection.execute(sql.SQL("CREATE UNIQUE INDEX ON {} (old)").format(name))
        again = sql.SQL(
            "UPDATE {map} SET new = {value} WHERE old <> '' AND (lower(new) IN (SELECT lower(old) FROM {map})"
            " OR old NOT IN (SELECT min(old) FROM {map} GROUP BY lower(new)))"
        )
        for number in range(_TRIES):
            if not self.connection.execute(again.format(map=name, value=_new_value(first, f"#{number}"))).rowcount:
                return name
        raise _too_few(first)

    def _mask_table(self, table: TableName, wanted: Sequence[PlannedMask]) -> None:
        import psycopg

        try:
            with self.connection.transaction():
                self._update(table, wanted)
        except (psycopg.IntegrityError, psycopg.DataError, psycopg.InternalError, psycopg.ProgrammingError) as error:
            raise self._broken(table, wanted, error) from None

    def _update(self, table: TableName, wanted: Sequence[PlannedMask]) -> None:
        from psycopg import sql

        each = sql.SQL("{} = {}")
        values = (each.format(sql.Identifier(one.column.name), self._value(one)) for one in wanted)
        statement = sql.SQL("UPDATE ONLY {} AS t SET {}").format(_table(table), sql.SQL(", ").join(values))
        self.connection.execute(statement)

    def _value(self, one: PlannedMask) -> sql.Composable:
        from psycopg import sql

        if one.rule == ENCRYPTED:
            return self._encrypted(one)
        if one.group in self._maps and one.rule not in ("null", "empty"):
            look = sql.SQL("(SELECT m.new FROM {} AS m WHERE m.old = {}::text)::{}::{}")
            names = (sql.SQL(name) for name in (one.column.base, one.column.cast))
            return look.format(self._maps[one.group], expressions.own(one.column.name), *names)
        known = self._known_names(one) if one.rule == "json" and not one.column.many else []
        return expressions.masked(one, known)

    def _known_names(self, one: PlannedMask) -> list[str]:
        from psycopg import sql

        query = sql.SQL(_NAMES_IN_JSON).format(
            table=_table(one.column.table), column=expressions.own(one.column.name)
        )  # fmt: skip
        return [name for (name,) in self.connection.execute(query)]

    def _encrypted(self, one: PlannedMask) -> sql.Composable:
        """From the plain column; NULL or empty without it, or without pgcrypto."""
        from psycopg import sql

        schema = next((name for (name,) in self.connection.execute(_PGCRYPTO)), None)
        plain = next((each for each in self.plan.columns
                      if each.column.table == one.column.table and each.column.name == one.plain), None)  # fmt: skip
        if schema is None or plain is None:
            return sql.SQL("NULL" if one.column.nullable else "''")
        value = expressions.own(plain.column.name) if plain.rule == "keep" else self._value(plain)
        return expressions.encrypted(one, value, schema)

    def _broken(self, table: TableName, wanted: Sequence[PlannedMask], error: psycopg.Error) -> CheckFailed:
        """Which column breaks the constraint: the only one that does so alone, else those of the constraint."""
        named = self.catalog.checks.get((table, str(error.diag.constraint_name or "")), ())
        alone = [one for one in wanted if not self._fits(table, one)]
        guilty = alone or [one for one in wanted if one.column.name in named] or list(wanted)
        words = first_of([f"{one.column.words} (rule {one.rule})" for one in guilty])
        constraint = f" the constraint {error.diag.constraint_name}" if error.diag.constraint_name else " its type"
        first = guilty[0].column
        return CheckFailed(
            f"A masked row of {table} breaks{constraint}: {words}.",
            why="The rule gives values that the database does not accept.",
            next_action="Choose another rule in `masking.columns` of scenarios.yaml, such as "
            f"{first.words}: {'null' if first.nullable else 'keep'}",
        )

    def _fits(self, table: TableName, one: PlannedMask) -> bool:
        import psycopg

        try:
            with self.connection.transaction(force_rollback=True):
                self._update(table, [one])
        except psycopg.Error:
            return False
        return True


def _narrowest(members: Sequence[PlannedMask]) -> PlannedMask:
    """The one with the least room: what fits there fits into all."""
    return min(members, key=lambda one: one.column.longest or expressions.NO_LIMIT)


def _new_value(one: PlannedMask, salt: str) -> sql.Composed:
    from psycopg import sql

    longest = one.column.longest
    value = expressions.of_text(one.rule, sql.Identifier("old"), salt, longest)  # type: ignore[arg-type]  # of a text
    return sql.SQL("left({}, {})").format(value, sql.Literal(longest or expressions.NO_LIMIT))


def _too_few(one: PlannedMask) -> CheckFailed:
    return CheckFailed(
        f"The rule {one.rule} gives too few different values for {one.column.words}, which must be unique.",
        why="Its values are short, and there are nearly as many as can be written.",
        next_action=f"If they are no person's, let them stay: {one.column.words}: keep in `masking.columns`.",
    )


def _sign_in(connection: Connection, catalog: MaskCatalog, user: DrillUser) -> bool:
    """Give one account the drill's login and password: the one that may do most. False if there is none."""
    from psycopg import sql

    accounts = TableName.parse(user.accounts)
    columns = {one.name: one for one in catalog.columns if one.table == accounts}
    if user.password not in columns:
        return False
    flags = [name for name in user.flags if name in columns and columns[name].cast == "boolean"]
    values: dict[str, object] = dict.fromkeys(flags, True) | {user.password: user.hash}
    values |= {name: value for name, value in user.logins.items() if name in columns}
    order = sql.SQL(", ").join([*(sql.SQL("t.{} DESC").format(sql.Identifier(name)) for name in reversed(flags)),
                                sql.SQL("t.ctid")])  # fmt: skip
    sets = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
                              for name, value in values.items())  # fmt: skip
    statement = sql.SQL(
        "UPDATE ONLY {table} SET {sets} WHERE ctid = (SELECT t.ctid FROM ONLY {table} AS t ORDER BY {order} LIMIT 1)"
    ).format(table=_table(accounts), sets=sets, order=order)
    return _signed_in(connection, statement, user)


def _signed_in(connection: Connection, statement: sql.Composed, user: DrillUser) -> bool:
    import psycopg

    try:
        with connection.transaction():
            return connection.execute(statement).rowcount == 1
    except (psycopg.IntegrityError, psycopg.DataError, psycopg.ProgrammingError):
        raise BadInput(
            f"The table {user.accounts} does not take the drill's account.",
            why="A login or the password hash does not fit into its column.",
            next_action="Correct `access.logins` and `access.password` in scenarios.yaml.",
        ) from None
