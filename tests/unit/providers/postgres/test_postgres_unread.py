"""What of a live database cannot be read is named with its cause; everything else is read all the same."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from uscdr.errors import ProviderError
from uscdr.models.data_settings import CanaryColumn, Invariant

REST = {"audit.event": 4, "django_migrations": 2, "visits_2026": 2}


def spoil(clinic: Any, table: str, *, removed: bool = False) -> None:
    """What a failing disk does: every page of the table's file is rubbish, or the file is gone."""
    with psycopg.connect(clinic.server.dsn(clinic.name), autocommit=True) as connection:
        row = connection.execute("SELECT pg_relation_filepath(%s::regclass), pg_table_size(%s::regclass)", [table] * 2)
        path, size = row.fetchall()[0]
        # Out of the cache: the database is written away, and read anew from its files.
        connection.execute("CHECKPOINT")
    file = clinic.server.home / "data" / path
    if removed:
        file.unlink()
    else:
        file.write_bytes(b"\xde\xad\xbe\xef" * (max(8192, size) // 4))
    evict(clinic, table)


def evict(clinic: Any, table: str) -> None:
    clinic.run(
        "CREATE EXTENSION pg_buffercache; SELECT count(pg_buffercache_evict(bufferid)) FROM pg_buffercache"
        f" WHERE relfilenode = pg_relation_filenode('{table}'); DROP EXTENSION pg_buffercache"
    )


def test_a_damaged_page_is_a_finding_and_the_rest_is_counted(clinic: Any) -> None:
    spoil(clinic, "patients_patient")
    adapter = clinic.adapter()
    found = adapter.counted([*REST, "patients_patient"])
    assert found.rows == REST
    assert [one.words("counted") for one in found.unread] == ["patients_patient: data corrupted"]
    digests = adapter.digested([*REST, "patients_patient"])
    assert {one.name: one.rows for one in digests.tables} == REST
    assert [one.words("compared") for one in digests.unread] == ["patients_patient: data corrupted"]
    assert digests.tables == adapter.digests(list(REST))
    with pytest.raises(ProviderError) as caught:
        adapter.digests([*REST, "patients_patient"])
    assert caught.value.why == "patients_patient: data corrupted"


def test_what_else_reads_the_damaged_table_goes_on_too(clinic: Any) -> None:
    clinic.run("CREATE TABLE stay (id serial PRIMARY KEY, patient int REFERENCES patients_patient, at timestamptz)")
    clinic.run("INSERT INTO stay (patient, at) VALUES (1, '2026-02-02 10:00Z')")
    spoil(clinic, "patients_patient")
    written = clinic.adapter().written(["patients_patient.created_at", "stay.at"])
    assert written["stay.at"].newest == "2026-02-02T10:00:00.000000Z"
    assert written["patients_patient.created_at"].problem("it") == "patients_patient: data corrupted"
    assert {one.table for one in clinic.adapter().sequences() if one.unread is None} >= {"stay"}
    (key,) = clinic.adapter().foreign_keys()
    assert (key.table, key.validated) == ("stay", True)


def test_a_key_is_tried_on_what_can_be_read(clinic: Any) -> None:
    clinic.run(
        "CREATE TABLE sealed (id int PRIMARY KEY, plain text, secret bytea);"
        "INSERT INTO sealed VALUES (1, 'x', pgp_sym_encrypt('x', 'key'));"
        "CREATE TABLE spoiled AS SELECT * FROM sealed"
    )
    spoil(clinic, "spoiled")
    wanted = [CanaryColumn(table=table, encrypted="secret", plain="plain") for table in ("spoiled", "sealed")]
    spoiled, sealed = clinic.adapter().canary(wanted, SecretStr("key"))
    assert sealed.fits
    assert spoiled.fits is None
    assert spoiled.unread is not None
    assert spoiled.unread.words("read") == "spoiled: data corrupted"


def test_a_missing_file_is_a_finding(clinic: Any) -> None:
    spoil(clinic, "audit.event", removed=True)
    found = clinic.adapter().counted(["audit.event", "visits_2026"])
    assert found.rows == {"visits_2026": 2}
    assert [one.words("counted") for one in found.unread] == ["audit.event: data corrupted (a data file is missing)"]


def test_a_damaged_value_that_is_stored_apart_can_be_counted_but_not_compared(clinic: Any) -> None:
    clinic.run(
        "CREATE TABLE letters (id int PRIMARY KEY, body text);"
        "ALTER TABLE letters ALTER body SET STORAGE EXTERNAL;"
        "INSERT INTO letters VALUES (1, repeat('Canario ', 2000)), (2, 'short')"
    )
    with psycopg.connect(clinic.server.dsn(clinic.name), autocommit=True) as connection:
        row = connection.execute("SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = 'letters'")
        (toast,) = row.fetchall()[0]
    spoil(clinic, toast)
    adapter = clinic.adapter()
    assert adapter.counts(["letters"]) == {"letters": 2}
    found = adapter.digested(["letters", "visits_2026"])
    assert [one.name for one in found.tables] == ["visits_2026"]
    assert [one.words("compared") for one in found.unread] == ["letters: data corrupted"]
    assert "Canario" not in repr(found)


@contextmanager
def owner(clinic: Any) -> Iterator[tuple[str, Any]]:
    """The role that owns the tables, as a platform's customer is: no superuser."""
    role = f"owner_{secrets.token_hex(4)}"
    clinic.run(f"CREATE ROLE {role} LOGIN PASSWORD 'pass'; GRANT ALL ON SCHEMA public TO {role}")
    clinic.run(f"ALTER TABLE patients_patient OWNER TO {role}; ALTER TABLE django_migrations OWNER TO {role}")
    try:
        yield role, clinic.adapter(clinic.server.dsn(clinic.name, role, "pass"), lock_timeout=0.2)
    finally:
        clinic.run(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}")


def test_forced_row_level_security_and_want_of_a_right(clinic: Any) -> None:
    clinic.run(
        "ALTER TABLE patients_patient ENABLE ROW LEVEL SECURITY; ALTER TABLE patients_patient FORCE ROW LEVEL SECURITY"
    )
    with owner(clinic) as (_, adapter):
        found = adapter.counted(["patients_patient", "django_migrations", "visits_2026"])
        assert found.rows == {"django_migrations": 2}
        assert [one.words("counted") for one in found.unread] == [
            "patients_patient: cannot be counted: row-level security is forced",
            "visits_2026: cannot be counted: the database user lacks the permission to read it",
        ]
        assert [one.hidden for one in found.unread] == [True, False]
        asked = [Invariant(name=one, sql=f"SELECT count(*) FROM {one}", minimum=0)
                 for one in ("patients_patient", "visits_2026", "django_migrations", "nobody")]  # fmt: skip
        told = adapter.invariants(asked)
        assert [one.holds for one in told] == [None, None, True, None]
        assert [one.forbidden for one in told] == [True, True, False, False]


def test_who_has_a_table_locked_is_said(clinic: Any) -> None:
    with (
        owner(clinic) as (role, adapter),
        psycopg.connect(clinic.server.dsn(clinic.name, role, "pass"), application_name="migrate") as other,
    ):
        other.execute("LOCK TABLE patients_patient IN ACCESS EXCLUSIVE MODE")
        assert "patients_patient" in [table.name for table in adapter.tables()]
        found = adapter.counted(["patients_patient", "django_migrations"])
        assert found.rows == {"django_migrations": 2}
        session = f"locked by session {other.info.backend_pid} ({role}, migrate)"
        assert [one.words("counted") for one in found.unread] == [f"patients_patient: cannot be counted: {session}"]


def test_a_partitioned_table_is_there_as_a_whole_and_counted_once(clinic: Any) -> None:
    adapter = clinic.adapter()
    assert adapter.lacking(["visits", "visits_2026", "public.visits", "gone"]) == ("public.visits", "gone")
    assert adapter.counts(["visits"]) == {"visits": 2}
    assert "visits" not in [table.name for table in adapter.tables()]
    assert adapter.digests(["visits"])[0].rows == 2
    assert adapter.newest(["visits.day"]) == {"visits.day": "2026-02-04T00:00:00.000000Z"}


def test_tables_of_one_name_in_two_schemas_are_two(clinic: Any) -> None:
    clinic.run(
        'CREATE TABLE "audit.event" (id int PRIMARY KEY); INSERT INTO "audit.event" VALUES (1);'
        "CREATE TABLE event (id int); CREATE SCHEMA _heroku; CREATE TABLE _heroku.own (id int)"
    )
    adapter = clinic.adapter()
    names = [table.name for table in adapter.tables()]
    assert [name for name in names if "event" in name] == ['"audit.event"', "audit.event", "event"]
    assert adapter.counts(['"audit.event"', "audit.event", "event"]) == {
        '"audit.event"': 1,
        "audit.event": 4,
        "event": 0,
    }
    assert adapter.keys({'"audit.event"': None})['"audit.event"'].keys == ("1",)
    first, second = adapter.digests(['"audit.event"', "audit.event"])
    assert (first.rows, second.rows) == (1, 4)


@pytest.mark.parametrize("odd", ["20226-11-28", "0044-03-15 BC", "infinity", "-infinity"])
def test_a_time_that_cannot_be_is_counted_and_is_no_newest_one(clinic: Any, odd: str) -> None:
    clinic.run(f"UPDATE patients_patient SET created_at = '{odd}', born = '{odd}' WHERE id = 300")
    found = clinic.adapter().written(["patients_patient.created_at", "patients_patient.born"])
    assert [(one.newest, one.beyond) for one in found.values()] == [
        ("2026-01-13T11:00:00.000000Z", 1),
        ("1990-10-27T00:00:00.000000Z", 1),
    ]
    words = "patients_patient.born: 1 row has an impossible time (in the future, or before the year 1)"
    assert found["patients_patient.born"].problem("patients_patient.born") == words
