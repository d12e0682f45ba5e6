"""The scratch server is as the platform's is: letters fold alike, roles are there, its own objects are not missed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from uscdr.errors import CheckFailed, MachineError, UscdrError
from uscdr.models.data_settings import Invariant
from uscdr.providers.postgres.archive import Archive
from uscdr.providers.postgres.scratch import LocalScratch

FOLDING = "ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
PLATFORM = """
CREATE SCHEMA _heroku;
CREATE SCHEMA heroku_ext;
CREATE EXTENSION pg_stat_statements SCHEMA public;
CREATE FUNCTION _heroku.create_ext() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS 'begin null; end';
CREATE FUNCTION heroku_ext.watch() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE EVENT TRIGGER log_create_ext ON ddl_command_end EXECUTE FUNCTION _heroku.create_ext();
CREATE TABLE patient (id int PRIMARY KEY); INSERT INTO patient VALUES (1), (2);
CREATE PUBLICATION changes FOR TABLE patient;
"""
POLICIES = """
CREATE TABLE notes (id int PRIMARY KEY, owner text); INSERT INTO notes VALUES (1, 'a');
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON notes AS RESTRICTIVE FOR SELECT TO {analyst}, {odd} USING (owner = current_user);
CREATE POLICY "TO nobody" ON notes FOR ALL USING (true);
CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far.example');
CREATE USER MAPPING FOR {odd} SERVER far OPTIONS (user 'x', password 'Canario');
"""


def ignore(done: int, total: int | None) -> None:
    """Takes no notice of progress."""


@pytest.fixture
def other(source: Any) -> Iterator[Any]:
    """Another database of the server, with the means of `source`; its roles and itself go at the end."""
    with psycopg.connect(source.server.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE other TEMPLATE template0 {FOLDING}".encode())
        yield Other(source)
        connection.execute(b"DROP DATABASE other WITH (FORCE)")
        for name in ("analyst_ro", 'Odd "r", x'):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


class Other:
    """One database of a server: made of a script, dumped."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def dump(self, path: Path, script: str) -> Path:
        with psycopg.connect(self._source.server.dsn("other"), autocommit=True) as connection:
            connection.execute(script.encode())
        dump: Path = self._source.dump(path, "-d", "other")
        return dump


def test_letters_fold_as_in_the_database_of_the_dump(other: Other, base: Path, tmp_path: Path) -> None:
    """And a generated column is no part of a digest, wherever it is made."""
    made = "CREATE TABLE p (id int PRIMARY KEY, n text, low text GENERATED ALWAYS AS (lower(n)) STORED)"
    dump = other.dump(tmp_path / "d", f"{made}; INSERT INTO p VALUES (1, 'PEÑA')")
    with LocalScratch(base).restore(dump, ignore) as database:
        low = Invariant(name="low", sql="SELECT low FROM p", equals="peña")
        assert database.invariants([low])[0].holds
        digest = database.digests(["p"])
    plain = other.dump(tmp_path / "e", "ALTER TABLE p DROP COLUMN low")
    with LocalScratch(base).restore(plain, ignore) as database:
        assert database.digests(["p"]) == digest


def test_what_belongs_to_the_platform_is_left_out_and_said(other: Other, base: Path, tmp_path: Path) -> None:
    dump = other.dump(tmp_path / "d", PLATFORM)
    with LocalScratch(base).restore(dump, ignore) as database:
        assert database.counts(["patient"]) == {"patient": 2}
        there = "SELECT count(*) FROM pg_event_trigger"
        assert database.invariants([Invariant(name="none", sql=there, equals="0")])[0].holds
    left = Archive.read(dump, None).selection.left_out
    assert {one.what for one in left if one.of_platform} == {
        "schema _heroku",
        "function _heroku.create_ext()",
        "event trigger log_create_ext",
        "function heroku_ext.watch()",
    }
    assert {one.what for one in left if not one.of_platform} == {
        "publication changes",
        "publication table changes patient",
    }


def test_what_the_application_hangs_on_is_not_left_out(other: Other, base: Path, tmp_path: Path) -> None:
    script = (
        "CREATE SCHEMA _heroku; CREATE FUNCTION _heroku.f() RETURNS int LANGUAGE sql AS 'SELECT 7';"
        "CREATE TABLE t (id int DEFAULT _heroku.f()); INSERT INTO t DEFAULT VALUES"
    )
    dump = other.dump(tmp_path / "d", script)
    assert Archive.read(dump, None).selection.left_out == ()
    with LocalScratch(base).restore(dump, ignore) as database:
        assert database.counts(["t"]) == {"t": 1}


def test_roles_that_policies_and_user_mappings_name_are_made(other: Other, base: Path, tmp_path: Path) -> None:
    names = {"analyst": '"analyst_ro"', "odd": '"Odd ""r"", x"'}
    roles = ";".join(f"CREATE ROLE {name}" for name in names.values())
    dump = other.dump(tmp_path / "d", f"{roles};{POLICIES.format(**names)}")
    with LocalScratch(base).restore(dump, ignore) as database:
        policies = "SELECT count(*) FROM pg_policy"
        login = """SELECT bool_or(rolcanlogin) FROM pg_roles WHERE rolname IN ('analyst_ro', 'Odd "r", x')"""
        asked = [Invariant(name="p", sql=policies, equals="2"), Invariant(name="l", sql=login, equals="false")]
        assert [one.holds for one in database.invariants(asked)] == [True, True]


def test_tablespaces_and_large_objects(other: Other, base: Path, tmp_path: Path, source: Any) -> None:
    inside = "-c allow_in_place_tablespaces=on"
    with psycopg.connect(source.server.dsn(), autocommit=True, options=inside) as connection:
        connection.execute("CREATE TABLESPACE wide LOCATION ''")
        made = "CREATE TABLE t (id int) TABLESPACE wide; SELECT lo_from_bytea(4711, 'abc'); INSERT INTO t VALUES (1)"
        dump = other.dump(tmp_path / "d", made)
        other.dump(tmp_path / "e", "ALTER TABLE t SET TABLESPACE pg_default")
        connection.execute("DROP TABLESPACE wide")
    with LocalScratch(base).restore(dump, ignore) as database:
        objects = "SELECT count(*) FROM pg_largeobject_metadata"
        assert database.invariants([Invariant(name="o", sql=objects, equals="1")])[0].holds


@pytest.mark.parametrize(
    ("definition", "lack"),
    [
        (b"(provider = icu, deterministic = false, locale = 'und-u-ks-level2')", "ICU (collation folded)"),
        (b"(provider = libc, locale = 'xx_XX.UTF-8')", "the locale xx_XX.UTF-8 (collation folded)"),
    ],
)
def test_a_collation_that_this_machine_lacks(
    other: Other, base: Path, tmp_path: Path, definition: bytes, lack: str
) -> None:
    """Written into a dump: the packaged PostgreSQL, which made it, has neither."""
    shown = b"CREATE COLLATION public.folded (provider = libc, locale = 'C');\n"
    script = "CREATE COLLATION folded (provider = libc, locale = 'C'); CREATE TABLE contact (email text COLLATE folded)"
    dump = other.dump(tmp_path / "d", script)
    wanted = b"CREATE COLLATION public.folded " + definition + b";\n"
    data = dump.read_bytes()
    size = len(shown).to_bytes(4, "little")
    assert b"\0" + size + shown in data
    dump.write_bytes(data.replace(b"\0" + size + shown, b"\0" + len(wanted).to_bytes(4, "little") + wanted))
    with pytest.raises(MachineError) as lacking, LocalScratch(base).restore(dump, ignore):
        pytest.fail("restored without its collation")
    assert lacking.value.message == f"This machine's PostgreSQL lacks {lack}."
    assert lacking.value.why == "The dump itself may be valid."
    assert "--scratch" in lacking.value.next_action


VIOLATED = """
CREATE FUNCTION fits(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true';
CREATE TABLE t (n text CHECK (fits(n))); INSERT INTO t VALUES ('a');
CREATE OR REPLACE FUNCTION fits(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT false';
"""


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ((b"", b""), CheckFailed, "pg_restore could not restore the dump: 1 error"),
        ((b"'C.UTF-8'", b"'X.UTF-8'"), MachineError, "This machine's PostgreSQL lacks the locale X.UTF-8"),
        ((b"\x0017.", b"\x0099."), MachineError, "This machine's PostgreSQL lacks features of PostgreSQL 99"),
    ],
)
def test_rows_that_do_not_fit_blame_the_dump_only_where_nothing_else_may_be_the_cause(
    other: Other, base: Path, tmp_path: Path, change: tuple[bytes, bytes], error: type[UscdrError], words: str
) -> None:
    """Another order of texts, or a newer server's statements, may be the cause."""
    dump = other.dump(tmp_path / "d", VIOLATED)
    head, rest = dump.read_bytes()[:4000], dump.read_bytes()[4000:]
    assert change[0] in head
    dump.write_bytes((head.replace(*change) if change[0] else head) + rest)
    with pytest.raises(error) as refused, LocalScratch(base).restore(dump, ignore):
        pytest.fail("restored rows that do not fit")
    assert refused.value.message.startswith(words)
