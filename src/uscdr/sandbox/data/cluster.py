"""Databases and roles of the add-ons on the sandbox's one PostgreSQL server."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from uscdr.sandbox.data import provided

if TYPE_CHECKING:
    from uscdr.pgserver.server import LocalPostgres
    from uscdr.sandbox.world.entities import Database

_BREAKING = "uscdr_sandbox_damage"
_CATALOG_ALONE = "-c search_path=pg_catalog -c event_triggers=off"
"""For a superuser in a customer's database: whatever is made there, and set for it, is not called."""


@dataclass(frozen=True)
class Facts:
    """What `pg:info` shows. `reachable` is false when nobody but the provider may connect."""

    reachable: bool
    size: int
    connections: int
    tables: int
    version: str


class DatabaseCluster:
    """Creates, empties and describes databases, as the provider's superuser.

    `plain` databases lack what the platform puts into each of its own.
    """

    def __init__(self, server: LocalPostgres, *, plain: bool = False) -> None:
        self.server = server
        self.plain = plain

    def url(self, database: Database) -> str:
        """The URL an app gets: the add-on's own role, which is no superuser."""
        return self.server.dsn(database.name, database.user, database.password)

    def admin_dsn(self, database: str = "postgres") -> str:
        """A superuser's URL; it never leaves the daemon. Nothing that a customer may have made is called through it."""
        return self.server.dsn(database)

    async def breaking_dsn(self, database: Database) -> str:
        """The URL of a role that may do to a database what its owner may, and past its foreign keys; no more.

        It is no superuser: a customer's functions run with the rights of whoever changes a row.
        """
        role, password = sql.Identifier(_BREAKING), secrets.token_urlsafe(24)
        async with await self._admin() as connection:
            known = await connection.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", [_BREAKING])
            verb = sql.SQL("ALTER" if known.rowcount else "CREATE")
            made = sql.SQL("{} ROLE {} LOGIN NOSUPERUSER PASSWORD {}")
            await connection.execute(made.format(verb, role, sql.Literal(password)))
            await connection.execute(sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(role))
            await connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(database.user), role))
        return self.server.dsn(database.name, _BREAKING, password)

    async def _admin(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        return await psycopg.AsyncConnection.connect(self.admin_dsn(), autocommit=True)

    async def create(self, database: Database) -> None:
        """Make the role and its database."""
        role, password = sql.Identifier(database.user), sql.Literal(database.password)
        limit = sql.Literal(database.limit)
        async with await self._admin() as connection:
            template = "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {} CONNECTION LIMIT {}"
            await connection.execute(sql.SQL(template).format(role, password, limit))
            await self._create_empty(connection, database)

    async def _create_empty(self, connection: psycopg.AsyncConnection[tuple[object, ...]], database: Database) -> None:
        name, role = sql.Identifier(database.name), sql.Identifier(database.user)
        more = sql.SQL("" if self.plain else f"TEMPLATE template0 {provided.LOCALE}")
        await connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} {}").format(name, role, more))
        await connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        if not self.plain:
            async with await psycopg.AsyncConnection.connect(self.admin_dsn(database.name)) as inside:
                await inside.execute(provided.STATEMENTS)

    async def wipe(self, database: Database) -> None:
        """End all sessions and leave an empty, reachable database: what a restore begins with."""
        async with await self._admin() as connection:
            await self._drop(connection, database)
            await self._create_empty(connection, database)

    @staticmethod
    async def _drop(connection: psycopg.AsyncConnection[tuple[object, ...]], database: Database) -> None:
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        await connection.execute(statement.format(sql.Identifier(database.name)))

    async def add_extensions(self, database: Database, names: Sequence[str]) -> None:
        """Create extensions as the add-on's role, which may create the trusted ones only."""
        if not names:
            return
        async with await psycopg.AsyncConnection.connect(self.url(database), autocommit=True) as connection:
            for name in names:
                statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}")
                await connection.execute(statement.format(sql.Identifier(name)))

    async def remove(self, database: Database) -> None:
        """Drop the database and its role, with the add-on."""
        async with await self._admin() as connection:
            await self._drop(connection, database)
            role = sql.Identifier(database.user)
            await connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))

    async def size(self, database: Database) -> int:
        """Bytes on disk."""
        async with await self._admin() as connection:
            row = await (await connection.execute("SELECT pg_database_size(%s::text)", [database.name])).fetchone()
        return int(str(row[0])) if row else 0

    async def facts(self, database: Database) -> Facts:
        """Figures for `pg:info`; `tables` is 0 while the database cannot be entered."""
        query = """
            SELECT datallowconn, pg_database_size(oid), current_setting('server_version'),
                   (SELECT count(*) FROM pg_stat_activity a WHERE a.datname = d.datname)
            FROM pg_database d WHERE datname = %s"""
        async with await self._admin() as connection:
            row = await (await connection.execute(query, [database.name])).fetchone()
        if row is None:
            return Facts(reachable=False, size=0, connections=0, tables=0, version="")
        reachable = bool(row[0])
        tables = await self._tables(database) if reachable else 0
        return Facts(reachable, int(str(row[1])), int(str(row[3])), tables, str(row[2]))

    async def _tables(self, database: Database) -> int:
        query = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        dsn = self.admin_dsn(database.name)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, options=_CATALOG_ALONE) as connection:
            row = await (await connection.execute(query)).fetchone()
        return int(row[0]) if row else 0
