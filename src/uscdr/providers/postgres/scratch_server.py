"""The server of a proof, and the login that restores there: it owns one database and has no other permissions."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from uscdr.providers.postgres.errors import translated
from uscdr.providers.postgres.selection import EXTENSIONS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from psycopg.sql import Composed

    from uscdr.providers.postgres.connection import Connection

_WITH_GRANT_OPTIONS = 160_000
_NOTHING_ELSE = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION INHERIT"
_MAY_BYPASS = """
SELECT rolsuper OR rolbypassrls AND pg_catalog.current_setting('server_version_num')::int >= 160000
FROM pg_catalog.pg_roles WHERE rolname = current_user
"""
"""Before version 16 only a superuser can grant BYPASSRLS."""
_RESETS = ("ALTER ROLE {1} RESET ALL", "ALTER ROLE {1} IN DATABASE {0} RESET ALL", "ALTER DATABASE {0} RESET ALL")
_OF_EXTENSIONS = """
SELECT format('GRANT ALL ON %I.%I TO', nspname, relname)
FROM pg_catalog.pg_extension e CROSS JOIN LATERAL pg_catalog.unnest(e.extconfig) t (oid)
JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
"""


@dataclass(frozen=True)
class Login:
    """A role created for one proof, and its password."""

    name: str
    password: SecretStr = field(repr=False)

    @classmethod
    def create(cls, connection: Connection, name: str) -> Self:
        """Creates the login that will own a database.

        We may act as it, but it is a member of no role. Raises psycopg's errors.
        """
        from psycopg import sql

        login = cls(name, SecretStr(secrets.token_urlsafe(24)))
        bypass = "BYPASSRLS" if connection.execute(_MAY_BYPASS.encode()).fetchall()[0][0] else "NOBYPASSRLS"
        make = sql.SQL(f"CREATE ROLE {{}} {_NOTHING_ELSE} {bypass} PASSWORD {{}}")
        connection.execute(make.format(sql.Identifier(name), sql.Literal(login.password.get_secret_value())))
        more = " WITH INHERIT TRUE, SET TRUE" if connection.info.server_version >= _WITH_GRANT_OPTIONS else ""
        connection.execute(sql.SQL(f"GRANT {{}} TO CURRENT_USER{more}").format(sql.Identifier(name)))
        return login


@dataclass(frozen=True)
class Server:
    """The server on which the database is created.

    `url` returns the URL of a database by name, and `environment` libpq's variables for it; both for a login, or for
    the role that creates databases. `words` is the server's name in messages. `private`: it is ours alone, so roles may
    be created in it, and `files` is its data directory. `home` is the database from which others are created.
    """

    words: str
    place: str
    private: bool
    home: str
    url: Callable[[str, Login | None], str] = field(repr=False)
    environment: Callable[[str, Login], Mapping[str, str]] = field(repr=False)
    files: Path | None = None

    @contextmanager
    def session(self, database: str = "", login: Login | None = None) -> Iterator[Connection]:
        """A writing session, of the role that creates databases or of `login`.

        The former never enters a database after a dump's statements ran there: the dump's code would run with its
        permissions.
        """
        import psycopg

        with (
            translated(self.place),
            psycopg.connect(self.url(database or self.home, login), autocommit=True, connect_timeout=10) as connection,
        ):
            yield connection


@dataclass(frozen=True)
class Bench:
    """The database of one proof, and its owner."""

    server: Server
    database: str
    owner: Login

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A session of the owner in the database."""
        with self.server.session(self.database, self.owner) as connection:
            yield connection

    def give(self, connection: Connection) -> None:
        """Makes the login the owner of the empty database and its extensions; `connection` is to that database."""
        from psycopg import sql

        name = sql.Identifier(self.owner.name)
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(self.database), name))
        for (statement,) in connection.execute(_OF_EXTENSIONS.encode()).fetchall():
            connection.execute(statement.encode() + b" " + name.as_bytes(connection))

    def settle(self, connection: Connection) -> None:
        """Resets what a dump may have set for later sessions in its database; `connection` is to another one."""
        from psycopg import sql

        for text in _RESETS:
            connection.execute(sql.SQL(text).format(sql.Identifier(self.database), sql.Identifier(self.owner.name)))
        connection.execute(self.search_path())

    def search_path(self) -> Composed:
        """The statement that adds the platform's schema of extensions to the search path."""
        from psycopg import sql

        path = sql.SQL(f'ALTER DATABASE {{}} SET search_path = "$user", public, {EXTENSIONS_SCHEMA}')
        return path.format(sql.Identifier(self.database))
