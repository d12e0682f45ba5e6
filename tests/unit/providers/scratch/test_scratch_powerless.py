"""A dump is a stranger's: nothing of it runs with a right beyond its own database, and the rest is proven."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from uscdr.errors import CheckFailed, MachineError, ProviderError
from uscdr.models.data_settings import Invariant
from uscdr.models.trial import MigrationScript, ScriptEnd
from uscdr.pgserver.cluster import Tool
from uscdr.providers.postgres.errors import mapped
from uscdr.providers.postgres.scratch import LocalScratch, _judged

EVIL = """
CREATE FUNCTION evil(v text) RETURNS text LANGUAGE plpgsql AS $f$
BEGIN
    IF current_database() = 'scratch' THEN
        BEGIN EXECUTE 'RESET ROLE'; EXCEPTION WHEN OTHERS THEN NULL; END;
        BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; EXCEPTION WHEN OTHERS THEN NULL; END;
        EXECUTE $q$COPY (SELECT 1) TO PROGRAM 'id >{mark}'$q$;
    END IF;
    RETURN v;
EXCEPTION WHEN insufficient_privilege THEN RETURN 'powerless';
END $f$;
CREATE FUNCTION tidy(v text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN RETURN public.evil(v); END $f$;
CREATE TABLE notes (v text, w text GENERATED ALWAYS AS (tidy(v)) STORED, CHECK (evil(v) IS NOT NULL));
INSERT INTO notes VALUES ('x');
CREATE INDEX ON notes (tidy(v));
CREATE MATERIALIZED VIEW seen AS SELECT evil('y') AS v;
"""
RIGHTS = """
SELECT count(*) FROM pg_roles r WHERE rolname LIKE 'uscdr_owner_%' AND (rolsuper OR rolcreatedb OR rolcreaterole
    OR rolreplication OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid))
"""
"""Of the role that restored, and has more than its database."""


def ignore(done: int, total: int | None) -> None:
    """Takes no notice of progress."""


def holds(database: Any, sql: str, wanted: str) -> bool:
    return bool(database.invariants([Invariant(name="it", sql=sql, equals=wanted)])[0].holds)


@pytest.fixture
def other(source: Any) -> Iterator[Any]:
    """Another database of the server: made of a script, dumped; itself and its roles go at the end."""
    with psycopg.connect(source.server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE stranger TEMPLATE template0")

        def dump(path: Path, script: str) -> Path:
            with psycopg.connect(source.server.dsn("stranger"), autocommit=True) as inside:
                inside.execute(script.encode())
            environment = {"PATH": os.environ["PATH"], **source.server.environment("stranger")}
            tool = Tool.find("pg_dump", minimum_major=17).path
            # Into a pipe: then it does not say where its rows lie, and a text may be replaced by a longer one.
            made = subprocess.run([tool, "-Fc"], env=environment, check=True, capture_output=True)
            path.write_bytes(made.stdout)
            return path

        yield SimpleNamespace(dump=dump)
        connection.execute("DROP DATABASE stranger WITH (FORCE)")


def forged(dump: Path, old: bytes, new: bytes) -> Path:
    """One text of the dump's table of contents replaced, with its length."""
    data = dump.read_bytes()
    before = b"\0" + len(old).to_bytes(4, "little") + old
    assert before in data, data[:6000]
    dump.write_bytes(data.replace(before, b"\0" + len(new).to_bytes(4, "little") + new))
    return dump


def test_no_function_of_a_dump_may_start_a_program(other: Any, base: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    tmp_path.chmod(0o777)
    dump = other.dump(tmp_path / "d", EVIL.format(mark=mark))
    with LocalScratch(base).restore(dump, ignore) as database:
        assert holds(database, "SELECT v || w FROM notes", "xpowerless")
        assert holds(database, "SELECT v FROM seen", "powerless")
        assert holds(database, RIGHTS, "0")
        assert holds(database, "SELECT pg_get_userbyid(datdba) ~ '^uscdr_owner_' FROM pg_database"
                     " WHERE datname = current_database()", "true")  # fmt: skip
        script = MigrationScript(name="a.b", parts=("INSERT INTO notes VALUES ('z'); REFRESH MATERIALIZED VIEW seen;",))
        assert database.tried([script], seconds=20.0) == (ScriptEnd(name="a.b"),)
        assert database.left_out == ()
    assert not mark.exists()


@pytest.mark.parametrize("event", ["login", "ddl_command_end"])
def test_event_triggers_are_left_out_and_said(other: Any, base: Path, tmp_path: Path, event: str) -> None:
    made = (
        "CREATE TABLE t (id int); INSERT INTO t VALUES (1);"
        "CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS 'begin raise ''no''; end';"
        f"CREATE EVENT TRIGGER told ON {event} EXECUTE FUNCTION told(); ALTER EVENT TRIGGER told DISABLE"
    )
    dump = other.dump(tmp_path / "d", made)
    dump.write_bytes(dump.read_bytes().replace(b" DISABLE;", b" ENABLE; "))
    with LocalScratch(base).restore(dump, ignore) as database:
        assert database.counts(["t"]) == {"t": 1}
        assert [(one.what, one.why) for one in database.left_out] == [
            ("event trigger told", "only a superuser may create an event trigger")
        ]


def test_a_forged_statement_has_no_more_rights(other: Any, base: Path, tmp_path: Path) -> None:
    """Whatever the table of contents calls it; a collation is tried before the restore."""
    mark = tmp_path / "ran"
    tmp_path.chmod(0o777)
    plain = b"CREATE COLLATION public.c (provider = libc, locale = 'C');\n"
    dump = other.dump(tmp_path / "d", f"CREATE TABLE t (id int); {plain.decode()}")
    forged(dump, plain, f"COPY (SELECT 1) TO PROGRAM 'id >{mark}'; RESET ROLE;\n".encode())
    with LocalScratch(base).restore(dump, ignore) as database:
        assert [(one.what, one.why) for one in database.left_out] == [
            ("collation c", "the owner of a database may not create it")
        ]
        assert database.counts(["t"]) == {"t": 0}
    assert not mark.exists()


def test_what_a_dump_sets_for_later_sessions_is_taken_back(other: Any, base: Path, tmp_path: Path) -> None:
    plain = b"CREATE INDEX i ON public.t USING btree (id);\n"
    dump = other.dump(tmp_path / "d", f"CREATE TABLE t (id int); INSERT INTO t VALUES (1); {plain.decode()}")
    forged(
        dump,
        plain,
        b"""DO $d$ BEGIN
        EXECUTE 'ALTER DATABASE scratch SET search_path = nowhere';
        EXECUTE 'ALTER DATABASE scratch SET default_transaction_isolation = serializable';
        EXECUTE 'REVOKE ALL ON DATABASE scratch FROM PUBLIC';
        EXECUTE 'ALTER ROLE CURRENT_USER SET statement_timeout = 1'; END $d$;\n""")  # fmt: skip
    with LocalScratch(base).restore(dump, ignore) as database:
        assert holds(
            database, "SELECT string_agg(setconfig::text, '') !~ 'nowhere|serial' FROM pg_db_role_setting", "true"
        )
        script = MigrationScript(name="a.b", parts=("SELECT pg_sleep(0.05); INSERT INTO t VALUES (2);",))
        assert database.tried([script], seconds=20.0) == (ScriptEnd(name="a.b"),)


EXTENSIONS = """
CREATE EXTENSION hstore SCHEMA public; CREATE SCHEMA words; CREATE EXTENSION pg_trgm SCHEMA words;
CREATE EXTENSION dblink; CREATE EXTENSION file_fdw; CREATE EXTENSION pageinspect;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (v text) SERVER files OPTIONS (filename '/etc/hostname');
CREATE VIEW near AS TABLE far;
CREATE TABLE t (id int, h hstore, v text); INSERT INTO t VALUES (1, 'a=>b', 'x');
CREATE INDEX ON t USING gin (v words.gin_trgm_ops);
"""


def test_extensions_that_reach_beyond_their_database_are_left_out_and_the_others_made(
    other: Any, base: Path, tmp_path: Path
) -> None:
    dump = other.dump(tmp_path / "d", EXTENSIONS)
    with LocalScratch(base).restore(dump, ignore) as database:
        assert database.counts(["t"]) == {"t": 1}
        assert {one.name for one in database.extensions()} == {"hstore", "pg_trgm", "plpgsql"}
        assert holds(database, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%gin_trgm_ops%'", "1")
        why = {one.what: one.why for one in database.left_out}
    assert why == {
        "extension dblink": "it may reach beyond its database, so no proof creates it",
        "extension file_fdw": "it may reach beyond its database, so no proof creates it",
        "extension pageinspect": "it may reach beyond its database, so no proof creates it",
        "server files": "it reads data on another server, which no dump contains",
        "foreign table far": "it depends on server files, which is left out",
        "view near": "it depends on server files, which is left out",
    }


def test_rows_that_hang_on_such_an_extension_are_not_left_out(other: Any, base: Path, tmp_path: Path) -> None:
    made = "CREATE EXTENSION dblink; CREATE TABLE t (a dblink_pkey_results); INSERT INTO t VALUES (NULL)"
    dump = other.dump(tmp_path / "d", made)
    with (
        pytest.raises(
            MachineError, match="Rows of the dump need objects that no proof creates: extension dblink"
        ) as refused,
        LocalScratch(base).restore(dump, ignore),
    ):
        pytest.fail("proven without its rows")
    assert "the dump itself may be valid" in refused.value.why


@pytest.mark.parametrize("used", ["no", "by an index", "by a table"])
def test_an_extension_that_the_server_lacks(other: Any, base: Path, tmp_path: Path, used: str) -> None:
    """What hangs on it is left out with it, unless that would be rows."""
    more = {
        "no": "",
        "by an index": "CREATE INDEX words ON t USING gin (v gin_trgm_ops)",
        "by a table": "CREATE TABLE u (h hstore); INSERT INTO u VALUES ('a=>b')",
    }[used]
    name = b"hstore" if used == "by a table" else b"pg_trgm"
    made = f"CREATE EXTENSION {name.decode()}; CREATE TABLE t (v text); INSERT INTO t VALUES ('x'); {more}"
    dump = forged(other.dump(tmp_path / "d", made), name, b"postgis")
    scratch = LocalScratch(base)
    if used == "by a table":
        with pytest.raises(MachineError, match="lacks the extension postgis") as lacking, scratch.restore(dump, ignore):
            pytest.fail("restored without its extension")
        assert "--scratch" in lacking.value.next_action
        return
    with scratch.restore(dump, ignore) as database:
        assert database.counts(["t"]) == {"t": 1}
        assert [one.what for one in database.left_out] == ["extension postgis", "index words"][
            : 1 if used == "no" else 2
        ]


def test_what_an_ordinary_owner_may_not_make_is_left_out_with_what_hangs_on_it(
    other: Any, base: Path, tmp_path: Path
) -> None:
    """Found while it is restored: then once more without it."""
    made = (
        "CREATE FUNCTION quiet(text) RETURNS text LEAKPROOF IMMUTABLE LANGUAGE sql AS 'SELECT $1';"
        "CREATE TABLE t (v text); INSERT INTO t VALUES ('x'); CREATE VIEW shown AS SELECT quiet(v) FROM t;"
        "CREATE FUNCTION plain(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1';"
        "CREATE INDEX ON t (plain(v))"
    )
    dump = other.dump(tmp_path / "d", made)
    with LocalScratch(base).restore(dump, ignore) as database:
        assert database.counts(["t"]) == {"t": 1}
        assert holds(database, "SELECT count(*) FROM pg_indexes WHERE tablename = 't'", "1")
        assert [(one.what, one.why) for one in database.left_out] == [
            ("function quiet(text)", "the owner of a database may not create it"),
            ("view shown", "it depends on function quiet(text), which is left out"),
        ]


def test_policies_for_roles_that_nobody_can_make(other: Any, base: Path, tmp_path: Path) -> None:
    made = (
        "CREATE TABLE t (v text); INSERT INTO t VALUES ('x'); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE POLICY p ON t TO pg_monitor USING (false)"
    )
    plain = b"CREATE POLICY p ON public.t TO pg_monitor USING (false);\n"
    dump = forged(other.dump(tmp_path / "d", made), plain, plain.replace(b"pg_monitor", b"pg_nobody"))
    with LocalScratch(base).restore(dump, ignore) as database:
        assert database.counts(["t"]) == {"t": 1}
        assert [one.what for one in database.left_out] == ["policy t p"]


def test_a_statement_without_an_end_is_ended(source: Any, base: Path, tmp_path: Path) -> None:
    dump = source.slow_dump(tmp_path / "slow.dump")
    with (
        pytest.raises(CheckFailed, match=r"one statement of the dump ran for .* without an end"),
        LocalScratch(base, statement_timeout=2.0).restore(dump, ignore),
    ):
        pytest.fail("restored what never ends")


def test_rows_that_fill_the_disk_are_stopped_before_it_is_full(
    source: Any, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([10**9] * 4)
    monkeypatch.setattr(
        "uscdr.providers.probes.machine.shutil.disk_usage", lambda place: SimpleNamespace(free=next(free, 10**8))
    )
    dump = source.slow_dump(tmp_path / "slow.dump")
    with (
        pytest.raises(MachineError, match=r"no room to restore the dump: .* has 100\.0 MB left") as caught,
        LocalScratch(base).restore(dump, ignore),
    ):
        pytest.fail("went on")
    assert "are restored so far; uscdr stopped the restore" in caught.value.why


def test_the_server_has_a_socket_only_and_nothing_of_the_environment(
    good: Path, base: Path, homes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEROKU_API_KEY", "Canario-of-the-environment")
    with LocalScratch(base).restore(good, ignore) as database:
        assert holds(database, "SELECT setting FROM pg_settings WHERE name = 'listen_addresses'", "")
        (home,) = homes()
        pid = int((home / "data" / "postmaster.pid").read_text().split()[0])
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"Canario" not in environment
        assert f"TMPDIR={home}/tmp".encode() in environment
        assert Path(f"/proc/{pid}").stat().st_uid != 0
        assert (home.stat().st_mode & 0o777) == 0o700


@pytest.mark.parametrize("victim", ["pg_restore", "the server"])
def test_what_is_killed_is_told_and_the_dump_not_blamed(
    source: Any, base: Path, tmp_path: Path, homes: Any, victim: str
) -> None:
    dump = source.slow_dump(tmp_path / "slow.dump")
    struck = threading.Event()

    def strike(done: int, total: int | None) -> None:
        pids = _restores(dump) if victim == "pg_restore" else _postmaster(homes())
        if pids and not struck.is_set():
            struck.set()
            os.kill(pids[0], signal.SIGKILL)

    wanted = "Signal 9 killed pg_restore" if victim == "pg_restore" else "PostgreSQL ended while the dump"
    with pytest.raises(MachineError, match=wanted) as caught, LocalScratch(base).restore(dump, strike):
        pytest.fail("restored")
    assert "this does not mean that the backup is damaged" in caught.value.why
    assert "memory" in caught.value.next_action
    assert not _restores(dump)


def test_a_server_that_ends_under_a_proof_is_this_machines_trouble(good: Path, base: Path, homes: Any) -> None:
    with (
        pytest.raises(MachineError, match="which held the restored backup, has ended"),
        LocalScratch(base).restore(good, ignore) as database,
    ):
        _ended(_postmaster(homes())[0], database)


@pytest.mark.parametrize("where", ["this machine's PostgreSQL", "this machine's socket"])
@pytest.mark.parametrize("error", [psycopg.OperationalError("server closed it"), psycopg.errors.CrashShutdown("x")])
def test_a_process_of_the_server_that_was_killed_is_said_to_be(error: psycopg.Error, where: str) -> None:
    """The kernel ends one session for want of memory, and the server ends the others."""
    server: Any = SimpleNamespace(runs=True)
    with pytest.raises(MachineError, match="lost one of its processes: it crashed, or was killed"), _judged(server):
        raise mapped(error, where)
    with pytest.raises(ProviderError, match=r"clinic\.example"), _judged(server):
        raise mapped(error, "clinic.example")


def _ended(server: int, database: Any) -> None:
    os.kill(server, signal.SIGKILL)
    for _ in range(3):
        database.counts(["visit"])


def _postmaster(homes: list[Path]) -> list[int]:
    return [int((home / "data" / "postmaster.pid").read_text().split()[0]) for home in homes]


def _restores(dump: Path) -> list[int]:
    """The processes of this dump's restore, the first one first."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if b"pg_restore" in line and os.fsencode(dump) in line and b"--no-owner" in line:
            found.append(int(path.parent.name))
    return sorted(found)
