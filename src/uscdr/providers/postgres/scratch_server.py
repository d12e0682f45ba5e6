"""Where a proof is made, and the login that restores there: it owns one database and may do nothing outside of it."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
"""Before version 16 a superuser alone gives the right to pass over policies."""
_RESETS = ("ALTER ROLE {1} RESET ALL", "ALTER ROLE {1} IN DATABASE {0} RESET ALL", "ALTER DATABASE {0} RESET ALL")
_OF_EXTENSIONS = """
SELECT format('GRANT ALL ON %I.%I TO', nspname, relname)
FROM pg_catalog.pg_extension e CROSS JOIN LATERAL pg_catalog.unnest(e.extconfig) t (oid)
JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
"""


@dataclass(frozen=True)
class Login:
    """A role that was made for one proof, and its password."""

    name: str
    password: SecretStr = field(repr=False)


@dataclass(frozen=True)
class Server:
    """Where the database is made.

    `url` gives the URL of a database by name, `environment` libpq's variables for it; both for a login, or for the
    role that makes databases. `words` is what a message calls the server. `private`: it is ours alone, so roles may
    be made in it; `files` is then where it keeps its files. `home` is the database in which others are made.
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
        """A writing session, of the role that makes databases or of `login`.

        The former never enters a database once a dump's statement has run there: what a dump brings would run with
        its rights.
        """
        import psycopg

        with (
            translated(self.place),
            psycopg.connect(self.url(database or self.home, login), autocommit=True, connect_timeout=10) as connection,
        ):
            yield connection


@dataclass(frozen=True)
class Bench:
    """The database of one proof, and who owns it."""

    server: Server
    database: str
    owner: Login

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A session of the owner in the database."""
        with self.server.session(self.database, self.owner) as connection:
            yield connection


def add_owner(connection: Connection, name: str) -> Login:
    """Makes the login that will own a database; ours to act for, but with no membership of its own.

    Raises psycopg's errors.
    """
    from psycopg import sql

    login = Login(name, SecretStr(secrets.token_urlsafe(24)))
    bypass = "BYPASSRLS" if connection.execute(_MAY_BYPASS.encode()).fetchall()[0][0] else "NOBYPASSRLS"
    make = sql.SQL(f"CREATE ROLE {{}} {_NOTHING_ELSE} {bypass} PASSWORD {{}}")
    connection.execute(make.format(sql.Identifier(name), sql.Literal(login.password.get_secret_value())))
    more = " WITH INHERIT TRUE, SET TRUE" if connection.info.server_version >= _WITH_GRANT_OPTIONS else ""
    connection.execute(sql.SQL(f"GRANT {{}} TO CURRENT_USER{more}").format(sql.Identifier(name)))
    return login


def give(connection: Connection, bench: Bench) -> None:
    """Makes its owner of the empty database, in which extensions may be; `connection` is one to it."""
    from psycopg import sql

    name = sql.Identifier(bench.owner.name)
    connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(bench.database), name))
    for (statement,) in connection.execute(_OF_EXTENSIONS.encode()).fetchall():
        connection.execute(statement.encode() + b" " + name.as_bytes(connection))


def settle(connection: Connection, bench: Bench) -> None:
    """Takes back what a dump may have set for later sessions in its database; `connection` is one to another."""
    from psycopg import sql

    for text in _RESETS:
        connection.execute(sql.SQL(text).format(sql.Identifier(bench.database), sql.Identifier(bench.owner.name)))
    connection.execute(search_path(bench.database))


def search_path(database: str) -> Composed:
    """The statement that has extensions found where the platform keeps them."""
    from psycopg import sql

    path = sql.SQL(f'ALTER DATABASE {{}} SET search_path = "$user", public, {EXTENSIONS_SCHEMA}')
    return path.format(sql.Identifier(database))
