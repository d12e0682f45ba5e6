"""How a row of an account, a token or a right is named: by a key that may be shown, else by a digest of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.providers.postgres.inventory import Table, columns

if TYPE_CHECKING:
    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection

PLAIN = frozenset({20, 21, 23, 2950})
"""Whole numbers and UUIDs are shown as they are; any other key only as a digest."""
_ENDS = 2
_KEY = """
SELECT a.attname::text FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = %s AND i.indisprimary ORDER BY a.attnum
"""


@dataclass(frozen=True)
class Keyed:
    """Expressions for the rows of the table `t`; digests begin with `secret`, so that nobody else can make them."""

    secret: SecretStr

    def shown(self, connection: Connection, table: Table) -> sql.Composable:
        """The key of a row as it may be shown."""
        from psycopg import sql

        keys = _key(connection, table)
        types = {column.name: column.type for column in columns(connection, table)}
        if len(keys) == 1 and types[keys[0]] in PLAIN:
            return sql.SQL("{}::text").format(sql.Identifier("t", keys[0]))
        return self.row(connection, table)

    def row(self, connection: Connection, table: Table) -> sql.Composable:
        """A digest of the row's key; of the whole row where there is none."""
        return self._of(_key(connection, table) or [column.name for column in columns(connection, table)])

    def link(self, connection: Connection, table: Table) -> sql.Composable:
        """Of a table that only links two others, a digest of both ends: its own number is another after each change."""
        keys = _key(connection, table)
        rest = [column for column in columns(connection, table) if column.name not in keys]
        if len(keys) == 1 and len(rest) == _ENDS and all(column.type in PLAIN for column in rest):
            return self._of([column.name for column in rest])
        return self.row(connection, table)

    def digest(self, expression: sql.Composable) -> sql.Composable:
        """Sixteen hexadecimal digits; see `KeyedAccess.digest`."""
        from psycopg import sql

        whole = sql.SQL("{} || coalesce({}::text, '')").format(sql.Literal(self.secret.get_secret_value()), expression)
        return sql.SQL("left(encode(sha256(convert_to({}, 'UTF8')), 'hex'), 16)").format(whole)

    def owner(self, column: str, *, plain: bool) -> sql.Composable:
        """The account that a row refers to by `column`, as accounts are shown."""
        from psycopg import sql

        name = sql.Identifier("t", column)
        if plain:
            return sql.SQL("coalesce({}::text, '')").format(name)
        return self.digest(sql.SQL("ROW({})").format(name))

    def _of(self, names: list[str]) -> sql.Composable:
        from psycopg import sql

        return self.digest(sql.SQL("ROW({})").format(sql.SQL(", ").join(sql.Identifier("t", name) for name in names)))


def _key(connection: Connection, table: Table) -> list[str]:
    return [name for (name,) in connection.execute(_KEY, [table.oid])]
