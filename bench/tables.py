"""How the time of `recover db` grows with the number of tables, less the provider's own pg_dump and pg_restore."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from bench.proof import asked, file_of, restored
from bench.rows import Pairs, Row
from bench.sandboxes import Bench, sandbox
from bench.waits import Records

FEW, MANY = 100, int(os.environ.get("BENCH_TABLES", "2000"))
AIM = 1.5
_AT_ONCE = 100
"""Tables made by one statement."""


def measure() -> Iterator[Row]:
    """One recovery of each size, of a backup with the tables and of one without them: a growth, no comparison."""
    few, many = _recovered(FEW), _recovered(MANY)
    for number, what in enumerate(("has", "lacks")):
        pairs = Pairs((many[number],), (few[number],))
        recovery = f"recover db with {MANY:,} tables, which the backup {what}"
        note = "seconds less the provider's own pg_dump and pg_restore"
        yield Row("Many tables", recovery, f"with {FEW} tables", pairs, aim=AIM, note=note)


def _recovered(tables: int) -> tuple[float, float]:
    """Seconds of ours, with a backup that has the tables, and with one that lacks them."""
    return _alone(tables, "b002"), _alone(tables, "b001")


def _alone(tables: int, backup: str) -> float:
    """On a sandbox of its own: a recovery leaves captures that push older backups out."""
    with sandbox(patients=40) as bench:
        _add(bench, tables)
        bench.uscdr("backup", "capture")
        return _seconds(bench, backup)


def _add(bench: Bench, tables: int) -> None:
    with psycopg.connect(asked(bench, "config-vars")["DATABASE_URL"], autocommit=True) as connection:
        for start in range(0, tables, _AT_ONCE):
            numbers = range(start, min(tables, start + _AT_ONCE))
            connection.execute("".join(map(_table, numbers)).encode())


def _table(number: int) -> str:
    """A small one with a key, an index, a few rows; every fourth refers to the one before."""
    name = f"extra_{number:04}"
    reference = f", before bigint REFERENCES extra_{number - 1:04} (id)" if number % 4 == 1 else ""
    return (
        f"CREATE TABLE {name} (id bigserial PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now(){reference});"
        f"INSERT INTO {name} (name) SELECT md5(g::text) FROM generate_series(1, 20) g; CREATE INDEX ON {name} (name);"
    )


def _seconds(bench: Bench, backup: str) -> float:
    """The whole command's seconds less those of pg_dump and pg_restore at the provider and of ours on this machine."""
    bench.uscdr("sandbox", "break", "db", "--how", "drop-table")
    plan = bench.uscdr("recover", "db", "--backup", backup, "--dry-run").out
    phrase = next(line.removeprefix("phrase").strip() for line in plan.splitlines() if line.startswith("phrase"))
    begun = datetime.now(UTC)
    done = bench.uscdr("recover", "db", "--backup", backup, "--confirm", phrase)
    transfers = (one for one in Records(bench).transfers() if one.begun >= begun)
    provider = sum((one.ended - one.begun).total_seconds() for one in transfers)
    return done.seconds - provider - min(_waited(bench.root), _bare(bench, backup))


def _waited(state: Path) -> float:
    """Seconds that the run waited for the proof, which restores the backup on this machine."""
    journal = max((state / "runs").glob("*/journal.jsonl"), key=lambda one: one.stat().st_mtime)
    events = [json.loads(line)["event"] for line in journal.read_text().splitlines()]
    return float(sum(one["seconds"] for one in events if one["kind"] == "step.succeeded" and one["step"] == "prove"))


def _bare(bench: Bench, backup: str) -> float:
    """Seconds of `pg_restore -j2` alone with the same dump."""
    return restored(bench.root / "bare", file_of(bench, int(backup[1:])))
