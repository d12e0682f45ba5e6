"""A real server, and for every test a clinic of its own in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from kinds_database_world import CLINIC, Place
from psycopg import sql

from private_servers import running
from uscdr.pgserver.server import LocalPostgres


@pytest.fixture(scope="session")
def kinds_server() -> Iterator[LocalPostgres]:
    with running() as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE kinds_model")
        Place(server, "kinds_model").run(CLINIC)
        yield server


@pytest.fixture
def place(kinds_server: LocalPostgres) -> Iterator[Place]:
    name = f"kinds_{secrets.token_hex(4)}"
    with psycopg.connect(kinds_server.dsn(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE kinds_model STRATEGY FILE_COPY").format(sql.Identifier(name))
        )
        yield Place(kinds_server, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
