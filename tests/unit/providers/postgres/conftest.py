"""A real server for the room's tests, and one small database of invented patients in it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from live_target import SLOW, Owned, dump
from psycopg import sql
from pydantic import SecretStr

from private_servers import running
from uscdr.pgserver.server import LocalPostgres
from uscdr.providers.postgres import masking
from uscdr.providers.postgres.database import PostgresDatabase

CLINIC = """
CREATE EXTENSION pgcrypto;
CREATE TABLE patients_patient (
    id serial PRIMARY KEY, dropped text, name text, note text, born date, created_at timestamptz,
    photo bytea, weight float8, extra jsonb, stay interval, paid money);
INSERT INTO patients_patient (dropped, name, note, born, created_at, photo, weight, extra, stay, paid)
SELECT 'x', 'Canario Quiñones ' || g, CASE WHEN g % 3 = 0 THEN NULL WHEN g % 3 = 1 THEN '' ELSE 'ñ漢字🙂' END,
       date '1990-01-01' + g, timestamptz '2026-01-01 08:00+08' + g * interval '1 hour',
       decode(md5(g::text), 'hex'), g / 7.0, jsonb_build_object('b', g, 'a', '"'), g * interval '61 minutes',
       g * 1.25::money
FROM generate_series(1, 300) g;
ALTER TABLE patients_patient DROP COLUMN dropped;
CREATE TABLE "Odd ""n"" x" ("a;b" text PRIMARY KEY, at timestamp);
INSERT INTO "Odd ""n"" x" VALUES ('Canario', '2026-03-01 10:00'), ('b', 'infinity');
CREATE TABLE visits (day date, patient int, PRIMARY KEY (day, patient)) PARTITION BY RANGE (day);
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO visits VALUES ('2026-02-03', 1), ('2026-02-04', 2);
CREATE SCHEMA audit;
CREATE TABLE audit.event (id bigint PRIMARY KEY);
INSERT INTO audit.event VALUES (9), (10), (-1), (100);
CREATE SCHEMA heroku_ext;
CREATE TABLE heroku_ext.internal (id int);
CREATE TABLE django_migrations (id int, app text, name text);
INSERT INTO django_migrations VALUES (2, 'patients', '0002_b'), (1, 'patients', '0001_a');
"""


class Clinic:
    """One database: its server, how to change it behind the adapter's back, and the adapter."""

    def __init__(self, server: LocalPostgres, name: str) -> None:
        self.server = server
        self.name = name

    def run(self, script: str) -> None:
        with psycopg.connect(self.server.dsn(self.name), autocommit=True) as connection:
            connection.execute(script.encode())

    def adapter(self, url: str | None = None, **options: Any) -> PostgresDatabase:
        facts: dict[str, Any] = {
            "read_only": True,
            "statement_timeout": 20.0,
            "lock_timeout": 2.0,
            "connect_timeout": 5.0,
            "require_tls": False,
        }
        return PostgresDatabase(SecretStr(url or self.server.dsn(self.name)), **(facts | options))


@pytest.fixture(scope="session")
def server() -> Iterator[LocalPostgres]:
    with running() as one:
        yield one


@pytest.fixture(scope="session")
def model(server: LocalPostgres) -> str:
    """The database that every test's own is copied from."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE model")
    Clinic(server, "model").run(CLINIC)
    return "model"


@pytest.fixture
def new_database(server: LocalPostgres) -> Iterator[Callable[..., Clinic]]:
    made: list[str] = []

    def make(template: str = "template1") -> Clinic:
        name = f"test_{secrets.token_hex(4)}"
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(copy)
        made.append(name)
        return Clinic(server, name)

    yield make
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        for name in made:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def clinic(new_database: Callable[..., Clinic], model: str) -> Clinic:
    return new_database(model)


@pytest.fixture(scope="session")
def good(server: LocalPostgres, model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dump(SimpleNamespace(server=server, name=model), tmp_path_factory.mktemp("dumps") / "good.dump")


@pytest.fixture
def owned(new_database: Callable[..., Any]) -> Iterator[Owned]:
    clinic = new_database()
    role = f"owner_{secrets.token_hex(4)}"
    clinic.run(f"CREATE ROLE {role} LOGIN PASSWORD 'pass'")
    clinic.run(f"ALTER DATABASE {clinic.name} OWNER TO {role}; ALTER SCHEMA public OWNER TO {role}")
    yield Owned(clinic, role)
    clinic.run(f"DROP OWNED BY {role} CASCADE; REASSIGN OWNED BY {role} TO postgres")
    clinic.run(f"ALTER DATABASE {clinic.name} OWNER TO postgres; DROP ROLE {role}")


@pytest.fixture
def slow(new_database: Callable[..., Any], tmp_path: Path) -> Path:
    """A dump with an index that takes a minute to build anywhere but where it was dumped."""
    clinic = new_database()
    clinic.run(SLOW.replace("slow_source", clinic.name))
    return dump(clinic, tmp_path / "slow.dump")


@pytest.fixture(autouse=True)
def _known_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of maskings are the same in each run of a test: by chance a masked word may be any word."""
    numbers = count(1)
    drawn = SimpleNamespace(token_hex=lambda size: f"{next(numbers):0{2 * size}x}")
    monkeypatch.setattr(masking, "secrets", drawn)
