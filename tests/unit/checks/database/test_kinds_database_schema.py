"""Sequences, foreign keys, migrations and invariants: healthy passes, each kind of damage is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kinds_database_world import CODE, NAME, Place

from uscdr.checks.kinds.database import ForeignKeysCheck, InvariantsCheck, MigrationsCheck, SequencesCheck
from uscdr.models.data_settings import Invariant
from uscdr.models.schema import FieldMade, MigrationFile, Operation

SEQUENCES = SequencesCheck(kind="sequences")
KEYS = ForeignKeysCheck(kind="foreign_keys")
MIGRATIONS = MigrationsCheck(kind="migrations")
INVARIANTS = InvariantsCheck(kind="invariants")
TO_PATIENT = "FOREIGN KEY (patient_id) REFERENCES patient"
TRIGGERS_OFF = "SET session_replication_role = replica"


def test_healthy_sequences(place: Place) -> None:
    assert place.ask(SEQUENCES) == ("pass", "5 sequences, none behind its column")
    place.keep(SEQUENCES)
    place.run("CREATE TABLE new (id serial)", "SELECT setval('patient_id_seq', 5000)")
    assert place.ask(SEQUENCES) == ("pass", "6 sequences, none behind its column")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("SELECT setval('patient_id_seq', 99)", "1 sequence behind: patient.id"),
        ("SELECT setval('patient_id_seq', 100, false)", "1 sequence behind: patient.id"),
        ("ALTER SEQUENCE record_id_seq RESTART", "1 sequence behind: record.id"),
        ("SELECT setval('patient_id_seq', 1), setval('record_id_seq', 1)", "2 sequences behind: patient.id, record.id"),
        ("INSERT INTO kind (id) VALUES (4)", "1 sequence behind: kind.id"),
        ("DROP SEQUENCE kind_id_seq CASCADE", "no sequence left for kind.id"),
        ("ALTER TABLE record ALTER id DROP IDENTITY", "no sequence left for record.id"),
    ],
)
def test_damaged_sequences(place: Place, damage: str, words: str) -> None:
    place.keep(SEQUENCES)
    place.run(damage)
    assert place.ask(SEQUENCES) == ("fail", words)


def test_no_sequence_at_all(place: Place) -> None:
    place.keep(SEQUENCES)
    place.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", "CREATE TABLE patient (id int)")
    assert place.ask(SEQUENCES)[0] == "fail"
    place.measured = None
    assert place.ask(SEQUENCES)[0] == "inconclusive"


def test_healthy_foreign_keys(place: Place) -> None:
    assert place.ask(KEYS) == ("pass", "1 foreign key, all valid, no orphaned row")
    place.keep(KEYS)
    place.run("ALTER TABLE kind ADD parent int REFERENCES kind")
    assert place.ask(KEYS) == ("pass", "2 foreign keys, all valid, no orphaned row")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (["DELETE FROM patient WHERE id > 96"], "4 orphaned rows: record (4)"),
        (["INSERT INTO record (patient_id) VALUES (0)"], "1 orphaned row: record (1)"),
        (["TRUNCATE patient CASCADE", "INSERT INTO record (patient_id) VALUES (1)"], "1 orphaned row: "),
        (
            ["ALTER TABLE record DROP CONSTRAINT record_patient_fk"],
            "0 foreign keys, expected at least 1; 1 foreign key of the baseline missing: record: record_patient_fk",
        ),
        (["DROP TABLE record"], "0 foreign keys"),
        (
            [
                "ALTER TABLE record DROP CONSTRAINT record_patient_fk",
                f"ALTER TABLE record ADD CONSTRAINT record_patient_fk {TO_PATIENT} NOT VALID",
            ],
            "1 foreign key not validated: record: record_patient_fk",
        ),
    ],
)
def test_damaged_foreign_keys(place: Place, damage: list[str], words: str) -> None:
    place.keep(KEYS)
    place.run(TRIGGERS_OFF, *damage)
    verdict, evidence = place.ask(KEYS)
    assert (verdict, words in evidence) == ("fail", True), evidence


def test_fewer_foreign_keys_than_there_must_be(place: Place) -> None:
    many = ForeignKeysCheck(kind="foreign_keys", minimum=30)
    assert place.ask(many) == ("fail", "1 foreign key, expected at least 30")


@pytest.mark.parametrize(
    ("change", "code", "verdict", "words"),
    [
        ("SELECT 1", CODE, "pass", "3 migrations of the code, all applied; none ahead of it"),
        ("SELECT 1", (*CODE, "patients.0008_delete"), "fail", "1 migration pending: patients.0008_delete"),
        ("SELECT 1", CODE[:2], "pass", "2 migrations of the code, all applied; none ahead of it"),
        (
            "SELECT 1",
            ("patients.0001_initial", "records.0001_initial"),
            "fail",
            "1 migration applied but unknown to the deployed code: patients.0002_more",
        ),
        (
            "DELETE FROM django_migrations WHERE app = 'patients'",
            CODE,
            "fail",
            "2 migrations pending: patients.0001_initial, patients.0002_more",
        ),
        ("DROP TABLE django_migrations", CODE, "fail", "3 migrations pending: patients.0001_initial, "),
        ("INSERT INTO django_migrations (app, name) VALUES ('admin', '0001_x')", CODE, "pass", "3 migrations"),
        (
            "INSERT INTO django_migrations (app, name) VALUES ('patients', 'by_hand')",
            CODE,
            "fail",
            "1 migration applied but unknown to the deployed code: patients.by_hand",
        ),
        (
            "INSERT INTO django_migrations (app, name) VALUES ('patients', 'by_hand')",
            (*CODE, "patients.by_hand"),
            "pass",
            "4 migrations",
        ),
        ("SELECT 1", None, "inconclusive", "4 applied; neither the deployed code nor a baseline is available"),
        ("SELECT 1", (), "inconclusive", "4 applied; neither"),
    ],
)
def test_migrations(place: Place, change: str, code: tuple[str, ...] | None, verdict: str, words: str) -> None:
    place.run(change)
    place.code = code
    found, evidence = place.ask(MIGRATIONS)
    assert (found, evidence.startswith(words)) == (verdict, True), evidence


RECORD = "records_note"
NOTE = Operation(kind="create", model="note", fields=tuple(FieldMade(name=n, columns=(n,)) for n in ("id", "text")))
FILES = (MigrationFile(name="records.0001_initial", operations=(NOTE,)),)
HALF = "applied only in part, or its tables were changed by hand"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("SELECT 1", ""),
        ("ALTER TABLE records_note ADD more text NOT NULL DEFAULT ''", ""),
        ("ALTER TABLE records_note ADD more text NOT NULL", "cannot save rows in that table: records_note.more"),
        ("ALTER TABLE records_note DROP text", "recorded as applied, but missing in the database: records_note.text"),
        ("DROP TABLE records_note", "recorded as applied, but missing in the database: records_note"),
        ("DELETE FROM django_migrations WHERE app = 'records'", HALF),
    ],
)
def test_tables_are_held_against_what_the_migrations_make(place: Place, change: str, words: str) -> None:
    place.run(f"CREATE TABLE {RECORD} (id serial PRIMARY KEY, text text)", change)
    place.files = FILES
    verdict, evidence = place.ask(MIGRATIONS)
    assert (verdict, words in evidence) == ("fail" if words else "pass", True), evidence


def test_a_squashed_migration_counts_with_those_that_it_replaces(place: Place) -> None:
    squashed = "patients.squashed_initial"
    place.keep(MIGRATIONS)
    place.code, place.replaces = (squashed, CODE[2]), {squashed: CODE[:2]}
    good = f"2 migrations of the code, all applied; none ahead of it; under the names of those replaced: {squashed}"
    assert place.ask(MIGRATIONS) == ("pass", good)
    place.run(
        "DELETE FROM django_migrations WHERE app = 'patients'",
        "INSERT INTO django_migrations (app, name) VALUES ('patients', 'squashed_initial')",
    )
    good = "2 migrations of the code, all applied; none ahead of it"
    assert place.ask(MIGRATIONS) == ("pass", good)
    place.run("DELETE FROM django_migrations WHERE app = 'patients'")
    assert place.ask(MIGRATIONS) == ("fail", f"1 migration pending: {squashed}")


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ("SELECT 1", "pass", "4 applied, as in the baseline; the deployed code is not available"),
        (
            "DELETE FROM django_migrations WHERE name = '0002_more'",
            "fail",
            "1 migration of the baseline no longer applied: patients.0002_more",
        ),
        (
            "INSERT INTO django_migrations (app, name) VALUES ('patients', '0003_x')",
            "inconclusive",
            "1 migration applied since the baseline: patients.0003_x; the deployed code is not available",
        ),
    ],
)
def test_migrations_against_the_baseline(place: Place, change: str, verdict: str, words: str) -> None:
    place.keep(MIGRATIONS)
    place.code = None
    place.run(change)
    assert place.ask(MIGRATIONS) == (verdict, words)


def test_a_librarys_migration_that_is_gone_is_seen_with_the_baseline(place: Place) -> None:
    place.keep(MIGRATIONS)
    place.run("DELETE FROM django_migrations WHERE app = 'auth'")
    assert place.ask(MIGRATIONS) == ("fail", "1 migration of the baseline no longer applied: auth.0001_initial")


def expecting(place: Place, *wanted: dict[str, Any]) -> tuple[str, str]:
    named = tuple(Invariant(name=f"n{number}", **one) for number, one in enumerate(wanted))
    place.expected = replace(place.expected, invariants=named)
    return place.ask(INVARIANTS)


def test_invariants(place: Place) -> None:
    good = {"sql": "SELECT count(*) FROM patient", "minimum": 1}
    bad = {"sql": "SELECT count(*) FROM patient", "maximum": 1}
    unasked = {"sql": f"SELECT count(*) FROM gone WHERE name = '{NAME}'", "minimum": 1}
    assert expecting(place) == ("inconclusive", "scenarios.yaml names no invariant")
    assert expecting(place, good, good) == ("pass", "2 invariants, all pass")
    assert expecting(place, good, bad) == ("fail", "n1: 100, expected <= 1")
    assert expecting(place, good, unasked) == ("inconclusive", "n1: query failed: undefined table (42P01)")
    assert expecting(place, bad, unasked)[0] == "fail"
    text = {"sql": "SELECT name FROM patient LIMIT 1", "equals": "nobody"}
    assert expecting(place, text) == ("fail", "n0: another text (18 characters), expected = nobody")
