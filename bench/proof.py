"""`backup prove` against the least that any test restore takes: initdb, a start, `pg_restore -j2`, a stop."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyrage  # type: ignore[import-untyped]  # it ships no types
from psycopg.conninfo import conninfo_to_dict

from bench.programs import Done
from bench.rows import Pairs, Row
from bench.sandboxes import Bench, sandbox
from uscdr.pgserver.cluster import find_server
from uscdr.pgserver.server import LocalPostgres

MEGABYTES = int(os.environ.get("BENCH_DUMP_MB", "1000"))
ROUNDS = 3
DECRYPTED_AIM, PLAIN_AIM, MEMORY = 1.15, 1.10, 200
TABLES, ROW = 8, 1000
"""Tables that the clinic's dump is filled up with, and bytes of a row that do not compress."""
_PARAMETERS = {"autovacuum": "off", "max_wal_size": "4GB", "maintenance_work_mem": "256MB", "log_min_messages": "fatal"}
"""The other side's server is as well set up for the purpose as ours."""


@dataclass
class _Timed:
    """Seconds of both sides by turns."""

    bench: Bench
    dump: Path
    megabytes: float = 0.0

    def proven(self) -> float:
        """Of the whole command: its start, the copy's decryption and checksums, the restore, every question."""
        return self._command().seconds

    def alone(self) -> float:
        """Without decryption: what the proof says of itself, from the plain dump to the last answer.

        And the start of its server, which the command does beside the decryption, measured by itself.
        """
        said = _said(self._command().out)
        begun = time.monotonic()
        with _server(self.bench.root / "bare") as server:
            server.stop()
            return said + time.monotonic() - begun

    def _command(self) -> Done:
        done = self.bench.uscdr(
            "--json", "backup", "prove", "b002", "--to", str(_vault(self.bench)), "--identity", str(_key(self.bench)),
        )  # fmt: skip
        self.megabytes = max(self.megabytes, done.megabytes)
        return done

    def bare(self) -> float:
        """Seconds of initdb, start, pg_restore with two workers and stop."""
        return _bare(self.bench.root / "bare", self.dump)


def measure() -> Iterator[Row]:
    """With decryption: the whole command. Without: what the proof says of itself, with the start of its server."""
    with sandbox(patients=40) as bench:
        key = pyrage.x25519.Identity.generate()
        _key(bench).write_text(f"{key}\n")
        bench.uscdr("backup", "capture")
        dump = _fill(bench)
        bench.uscdr(
            "backup", "pull", "--backup", "b002", "--to", str(_vault(bench)), "--recipient", str(key.to_public())
        )
        size = f"a dump of {dump.stat().st_size / 1e6:,.0f} MB"
        sides = _Timed(bench, dump)
        against = "initdb, start, pg_restore -j2, stop"
        whole = Pairs.alternate(sides.proven, sides.bare, ROUNDS)
        yield Row("Proof of a backup", f"prove {size}, decrypted from a copy", against, whole, aim=DECRYPTED_AIM,
                  megabytes=sides.megabytes, note=f"the whole command; memory aim {MEMORY} MB")  # fmt: skip
        alone = Pairs.alternate(sides.alone, sides.bare, ROUNDS)
        yield Row("Proof of a backup", f"prove {size}, without decryption", against, alone, aim=PLAIN_AIM,
                  megabytes=sides.megabytes, note="its own seconds, with start and stop")  # fmt: skip


def _vault(bench: Bench) -> Path:
    return bench.root / "vault"


def _key(bench: Bench) -> Path:
    return bench.root / "identity.txt"


def _said(out: str) -> float:
    found = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return float(next(one["seconds"] for one in found if "seconds" in one))


def _fill(bench: Bench) -> Path:
    """Make b002 a dump of that size: of the same database with more in it. Its file."""
    url = asked(bench, "config-vars")["DATABASE_URL"]
    rows = MEGABYTES * 1_000_000 // TABLES // ROW
    with psycopg.connect(url, autocommit=True) as connection:
        for number in range(TABLES):
            name = f"scan_{number}"
            connection.execute(f"CREATE TABLE {name} (id bigserial PRIMARY KEY, patient int, body bytea)".encode())
            connection.execute(
                f"INSERT INTO {name} (patient, body) SELECT g % 5000, gen_random_bytes({ROW})"
                f" FROM generate_series(1, {rows}) AS g".encode()
            )
            connection.execute(f"CREATE INDEX ON {name} (patient)".encode())
    file = file_of(bench, 2)
    command = [str(find_server() / "pg_dump"), "-Fc", "--compress=gzip:1", "-f", str(file)]
    subprocess.run(command, check=True, env={**os.environ, **_variables(url)})
    return file


def asked(bench: Bench, what: str) -> Any:  # noqa: ANN401 - JSON
    """The platform's answer to a question about the application."""
    heroku = bench.contract["heroku"]
    headers = {"Authorization": f"Bearer {heroku['token']}", "Accept": "application/vnd.heroku+json; version=3"}
    path = f"/client/v11/apps/{heroku['app']}/{what}" if what == "transfers" else f"/apps/{heroku['app']}/{what}"
    request = urllib.request.Request(heroku["api_url"] + path, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _variables(url: str) -> Mapping[str, str]:
    """For PostgreSQL's programs, so that no password is in a command line."""
    parts = conninfo_to_dict(url)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return {variable: str(parts[name]) for name, variable in names.items()}


def file_of(bench: Bench, number: int) -> Path:
    """The file in which the sandbox's platform keeps that backup."""
    found = next(one for one in asked(bench, "transfers") if int(one["num"]) == number)
    return bench.root / "sandbox" / "backups" / f"{found['uuid']}.dump"


def _bare(place: Path, dump: Path) -> float:
    begun = time.monotonic()
    with _server(place) as server:
        _restore(server, dump)
        server.stop()
        return time.monotonic() - begun


def restored(place: Path, dump: Path) -> float:
    """Seconds of `pg_restore -j2` alone, into a server that runs."""
    with _server(place) as server:
        begun = time.monotonic()
        _restore(server, dump)
        return time.monotonic() - begun


def _server(place: Path) -> LocalPostgres:
    return LocalPostgres.start(place, parameters=_PARAMETERS, tied=True)


def _restore(server: LocalPostgres, dump: Path) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(b"CREATE DATABASE bare TEMPLATE template0")
    with psycopg.connect(server.dsn("bare"), autocommit=True) as connection:
        connection.execute(b"CREATE SCHEMA IF NOT EXISTS heroku_ext")
    command = [str(find_server() / "pg_restore"), "-j2", "--no-owner", "--no-acl", "-d", "bare", str(dump)]
    subprocess.run(command, env={**os.environ, **server.environment("bare")}, check=True)
