"""Who may get in, read from the application's tables; and access withdrawn again after a restore."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from uscdr.errors import NotFound
from uscdr.models.access import AccessBack, AccessSeen, AccessTables, AccountSeen
from uscdr.models.postgres import Unread
from uscdr.providers.postgres.inventory import Table, columns, named
from uscdr.providers.postgres.reading import attempt, mark

if TYPE_CHECKING:
    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection

R = TypeVar("R")

_KEY = """
SELECT a.attname::text FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = %s AND i.indisprimary ORDER BY a.attnum
"""
_OWNER = """
SELECT a.attname::text, a.atttypid::int FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND c.conrelid = %s AND c.confrelid = %s AND cardinality(c.conkey) = 1 ORDER BY c.oid LIMIT 1
"""
_PLAIN = frozenset({20, 21, 23, 2950})
"""Whole numbers and UUIDs are shown as they are; any other key only as a digest."""
UNUSABLE = "!"
"""What Django has before the hash of an account that nobody can sign in to with a password."""


def seen(connection: Connection, tables: AccessTables) -> AccessSeen:
    """Who may get in now. What is not there, or cannot be read, is in `missing`, never an exception."""
    missing: list[str] = []
    rows: dict[str, frozenset[str]] = {}
    mark(connection)
    found = _named(connection, tables.accounts)
    if found is not None:
        missing += [f"{tables.accounts}.{flag}" for flag in tables.flags if flag not in _names(connection, found)]
    accounts = _read(connection, tables.accounts, partial(_accounts, tables=tables), missing) or {}
    owners: dict[str, dict[str, str]] = {}
    for name in (*tables.sessions, *tables.permissions):
        told = _read(connection, name, partial(_digests, accounts=found), missing)
        if told is not None:
            rows[name] = frozenset(told)
            owners |= {name: told} if any(told.values()) else {}
    return AccessSeen(accounts=accounts, rows=rows, owners=owners, missing=tuple(missing))


def _read(
    connection: Connection, name: str, work: Callable[[Connection, Table], R], missing: list[str]
) -> R | None:  # fmt: skip
    """What `work` gives of a table; None when it is not there or cannot be read, and then `missing` says so."""
    table = _named(connection, name)
    told = None if table is None else attempt(connection, table, work)
    if told is None or isinstance(told, Unread):
        missing.append(name)
        return None
    return told


def passwords(connection: Connection, tables: AccessTables, keys: Sequence[str]) -> dict[str, SecretStr]:
    """The hashes of these accounts; they stay in memory."""
    from psycopg import sql

    table = _named(connection, tables.accounts)
    if table is None or not keys or tables.password not in _names(connection, table):
        return {}
    query = sql.SQL("SELECT {key}, {password} FROM {table} AS t WHERE {key} = ANY (%s)").format(
        key=_shown(connection, table), password=sql.Identifier("t", tables.password), table=table.quoted()
    )
    return {key: SecretStr(value) for key, value in connection.execute(query, [list(keys)]) if value}


def withdraw(
    connection: Connection, tables: AccessTables, back: AccessBack, hashes: Mapping[str, SecretStr]
) -> int:  # fmt: skip
    """In the transaction that is open: how many rows were changed or deleted. Repeating it changes nothing more."""
    changed = 0
    accounts = _named(connection, tables.accounts)
    if accounts is not None:
        for flag, keys in back.flags.items():
            changed += _lowered(connection, accounts, (flag,), keys)
        there = _names(connection, accounts)
        flags = tuple(flag for flag in tables.flags if flag in there)
        changed += _lowered(connection, accounts, flags, back.deleted)
        changed += _passwords_set(connection, accounts, tables.password, back.passwords, hashes)
    for name, number in back.counts.items():
        table = _named(connection, name)
        if table is not None and number:
            changed += _deleted(connection, table, back.rows.get(name))
    return changed


def _named(connection: Connection, name: str) -> Table | None:
    try:
        return named(connection, [name])[0]
    except NotFound:
        return None


def _names(connection: Connection, table: Table) -> set[str]:
    return {column.name for column in columns(connection, table)}


def _accounts(connection: Connection, table: Table, tables: AccessTables) -> dict[str, AccountSeen]:
    from psycopg import sql

    there = _names(connection, table)
    flags = [flag for flag in tables.flags if flag in there]
    shown = [sql.SQL("coalesce({}::text, '') IN ('true', 't', '1')").format(sql.Identifier("t", one)) for one in flags]
    password: sql.Composable = sql.SQL("''")
    if tables.password in there:
        password = _digest(sql.Identifier("t", tables.password))
    query = sql.SQL("SELECT {values} FROM {table} AS t").format(
        values=sql.SQL(", ").join([_shown(connection, table), password, *shown]), table=table.quoted()
    )
    return {
        key: AccountSeen(flags=frozenset(flag for flag, on in zip(flags, true, strict=True) if on), password=print_)
        for key, print_, *true in connection.execute(query)
    }


def _digests(connection: Connection, table: Table, *, accounts: Table | None) -> dict[str, str]:
    """Digest of each row's key -> the key of its account as it is shown; empty where no foreign key tells."""
    from psycopg import sql

    owner: sql.Composable = sql.SQL("''")
    found = connection.execute(_OWNER, [table.oid, accounts.oid]).fetchone() if accounts else None
    if found is not None:
        column = sql.Identifier("t", found[0])
        plain = sql.SQL("coalesce({}::text, '')").format(column)
        owner = plain if found[1] in _PLAIN else _digest(sql.SQL("ROW({})").format(column))
    query = sql.SQL("SELECT {}, {} FROM {} AS t").format(_row(connection, table), owner, table.quoted())
    return dict(connection.execute(query).fetchall())


def _lowered(connection: Connection, table: Table, flags: Sequence[str], keys: Sequence[str]) -> int:
    from psycopg import sql

    if not flags or not keys:
        return 0
    query = sql.SQL("UPDATE {table} AS t SET {set} WHERE {key} = ANY (%s) AND ({on})").format(
        table=table.quoted(),
        set=sql.SQL(", ").join(sql.SQL("{} = false").format(sql.Identifier(flag)) for flag in flags),
        key=_shown(connection, table),
        on=sql.SQL(" OR ").join(sql.Identifier("t", flag) for flag in flags),
    )
    return connection.execute(query, [list(keys)]).rowcount


def _passwords_set(
    connection: Connection, table: Table, column: str, keys: Sequence[str], hashes: Mapping[str, SecretStr]
) -> int:
    """The newer hash again where it is known; else nobody can sign in until the password is reset."""
    from psycopg import sql

    query = sql.SQL("UPDATE {table} AS t SET {column} = %s WHERE {key} = %s AND {old} IS DISTINCT FROM %s").format(
        table=table.quoted(), column=sql.Identifier(column), key=_shown(connection, table),
        old=sql.Identifier("t", column),
    )  # fmt: skip
    changed = 0
    for key in keys:
        known = hashes.get(key)
        value = known.get_secret_value() if known else UNUSABLE + secrets.token_hex(20)
        changed += connection.execute(query, [value, key, value]).rowcount
    return changed


def _deleted(connection: Connection, table: Table, rows: Sequence[str] | None) -> int:
    from psycopg import sql

    if rows is None:
        return connection.execute(sql.SQL("DELETE FROM {}").format(table.quoted())).rowcount
    query = sql.SQL("DELETE FROM {} AS t WHERE {} = ANY (%s)").format(table.quoted(), _row(connection, table))
    return connection.execute(query, [list(rows)]).rowcount


def _shown(connection: Connection, table: Table) -> sql.Composable:
    """The key of a row as it may be shown."""
    from psycopg import sql

    keys = [name for (name,) in connection.execute(_KEY, [table.oid])]
    types = {column.name: column.type for column in columns(connection, table)}
    if len(keys) == 1 and types[keys[0]] in _PLAIN:
        return sql.SQL("{}::text").format(sql.Identifier("t", keys[0]))
    return _row(connection, table)


def _row(connection: Connection, table: Table) -> sql.Composable:
    """A digest of the row's key; of the whole row where there is none."""
    from psycopg import sql

    keys = [name for (name,) in connection.execute(_KEY, [table.oid])]
    names = keys or [column.name for column in columns(connection, table)]
    return _digest(sql.SQL("ROW({})").format(sql.SQL(", ").join(sql.Identifier("t", name) for name in names)))


def _digest(expression: sql.Composable) -> sql.Composable:
    from psycopg import sql

    return sql.SQL("left(encode(sha256(convert_to(coalesce({}::text, ''), 'UTF8')), 'hex'), 16)").format(expression)
