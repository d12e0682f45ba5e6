"""Roles and logins as they stand, and set again after a restore, each as far as the restored database takes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from uscdr.models.access import Unshown
from uscdr.models.access_moves import UNSHOWN, WORD, Move, Value
from uscdr.providers.postgres.access_keys import Keyed
from uscdr.providers.postgres.inventory import Table, columns

if TYPE_CHECKING:
    from psycopg import sql

    from uscdr.providers.postgres.connection import Connection

_DIGITS = 8
"""Of the digest of a value that is not shown: enough to tell another one, and journalled."""


def value(column: str, keyed: Keyed, *, may_be_shown: bool) -> sql.Composable:
    """What stands in a column of the table `t`, as a `Value`: a word only if it looks like one."""
    from psycopg import sql

    word = sql.SQL('{column}::text COLLATE "C" ~ {word}') if may_be_shown else sql.SQL("false")
    whole = "CASE WHEN coalesce({column}::text, '') = '' OR " + "{is_word} THEN {column}::text ELSE {digest} END"
    name = sql.Identifier("t", column)
    hidden = sql.SQL("{} || left({}, {})").format(sql.Literal(UNSHOWN), keyed.digest(name), sql.Literal(_DIGITS))
    return sql.SQL(whole).format(
        column=name, is_word=word.format(column=name, word=sql.Literal(WORD)), digest=hidden
    )  # fmt: skip


def moved(
    connection: Connection, table: Table, moves: Mapping[str, Mapping[str, Move]], known: Unshown, keyed: Keyed
) -> tuple[int, frozenset[str]]:
    """How many rows were changed, and the accounts whose value is not known any more or was refused."""
    changed, refused = 0, set[str]()
    there = {column.name for column in columns(connection, table)}
    key = keyed.shown(connection, table)
    if moves:
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a role that the backup lacks is refused here, not later
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
    """The value -> the accounts that must have it; and those of which it is not known any more."""
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


def _otherwise(connection: Connection, table: Table, column: str, lost: Mapping[str, Move], keyed: Keyed) -> set[str]:
    """Of accounts whose value is not known any more, those where it does not stand already."""
    from psycopg import sql

    if not lost:
        return set()
    query = sql.SQL("SELECT {key}, {value} FROM {table} AS t WHERE {key} = ANY (%s)").format(
        key=keyed.shown(connection, table), value=value(column, keyed, may_be_shown=False), table=table.quoted()
    )
    return {key for key, stands in connection.execute(query, [list(lost)]) if stands != lost[key].now}
