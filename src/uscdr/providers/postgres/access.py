"""Who has access, read from the application's tables; and withdrawing access again after a restore."""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from sys import intern
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from uscdr.errors import NotFound
from uscdr.models.access import (
    UNSHOWN,
    WORD,
    AccessAgain,
    AccessBack,
    AccessSeen,
    AccountSeen,
    KeyedAccess,
    Move,
    Unshown,
    Value,
)
from uscdr.models.postgres import Unread
from uscdr.providers.postgres.inventory import Catalogue, Table
from uscdr.providers.postgres.reading import attempt, savepoint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection


# How a row of an account, token or permission is identified: by a key that may be shown, else by its digest.


PLAIN = frozenset({20, 21, 23, 2950})
"""Whole numbers and UUIDs are shown as they are; any other key only as a digest."""
_ENDS = 2
_KEY = """
SELECT a.attname::text FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = %s AND i.indisprimary ORDER BY a.attnum
"""


@dataclass(frozen=True)
class _Keyed:
    """Expressions for the rows of the table `t`; digests are keyed with `secret`: nobody else can compute them."""

    secret: SecretStr

    def shown(self, connection: Connection, table: Table) -> sql.Composable:
        """The key of a row as it may be shown."""
        from psycopg import sql

        keys = _key(connection, table)
        types = {column.name: column.type for column in table.columns(connection)}
        if len(keys) == 1 and types[keys[0]] in PLAIN:
            return sql.SQL("{}::text").format(sql.Identifier("t", keys[0]))
        return self.row(connection, table)

    def row(self, connection: Connection, table: Table) -> sql.Composable:
        """A digest of the row's key, or of the whole row if there is no key."""
        return self._of(_key(connection, table) or [column.name for column in table.columns(connection)])

    def link(self, connection: Connection, table: Table) -> sql.Composable:
        """For a link table, a digest of both foreign keys: the row's own id changes with each change."""
        keys = _key(connection, table)
        rest = [column for column in table.columns(connection) if column.name not in keys]
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


# Reads roles and logins, and sets them again after a restore, each one that the restored database accepts.


_DIGITS = 8
"""Length of the digest of a hidden value: long enough to tell values apart; it is journalled."""


def _value(column: str, keyed: _Keyed, *, may_be_shown: bool) -> sql.Composable:
    """The value of a column of the table `t`, as a `Value`: shown only if it looks like a word."""
    from psycopg import sql

    word = sql.SQL('{column}::text COLLATE "C" ~ {word}') if may_be_shown else sql.SQL("false")
    whole = "CASE WHEN coalesce({column}::text, '') = '' OR " + "{is_word} THEN {column}::text ELSE {digest} END"
    name = sql.Identifier("t", column)
    hidden = sql.SQL("{} || left({}, {})").format(sql.Literal(UNSHOWN), keyed.digest(name), sql.Literal(_DIGITS))
    return sql.SQL(whole).format(
        column=name, is_word=word.format(column=name, word=sql.Literal(WORD)), digest=hidden
    )  # fmt: skip


def _moved(
    connection: Connection, table: Table, moves: Mapping[str, Mapping[str, Move]], known: Unshown, keyed: _Keyed
) -> tuple[int, frozenset[str]]:
    """The number of changed rows, and the accounts whose value is unknown now or was refused."""
    changed, refused = 0, set[str]()
    there = {column.name for column in table.columns(connection)}
    key = keyed.shown(connection, table)
    if moves:
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a role that the backup lacks fails here, not later
    for column in moves:
        if column not in there:
            refused |= moves[column].keys()
            continue
        wanted, lost = _wanted(column, moves[column], known)
        for text, keys in wanted.items():
            rows, not_set = _set(connection, table, key, (column, text), keys)
            changed, refused = changed + rows, refused | not_set
        refused |= _otherwise(connection, table, column, lost, keyed)
    if moves:
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
    return changed, frozenset(refused)


def _wanted(
    column: str, moves: Mapping[str, Move], known: Unshown
) -> tuple[dict[Value, list[str]], dict[str, Move]]:  # fmt: skip
    """Value -> accounts that must have it; and the accounts whose value is unknown now."""
    wanted: defaultdict[Value, list[str]] = defaultdict(list)
    lost: dict[str, Move] = {}
    for key, move in moves.items():
        text, secret = move.now, known.get((column, key))
        if (text or "").startswith(UNSHOWN):
            if secret is None:
                lost[key] = move
                continue
            text = secret.get_secret_value()
        wanted[text].append(key)
    return dict(wanted), lost


def _set(
    connection: Connection, table: Table, key: sql.Composable, change: tuple[str, Value], keys: Sequence[str]
) -> tuple[int, set[str]]:  # fmt: skip
    """All of `keys` at once; one by one when one of them is refused."""
    import psycopg
    from psycopg import sql

    column, text = change
    differs = sql.SQL('{}::text COLLATE "C" IS DISTINCT FROM %s').format(sql.Identifier("t", column))
    query = sql.SQL("UPDATE {} AS t SET {} = %s WHERE {} = ANY (%s) AND {}").format(
        table.quoted(), sql.Identifier(column), key, differs
    )
    connection.execute("SAVEPOINT move")
    try:
        rows = connection.execute(query, [text, list(keys), text]).rowcount
    except (psycopg.IntegrityError, psycopg.DataError):
        connection.execute("ROLLBACK TO SAVEPOINT move")
        if len(keys) == 1:
            return 0, {*keys}
        each = [_set(connection, table, key, change, [one]) for one in keys]
        return sum(rows for rows, _ in each), {key for _, refused in each for key in refused}
    connection.execute("RELEASE SAVEPOINT move")
    return rows, set()


def _otherwise(connection: Connection, table: Table, column: str, lost: Mapping[str, Move], keyed: _Keyed) -> set[str]:
    """Of the accounts whose value is unknown now, those that do not have it already."""
    from psycopg import sql

    if not lost:
        return set()
    query = sql.SQL("SELECT {key}, {value} FROM {table} AS t WHERE {key} = ANY (%s)").format(
        key=keyed.shown(connection, table), value=_value(column, keyed, may_be_shown=False), table=table.quoted()
    )
    return {key for key, stands in connection.execute(query, [list(lost)]) if stands != lost[key].now}


R = TypeVar("R")

_OWNER = """
SELECT a.attname::text, a.atttypid::int FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND c.conrelid = %s AND c.confrelid = %s AND cardinality(c.conkey) = 1 ORDER BY c.oid LIMIT 1
"""
UNUSABLE = "!"
"""Django's prefix of an unusable password: nobody can sign in with one."""
_PIECE = 5_000
"""Rows that are fetched at once."""


@dataclass(frozen=True)
class _Whose:
    """The table of accounts as `t`, and how its rows are identified."""

    table: Table
    key: sql.Composable


@dataclass(frozen=True)
class AccessSession:
    """One session on the tables that say who has access."""

    connection: Connection
    tables: KeyedAccess

    def seen(self) -> AccessSeen:
        """Who has access now. A missing or unreadable table or column is in `missing`, never an exception."""
        missing: list[str] = []
        rows: dict[str, frozenset[str]] = {}
        savepoint(self.connection)
        found = _named(self.connection, self.tables.accounts)
        if found is not None:
            there = _names(self.connection, found)
            missing += [f"{self.tables.accounts}.{column}" for column in self.tables.columns if column not in there]
        accounts = _read(self.connection, self.tables.accounts, partial(_accounts, tables=self.tables), missing) or {}
        owners: dict[str, dict[str, str]] = {}
        for name in (*self.tables.sessions, *self.tables.permissions):
            work = partial(_digests, accounts=found, tables=self.tables, name=name)
            told = _read(self.connection, name, work, missing)
            if told is not None:
                rows[name] = frozenset(told)
                owners |= {name: told} if any(told.values()) else {}
        return AccessSeen(accounts=accounts, rows=rows, owners=owners, missing=tuple(missing))

    def unshown(self, back: AccessBack) -> dict[tuple[str, str], SecretStr]:
        """The values that `back` does not hold, by column and account; they stay in memory."""
        wanted = {self.tables.password: list(back.passwords)}
        for column, moves in back.moves.items():
            wanted[column] = [key for key, move in moves.items() if (move.now or "").startswith(UNSHOWN)]
        table = _named(self.connection, self.tables.accounts)
        there = _names(self.connection, table) if table else set()
        return {
            (column, key): SecretStr(value)
            for column, keys in wanted.items()
            if table is not None and column in there and keys
            for key, value in _texts(self.connection, table, column, keys, _Keyed(self.tables.secret))
            if value
        }

    def withdraw(self, back: AccessBack, known: Unshown) -> AccessAgain:
        """Withdraw the access in `back` again, in the open transaction; idempotent.

        An account whose value cannot be set, or is not in `known`, is deactivated.
        """
        connection, tables = self.connection, self.tables
        accounts, again = _named(connection, tables.accounts), AccessAgain(changed=0)
        if accounts is not None:
            again = _accounts_again(connection, accounts, tables, back, known)
        changed = again.changed
        for name, number in back.counts.items():
            table = _named(connection, name)
            if table is not None and number:
                changed += _deleted(connection, table, back.rows.get(name), _key_of(connection, table, tables, name))
        return again.model_copy(update={"changed": changed})


def _read(
    connection: Connection, name: str, work: Callable[[Connection, Table], R], missing: list[str]
) -> R | None:  # fmt: skip
    """The result of `work` on a table; None for a missing or unreadable table, which is then in `missing`."""
    table = _named(connection, name)
    told = None if table is None else attempt(connection, table, work)
    if told is None or isinstance(told, Unread):
        missing.append(name)
        return None
    return told


def _texts(
    connection: Connection, table: Table, column: str, keys: Sequence[str], keyed: _Keyed
) -> list[tuple[str, str | None]]:
    from psycopg import sql

    query = sql.SQL("SELECT {key}, {value}::text FROM {table} AS t WHERE {key} = ANY (%s)").format(
        key=keyed.shown(connection, table), value=sql.Identifier("t", column), table=table.quoted()
    )
    return connection.execute(query, [list(keys)]).fetchall()


def _accounts_again(
    connection: Connection, accounts: Table, tables: KeyedAccess, back: AccessBack, known: Unshown
) -> AccessAgain:  # fmt: skip
    keyed = _Keyed(tables.secret)
    whose = _Whose(accounts, keyed.shown(connection, accounts))
    changed = sum(_lowered(connection, whose, (flag,), keys) for flag, keys in back.flags.items())
    there = _names(connection, accounts)
    flags = tuple(flag for flag in tables.flags if flag in there)
    changed += _lowered(connection, whose, flags, back.deleted)
    newer = {key: known[tables.password, key] for key in back.passwords if (tables.password, key) in known}
    lost = {key: back.prints.get(key, "") for key in back.passwords if key not in newer}
    reset = _not_standing(connection, whose, tables, lost) if lost else ()
    changed += _passwords_set(connection, whose, tables.password, newer) if newer else 0
    changed += _closed(connection, whose, tables.password, reset) if reset else 0
    rows, shut = _moved(connection, accounts, back.moves, known, keyed)
    changed += rows + _shut(connection, whose, tables.password, flags, shut)
    return AccessAgain(changed=changed, shut=tuple(shut), reset=reset)


def _named(connection: Connection, name: str) -> Table | None:
    try:
        return Catalogue(connection).tables_named([name])[0].table
    except NotFound:
        return None


def _key_of(connection: Connection, table: Table, tables: KeyedAccess, name: str) -> sql.Composable:
    """A permission that was withdrawn and granted again is the same one; a new token is another one."""
    keyed = _Keyed(tables.secret)
    return keyed.link(connection, table) if name in tables.permissions else keyed.row(connection, table)


def _names(connection: Connection, table: Table) -> set[str]:
    return {column.name for column in table.columns(connection)}


def _accounts(connection: Connection, table: Table, tables: KeyedAccess) -> dict[str, AccountSeen]:
    from psycopg import sql

    keyed = _Keyed(tables.secret)
    there = _names(connection, table)
    flags = [flag for flag in tables.flags if flag in there]
    true = [sql.SQL("coalesce({}::text, '') IN ('true', 't', '1')").format(sql.Identifier("t", one)) for one in flags]
    named_ = [column for column in tables.named if column in there]
    values = [_value(column, keyed, may_be_shown=column in tables.roles) for column in named_]
    password: sql.Composable = sql.SQL("''")
    if tables.password in there:
        password = keyed.digest(sql.Identifier("t", tables.password))
    query = sql.SQL("SELECT {values} FROM {table} AS t").format(
        values=sql.SQL(", ").join([keyed.shown(connection, table), password, *true, *values]), table=table.quoted()
    )
    rows = _in_pieces(connection, query)
    return dict(_seen(rows, tuple(flags), tuple(named_)))


def _seen(
    rows: Iterable[tuple[Any, ...]], flags: tuple[str, ...], columns: tuple[str, ...]
) -> Iterator[tuple[str, AccountSeen]]:
    """Each account's key with what its row says; a few sets of flags and a few words serve all accounts."""
    sets: dict[tuple[bool, ...], frozenset[str]] = {}
    for key, password, *rest in rows:
        on, texts = tuple(rest[: len(flags)]), rest[len(flags) :]
        if on not in sets:
            sets[on] = frozenset(flag for flag, is_on in zip(flags, on, strict=True) if is_on)
        kept = tuple(intern(text) if text and not text.startswith(UNSHOWN) else text for text in texts)
        yield key, AccountSeen(sets[on], columns, kept, password)


def _in_pieces(connection: Connection, query: sql.Composed) -> Iterator[tuple[Any, ...]]:
    """The rows: there may be as many as patients."""
    with connection.cursor("rows") as cursor:
        cursor.itersize = _PIECE
        yield from cursor.execute(query)


def _digests(
    connection: Connection, table: Table, *, accounts: Table | None, tables: KeyedAccess, name: str
) -> dict[str, str]:  # fmt: skip
    """Digest of each row's key -> the shown key of its account; empty without a foreign key."""
    from psycopg import sql

    owner: sql.Composable = sql.SQL("''")
    found = connection.execute(_OWNER, [table.oid, accounts.oid]).fetchone() if accounts else None
    if found is not None:
        owner = _Keyed(tables.secret).owner(found[0], plain=found[1] in PLAIN)
    key = _key_of(connection, table, tables, name)
    query = sql.SQL("SELECT {}, {} FROM {} AS t").format(key, owner, table.quoted())
    return dict(_in_pieces(connection, query))


def _lowered(connection: Connection, whose: _Whose, flags: Sequence[str], keys: Sequence[str]) -> int:
    from psycopg import sql

    if not flags or not keys:
        return 0
    query = sql.SQL("UPDATE {table} AS t SET {set} WHERE {key} = ANY (%s) AND ({on})").format(
        table=whose.table.quoted(),
        set=sql.SQL(", ").join(sql.SQL("{} = false").format(sql.Identifier(flag)) for flag in flags),
        key=whose.key,
        on=sql.SQL(" OR ").join(sql.Identifier("t", flag) for flag in flags),
    )
    return connection.execute(query, [list(keys)]).rowcount


def _shut(
    connection: Connection, whose: _Whose, column: str, flags: Sequence[str], keys: Collection[str]
) -> int:  # fmt: skip
    """Without a flag to clear, the account gets an unusable password."""
    if flags or not keys:
        return _lowered(connection, whose, flags, [*keys])
    return _closed(connection, whose, column, keys)


def _passwords_set(
    connection: Connection, whose: _Whose, column: str, newer: Mapping[str, SecretStr]
) -> int:  # fmt: skip
    from psycopg import sql

    query = sql.SQL("UPDATE {table} AS t SET {column} = %s WHERE {key} = %s AND {old} IS DISTINCT FROM %s").format(
        table=whose.table.quoted(), column=sql.Identifier(column), key=whose.key,
        old=sql.Identifier("t", column),
    )  # fmt: skip
    texts = ((key, secret.get_secret_value()) for key, secret in newer.items())
    return sum(connection.execute(query, [text, key, text]).rowcount for key, text in texts)


def _not_standing(
    connection: Connection, whose: _Whose, tables: KeyedAccess, prints: Mapping[str, str]
) -> tuple[str, ...]:
    """Of the accounts whose newer hash is unknown now, those that do not have it already."""
    from psycopg import sql

    query = sql.SQL("SELECT {}, {} FROM {} AS t WHERE {} = ANY (%s)").format(
        whose.key, _Keyed(tables.secret).digest(sql.Identifier("t", tables.password)), whose.table.quoted(), whose.key
    )
    return tuple(key for key, stands in connection.execute(query, [list(prints)]) if stands != prints[key])


def _closed(connection: Connection, whose: _Whose, column: str, keys: Collection[str]) -> int:
    """Gives these accounts an unusable password."""
    from psycopg import sql

    query = sql.SQL("UPDATE {} AS t SET {} = %s WHERE {} = ANY (%s) AND left(coalesce({}, ''), 1) <> %s").format(
        whose.table.quoted(), sql.Identifier(column), whose.key, sql.Identifier("t", column)
    )
    return connection.execute(query, [UNUSABLE + secrets.token_hex(20), [*keys], UNUSABLE]).rowcount


def _deleted(connection: Connection, table: Table, rows: Sequence[str] | None, key: sql.Composable) -> int:
    from psycopg import sql

    if rows is None:
        return connection.execute(sql.SQL("DELETE FROM {}").format(table.quoted())).rowcount
    query = sql.SQL("DELETE FROM {} AS t WHERE {} = ANY (%s)").format(table.quoted(), key)
    return connection.execute(query, [list(rows)]).rowcount
