"""Proves a backup on the operator's own PostgreSQL server, when the packaged one cannot restore it."""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from uscdr import staging
from uscdr.errors import BadInput, ProviderError
from uscdr.providers.postgres.archive import Archive
from uscdr.providers.postgres.complaints import first_upper, too_old
from uscdr.providers.postgres.copy import RestoredCopy
from uscdr.providers.postgres.errors import translated
from uscdr.providers.postgres.loading import on_this_machine
from uscdr.providers.postgres.scratch_filling import Filling, drop
from uscdr.providers.postgres.scratch_server import Bench, Login, Server
from uscdr.settings import SCRATCH

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.providers.ports.database import Copy
    from uscdr.providers.ports.progress import Progress
    from uscdr.providers.postgres.connection import Connection

_NAME = re.compile(r"uscdr_proof_[0-9a-f]{24}")
_RIGHTS = """
SELECT current_user::text, rolcreatedb OR rolsuper, rolcreaterole OR rolsuper, pg_catalog.pg_is_in_recovery()
FROM pg_catalog.pg_roles WHERE rolname = current_user
"""
_THERE = """
SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s UNION SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s
"""
_STARTED = "SELECT pg_catalog.pg_postmaster_start_time()::text"
"""In microseconds: it identifies a server."""
_FORCED = """
SELECT format('ALTER TABLE %I.%I NO FORCE ROW LEVEL SECURITY', nspname, relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace WHERE relforcerowsecurity
"""
_NO_ENTRY = ("28", "TLS")
"""SQLSTATE class of a refused login. The role that creates databases connected from here with the same TLS."""
_ANOTHER = f"Name another server: --scratch postgresql://…, or {SCRATCH}."


def scratch_url(text: str) -> SecretStr:
    """Parses the URL of a server from the operator. Raises BadInput, without the URL."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    with contextlib.suppress(psycopg.ProgrammingError):
        if text.startswith(("postgres://", "postgresql://")) and conninfo_to_dict(text):
            return SecretStr(text)
    raise BadInput(
        "The value of --scratch is not the URL of a PostgreSQL server.",
        next_action="Give it as postgresql://USER:PASSWORD@HOST:PORT/postgres; "
        f"better in {SCRATCH}, because other users of this machine can see a command line.",
    )


class OwnScratch:
    """Adapter of the port `Scratch`: each proof creates its own database at `url` and drops it.

    `production` returns the URLs of the application's databases; `url` must be another server. It may raise
    ProviderError when the platform does not answer. `jobs`, `tools`, `stop`, `statement_timeout` are as in
    `LocalScratch`. It also creates a role of the same name, which owns the database, restores and reads, and is dropped
    with it. It creates no other role: policies for missing roles are left out. It notes what it creates in `place`, a
    directory of this process: if this process is killed, `remove_left` drops it.
    """

    def __init__(
        self,
        url: SecretStr,
        production: Callable[[], Sequence[SecretStr]],
        *,
        place: Path | None = None,
        jobs: int = 2,
        tools: Path | None = None,
        stop: threading.Event | None = None,
        statement_timeout: float = 600.0,
    ) -> None:
        self._url = url
        self._place = place
        self._production = production
        self._jobs = jobs
        self._tools = tools
        self._stop = stop
        self._statement_timeout = statement_timeout

    def prepare(self) -> None:
        """Does nothing: the server already runs."""

    def close(self) -> None:
        """Does nothing: each proof removes what it created."""

    def restore(self, dump: Path, progress: Progress) -> AbstractContextManager[Copy]:
        """Restore `dump` (custom format) into a database of its own and open it read-only.

        Raises as `LocalScratch.restore`, and:
            BadInput: the server is production's, or the role may not create databases and roles.
            ProviderError: the server does not answer.
        """
        return self._restored(dump, progress)

    @contextmanager
    def _restored(self, dump: Path, progress: Progress) -> Iterator[Copy]:
        archive, server = Archive.read(dump, self._tools), _server(self._url)
        self._check(server, archive)
        name = f"uscdr_proof_{secrets.token_hex(12)}"
        noted = self._noted(server.place, name)
        try:
            with server.session() as connection:
                owner = Login.create(connection, name)
            bench = Bench(server, name, owner)
            how = Filling(self._jobs, self._stop, self._statement_timeout)
            with _let_in(server):
                left_out = how.fill(bench, archive, progress)
            _unforce(bench)
            url = SecretStr(server.url(name, owner))
            yield RestoredCopy(
                url,
                lambda: url,
                statement_timeout=self._statement_timeout,
                require_tls=not on_this_machine(self._url),
                left_out=left_out,
            )
        except BaseException:
            # If the server has ended, the first error says so; what is noted is removed later.
            with contextlib.suppress(ProviderError):
                _clear(server, name, noted)
            raise
        _clear(server, name, noted)

    def _noted(self, server: str, name: str) -> staging.CleanupNote | None:
        return (
            staging.CleanupNote.write(self._place, "database", {"server": server, "name": name})
            if self._place
            else None
        )

    def _check(self, server: Server, archive: Archive) -> None:
        """Refuses production's server, and one without the permissions."""
        with server.session() as connection:
            self._refuse_production(server, connection)
            _refuse_powerless(server, connection)
            major = connection.info.server_version // 10_000
            if major < archive.dumped_from:
                raise too_old(major, archive.dumped_from, server.words)

    def _refuse_production(self, server: Server, connection: Connection) -> None:
        try:
            urls = self._production()
        except ProviderError:
            return  # an application that no longer exists has no server
        started = connection.execute(_STARTED).fetchall()[0][0]
        here = _addresses(_parts(self._url))
        for url in urls:
            if here & _addresses(_parts(url)) or _start_of(url) == started:
                raise BadInput(
                    f"{first_upper(server.words)} hosts the application's own database: uscdr proves no backup there.",
                    why="A test restore would use the disk and CPU of the live database.",
                    next_action=_ANOTHER,
                )


def _server(url: SecretStr) -> Server:
    parts = _parts(url)
    place = f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}"
    if not on_this_machine(url) and parts.get("sslmode") not in {"verify-ca", "verify-full"}:
        parts["sslmode"] = "require"
    return Server(
        words=f"the PostgreSQL at {place}",
        place=place,
        private=False,
        home=parts.get("dbname") or "postgres",
        url=lambda database, login: _conninfo(_as(parts, login), database),
        environment=lambda database, login: _environment(_as(parts, login), database),
    )


def remove_left(url: SecretStr, facts: Mapping[str, str]) -> bool:
    """Remove what a killed proof noted.

    False when it is on another server than `url`'s, or belongs to another role. Raises ProviderError when the server
    does not answer, or refuses.
    """
    server, name = _server(url), facts.get("name", "")
    host, _, port = facts.get("server", "").rpartition(":")
    if not _NAME.fullmatch(name) or not _addresses({"host": host, "port": port}) & _addresses(_parts(url)):
        return False
    with server.session() as connection:
        _remove(connection, name)
        return not connection.execute(_THERE.encode(), [name, name]).fetchall()


def _refuse_powerless(server: Server, connection: Connection) -> None:
    """Checks that the role may create a database and a role. Raises BadInput."""
    from psycopg import sql

    role, databases, roles, standby = connection.execute(_RIGHTS.encode()).fetchall()[0]
    if not standby and databases and roles:
        return
    lacks = [word for word, there in (("CREATEDB", databases), ("CREATEROLE", roles)) if not there]
    grant = f"ALTER ROLE {sql.Identifier(role).as_string(connection)} {' '.join(lacks)};"
    raise BadInput(
        f"{first_upper(server.words)} cannot be used for a proof: it refuses to create a "
        f"{'database' if standby or not databases else 'role'}.",
        why="It is a standby." if standby else f"The role in its URL has no {' and no '.join(lacks)}.",
        next_action=_ANOTHER if standby else f"As its superuser, run: {grant} {_ANOTHER}",
    )


@contextmanager
def _let_in(server: Server) -> Iterator[None]:
    """A server without password logins (peer, certificates) refuses a new role."""
    try:
        yield
    except ProviderError as error:
        if not error.error_id.startswith(_NO_ENTRY):
            raise
        raise BadInput(
            f"{first_upper(server.words)} refused the login of the role created for the proof.",
            why="uscdr restores a dump as a new role with a password; pg_hba.conf has no line that allows it.",
            next_action=_ANOTHER,
        ) from error


def _start_of(url: SecretStr) -> str | None:
    """When the server at `url` started; None when it does not answer."""
    import psycopg

    try:
        with (
            translated("production"),
            psycopg.connect(url.get_secret_value(), autocommit=True, connect_timeout=10) as connection,
        ):
            return str(connection.execute(_STARTED).fetchall()[0][0])
    except ProviderError:
        return None


def _addresses(parts: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Every address and port that the URL resolves to; sockets by their directory."""
    hosts = str(parts.get("hostaddr") or parts.get("host") or "localhost").split(",")
    ports = str(parts.get("port") or 5432).split(",")
    found = set()
    for number, host in enumerate(hosts):
        port = ports[number] if len(ports) > number else ports[-1]
        found.add((host, port))
        with contextlib.suppress(OSError, UnicodeError):
            found |= {(str(one[4][0]), port) for one in socket.getaddrinfo(host, None)}
    return found


def _parts(url: SecretStr) -> dict[str, str]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        return {name: str(value) for name, value in conninfo_to_dict(url.get_secret_value()).items()}
    except psycopg.ProgrammingError:
        return {}


def _as(parts: Mapping[str, str], login: Login | None) -> Mapping[str, str]:
    return {**parts, "user": login.name, "password": login.password.get_secret_value()} if login else parts


def _conninfo(parts: Mapping[str, str], database: str) -> str:
    from psycopg.conninfo import make_conninfo

    return make_conninfo("", **{**parts, "dbname": database})


def _environment(parts: Mapping[str, str], database: str) -> dict[str, str]:
    """Libpq's variables for a child process, so that its argv contains no secret."""
    from psycopg.pq import Conninfo

    names = {one.keyword.decode(): one.envvar.decode() for one in Conninfo.get_defaults() if one.envvar}
    given = {names[name]: value for name, value in parts.items() if name in names}
    return {"PGCONNECT_TIMEOUT": "10", **given, "PGDATABASE": database}


def _unforce(bench: Bench) -> None:
    """Forced policies would hide rows from the proof, whose role owns these tables."""
    with bench.session() as connection:
        for (statement,) in connection.execute(_FORCED.encode()).fetchall():
            connection.execute(statement.encode())


def _clear(server: Server, name: str, noted: staging.CleanupNote | None) -> None:
    with server.session() as connection:
        _remove(connection, name)
    if noted is not None:
        noted.strike()


def _remove(connection: Connection, name: str) -> None:
    """Drops the database of a proof and the role of the same name. Other roles stay."""
    import psycopg
    from psycopg import sql

    drop(connection, name)
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
