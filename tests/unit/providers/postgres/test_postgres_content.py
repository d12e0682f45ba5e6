"""Inventory and content of a real database: exact, comparable, and silent about patients."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from uscdr.errors import NotFound, ProviderError
from uscdr.models.postgres import TableDigest
from uscdr.pgserver.cluster import Tool
from uscdr.providers.postgres.content import read_in_parallel

TABLES = ["patients_patient", '"Odd ""n"" x"', "visits_2026", "audit.event", "django_migrations"]


def copied(clinic: Any, target: Any) -> None:
    """Dump and restore through the real tools."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    dump = subprocess.run(
        [Tool.find("pg_dump", minimum_major=17).path, "-Fc"],
        env=environment | clinic.server.environment(clinic.name),
        capture_output=True,
        check=True,
    )
    subprocess.run(
        [Tool.find("pg_restore", minimum_major=17).path, "-d", target.name],
        env=environment | target.server.environment(target.name),
        input=dump.stdout,
        check=True,
    )


def digest_of(clinic: Any, table: str = "patients_patient") -> TableDigest:
    (digest,) = clinic.adapter().digests([table])
    assert isinstance(digest, TableDigest)
    return digest


def test_facts(clinic: Any) -> None:
    facts = clinic.adapter().facts()
    assert facts.version >= (17, 0)
    assert facts.database == clinic.name
    assert facts.size > 1_000_000


def test_tables_are_those_that_hold_the_applications_rows(clinic: Any) -> None:
    clinic.run("ANALYZE")
    found = {table.name: table.bytes for table in clinic.adapter().tables()}
    assert sorted(found) == sorted(TABLES)
    assert found["patients_patient"] >= 8192


def test_tables_of_extensions_are_left_out(clinic: Any) -> None:
    clinic.run(
        "CREATE TABLE ext_table (id int); ALTER EXTENSION pgcrypto ADD TABLE ext_table; CREATE TEMP TABLE t (a int)"
    )
    assert sorted(table.name for table in clinic.adapter().tables()) == sorted(TABLES)


def test_counts_are_exact_for_every_name(clinic: Any) -> None:
    counts = clinic.adapter().counts([*TABLES, "patients_patient"])
    assert counts == dict(zip(TABLES, [300, 2, 2, 4, 2], strict=True))


@pytest.mark.parametrize("workers", [1, 4])
def test_counts_and_digests_agree_whatever_the_workers(clinic: Any, workers: int) -> None:
    adapter = clinic.adapter(workers=workers)
    digests = adapter.digests(TABLES)
    assert [digest.name for digest in digests] == TABLES
    assert {digest.name: digest.rows for digest in digests} == adapter.counts(TABLES)
    assert digests == clinic.adapter().digests(TABLES)


def test_missing_table_is_named(clinic: Any) -> None:
    with pytest.raises(NotFound, match="no_such_table"):
        clinic.adapter().counts(["patients_patient", "no_such_table"])


def test_digests_survive_dump_and_restore(clinic: Any, new_database: Callable[[], Any]) -> None:
    target = new_database()
    target.run(
        f'ALTER DATABASE {target.name} SET timezone = "Asia/Manila"; '
        f"ALTER DATABASE {target.name} SET extra_float_digits = 0; "
        f"ALTER DATABASE {target.name} SET bytea_output = escape; "
        f"ALTER DATABASE {target.name} SET intervalstyle = iso_8601; "
        f"ALTER DATABASE {target.name} SET datestyle = 'German, DMY'"
    )
    copied(clinic, target)
    assert target.adapter().digests(TABLES) == clinic.adapter().digests(TABLES)


def test_digest_does_not_depend_on_the_order_of_rows(clinic: Any) -> None:
    before = digest_of(clinic)
    clinic.run("UPDATE patients_patient SET name = name WHERE id < 100")
    clinic.run("VACUUM FULL patients_patient")
    assert digest_of(clinic) == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE patients_patient SET note = '' WHERE id = 3",  # NULL to empty
        "UPDATE patients_patient SET note = NULL WHERE id = 1",
        "UPDATE patients_patient SET photo = photo || '\\x00' WHERE id = 5",
        "UPDATE patients_patient SET created_at = created_at + interval '1 microsecond' WHERE id = 7",
        "UPDATE patients_patient SET weight = weight + 1e-12 WHERE id = 8",
        "UPDATE patients_patient SET extra = extra || '{\"a\": null}' WHERE id = 9",
        "UPDATE patients_patient a SET name = b.name FROM patients_patient b WHERE a.id + b.id = 3",
        "ALTER TABLE patients_patient RENAME note TO remark",
    ],
)
def test_one_change_changes_the_digest_and_not_the_count(clinic: Any, change: str) -> None:
    before = digest_of(clinic)
    clinic.run(change)
    after = digest_of(clinic)
    assert after.rows == before.rows
    assert after.digest != before.digest


def test_a_pair_of_equal_rows_does_not_cancel_out(clinic: Any) -> None:
    clinic.run("CREATE TABLE plain (a text); INSERT INTO plain VALUES ('x'), ('x'), ('y')")
    before = digest_of(clinic, "plain")
    clinic.run("UPDATE plain SET a = 'z' WHERE a = 'x'")
    assert digest_of(clinic, "plain").digest != before.digest


def test_rows_hidden_by_row_security_are_an_error_not_a_smaller_count(clinic: Any) -> None:
    clinic.run(
        "CREATE ROLE clerk LOGIN PASSWORD 'clerk'; GRANT SELECT ON patients_patient TO clerk;"
        "ALTER TABLE patients_patient ENABLE ROW LEVEL SECURITY"
    )
    adapter = clinic.adapter(clinic.server.dsn(clinic.name, "clerk", "clerk"))
    hidden = "patients_patient: cannot be counted: row-level security would hide rows"
    with pytest.raises(ProviderError, match="cannot be counted") as caught:
        adapter.counts(["patients_patient"])
    assert caught.value.why == hidden
    (unread,) = adapter.counted(["patients_patient"]).unread
    assert unread.words("counted") == hidden
    clinic.run("REVOKE ALL ON patients_patient FROM clerk; DROP ROLE clerk")


def test_integer_keys_are_sorted_as_numbers(clinic: Any) -> None:
    assert clinic.adapter().keys({"audit.event": None})["audit.event"].keys == ("-1", "9", "10", "100")
    found = clinic.adapter().keys({"patients_patient": None})["patients_patient"]
    assert found.column == "id"
    assert found.keys == tuple(str(number) for number in range(1, 301))


def test_keys_that_are_text_are_hashed(clinic: Any) -> None:
    found = clinic.adapter().keys({'"Odd ""n"" x"': None})['"Odd ""n"" x"']
    assert found.column == "a;b"
    assert found.keys is not None
    assert all(len(key) == 16 for key in found.keys)
    assert len(set(found.keys)) == 2
    assert "Canario" not in repr(found)


def test_buckets_of_a_digest_tell_where_two_tables_differ(clinic: Any) -> None:
    clinic.run("CREATE TABLE wide AS SELECT g AS id, 'x' || g AS word FROM generate_series(1, 9000) g")
    clinic.run("ALTER TABLE wide ADD PRIMARY KEY (id)")
    before = digest_of(clinic, "wide")
    assert set(before.buckets) == {0, 1, 2}
    clinic.run("UPDATE wide SET word = 'y' WHERE id = 5000; DELETE FROM wide WHERE id = 5001")
    after = digest_of(clinic, "wide")
    assert [part for part in after.buckets if after.buckets[part] != before.buckets[part]] == [1]
    assert not after.same(before)
    assert "buckets" not in after.model_dump()
    found = clinic.adapter().keys({"wide": [1]})["wide"]
    assert found.keys == tuple(str(key) for key in range(4096, 8192) if key != 5001)


def test_the_fingerprint_of_a_changed_row_alone_changes(clinic: Any) -> None:
    before = clinic.adapter().keys({"patients_patient": None})["patients_patient"]
    clinic.run("UPDATE patients_patient SET note = 'Canario' WHERE id = 7")
    after = clinic.adapter().keys({"patients_patient": None})["patients_patient"]
    changed = [key for key, old, new in zip(before.keys, before.prints, after.prints, strict=True) if old != new]
    assert changed == ["7"]
    assert "Canario" not in repr(after)


@pytest.mark.parametrize("table", ["visits_2026", "django_migrations"])
def test_no_single_column_key(clinic: Any, table: str) -> None:
    assert clinic.adapter().keys({table: None})[table].keys is None


def test_newest(clinic: Any) -> None:
    asked = {
        "patients_patient.created_at": "2026-01-13T12:00:00.000000Z",
        "patients_patient.born": "1990-10-28T00:00:00.000000Z",
        '"Odd ""n"" x".at': "2026-03-01T10:00:00.000000Z",
        "patients_patient.name": None,
        "patients_patient.nope": None,
        "nope.created_at": None,
    }
    clinic.run("CREATE TABLE void (at timestamptz)")
    assert clinic.adapter().newest(list(asked)) == asked
    assert clinic.adapter().newest(["void.at"]) == {"void.at": None}


def test_extensions_and_migrations(clinic: Any) -> None:
    assert "pgcrypto" in [extension.name for extension in clinic.adapter().extensions()]
    assert [migration.name for migration in clinic.adapter().migrations()] == ["0001_a", "0002_b"]
    clinic.run("ALTER TABLE django_migrations DROP COLUMN app")
    assert clinic.adapter().migrations() == ()
    clinic.run("DROP TABLE django_migrations")
    assert clinic.adapter().migrations() == ()


def test_all_reads_of_one_call_see_one_moment(clinic: Any) -> None:
    """Rows moved between two tables after the first connection looked are seen by none."""
    clinic.run("CREATE TABLE here (a int); CREATE TABLE there (a int); INSERT INTO here VALUES (1), (2)")
    both_connected = threading.Barrier(2)

    def work(connection: Any, table: str) -> int:
        if both_connected.wait(60) == 0:
            clinic.run("INSERT INTO there SELECT a FROM here; DELETE FROM here")
        both_connected.wait(60)
        (number,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(number)

    found = read_in_parallel(clinic.adapter()._link, 2, lambda _: ["here", "there"], work)
    assert sum(number for _, number in found) == 2


def test_few_connections_suffice_when_the_server_has_no_more(clinic: Any) -> None:
    clinic.run(f"ALTER DATABASE {clinic.name} CONNECTION LIMIT 1; CREATE ROLE lone LOGIN PASSWORD 'lone'")
    clinic.run("GRANT pg_read_all_data TO lone")
    try:
        adapter = clinic.adapter(clinic.server.dsn(clinic.name, "lone", "lone"))
        assert adapter.counts(TABLES)["patients_patient"] == 300
    finally:
        clinic.run(f"DROP OWNED BY lone; DROP ROLE lone; ALTER DATABASE {clinic.name} CONNECTION LIMIT -1")
