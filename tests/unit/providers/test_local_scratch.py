"""Proof of a dump for real: restored, refused, cut short, and nothing left behind."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from uscdr.errors import CheckFailed, Interrupted, MachineError, UscdrError, WriteRefused
from uscdr.models.postgres import Invariant
from uscdr.pgserver.process import birth
from uscdr.pgserver.server import LocalPostgres, start
from uscdr.pgserver.tools import find_tool
from uscdr.providers.postgres.database import PostgresDatabase
from uscdr.providers.scratch import LocalScratch

CANARY = "Canario"
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

OWNER = """
import sys
from pathlib import Path
from uscdr.providers.scratch import LocalScratch
with LocalScratch(Path(sys.argv[1])).restore(Path(sys.argv[2]), lambda done, total: None) as database:
    print(database.facts().size, flush=True)
    sys.stdin.read()
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
        tool = find_tool("pg_dump", minimum_major=17).path
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


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with (
        tempfile.TemporaryDirectory() as parent,
        start(Path(parent) / "server", tied=True) as running,
    ):
        made = Source(running)
        made.run(CLINIC)
        yield made


@pytest.fixture(scope="module")
def good(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source.dump(tmp_path_factory.mktemp("dumps") / "good.dump")


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """The scratch directory; whatever a test did, nothing may be left in it."""
    yield tmp_path / "scratch"
    assert eventually(lambda: not list((tmp_path / "scratch").glob("*")))


def eventually(condition: Callable[[], bool], limit: float = 20.0) -> bool:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def ignore(done: int, total: int | None) -> None:
    """Takes no notice of progress."""


def refusal(base: Path, dump: Path, **options: Any) -> CheckFailed:
    with pytest.raises(CheckFailed) as caught, LocalScratch(base, **options).restore(dump, ignore):
        pytest.fail("a bad dump was restored")
    assert CANARY not in whole(caught.value)
    return caught.value


def whole(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(vars(error))


def test_restored_database_is_the_same_and_read_only(source: Source, good: Path, base: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    scratch = LocalScratch(base)
    scratch.prepare()
    with scratch.restore(good, lambda done, total: seen.append((done, total))) as database:
        live = source.adapter()
        names = [table.name for table in database.tables()]
        assert names == ["patient", "visit"] == [table.name for table in live.tables()]
        assert database.digests(names) == live.digests(names)
        assert database.keys("patient") == live.keys("patient")
        decrypts = "SELECT bool_and(pgp_sym_decrypt(secret, 'key') = 'Canario') FROM patient"
        (result,) = database.invariants([Invariant(name="canary", sql=decrypts, equals="true")])
        assert result.holds
        with pytest.raises(WriteRefused):
            database.end_sessions()
        (only,) = base.iterdir()
        assert only.stat().st_mode & 0o777 == 0o700
        assert base.stat().st_mode & 0o777 == 0o700
        (home,) = homes(base)
        assert home.stat().st_mode & 0o777 == 0o700
    assert not home.exists()
    assert seen[-1][0] > 1_000_000


def test_extension_without_its_schema_in_the_dump(source: Source, base: Path, tmp_path: Path) -> None:
    """As the platform dumps it: the schema is named, but not made."""
    dump = source.dump(tmp_path / "d", "--exclude-schema=heroku_ext", "--extension=pgcrypto")
    with LocalScratch(base).restore(dump, ignore) as database:
        assert database.counts(["patient"]) == {"patient": 3000}
        assert "pgcrypto" in [extension.name for extension in database.extensions()]


def test_one_after_another_and_two_at_once(good: Path, base: Path) -> None:
    scratch = LocalScratch(base, jobs=1)
    with scratch.restore(good, ignore) as one, scratch.restore(good, ignore) as two:
        assert one.counts(["visit"]) == two.counts(["visit"]) == {"visit": 3000}


def test_prepared_server_that_is_not_needed_is_removed(base: Path) -> None:
    scratch = LocalScratch(base)
    scratch.prepare()
    scratch.prepare()
    scratch.close()
    scratch.close()
    assert list(base.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"PGDMP", "does not begin"),
        (b"<!DOCTYPE html><html>Request has expired: Canario</html>", "web page"),
        (b"<?xml version='1.0'?><Error>Canario</Error>", "XML"),
        (b"--\n-- PostgreSQL database dump\n--\nINSERT INTO p VALUES ('Canario');", "plain SQL"),
        (b"\x1f\x8b\x08Canario", "gzip"),
        (b"Canario" * 100, "does not begin"),
    ],
)
def test_what_is_no_dump(base: Path, tmp_path: Path, content: bytes, why: str) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(content)
    error = refusal(base, dump)
    assert error.message == "not a database dump"
    assert why in error.why


def test_truncated_dump(base: Path, good: Path, tmp_path: Path) -> None:
    whole_dump = good.read_bytes()
    for length in (200, len(whole_dump) // 2, len(whole_dump) - 20_000):
        (tmp_path / "dump").write_bytes(whole_dump[:length])
        assert "pg_restore ended" not in refusal(base, tmp_path / "dump").why


def test_flipped_bit_in_the_data(base: Path, good: Path, tmp_path: Path) -> None:
    damaged = bytearray(good.read_bytes())
    damaged[len(damaged) // 2] ^= 0x10
    (tmp_path / "dump").write_bytes(damaged)
    error = refusal(base, tmp_path / "dump")
    assert "does not restore" in error.message
    assert "uncompress" in error.why


def test_dump_of_nothing(source: Source, base: Path, tmp_path: Path) -> None:
    error = refusal(base, source.dump(tmp_path / "dump", "--schema-only"))
    assert "no table data" in error.message


def test_newer_archive_format_names_the_client_needed(base: Path, good: Path, tmp_path: Path) -> None:
    newer = bytearray(good.read_bytes())
    newer[6] = 99
    (tmp_path / "dump").write_bytes(newer)
    error = refusal(base, tmp_path / "dump")
    assert "archive format 1.99 needs pg_restore" in error.message
    assert "too new" in error.message


def test_old_client_is_told_the_version_needed(base: Path, good: Path, tmp_path: Path) -> None:
    old = tmp_path / "tools" / "pg_restore"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'pg_restore (PostgreSQL) 15.18'\n")
    old.chmod(0o755)
    error = refusal(base, good, tools=old.parent)
    assert "needs pg_restore 17 or newer" in error.message
    assert "15.18" in error.why


def test_missing_dump_is_this_machines_trouble(base: Path, tmp_path: Path) -> None:
    with pytest.raises(MachineError), LocalScratch(base).restore(tmp_path / "none", ignore):
        pytest.fail("restored nothing")


def test_errors_of_the_server_come_without_values(source: Source, base: Path, tmp_path: Path) -> None:
    """Rows that break a constraint, and a function that raises a name, quote nothing."""
    source.run(
        "CREATE FUNCTION strict(t text) RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN IF t LIKE 'Canario%' THEN RAISE 'Canario is %', t; END IF; RETURN true; END $$;"
        "CREATE TABLE raising (name text); INSERT INTO raising VALUES ('fine');"
        "ALTER TABLE raising ADD CHECK (strict(name));"
        "ALTER TABLE raising DISABLE TRIGGER ALL;"
        "CREATE TABLE parent (name text PRIMARY KEY); CREATE TABLE child (name text REFERENCES parent);"
        "SET session_replication_role = replica; INSERT INTO child VALUES ('Canario orphan')"
    )
    source.run(
        "CREATE OR REPLACE FUNCTION strict(t text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
        "INSERT INTO raising VALUES ('Canario 7')"
    )
    source.run(
        "CREATE OR REPLACE FUNCTION strict(t text) RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN IF t LIKE 'Canario%' THEN RAISE 'Canario is %', t; END IF; RETURN true; END $$"
    )
    dump = source.dump(tmp_path / "dump")
    source.run("DROP TABLE raising, child, parent; DROP FUNCTION strict")
    error = refusal(base, dump)
    assert error.message == "the dump does not restore: 2 errors"
    assert 'COPY failed for table "raising": the server\'s message is withheld' in error.why
    assert "could not execute query: insert or update on table" in error.why


def test_server_log_holds_no_rows(source: Source, base: Path, good: Path) -> None:
    with LocalScratch(base).restore(good, ignore) as database:
        failing = "SELECT name::int FROM patient"
        (result,) = database.invariants([Invariant(name="leak", sql=failing, equals="1")])
        assert result.holds is None
        (home,) = homes(base)
        assert CANARY not in (home / "server.log").read_text()


def homes(base: Path) -> list[Path]:
    """Where the servers of `base` keep their files: elsewhere, when we are root."""
    records = [record.read_text() for record in base.glob("*/server.json")]
    return [Path(json.loads(record)["home"]) for record in records]


def test_stop_token_kills_the_restore(source: Source, base: Path, tmp_path: Path) -> None:
    dump = slow_dump(source, tmp_path)
    stop = threading.Event()
    began = time.monotonic()
    with (
        pytest.raises(Interrupted),
        LocalScratch(base, stop=stop).restore(dump, lambda done, total: stop.set()),
    ):
        pytest.fail("the restore should have been stopped")
    assert time.monotonic() - began < 20


def test_failing_progress_kills_the_restore(source: Source, base: Path, tmp_path: Path) -> None:
    """As Ctrl-C does: an exception in the midst."""

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        LocalScratch(base).restore(slow_dump(source, tmp_path), interrupt),
    ):
        pytest.fail("the restore should have been interrupted")
    assert not [line for line in processes() if "pg_restore" in line and str(tmp_path) in line]


def slow_dump(source: Source, tmp_path: Path) -> Path:
    """A dump whose restore takes a minute: an index calls a function that sleeps."""
    source.run(
        "CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_catalog.pg_sleep(20); RETURN i; END $$;"
        "CREATE TABLE crawl (a int); CREATE INDEX ON crawl (slow(a)); ALTER TABLE crawl DISABLE TRIGGER ALL"
    )
    source.run(
        "CREATE OR REPLACE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT i';"
        "INSERT INTO crawl VALUES (1), (2), (3)"
    )
    source.run(
        "CREATE OR REPLACE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_catalog.pg_sleep(20); RETURN i; END $$"
    )
    dump = source.dump(tmp_path / "slow.dump")
    source.run("DROP TABLE crawl; DROP FUNCTION slow")
    return dump


def processes() -> list[str]:
    answer = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()


def test_kill_9_leaves_neither_server_nor_directory(good: Path, base: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(base), str(good)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert owner.stdout is not None
    assert int(owner.stdout.readline()) > 1_000_000
    (home,) = homes(base)
    pid = int((home / "data" / "postmaster.pid").read_text().split()[0])
    assert birth(pid) is not None
    owner.kill()
    owner.communicate()
    assert eventually(lambda: birth(pid) is None)
    assert eventually(lambda: not home.exists())
    assert eventually(lambda: list(base.iterdir()) == [])


def test_what_a_power_loss_left_is_swept(base: Path, good: Path) -> None:
    """A server without guard whose owner is dead, as after a reset."""
    script = (
        "import sys; from pathlib import Path; from uscdr.providers import scratch;"
        "from uscdr.pgserver.server import start;"
        "base = Path(sys.argv[1]); base.mkdir(); start(base / scratch._own_name())"
    )
    subprocess.run([sys.executable, "-c", script, str(base)], check=True)
    (left,) = base.iterdir()
    (home,) = homes(base)
    with LocalScratch(base).restore(good, ignore):
        assert not left.exists()
        assert not home.exists()


def test_errors_have_something_to_do_next(base: Path, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(secrets.token_bytes(64))
    error: UscdrError = refusal(base, tmp_path / "dump")
    assert error.next_action


def test_term_signal_leaves_nothing(good: Path, base: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(base), str(good)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    assert owner.stdout.readline()
    owner.send_signal(signal.SIGTERM)
    owner.communicate()
    assert eventually(lambda: list(base.iterdir()) == [])
