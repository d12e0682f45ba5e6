"""What loads a dump in these tests, and what is loaded: an owner's empty database, as a platform sells it."""

from __future__ import annotations

import os
import subprocess
import traceback
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr

from uscdr.pgserver.cluster import Tool
from uscdr.providers.postgres.loading import PostgresLoader

SLOW = """
CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN IF current_database() <> 'slow_source' THEN PERFORM pg_catalog.pg_sleep(60); END IF; RETURN i; END $$;
CREATE TABLE crawl (a int); INSERT INTO crawl VALUES (1); CREATE INDEX ON crawl (slow(a));
"""


def ignore(done: int, total: int | None) -> None:
    """Takes no notice of progress."""


def loader(**options: Any) -> PostgresLoader:
    return PostgresLoader(**({"read_only": False, "lock_timeout": 1.0} | options))


def dump(clinic: Any, path: Path, *options: str) -> Path:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", **clinic.server.environment(clinic.name)}
    tool = Tool.find("pg_dump", minimum_major=17).path
    subprocess.run([tool, "-Fc", *options, "-f", path], env=environment, check=True)
    return path


def whole(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(vars(error))


class Owned:
    """An empty database of an owner who is no superuser, as a platform sells it."""

    def __init__(self, clinic: Any, role: str) -> None:
        self.clinic = clinic
        self.role = role
        self.url = SecretStr(clinic.server.dsn(clinic.name, role, "pass"))

    def run(self, script: str) -> None:
        with psycopg.connect(self.url.get_secret_value(), autocommit=True) as connection:
            connection.execute(script.encode())

    def digests(self, tables: list[str]) -> Any:
        return self.clinic.adapter().digests(tables)

    def names(self) -> list[str]:
        return [table.name for table in self.clinic.adapter().tables()]
