"""`backup pull` against curl: pairs on one machine, with peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
import pyrage  # type: ignore[import-untyped]  # it ships no types
from psycopg.conninfo import conninfo_to_dict

from bench.recover import USCDR
from uscdr.pgserver.cluster import find_server

PULL_AT_LEAST, MEGABYTES = 0.7, 200
PAIRS = 5
TABLES, ROW = 8, 1000
"""Tables that the clinic's dump is filled up with, and bytes of a row that do not compress."""


@dataclass(frozen=True)
class Pair:
    """Seconds of ours and of the plain program; peak memory of ours in MB."""

    ours: float
    plain: float
    megabytes: float


@dataclass(frozen=True)
class Measured:
    """Bytes of the dump, and the pairs."""

    size: int
    pulls: list[Pair]


@dataclass(frozen=True)
class Bench:
    """A sandbox with a large backup b002, a vault beside it and a key."""

    root: Path
    env: Mapping[str, str]
    contract: Mapping[str, Any]
    recipient: str

    @property
    def vault(self) -> Path:
        """Where copies go: on the same disk as curl's file."""
        return self.root / "vault"

    def uscdr(self, *arguments: str) -> tuple[float, float, str]:
        """Seconds, peak MB and stdout of one command that must work."""
        out = self.root / "out"
        with out.open("wb") as stdout, (self.root / "err").open("wb") as stderr:
            begun = time.monotonic()
            process = subprocess.Popen([USCDR, *arguments], env=dict(self.env), stdout=stdout, stderr=stderr)
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(
                f"{' '.join(arguments[:4])} ended with {process.returncode}: {(self.root / 'err').read_text()[-600:]}"
            )
        return seconds, usage.ru_maxrss / 1024, out.read_text()

    def ask(self, method: str, path: str) -> Any:  # noqa: ANN401 - JSON
        """The platform's API."""
        heroku = self.contract["heroku"]
        headers = {"Authorization": f"Bearer {heroku['token']}", "Accept": "application/vnd.heroku+json; version=3"}
        request = urllib.request.Request(heroku["api_url"] + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def transfers(self) -> str:
        """The path of the application's backups."""
        return f"/client/v11/apps/{self.contract['heroku']['app']}/transfers"


def measure(megabytes: int) -> Measured:
    """One sandbox, one dump of about so many MB."""
    with _bench() as bench:
        dump = _fill(bench, megabytes)
        pulls = [_pulled(bench) for _ in range(PAIRS)]
        return Measured(dump.stat().st_size, pulls)


@contextmanager
def _bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="uscdr-bench-") as place:
        root = Path(place)
        # as installed: modules are compiled once, and not anew in each process
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env |= {"USCDR_STATE_DIR": place, "USCDR_TARGET": "sandbox", "PYTHONPYCACHEPREFIX": str(root / "compiled")}
        key = pyrage.x25519.Identity.generate()
        (root / "identity.txt").write_text(f"{key}\n")
        _called(env, "sandbox", "up", "--patients", "40")
        try:
            _called(env, "backup", "capture")
            contract = json.loads((root / "sandbox" / "sandbox.json").read_text())
            yield Bench(root, env, contract, str(key.to_public()))
        finally:
            _called(env, "sandbox", "down")


def _called(env: Mapping[str, str], *arguments: str) -> None:
    subprocess.run([USCDR, *arguments], env=dict(env), check=True, capture_output=True)


def _fill(bench: Bench, megabytes: int) -> Path:
    """Make b002 a dump of that size: of the same database with more in it. Its file."""
    config = bench.ask("GET", f"/apps/{bench.contract['heroku']['app']}/config-vars")
    rows = megabytes * 1_000_000 // TABLES // ROW
    with psycopg.connect(config["DATABASE_URL"], autocommit=True) as connection:
        for number in range(TABLES):
            name = f"scan_{number}"
            connection.execute(f"CREATE TABLE {name} (id bigserial PRIMARY KEY, patient int, body bytea)".encode())
            connection.execute(
                f"INSERT INTO {name} (patient, body) SELECT g % 5000, gen_random_bytes({ROW})"
                f" FROM generate_series(1, {rows}) AS g".encode()
            )
            connection.execute(f"CREATE INDEX ON {name} (patient)".encode())
    second = next(one for one in bench.ask("GET", bench.transfers()) if int(one["num"]) == 2)
    file = bench.root / "sandbox" / "backups" / f"{second['uuid']}.dump"
    command = [str(find_server() / "pg_dump"), "-Fc", "--compress=gzip:1", "-f", str(file)]
    subprocess.run(command, check=True, env={**os.environ, **_variables(config["DATABASE_URL"])})
    return file


def _variables(url: str) -> dict[str, str]:
    """For PostgreSQL's programs, so that no password is in a command line."""
    parts = conninfo_to_dict(url)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return {variable: str(parts[name]) for name, variable in names.items()}


def _pulled(bench: Bench) -> Pair:
    """Ours to the vault, then curl to a file; what either wrote is removed."""
    ours, peak, _ = bench.uscdr(
        "backup", "pull", "--backup", "b002", "--to", str(bench.vault), "--recipient", bench.recipient
    )
    for path in sorted(bench.vault.glob("backups/*/**/*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    url = bench.ask("POST", f"{bench.transfers()}/2/actions/public-url")["url"]
    plain = bench.root / "plain.dump"
    begun = time.monotonic()
    subprocess.run(["curl", "-sf", "--cacert", bench.contract["ca_file"], "-o", str(plain), url], check=True)
    seconds = time.monotonic() - begun
    plain.unlink()
    return Pair(ours, seconds, peak)


def show(measured: Measured) -> None:
    """Medians of the pairs' ratios."""
    print(f"a dump of {measured.size / 1e6:,.0f} MB")
    for one in measured.pulls:
        print(f"  backup pull {one.ours:6.2f} s, curl {one.plain:6.2f} s: {one.plain / one.ours:.2f} of its speed")
    pull = median(one.plain / one.ours for one in measured.pulls)
    peak = max(one.megabytes for one in measured.pulls)
    print(f"pull at {pull:.2f} of curl's speed (aim {PULL_AT_LEAST} or more)")
    print(f"peak memory {peak:.0f} MB (aim {MEGABYTES} or less)")


if __name__ == "__main__":
    show(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
