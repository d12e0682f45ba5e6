"""Masking a database: by default nothing of anybody stays, and everything that the database demands still holds."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from uscdr.cleanup import sweep
from uscdr.errors import BadInput, CheckFailed
from uscdr.models.data_settings import CanaryColumn
from uscdr.models.masking import DrillUser, MaskedDatabase, MaskingRules
from uscdr.pgserver.cluster import Tool
from uscdr.pgserver.server import LocalPostgres
from uscdr.providers.postgres.masking import mask
from uscdr.providers.postgres.scratch_masked import MaskingScratch

KEY = "key of the drill"


def rules(
    persons: dict[str, str] | None = None, canaries: tuple[CanaryColumn, ...] = (), **columns: Any
) -> MaskingRules:
    """Rules by column; a name is written `table__column`."""
    named = {name.replace("__", "."): rule for name, rule in columns.items()}
    return MaskingRules(named, persons or {}, frozenset(), canaries, SecretStr(KEY))


@contextmanager
def database(server: LocalPostgres, script: str) -> Iterator[psycopg.Connection[Any]]:
    """A session in a new database."""
    name = f"masked_{secrets.token_hex(6)}"
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute(script.encode())
        yield connection


def rows(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    found = connection.execute(query.encode()).fetchall()
    return [row[0] for row in found] if found and len(found[0]) == 1 else found


def by_column(done: MaskedDatabase) -> dict[str, str]:
    return {f"{one.table}.{one.column}": one.rule for one in done.columns}


def everything(connection: psycopg.Connection[Any]) -> str:
    names = rows(connection, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'")
    return "\n".join(row for name in names for row in rows(connection, f"SELECT t::text FROM {name} t"))


TYPES = """
CREATE TYPE mood AS ENUM ('calm', 'tense');
CREATE DOMAIN code AS varchar(12) CHECK (VALUE ~ '^[A-Z]{3}-[0-9]{4}$');
CREATE TABLE t (
    id serial PRIMARY KEY, body text, short varchar(8), fixed char(6), place code, mood mood, kind varchar(10)
        CHECK (kind IN ('red', 'green')), data jsonb, old json, raw bytea, born date, at timestamptz, tick time,
    words text[], days date[], many code[], ticket uuid, ip inet, search tsvector, n int, share numeric, ok bool,
    made text GENERATED ALWAYS AS (upper(body)) STORED, must varchar(9) NOT NULL);
INSERT INTO t (body, short, fixed, place, mood, kind, data, old, raw, born, at, tick, words, days, many, ticket, ip,
               search, n, share, ok, must)
SELECT 'Secretive Zwiebel ' || g, 'Zwieb' || g % 100, 'Zw' || g % 10, 'ZWI-' || 1000 + g, 'calm', 'red',
       jsonb_build_object('zwiebel', 'Zwiebel ' || g, 'list', jsonb_build_array('Zwiebel', 639170001234 + g),
                          'Zwiebel-' || g, 1,
                          'day', '2001-02-03', 'deep', jsonb_build_object('zwiebel', 'Zwiebel' || g)),
       '{"note": "Zwiebel"}', convert_to('Zwiebel', 'UTF8'), '1990-05-06', '2020-01-02 03:04+00', '10:11',
       ARRAY['Zwiebel', NULL, 'Zwiebel' || g], ARRAY['1990-05-06'::date], ARRAY['ZWI-1234'::code],
       gen_random_uuid(), '203.0.113.7', to_tsvector('simple', 'zwiebel'), g, 0.5123, true, 'Zwiebel' || g % 100
FROM generate_series(1, 40) g;
INSERT INTO t (must) VALUES ('');
"""


def test_no_value_of_any_type_stays_and_every_type_stays_valid(server: LocalPostgres) -> None:
    with database(server, TYPES) as connection:
        done = mask(connection, rules(), None)
        left = everything(connection)
        whole = rows(connection, "SELECT id, share < 0.5123, ok, mood::text, kind, length(body), words[2], old->>'note'"
                                 " FROM t WHERE id = 7")[0]  # fmt: skip
        named = rows(connection, "SELECT DISTINCT k FROM t, jsonb_object_keys(data) k WHERE id = 7")
        made = rows(connection, "SELECT bool_and(made = upper(body)) FROM t")
        empty = rows(
            connection, "SELECT count(*) FROM t WHERE body IS NULL AND data IS NULL AND words IS NULL AND must = ''"
        )
    words = [word for word in ("secretive", "zwiebel", "zwi-", "203.0.113", "1990-05-06", "639170001") if word in
             left.lower().replace('"zwiebel"', "")]  # fmt: skip
    assert words == []
    assert whole[:6] == (7, True, True, "calm", "red", len("Secretive Zwiebel 7"))
    assert whole[6] is None
    assert {"zwiebel", "list", "day", "deep"} < set(named)  # names that all rows have; that of one row is masked
    assert "Zwiebel-7" not in named
    assert (made, empty) == ([True], [1])
    assert by_column(done)["t.kind"] == "keep"
    assert done.rows == {"t": 41}


def test_a_type_without_a_known_mask_is_refused_by_its_columns_name(server: LocalPostgres) -> None:
    with database(server, "CREATE TABLE t (id int, page xml, spot point)") as connection:
        with pytest.raises(BadInput, match=r"t\.page.*type xml"):
            mask(connection, rules(), None)
        done = mask(connection, rules(t__page="null", t__spot="keep"), None)
    assert by_column(done) == {"t.id": "keep", "t.page": "null", "t.spot": "keep"}


KEYS = """
CREATE TABLE holder (email varchar(40) PRIMARY KEY, nick varchar(3) UNIQUE NOT NULL);
CREATE UNIQUE INDEX ON holder (lower(email));
CREATE TABLE pass (key varchar(40) PRIMARY KEY, email varchar(40) NOT NULL REFERENCES holder,
    n int REFERENCES pass2 (n));
"""


def test_keys_of_text_stay_unique_and_references_to_them_hold(server: LocalPostgres) -> None:
    script = (
        "CREATE TABLE pass2 (n int PRIMARY KEY);"
        + KEYS
        + """
        INSERT INTO pass2 SELECT generate_series(1, 60);
        INSERT INTO holder SELECT 'Holder' || g || '@Place.example', chr(65 + g / 26) || chr(65 + g % 26) || 'Q'
            FROM generate_series(1, 60) g;
        INSERT INTO pass SELECT md5(g::text), 'Holder' || g || '@Place.example', g FROM generate_series(1, 60) g;
    """
    )
    with database(server, script) as connection:
        before = set(rows(connection, "SELECT nick FROM holder"))
        mask(connection, rules(), None)
        pairs = rows(connection, "SELECT count(*) FROM pass JOIN holder USING (email)")
        after = set(rows(connection, "SELECT nick FROM holder"))
        hashes = rows(connection, "SELECT count(*) FROM pass WHERE key ~ '^[0-9a-f]{32}$' AND key <> md5(n::text)")
        left = everything(connection)
        connection.execute(
            "ALTER TABLE pass DROP CONSTRAINT pass_email_fkey, ADD FOREIGN KEY (email) REFERENCES holder"
        )
    assert (pairs, hashes) == ([60], [60])
    assert len(after) == 60
    assert not before & after
    assert "place" not in left.lower()


def test_dates_of_a_person_move_together_into_the_past(server: LocalPostgres) -> None:
    script = """
        CREATE TABLE person (id int PRIMARY KEY, born date);
        CREATE TABLE stay (id int, person_id int REFERENCES person, came date, went date, CHECK (went >= came));
        INSERT INTO person SELECT g, '1990-01-01' FROM generate_series(1, 30) g;
        INSERT INTO stay SELECT g, 1 + g % 30, '2020-01-01'::date + g, '2020-01-08'::date + g
            FROM generate_series(1, 90) g;
    """
    with database(server, script) as connection:
        mask(connection, rules({"person": "id"}), None)
        query = """
            SELECT count(DISTINCT days), min(days), bool_and('1990-01-01'::date - born = days),
                   bool_and(went - came = 7)
            FROM (SELECT person_id, came, went, '2020-01-01'::date + id - came AS days FROM stay) s
            JOIN person p ON p.id = person_id"""
        moved = rows(connection, query)[0]
    assert moved[0] > 5
    assert moved[1] >= 30
    assert moved[2:] == (True, True)


def test_the_same_text_has_the_same_mask_once_and_another_in_the_next_drill(server: LocalPostgres) -> None:
    script = (
        "CREATE TABLE a (x text); CREATE TABLE b (y text); INSERT INTO a VALUES ('Zwiebel'); INSERT INTO b TABLE a;"
    )
    seen = []
    for _ in range(2):
        with database(server, script) as connection:
            mask(connection, rules(), None)
            seen += [rows(connection, "SELECT x FROM a"), rows(connection, "SELECT y FROM b")]
    assert seen[0] == seen[1]
    assert seen[2] == seen[3] != seen[0]


def test_a_text_of_any_length_has_as_many_characters_afterwards_or_nearly(server: LocalPostgres) -> None:
    script = """
        CREATE TABLE t (n int PRIMARY KEY, v text);
        INSERT INTO t SELECT g, repeat('z', g) FROM generate_series(0, 600) g
    """
    with database(server, script) as connection:
        mask(connection, rules(), None)
        assert rows(connection, "SELECT count(*) FROM t WHERE length(v) BETWEEN n - 1 AND n AND v !~ 'zzzz'") == [601]


def test_rules_of_the_file_win_by_column_and_by_table(server: LocalPostgres) -> None:
    script = """
        CREATE TABLE t (a text, b text, c text, d varchar(30), e int, f text);
        INSERT INTO t VALUES ('Maria Cruz', 'x@y.example', '+63 917-000', '', 4000, 'gone');
        CREATE TABLE u (a text, b timestamptz); INSERT INTO u VALUES ('stays', '2020-01-01');
    """
    wanted = MaskingRules(
        {"t.a": "name", "t.b": "email", "t.c": "phone", "t.e": "number", "t.f": "empty", 'u."*"': "keep",
         "no.where": "keep"},
        {}, frozenset(), (), SecretStr(KEY),
    )  # fmt: skip
    with database(server, script) as connection:
        done = mask(connection, wanted, None)
        a, b, c, d, e, f = rows(connection, "SELECT * FROM t")[0]
        kept = rows(connection, "SELECT a FROM u")
    assert len(a.split()) == 2
    assert "Maria" not in a
    assert b.endswith("@example.invalid")
    assert (c[0], c[3], c[7]) == ("+", " ", "-")
    assert c != "+63 917-000"
    assert (d, f) == ("", "")
    assert 2000 <= e < 4000
    assert kept == ["stays"]
    assert done.unknown == ("no.where",)


def test_codes_that_many_rows_share_stay_and_names_in_such_a_column_do_not(server: LocalPostgres) -> None:
    script = """
        CREATE TABLE t (state varchar(10), last_name varchar(10), free varchar(10));
        INSERT INTO t SELECT (ARRAY['OPEN', 'DONE'])[1 + g % 2], (ARRAY['CRUZ', 'REYES'])[1 + g % 2], 'ROW' || g
        FROM generate_series(1, 20) g;
    """
    with database(server, script) as connection:
        done = mask(connection, rules(), None)
        left = everything(connection)
    assert by_column(done) == {"t.state": "keep", "t.last_name": "name", "t.free": "text"}
    assert "OPEN" in left
    assert "CRUZ" not in left
    assert "ROW" not in left


@pytest.mark.parametrize(
    ("column", "values", "wanted", "says"),
    [
        ("varchar(20) CHECK (v LIKE 'Z%')", "SELECT 'Zwiebel'", {}, r"the constraint t_v_check: t\.v \(rule text\)"),
        ("text UNIQUE", "VALUES ('Z'), ('Zwiebel')", {"t__v": "empty"}, r"the constraint t_v_key: t\.v \(rule empty\)"),
        (
            "char(1) PRIMARY KEY",
            "SELECT chr(g) FROM generate_series(65, 90) g",
            {},
            r"too few different values for t\.v",
        ),
    ],
)
def test_a_masked_row_that_breaks_a_constraint_names_column_and_rule(
    server: LocalPostgres, column: str, values: str, wanted: dict[str, Any], says: str
) -> None:
    with database(server, f"CREATE TABLE t (v {column}); INSERT INTO t {values}") as connection:
        with pytest.raises(CheckFailed, match=says) as caught:
            mask(connection, rules(**wanted), None)
        left = everything(connection)
    assert "Zwiebel" not in f"{caught.value} {caught.value.why} {caught.value.next_action}"
    assert "Z" in left  # nothing was masked: it is one transaction


@pytest.mark.parametrize(
    ("rule", "says"), [("null", "NOT NULL"), ("date", "does not fit its type text"), ("json", "does not fit")]
)
def test_a_rule_that_cannot_fit_its_column_is_refused(server: LocalPostgres, rule: str, says: str) -> None:
    with database(server, "CREATE TABLE t (v text NOT NULL)") as connection, pytest.raises(BadInput, match=says):
        mask(connection, rules(t__v=rule), None)


PARTS = """
CREATE TABLE event (id int, at date NOT NULL, body text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO event SELECT g, '2025-06-01'::date + g * 10, 'Zwiebel' FROM generate_series(1, 40) g;
CREATE TABLE base (body text); CREATE TABLE heir (more text) INHERITS (base);
INSERT INTO heir VALUES ('Zwiebel', 'Zwiebel');
"""


def test_partitions_and_heirs_are_masked_in_place(server: LocalPostgres) -> None:
    with database(server, PARTS) as connection:
        before = rows(connection, "SELECT count(*) FROM ONLY event_1")
        done = mask(connection, rules(event__body="name"), None)
        after = rows(connection, "SELECT count(*) FROM ONLY event_1")
        left = everything(connection)
    assert before == after
    assert "Zwiebel" not in left
    assert by_column(done)["event_2.body"] == "name"
    assert by_column(done)["event_1.at"] == "keep"


def test_triggers_and_rows_security_do_not_intervene_and_are_as_before(server: LocalPostgres) -> None:
    script = """
        CREATE TABLE t (v text); INSERT INTO t VALUES ('Zwiebel');
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
        CREATE TRIGGER usual BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep();
        CREATE TRIGGER always BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep();
        ALTER TABLE t ENABLE ALWAYS TRIGGER always;
    """
    with database(server, script) as connection:
        mask(connection, rules(), None)
        left = everything(connection)
        states = rows(connection, "SELECT tgenabled::text FROM pg_trigger ORDER BY tgname")
    assert "Zwiebel" not in left
    assert states == ["A", "O"]


def test_encrypted_columns_are_encrypted_from_the_masked_value_with_the_drills_key(server: LocalPostgres) -> None:
    script = """
        CREATE EXTENSION pgcrypto;
        CREATE TABLE t (plain text, raw bytea, armoured text);
        INSERT INTO t SELECT v, pgp_sym_encrypt(v, 'old'), armor(pgp_sym_encrypt(v, 'old'))
        FROM unnest(ARRAY['Zwiebel', 'Zwiebelchen']) v;
        INSERT INTO t VALUES ('Zwiebel', NULL, NULL);
    """
    canaries = tuple(CanaryColumn(table="t", encrypted=one, plain="plain") for one in ("raw", "armoured"))
    with database(server, script) as connection:
        mask(connection, rules(canaries=canaries), None)
        query = (
            f"SELECT pgp_sym_decrypt(raw, '{KEY}') = plain, pgp_sym_decrypt(dearmor(armoured), '{KEY}') = plain FROM t"
        )
        assert sorted(rows(connection, query), key=str) == [(None, None), (True, True), (True, True)]
        assert "Zwiebel" not in everything(connection)


def test_the_drills_user_takes_the_place_of_the_account_that_may_do_most(server: LocalPostgres) -> None:
    script = """
        CREATE TABLE account (id int, email varchar(40) UNIQUE, password varchar(30), is_active bool,
            is_superuser bool);
        INSERT INTO account VALUES (1, 'a@b.example', 'p', true, false),
            (2, 'c@d.example', 'p', false, true), (3, 'e', 'p', false, false);
    """
    user = DrillUser(
        "account", ("is_active", "is_superuser"), {"email": "drill@example.invalid"}, "password", "the-hash"
    )
    with database(server, script) as connection:
        done = mask(connection, rules(), user)
        assert rows(
            connection, "SELECT id, is_active, is_superuser, password FROM account WHERE email LIKE 'drill@%'"
        ) == [(2, True, True, "the-hash")]
        assert done.signed_in
        assert rows(connection, "SELECT count(*) FROM account") == [3]
    with database(server, "CREATE TABLE account (id int, email text, password text)") as connection:
        assert not mask(connection, rules(), user).signed_in


WHOLE = """
CREATE TABLE t (id serial PRIMARY KEY, v text, file oid);
INSERT INTO t (v, file) SELECT 'Zwiebel' || g, lo_from_bytea(0, 'Zwiebel') FROM generate_series(1, 30) g;
CREATE MATERIALIZED VIEW seen AS SELECT v FROM t;
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
"""


def dumped(server: LocalPostgres, directory: Path, script: str) -> Path:
    with database(server, script) as connection:
        path, name = directory / "live.dump", connection.info.dbname
        tool = str(Tool.find("pg_dump", minimum_major=17).path)
        subprocess.run([tool, "--format=custom", f"--file={path}"], env=server.environment(name), check=True)
        return path


def test_the_new_dump_has_every_masked_row_and_nothing_else(server: LocalPostgres, tmp_path: Path) -> None:
    target, work = tmp_path / "masked.dump", tmp_path / "work"
    done = MaskingScratch(work, rules()).masked(dumped(server, tmp_path, WHOLE), target, lambda *_: None)
    tool = str(Tool.find("pg_restore", minimum_major=17).path)
    text = subprocess.run([tool, "--file=-", str(target)], capture_output=True, check=True).stdout.decode()
    with database(server, "") as connection:
        name = connection.info.dbname
        subprocess.run([tool, "--no-owner", f"--dbname={name}", str(target)], env=server.environment(name), check=True)
        assert rows(connection, "SELECT count(*) FROM t") == [30]
        assert rows(connection, "SELECT count(*) FROM seen WHERE v IN (TABLE seen)") == [30]
        assert rows(connection, "SELECT nextval('t_id_seq')") == [31]
        assert rows(connection, "SELECT count(*) FROM pg_largeobject_metadata") == [0]
    assert "Zwiebel" not in text
    assert done.rows == {"t": 30}
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(work.iterdir()) == []


KILLED = """
import secrets, sys
from pathlib import Path
from pydantic import SecretStr
from uscdr.cleanup import workplace
from uscdr.models.masking import MaskingRules
from uscdr.providers.postgres.scratch_masked import MaskingScratch

def wait(*_):
    print(*[path.name for path in work.iterdir()], flush=True)
    sys.stdin.read()

with workplace(Path(sys.argv[1]), "masking-1") as work:
    (work / "live.dump").write_bytes(Path(sys.argv[2]).read_bytes())
    MaskingScratch(work, MaskingRules({}, {}, frozenset(), (), SecretStr("k"))).masked(
        work / "live.dump", Path(sys.argv[1]) / "masked.dump", wait)
"""


def test_a_killed_drill_leaves_no_unmasked_row(server: LocalPostgres, tmp_path: Path) -> None:
    state, dump = tmp_path / "state", dumped(server, tmp_path, WHOLE)
    command = [sys.executable, "-c", KILLED, str(state), str(dump)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "scratch-" in process.stdout.readline()
        process.kill()
    assert sweep(state) == ()
    assert list(state.iterdir()) == []
