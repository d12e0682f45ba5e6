"""Real damage to a database, of the kinds that recoveries are for. Works on any schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import sql

from uscdr.sandbox.damage.catalog import Column, Connection, Table, columns, connect, tables
from uscdr.words import plural

_SEVERAL = 4  # tables that a damage spread over several hits at most
_SHARE = 3  # one row in so many
_WITHOUT_FOREIGN_KEYS = "SET LOCAL session_replication_role = replica"


@dataclass(frozen=True)
class Damage:
    """What was done to one table: counts only, no data."""

    table: str
    rows_before: int
    rows_after: int
    rows_changed: int
    what: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def damage(how: str, *, dsn: str, server_dsn: str, database: str) -> list[Damage]:
    """Do it in one transaction. Raises ValueError if there is nothing to damage.

    `dsn` is that of a role that may go past foreign keys, `server_dsn` a superuser's.
    """
    if how == "unreachable":
        return _shut(server_dsn, database)
    with connect(dsn) as connection:
        found = [table for table in tables(connection) if table.rows]
        if not found:
            raise ValueError("The database has no table with rows.")
        return KINDS[how](connection, found)


def _rows(connection: Connection, table: Table) -> int:
    counted = connection.execute(sql.SQL("SELECT count(*) AS n FROM {}").format(table.identifier)).fetchone()
    return int(counted["n"]) if counted else 0


def _drop(connection: Connection, found: list[Table]) -> list[Damage]:
    table = found[0]
    connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(table.identifier))
    return [Damage(table.name, table.rows, 0, table.rows, "dropped with the constraints that refer to it")]


def _truncate(connection: Connection, found: list[Table]) -> list[Damage]:
    connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(found[0].identifier))
    done: list[Damage] = []
    for table in found:
        after = _rows(connection, table)
        if after < table.rows:
            done.append(Damage(table.name, table.rows, after, table.rows - after, "truncated"))
    return done


def _delete(connection: Connection, found: list[Table]) -> list[Damage]:
    connection.execute(_WITHOUT_FOREIGN_KEYS)
    done: list[Damage] = []
    statement = "DELETE FROM {t} WHERE ctid IN (SELECT ctid FROM {t} ORDER BY random() LIMIT {n})"
    for table in found[:_SEVERAL]:
        wanted = sql.Literal(max(1, table.rows // _SHARE))
        query = sql.SQL(statement).format(t=table.identifier, n=wanted)
        gone = connection.execute(query).rowcount
        done.append(Damage(table.name, table.rows, table.rows - gone, gone, "rows deleted past the foreign keys"))
    return done


def _scramble(connection: Connection, found: list[Table]) -> list[Damage]:
    done: list[Damage] = []
    for table in found:
        if len(done) == _SEVERAL:
            break
        loose = [one for one in columns(connection, table) if one.is_text and not one.bound and not one.fixed]
        if not loose:
            continue
        garbage = sql.SQL("{c} = left(md5(random()::text), greatest(1, length({c})))")
        assignments = sql.SQL(", ").join(garbage.format(c=sql.Identifier(one.name)) for one in loose)
        wanted = sql.Literal(max(1, table.rows // _SHARE))
        statement = sql.SQL("UPDATE {t} SET {a} WHERE ctid IN (SELECT ctid FROM {t} ORDER BY random() LIMIT {n})")
        changed = connection.execute(statement.format(t=table.identifier, a=assignments, n=wanted)).rowcount
        done.append(Damage(table.name, table.rows, table.rows, changed, f"{len(loose)} text columns scrambled"))
    if not done:
        raise ValueError("No table has a text column that may be scrambled.")
    return done


def _wrong_load(connection: Connection, found: list[Table]) -> list[Damage]:
    """Rows loaded a second time under keys shifted past the largest: duplicates that look genuine."""
    connection.execute(_WITHOUT_FOREIGN_KEYS)
    done: list[Damage] = []
    for table in found:
        if len(done) == _SEVERAL:
            break
        loaded = _load_again(connection, table)
        if loaded:
            after = _rows(connection, table)
            done.append(Damage(table.name, table.rows, after, loaded, "rows of a foreign load added"))
    if not done:
        raise ValueError("No table has a single whole-number key to shift.")
    return done


def _load_again(connection: Connection, table: Table) -> int:
    known = [one for one in columns(connection, table) if not one.fixed]
    keys = [one for one in known if one.key]
    if len(keys) != 1 or not (keys[0].is_whole_number or keys[0].type == "uuid"):
        return 0
    values = [_foreign(one, table) for one in known]
    names = sql.SQL(", ").join(sql.Identifier(one.name) for one in known)
    template = "INSERT INTO {t} ({c}) OVERRIDING SYSTEM VALUE SELECT {v} FROM {t} ON CONFLICT DO NOTHING"
    query = sql.SQL(template).format(t=table.identifier, c=names, v=sql.SQL(", ").join(values))
    return connection.execute(query).rowcount


def _foreign(column: Column, table: Table) -> sql.Composed:
    """The value another clinic's row would have: the same, but never equal where it must be unique."""
    name = sql.Identifier(column.name)
    if not column.single:
        return sql.SQL("{}").format(name)
    if column.is_whole_number:
        return sql.SQL("{c} + (SELECT max({c}) FROM {t})").format(c=name, t=table.identifier)
    if column.type == "uuid":
        return sql.SQL("gen_random_uuid()").format()
    if column.is_text:
        return sql.SQL("left(md5(random()::text), greatest(1, length({})))").format(name)
    return sql.SQL("{}").format(name)


def _shut(server_dsn: str, database: str) -> list[Damage]:
    with connect(server_dsn) as connection:
        connection.autocommit = True
        statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false")
        connection.execute(statement.format(sql.Identifier(database)))
        query = "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity WHERE datname = %s"
        ended = connection.execute(query, [database]).fetchone()
    count = int(ended["n"]) if ended else 0
    return [Damage("*", 0, 0, 0, f"connections refused, {plural(count, 'session')} ended")]


KINDS: dict[str, Callable[[Connection, list[Table]], list[Damage]]] = {
    "drop-table": _drop,
    "delete-rows": _delete,
    "truncate": _truncate,
    "scramble-text": _scramble,
    "wrong-data-load": _wrong_load,
    "unreachable": lambda _connection, _found: [],
}
