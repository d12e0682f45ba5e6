"""A database behind PgBouncer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from pydantic import SecretStr

from uscdr.pgserver.server import LocalPostgres
from uscdr.providers.postgres.database import PostgresDatabase


@dataclass
class Pooled:
    """Its address by way of the pooler, and the server behind."""

    url: str
    server: LocalPostgres

    def adapter(self, **options: Any) -> PostgresDatabase:
        facts: dict[str, Any] = {
            "read_only": True, "statement_timeout": 20.0, "lock_timeout": 2.0, "connect_timeout": 5.0,
            "require_tls": False,
        }  # fmt: skip
        return PostgresDatabase(SecretStr(self.url), **(facts | options))

    def direct(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()
