"""Nothing of a dump is changed by the load, whatever its texts look like; what an owner may not make is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from live_target import Owned, dump, ignore, loader

from uscdr.errors import CheckFailed

LOOKS_LIKE_ROWS = r"""
CREATE FUNCTION import_help() RETURNS text LANGUAGE plpgsql AS $f$
begin return $h$
COPY staging FROM stdin;
1	x
\.

--
-- Name: patients; Type: TABLE; Schema: public; Owner: -
--
-- PostgreSQL database dump complete
\restrict x
SET lock_timeout = 0;
$h$; end $f$;
CREATE TABLE t (id int PRIMARY KEY, "a
COPY public.t (id) FROM stdin;
" text, low int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO t VALUES (1, 'x'), (2, E'COPY public.t (id) FROM stdin;\n\\.\n');
CREATE TABLE "new
line; DROP TABLE t" (id int); INSERT INTO "new
line; DROP TABLE t" VALUES (7);
COMMENT ON TABLE t IS 'COPY t FROM stdin;
1	x
\.
';
COMMENT ON SCHEMA public IS 'COPY t FROM stdin;';
COMMENT ON COLUMN t.id IS '
-- Name: id; Type: TABLE';
CREATE RULE said AS ON UPDATE TO t DO ALSO SELECT '
COPY t FROM stdin;
\.
';
CREATE VIEW v AS SELECT '
COPY v FROM stdin;
' AS text;
CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM t;
CREATE TYPE mood AS ENUM ('a;b', 'COPY x FROM stdin;');
CREATE DOMAIN short AS text CHECK (VALUE <> '
COPY x FROM stdin;
');
"""
TEXTS = """
SELECT 'function', p.proname::text, p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
  WHERE n.nspname = 'public'
UNION ALL SELECT 'comment', c.relname || ' ' || objsubid, description FROM pg_description d
  JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace AND nspname = 'public'
UNION ALL SELECT 'comment', 'public', description FROM pg_description WHERE objoid = 'public'::regnamespace
UNION ALL SELECT 'rule', rulename, definition FROM pg_rules WHERE schemaname = 'public'
UNION ALL SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT 'matview', matviewname, ispopulated::text FROM pg_matviews
UNION ALL SELECT 'label', typname, enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
UNION ALL SELECT 'check', conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'
UNION ALL SELECT 'column', attname, attgenerated::text FROM pg_attribute WHERE attrelid = 'public.t'::regclass
ORDER BY 1, 2
"""


def texts(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(TEXTS.encode()).fetchall()


def test_texts_that_look_like_a_script_arrive_as_they_were(owned: Owned, new_database: Any, tmp_path: Path) -> None:
    clinic = new_database()
    clinic.run(LOOKS_LIKE_ROWS)
    whole = dump(clinic, tmp_path / "d")
    for _ in range(2):
        loader().load(owned.url, whole, ignore)
        assert texts(owned.url.get_secret_value()) == texts(clinic.server.dsn(clinic.name))
    names = [table.name for table in clinic.adapter().tables()]
    assert len(names) == 2
    assert owned.digests(names) == clinic.adapter().digests(names)


def test_rows_dumped_as_inserts(owned: Owned, new_database: Any, tmp_path: Path) -> None:
    clinic = new_database()
    clinic.run(LOOKS_LIKE_ROWS)
    loader().load(owned.url, dump(clinic, tmp_path / "d", "--inserts"), ignore)
    names = [table.name for table in clinic.adapter().tables()]
    assert owned.digests(names) == clinic.adapter().digests(names)


LARGE = """
CREATE TABLE scan (id int PRIMARY KEY, object oid);
INSERT INTO scan SELECT g, lo_from_bytea(0, convert_to(repeat(md5(g::text), 20000), 'UTF8'))
FROM generate_series(1, 3) g;
"""


def test_large_objects_come_with_the_rows_or_not_at_all(owned: Owned, new_database: Any, tmp_path: Path) -> None:
    clinic = new_database()
    clinic.run(LARGE)
    whole = dump(clinic, tmp_path / "d")
    contents = "SELECT array_agg(md5(lo_get(object)) ORDER BY id) FROM scan"
    url, known = owned.url.get_secret_value(), clinic.server.dsn(clinic.name)
    for _ in range(2):
        loader().load(owned.url, whole, ignore)
        with psycopg.connect(url) as one, psycopg.connect(known) as two:
            assert one.execute(contents).fetchall() == two.execute(contents).fetchall()


def test_a_load_that_fails_after_large_objects_changes_nothing(owned: Owned, new_database: Any, tmp_path: Path) -> None:
    clinic = new_database()
    clinic.run(LARGE + "CREATE TABLE child (scan int REFERENCES scan); SET session_replication_role = replica;"
               "INSERT INTO child VALUES (99)")  # fmt: skip
    owned.run("CREATE TABLE scan (old int)")
    with pytest.raises(CheckFailed, match="refused the dump"):
        loader().load(owned.url, dump(clinic, tmp_path / "d"), ignore)
    with psycopg.connect(owned.url.get_secret_value()) as connection:
        assert connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchall() == [(0,)]
    assert owned.names() == ["scan"]


PLATFORM = """
CREATE SCHEMA _heroku; CREATE SCHEMA heroku_ext; CREATE EXTENSION pg_stat_statements SCHEMA heroku_ext;
CREATE VIEW slowest AS SELECT queryid FROM heroku_ext.pg_stat_statements;
CREATE FUNCTION _heroku.create_ext() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS 'begin null; end';
CREATE EVENT TRIGGER log_create_ext ON ddl_command_end EXECUTE FUNCTION _heroku.create_ext();
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'begin null; end';
CREATE EVENT TRIGGER own ON ddl_command_end EXECUTE FUNCTION watch();
CREATE TABLE notes (id int PRIMARY KEY, owner text); INSERT INTO notes VALUES (1, 'a');
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON notes FOR SELECT TO analyst_ro USING (owner = current_user);
CREATE POLICY all_of_us ON notes USING (true);
CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far.example');
CREATE FOREIGN TABLE far_table (a int) SERVER far; CREATE VIEW over_there AS SELECT a FROM far_table;
CREATE PUBLICATION changes FOR ALL TABLES;
"""


def test_what_an_owner_may_not_make_is_left_out_and_named(owned: Owned, new_database: Any, tmp_path: Path) -> None:
    clinic = new_database()
    clinic.run(f"CREATE ROLE analyst_ro; {PLATFORM}")
    try:
        whole = dump(clinic, tmp_path / "d")
    finally:
        clinic.run("DROP POLICY mine ON notes; DROP ROLE analyst_ro; DROP EVENT TRIGGER own")
        clinic.run("DROP EVENT TRIGGER log_create_ext")
    owned.clinic.run("CREATE EXTENSION postgres_fdw")  # as a platform that lets nobody else make it
    left = loader().load(owned.url, whole, ignore)
    said = {one.what: one.why for one in left}
    assert said["policy notes mine"] == "the role analyst_ro does not exist in the new database"
    assert said["server far"].startswith("the owner of the new database may not create it")
    assert said["foreign table far_table"] == "it depends on server far, which is left out"
    assert said["view over_there"] == "it depends on server far, which is left out"
    assert said["extension pg_stat_statements"].startswith("the owner of the new database may not create it")
    assert said["view slowest"] == "it depends on extension pg_stat_statements, which is left out"
    assert said["event trigger own"] == "only a superuser may create an event trigger"
    assert said["publication changes"] == "a restore does not set up replication"
    assert {one.what for one in left if one.of_platform} == {
        "schema _heroku",
        "function _heroku.create_ext()",
        "event trigger log_create_ext",
    }
    assert owned.digests(["notes"]) == clinic.adapter().digests(["notes"])
    with psycopg.connect(owned.url.get_secret_value()) as connection:
        assert connection.execute("SELECT polname FROM pg_policy").fetchall() == [("all_of_us",)]
        rows = connection.execute("SELECT relrowsecurity FROM pg_class WHERE relname = 'notes'").fetchall()
        assert rows == [(True,)]
