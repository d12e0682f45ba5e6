"""A live database to dump, and the directory of a scratch server with the means to look into it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from private_servers import running
from uscdr.pgserver.cluster import Tool
from uscdr.pgserver.server import LocalPostgres
from uscdr.providers.postgres.database import PostgresDatabase

CLINIC = """
CREATE SCHEMA heroku_ext;
CREATE EXTENSION pgcrypto SCHEMA heroku_ext;
COMMENT ON EXTENSION pgcrypto IS 'as the platform does it';
CREATE TABLE patient (id int PRIMARY KEY, gone text, name text, secret bytea);
INSERT INTO patient SELECT g, 'x', 'Canario ' || md5(g::text), heroku_ext.pgp_sym_encrypt('Canario', 'key')
FROM generate_series(1, 3000) g;
ALTER TABLE patient DROP COLUMN gone;
CREATE TABLE visit (id int, patient int REFERENCES patient, note text);
INSERT INTO visit SELECT g, g, CASE WHEN g % 2 = 0 THEN '' END FROM generate_series(1, 3000) g;
"""


class Source:
    """A live database and the means to dump it."""

    def __init__(self, server: LocalPostgres) -> None:
        self.server = server

    def run(self, script: str) -> None:
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            connection.execute(script.encode())

    def dump(self, path: Path, *options: str) -> Path:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", **self.server.environment()}
        tool = Tool.find("pg_dump", minimum_major=17).path
        subprocess.run([tool, "-Fc", *options, "-f", path], env=environment, check=True)
        return path

    def adapter(self) -> PostgresDatabase:
        return PostgresDatabase(
            SecretStr(self.server.dsn()),
            read_only=True,
            statement_timeout=20,
            lock_timeout=2,
            connect_timeout=5,
            require_tls=False,
        )

    def slow_dump(self, path: Path) -> Path:
        """A dump whose restore takes a minute: an index calls a function that sleeps."""
        self.run(
            "CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_catalog.pg_sleep(20); RETURN i; END $$;"
            "CREATE TABLE crawl (a int); CREATE INDEX ON crawl (slow(a)); ALTER TABLE crawl DISABLE TRIGGER ALL"
        )
        self.run(
            "CREATE OR REPLACE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT i';"
            "INSERT INTO crawl VALUES (1), (2), (3)"
        )
        self.run(
            "CREATE OR REPLACE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_catalog.pg_sleep(20); RETURN i; END $$"
        )
        dump = self.dump(path)
        self.run("DROP TABLE crawl; DROP FUNCTION slow")
        return dump


@pytest.fixture(scope="session")
def source() -> Iterator[Source]:
    with running() as server:
        made = Source(server)
        made.run(CLINIC)
        yield made


@pytest.fixture(scope="session")
def good(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source.dump(tmp_path_factory.mktemp("dumps") / "good.dump")


def eventually(condition: Callable[[], bool], limit: float = 60.0) -> bool:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(name="eventually")
def observe() -> Callable[[Callable[[], bool]], bool]:
    return eventually


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """The scratch directory; whatever a test did, nothing may be left in it."""
    yield tmp_path / "scratch"
    assert eventually(lambda: not list((tmp_path / "scratch").glob("*")))


@pytest.fixture
def homes(base: Path) -> Callable[[], list[Path]]:
    """Where the servers of `base` keep their files: elsewhere, when we are root."""

    def look() -> list[Path]:
        records = [record.read_text() for record in base.glob("*/server.json")]
        return [Path(json.loads(record)["home"]) for record in records]

    return look
