"""The bad backups by name: what is done to a copy of the database before it is dumped, or to the file afterwards."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import dumps_layout as layouts
from .dumps_layout import Damage

MAIN = (
    "patients_patient", "patients_medicalrecord", "patients_dentalrecord", "patients_consultation",
    "medical_certificates_medicalcertificate", "medical_certificates_certificatetemplate", "health_info_healthcampaign",
    "feedback_feedback", "file_uploads_uploadedfile", "file_uploads_patientdocument", "notifications_notification",
    "reports_reporttemplate", "authentication_user",
)  # fmt: skip
"""Tables of `expected_tables` whose rows nobody writes without a person's doing."""
RECORDS = MAIN[1:4]
_FREE = "SET session_replication_role = replica;"
_WITHOUT_KEYS = """
DO $$ DECLARE found record; BEGIN
    FOR found IN SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype IN ('p', 'u') LOOP
        EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I CASCADE', found.conname);
    END LOOP;
    FOR found IN
        SELECT indexrelid::regclass AS name FROM pg_index WHERE indrelid = '{table}'::regclass AND indisunique
    LOOP
        EXECUTE format('DROP INDEX %s', found.name);
    END LOOP;
END $$;"""
_WITHOUT_REFERENCES = """
DO $$ DECLARE found record; BEGIN
    FOR found IN SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'f' LOOP
        EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', found.conname);
    END LOOP;
END $$;"""
_OTHER_NUMBERS = """
DO $$ DECLARE found record; BEGIN
    FOR found IN
        SELECT DISTINCT c.conrelid::regclass AS tbl, a.attname AS col FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
        WHERE c.contype IN ('p', 'f') AND a.atttypid IN (20, 23) AND c.connamespace = 'public'::regnamespace
          AND c.conrelid <> 'django_migrations'::regclass
    LOOP
        EXECUTE format('UPDATE %s SET %I = %I + 1000000', found.tbl, found.col, found.col);
    END LOOP;
    FOR found IN SELECT format('%I', sequencename) AS tbl FROM pg_sequences WHERE schemaname = 'public' LOOP
        PERFORM setval(found.tbl::regclass, 2000000);
    END LOOP;
END $$;"""
"""Every row under a number that no row of this database ever had."""
_ENCRYPTED = {
    "patients_patient": ("first_name", "last_name"),
    "patients_medicalrecord": ("diagnosis",),
    "authentication_user": ("illness",),
}


@dataclass(frozen=True)
class Bad:
    """One backup. `options` are pg_dump's; `says` is a part of the reason that a person is told.

    `fault`: what the platform does to the transfer, as `sandbox fault kinds` names it. `kept`: whether the platform
    still has the file.
    """

    name: str
    script: str = ""
    spoil: Callable[[bytes], bytes] | None = None
    options: tuple[str, ...] = ("-Fc",)
    says: str = ""
    or_says: str = ""
    """Another part that will do: rows that others refer to are missed by the server first."""
    fault: str = ""
    kept: bool = True


def cases(key: str) -> list[Bad]:
    """All of them. `key` is the application's own."""
    return [
        *_files(), *_formats(), *_parts(), *_transfers(), *_rows(), *_contents(key), *_keys(key), *_doubled(),
        *_schemas(), *_others(),
    ]  # fmt: skip


def _files() -> Iterator[Bad]:
    for percent in (1, 20, 50, 80, 95, 99):
        yield Bad(f"cut at {percent} %", spoil=lambda data, p=percent: data[: len(data) * p // 100])  # type: ignore[misc]
    for percent in (10, 30, 50, 70, 90):
        yield Bad(f"flipped at {percent} %", spoil=lambda data, p=percent: _flipped(data, p))  # type: ignore[misc]
    yield Bad("empty", spoil=lambda _: b"")
    yield Bad("cut in its head", spoil=lambda data: data[:20])
    yield Bad("cut in its table of contents", spoil=lambda data: data[: sum(layouts.layout(data).contents) // 2])
    yield Bad("cut where its rows begin", spoil=lambda data: data[: layouts.layout(data).contents[1]])
    yield Bad("cut before its last byte", spoil=lambda data: data[:-1])
    yield Bad("nothing but zeros", spoil=lambda data: bytes(len(data)))
    yield Bad("its second half is zeros", spoil=lambda data: data[: len(data) // 2].ljust(len(data), b"\0"))
    yield Bad("one table's rows are not in the file", spoil=_damaged(layouts.lose_block))
    yield Bad("two tables' rows swapped in the file", spoil=_damaged(layouts.swap_blocks, layouts.swap_contents))
    yield Bad("a page that says that the address has expired", spoil=lambda _: _PAGE)
    yield Bad("the storage's refusal", spoil=lambda _: _REFUSAL)


_MISSED = "violates foreign key constraint"
_NO_DUMP = "did not send a PostgreSQL dump"
_PAGE = b"<!DOCTYPE html><html><body><h1>Request has expired</h1></body></html>" * 20
_REFUSAL = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>'


def _flipped(data: bytes, percent: int) -> bytes:
    at = len(data) * percent // 100
    return data[:at] + bytes(byte ^ 0xFF for byte in data[at : at + 48]) + data[at + 48 :]


def _damaged(*damages: Damage) -> Callable[[bytes], bytes]:
    def spoil(data: bytes) -> bytes:
        for damage in damages:
            data = damage(data, layouts.layout(data), random.Random(7))
        return data

    return spoil


def _formats() -> Iterator[Bad]:
    yield Bad("a plain script", options=("-Fp",), says=_NO_DUMP)
    yield Bad("a tar archive", options=("-Ft",), says=_NO_DUMP)
    yield Bad("compressed twice", spoil=gzip.compress, says=_NO_DUMP)
    yield Bad("two dumps in one file, the first cut", spoil=lambda data: data[: len(data) // 2] + data)


def _parts() -> Iterator[Bad]:
    yield Bad("the schema only", options=("-Fc", "--schema-only"))
    yield Bad("the rows only", options=("-Fc", "--data-only"))
    yield Bad("without keys and indexes", options=("-Fc", "--section=pre-data", "--section=data"))
    yield Bad("without the extension", options=("-Fc", "--exclude-extension=pgcrypto"))
    yield Bad("a main table's rows left out", options=("-Fc", f"--exclude-table-data={MAIN[1]}"))
    yield Bad("one table only", options=("-Fc", f"--table={MAIN[0]}"))
    yield Bad(
        "texts in another encoding",
        f"UPDATE {MAIN[0]} SET address = 'Calle Peñaranda 12, Año Nuevo'",
        spoil=lambda data: data.replace(b"client_encoding = 'UTF8'", b"client_encoding = 'BIG5'"),
    )


def _transfers() -> Iterator[Bad]:
    yield Bad("it failed", fault="transfer-fails", says="failed")
    yield Bad("it never ended", fault="transfer-hangs")
    yield Bad("the platform's file has expired", kept=False, says="does not exist")


def _rows() -> Iterator[Bad]:
    for table in MAIN:
        yield Bad(f"{table} is empty", f"{_FREE} DELETE FROM {table}", says=table, or_says=_MISSED)
    for table in MAIN:
        yield Bad(
            f"{table} has fewer than half", _only(table, f"(SELECT greatest(0, (count(*) - 1) / 2) FROM {table})")
        )
    for table in MAIN[:4]:
        yield Bad(f"{table} is gone", f"DROP TABLE {table} CASCADE", says=table)
    for table in (MAIN[0], MAIN[1], MAIN[7]):
        yield Bad(f"{table} has one row", _only(table, "1"))
    yield Bad("the newest third of the records is gone", f"{_FREE} DELETE FROM {MAIN[1]} WHERE id > "
              f"(SELECT percentile_disc(0.6) WITHIN GROUP (ORDER BY id) FROM {MAIN[1]})")  # fmt: skip
    yield Bad("all rows of all main tables are gone", "TRUNCATE " + ", ".join(MAIN) + " CASCADE")


def _only(table: str, most: str) -> str:
    return f"{_FREE} DELETE FROM {table} WHERE ctid NOT IN (SELECT ctid FROM {table} LIMIT {most})"


def _contents(key: str) -> Iterator[Bad]:
    """Rows that are there, and are not what they were."""
    one = "treatment = 'x', notes = 'x'"
    both = f"first_name = 'X', first_name_enc = pgp_sym_encrypt('X', '{key}')"
    others = f"UPDATE {MAIN[2]} SET treatment = 'x'; UPDATE {MAIN[3]} SET remarks = 'x'"
    yield Bad("three tables rewritten to one value", f"UPDATE {MAIN[1]} SET {one}; {others}")
    yield Bad("all patients have one name", f"UPDATE {MAIN[0]} SET {both}", says="has the same first_name")
    yield Bad("all records say the same", f"UPDATE {MAIN[1]} SET {one}")
    yield Bad("what is readable is no more what is encrypted", f"UPDATE {MAIN[1]} SET diagnosis = md5(diagnosis)")
    yield Bad("all records of one patient", f"UPDATE {MAIN[1]} SET patient_id = (SELECT min(id) FROM {MAIN[0]})")
    yield Bad("no superuser", "UPDATE authentication_user SET is_superuser = false")
    yield Bad("three tables doubled", " ; ".join(map(_again, RECORDS)))
    for table in MAIN[:2]:
        yield Bad(f"the sequence of {table} is behind", f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1)")


def _again(table: str) -> str:
    """Every row a second time, under a new key."""
    return (
        f"DO $$ DECLARE names text; BEGIN SELECT string_agg(quote_ident(attname), ', ') INTO names FROM pg_attribute "
        f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'id'; "
        f"EXECUTE format('INSERT INTO {table} (%s) SELECT %s FROM {table}', names, names); END $$"
    )


def _keys(key: str) -> Iterator[Bad]:
    half = f"(SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY id) FROM {MAIN[0]})"
    yield Bad("rows under another key", _encrypted("another application"))
    yield Bad("the oldest half under another key", _encrypted("another application", MAIN[0], f"id <= {half}"))
    yield Bad("the newest half under another key", _encrypted("another application", MAIN[0], f"id > {half}"))
    yield Bad("one table under another key", _encrypted("another application", MAIN[1]))
    yield Bad("encrypted with nothing", f"UPDATE {MAIN[0]} SET first_name_enc = convert_to(first_name, 'UTF8')")
    names = "first_name = '', first_name_enc = NULL"
    yield Bad("names are gone, plain and encrypted", f"UPDATE {MAIN[0]} SET {names}")
    yield Bad("an encrypted column is gone", f"ALTER TABLE {MAIN[0]} DROP COLUMN first_name_enc CASCADE")
    yield Bad("encrypted twice", f"UPDATE {MAIN[0]} SET first_name_enc = "
              f"pgp_sym_encrypt_bytea(first_name_enc, '{key}') WHERE first_name_enc IS NOT NULL")  # fmt: skip


def _encrypted(key: str, only: str = "", where: str = "true") -> str:
    again = (
        f"UPDATE {table} SET {name}_enc = pgp_sym_encrypt({name}, '{key}') WHERE {name} IS NOT NULL AND {where}"
        for table, names in _ENCRYPTED.items()
        if only in ("", table)
        for name in names
    )
    return f"{_FREE} {'; '.join(again)}"


def _doubled() -> Iterator[Bad]:
    for table in MAIN[:5]:
        twice = f"INSERT INTO {table} SELECT * FROM {table} LIMIT 5"
        yield Bad(f"{table} has keys twice", f"{_WITHOUT_KEYS.format(table=table)} {_FREE} {twice}")
    yield Bad("no key at all, and no row twice", _WITHOUT_KEYS.format(table=MAIN[3]), says="no primary key")
    yield Bad(
        "records without their patient",
        f"{_FREE} DELETE FROM {MAIN[0]} WHERE id IN (SELECT patient_id FROM {MAIN[1]} LIMIT 2)",
    )
    accounts = f"{_again(MAIN[-1])}; ALTER TABLE {MAIN[-1]} ADD PRIMARY KEY (id)"
    yield Bad("accounts twice under new numbers", f"{_WITHOUT_KEYS.format(table=MAIN[-1])} {accounts}")
    yield Bad(
        "feedback without its patient, and nothing that forbids it",
        f"{_WITHOUT_REFERENCES.format(table=MAIN[7])} UPDATE {MAIN[7]} SET patient_id = -1 WHERE id % 3 = 0",
    )


def _schemas() -> Iterator[Bad]:
    record = "INSERT INTO django_migrations (app, name, applied) VALUES ('patients', '{}', now())"
    forget = "DELETE FROM django_migrations WHERE app = 'patients' AND name = '{}'"
    yield Bad("a migration of the future", record.format("0099_from_the_future"), says="0099_from_the_future")
    yield Bad("a migration of the future without a number", record.format("squashed_by_somebody"), says="squashed_by")
    yield Bad("a column is gone", f"ALTER TABLE {MAIN[0]} DROP COLUMN last_name CASCADE")
    yield Bad("a column has another name", f"ALTER TABLE {MAIN[1]} RENAME COLUMN diagnosis TO finding")
    ward = f"ALTER TABLE {MAIN[1]} ADD ward text NOT NULL DEFAULT 'a'; ALTER TABLE {MAIN[1]} ALTER ward DROP DEFAULT"
    yield Bad("a column must be filled that no code knows", ward)
    yield Bad("no migration is recorded", "DELETE FROM django_migrations")
    yield Bad("a migration half applied", f"{forget.format('0007_encrypted_columns')}; "
              f"ALTER TABLE {MAIN[0]} DROP COLUMN last_name_enc")  # fmt: skip
    yield Bad("a migration in the middle is not recorded", forget.format("0003_dental_record"))
    yield Bad("two tables have each other's name", f"ALTER TABLE {MAIN[1]} RENAME TO between; "
              f"ALTER TABLE {MAIN[2]} RENAME TO {MAIN[1]}; ALTER TABLE between RENAME TO {MAIN[2]}")  # fmt: skip
    yield Bad("everything is in another schema", "ALTER SCHEMA public RENAME TO clinic; CREATE SCHEMA public")


def _others() -> Iterator[Bad]:
    bare = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    books = "CREATE TABLE book (id serial PRIMARY KEY, title text); INSERT INTO book (title) VALUES ('x')"
    names = "; ".join(
        f"CREATE TABLE {table} (id serial PRIMARY KEY, title text); "
        f"INSERT INTO {table} (title) SELECT 'x' FROM generate_series(1, 500)"
        for table in (*MAIN, "authtoken_token", "reports_generatedreport", "django_migrations")
    )
    yield Bad("another application's database", f"{bare}; {books}")
    yield Bad("another application's database with the same names", f"{bare}; {names}")
    yield Bad("another clinic's database: other numbers", f"{_FREE} {_OTHER_NUMBERS}")
    yield Bad("another clinic's database: other numbers, another key",
              f"{_FREE} {_OTHER_NUMBERS} {_encrypted('another application')}")  # fmt: skip
    yield Bad("an empty database", bare)
