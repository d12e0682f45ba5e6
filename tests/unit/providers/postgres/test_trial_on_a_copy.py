"""SQL of migrations on a restored copy, with a real server: what fails is told without a row, and nothing stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from uscdr.models.trial import BEGUN, ENDED, MigrationScript, ScriptEnd, Trial
from uscdr.pgserver.server import LocalPostgres
from uscdr.providers.ports.database import Copy
from uscdr.providers.postgres.copy import RestoredCopy
from uscdr.providers.postgres.scratch import LocalScratch

ROLE = "the_owner"


@pytest.fixture(scope="module")
def restored(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy as a proof makes it, of which no test leaves a trace."""
    scratch = LocalScratch(tmp_path_factory.mktemp("scratch"))
    with scratch.restore(good, lambda done, total: None) as copy:
        yield copy


def written(**texts: str) -> tuple[MigrationScript, ...]:
    """As Django in a dyno writes migrations `patients.NAME`: atomic ones between BEGIN and COMMIT."""
    each = (
        f"-- {BEGUN} patients.{name}\r\nWARNING: something of the program's own\r\n"
        + text.replace("\n", "\r\n")
        + f"\r\n-- {ENDED} 0\r\n"
        for name, text in texts.items()
    )
    return MigrationScript.all_in("".join(each))


def atomic(*statements: str) -> str:
    body = "\n".join(f"--\n-- What it does\n--\n{one}" for one in statements)
    return f"BEGIN;\n{body}\nCOMMIT;\n"


def of_python() -> str:
    return "--\n-- Raw Python operation\n--\n-- THIS OPERATION CANNOT BE WRITTEN AS SQL"


def tried(copy: Copy, seconds: float = 30.0, live: tuple[str, ...] = (), **texts: str) -> Trial:
    made = written(**texts)
    ends = copy.tried(made, seconds=seconds)
    return Trial.judge(ends, [one.name for one in made if one.runs_code], live)


def refusal(trial: Trial) -> str:
    assert trial.refused is not None
    return str(trial.refused)


def state(copy: Copy) -> tuple[object, ...]:
    names = [one.name for one in copy.tables()]
    return copy.digests(names), copy.columns()


ADDS = 'ALTER TABLE "patients_patient" ADD COLUMN "phone" varchar(20) DEFAULT \'\' NOT NULL;'


def test_good_sql_runs_in_order_and_leaves_nothing_behind(restored: Copy) -> None:
    before = state(restored)
    trial = tried(
        restored,
        a=atomic(ADDS, 'ALTER TABLE "patients_patient" ALTER COLUMN "phone" DROP DEFAULT;'),
        b=atomic('CREATE INDEX "by_phone" ON "patients_patient" ("phone");', "-- (no-op)"),
        c=atomic("INSERT INTO django_migrations VALUES (3, 'a', '50% of \\ it''s $$ done');"),
    )
    assert (trial.ran, trial.untried, trial.refused) == (("patients.a", "patients.b", "patients.c"), (), None)
    assert state(restored) == before


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            'ALTER TABLE "patients_patient" ADD COLUMN "born" date NULL;',
            'column "born" of relation "patients_patient" already exists',
        ),
        ('CREATE TABLE "visits" ("id" int);', 'relation "visits" already exists'),
        (
            'ALTER TABLE "patients_patient" ADD COLUMN "ward" varchar(9) NOT NULL;',
            'column "ward" of relation "patients_patient" contains null values',
        ),
        (
            'ALTER TABLE "patients_patient" ALTER COLUMN "note" SET NOT NULL;',
            'column "note" of relation "patients_patient" contains null values',
        ),
        ('ALTER TABLE "patients_gone" ADD COLUMN "x" int;', 'relation "patients_gone" does not exist'),
        ('ALTER TABLE "patients_patient" DROP COLUMN "gone";', 'column "gone" of relation "patients_patient" does not'),
        (
            'ALTER TABLE "patients_patient" ADD CONSTRAINT "one_note" UNIQUE ("note");',
            'could not create unique index "one_note"',
        ),
        (
            'ALTER TABLE "patients_patient" ALTER COLUMN "name" TYPE integer USING "name"::integer;',
            "invalid text representation (uscdr does not show the server's message, which may quote a row)",
        ),
        (
            "INSERT INTO patients_patient (id, name) VALUES (7, 'Ada Lovelace');",
            'duplicate key value violates unique constraint "patients_patient_pkey"',
        ),
        ('ALTER TABLE "patients_patient" DROP CONSTRAINT "gone";', 'constraint "gone" of relation "patients_patient"'),
    ],
)
def test_what_fails_on_these_rows_is_refused_and_quotes_no_row(restored: Copy, statement: str, words: str) -> None:
    before = state(restored)
    trial = tried(restored, a=atomic(ADDS), b=atomic(statement), c=atomic("SELECT 1;"))
    assert trial.ran == ("patients.a",)
    assert words in refusal(trial)
    assert "patients.b" in refusal(trial)
    assert not [word for word in ("Canario", "Ada", "Quiñones") if word in trial.model_dump_json()]
    assert state(restored) == before


def test_what_a_commit_would_refuse_is_refused(restored: Copy) -> None:
    """A deferred foreign key is looked at by the commit alone; the next migration finds no event pending."""
    table = 'CREATE TABLE "bill" ("id" int, "patient_id" int);'
    key = (
        'ALTER TABLE "bill" ADD CONSTRAINT "bill_fk" FOREIGN KEY ("patient_id") REFERENCES "patients_patient" ("id") '
        "DEFERRABLE INITIALLY DEFERRED;"
    )
    good, bad = 'INSERT INTO "bill" VALUES (1, 7);', 'INSERT INTO "bill" VALUES (1, 9999);'
    column = 'ALTER TABLE "bill" ADD COLUMN "paid" int;'
    fine = tried(restored, a=atomic(table, key), b=atomic(good), c=atomic(column))
    assert (len(fine.ran), fine.refused) == (3, None)
    assert "violates foreign key constraint" in refusal(tried(restored, a=atomic(table, key), b=atomic(bad)))
    assert "bill" in refusal(tried(restored, a=atomic(table, key), b=atomic(good, column))), "pending trigger events"


def test_indexes_that_are_built_beside_the_work_are_tried_as_plain_ones(restored: Copy) -> None:
    index = '--\n-- Create index\n--\nCREATE {}INDEX CONCURRENTLY "x" ON "patients_patient" ("{}");\n'
    assert tried(restored, a=index.format("", "note")).ran == ("patients.a",)
    assert 'could not create unique index "x"' in refusal(tried(restored, a=index.format("UNIQUE ", "note")))


def test_python_is_named_and_rows_behind_it_prove_nothing(restored: Copy) -> None:
    nullable = 'ALTER TABLE "patients_patient" ADD COLUMN "ward" int NULL;'
    must = 'ALTER TABLE "patients_patient" ALTER COLUMN "ward" SET NOT NULL;'
    trial = tried(restored, a=atomic(nullable), b=atomic(of_python()), c=atomic(must))
    assert (trial.ran, trial.refused) == (("patients.a", "patients.b"), None)
    assert [one.name for one in trial.untried] == ["patients.b", "patients.c"]
    assert "Python code before it was not run, so this proves nothing" in trial.untried[1].why
    assert tried(restored, a=atomic(nullable, of_python(), must)).refused is None, "in the same migration too"
    before = tried(restored, a=atomic(nullable, must, of_python()))
    assert "contains null values" in refusal(before), "what stands before it does count"
    again = tried(restored, a=atomic(of_python()), b=atomic('CREATE TABLE "visits" ();'))
    assert "already exists" in refusal(again), "no data migration makes room for a table that is there"


def test_too_slow_is_no_failure(restored: Copy) -> None:
    trial = tried(restored, seconds=0.5, a=atomic(ADDS), b=atomic("SELECT pg_sleep(20);"), c=atomic("SELECT 1;"))
    assert (trial.ran, trial.refused) == (("patients.a",), None)
    assert "statement timeout" in str(trial.untried[0])


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE EXTENSION nowhere_to_be_had;", "the copy's server lacks the extension nowhere_to_be_had"),
        ('ALTER TABLE "patients_patient" ADD COLUMN "p" geometry;', 'type "geometry" does not exist'),
        ("ALTER SYSTEM SET work_mem = '1MB';", "proves nothing"),
        ("GRANT SELECT ON patients_patient TO somebody_else;", 'role "somebody_else" does not exist'),
        ("CREATE ROLE another;", "proves nothing"),
        ("COPY patients_patient TO PROGRAM 'true';", "proves nothing"),
        ("Traceback (most recent call last):", "syntax error"),
    ],
)
def test_what_this_server_lacks_or_forbids_proves_nothing(restored: Copy, statement: str, words: str) -> None:
    trial = tried(restored, a=atomic(statement))
    assert (trial.ran, trial.refused) == ((), None)
    assert words in str(trial.untried[0])


@pytest.mark.parametrize("statement", ["COMMIT;", "ROLLBACK;", "COMMIT; DROP TABLE visits_2026;", "RESET ROLE;"])
def test_no_statement_gets_out_of_the_trial(restored: Copy, statement: str) -> None:
    before = state(restored)
    tried(restored, a=atomic(ADDS, statement, "DELETE FROM audit.event;"))
    assert state(restored) == before


def test_sql_that_was_written_beside_the_applied_migration_may_lack_what_it_drops_first(restored: Copy) -> None:
    again = atomic('ALTER TABLE "patients_patient" ADD CONSTRAINT "patients_patient_pkey" PRIMARY KEY ("id");')
    key = atomic('CREATE UNIQUE INDEX "patients_patient_pkey" ON "patients_patient" ("id");')
    assert "already exists" in refusal(tried(restored, a=key))
    for text in (key, again):
        open_still = tried(restored, live=("patients.a",), a=text)
        assert (open_still.refused, len(open_still.untried)) == (None, 1)
    column = atomic('ALTER TABLE "patients_patient" ADD COLUMN "born" date;')
    assert "already exists" in refusal(tried(restored, live=("patients.a",), a=column))


def test_the_owner_of_the_copy_is_no_superuser(restored: Copy) -> None:
    drop = "DROP TABLE visits"
    who = f"IF (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN {drop}; END IF;"
    assert tried(restored, a=atomic(f"DO $x$ BEGIN {who} END $x$;", 'ALTER TABLE "visits" RENAME TO "seen";')).ran == (
        "patients.a",
    )


def test_types_schemas_functions_and_sequences_can_be_changed(
    new_database: Callable[..., Any], server: LocalPostgres
) -> None:
    clinic = new_database()
    clinic.run(f"DROP ROLE IF EXISTS {ROLE}; CREATE ROLE {ROLE} LOGIN PASSWORD 'x'")
    clinic.run(f'ALTER DATABASE "{clinic.name}" OWNER TO {ROLE}')
    with psycopg.connect(server.dsn(clinic.name, ROLE, "x"), autocommit=True) as connection:
        connection.execute(
            "CREATE EXTENSION pgcrypto; CREATE SCHEMA ward; CREATE TYPE ward.kind AS ENUM ('a');"
            "CREATE DOMAIN code AS text; CREATE TABLE ward.bed (id serial, kind ward.kind); CREATE SEQUENCE ward.free;"
            "CREATE VIEW beds AS TABLE ward.bed; CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
    url = clinic.adapter()._link.url
    copy = RestoredCopy(
        url, lambda: type(url)(server.dsn(clinic.name, ROLE, "x")), statement_timeout=20.0, require_tls=False
    )
    trial = tried(
        copy,
        a=atomic("ALTER TYPE ward.kind ADD VALUE 'b';", "DROP VIEW beds;", "DROP SEQUENCE ward.free;"),
        b=atomic("ALTER TABLE ward.bed DROP COLUMN kind;", "DROP TYPE ward.kind;", "DROP DOMAIN code;"),
        c=atomic("CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 2';", "CREATE SCHEMA more;"),
    )
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(clinic.name)))
    clinic.run(f"REASSIGN OWNED BY {ROLE} TO postgres; DROP ROLE {ROLE}")
    assert trial.ran == ("patients.a", "patients.b", "patients.c"), trial


def test_a_server_that_is_gone_is_no_failure_of_the_migration(clinic: Any) -> None:
    gone = type(clinic.adapter()._link.url)("postgres://u:p@127.0.0.1:9/none")
    copy = RestoredCopy(gone, lambda: gone, statement_timeout=1.0, require_tls=False)
    trial = tried(copy, a=atomic(ADDS))
    assert (trial.ran, trial.refused, len(trial.untried)) == ((), None, 1)


def test_the_marks_tell_what_was_not_written() -> None:
    good, cut = f"-- {BEGUN} a.y\n-- {ENDED} 0\n", f"-- {BEGUN} a.z\nBEGIN;"
    output = f"Starting\n-- {BEGUN} a.x\nCommandError: no\n-- {ENDED} 1\n{good}{cut}"
    first, second = MigrationScript.all_in(output)
    assert (first.name, first.failed, first.output) == ("a.x", True, "CommandError: no\n")
    assert (second.parts, second.runs_code, second.failed) == (("",), False, False)
    assert len(MigrationScript.all_in(output)) == 2, "one without its end is not among them"
    assert ScriptEnd(name="a.x").ran
