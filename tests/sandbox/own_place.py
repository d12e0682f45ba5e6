"""An operator's place for a drill: an application with a requirement of its own, its database, and a proven copy of it.

200 values are planted in the database: names, addresses, diagnoses, tokens; and 100 numbers of 13 digits.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import psycopg
import yaml

from uscdr.backups.copy import CopyOrder, Keyring
from uscdr.backups.manifest import BackupOrigin
from uscdr.backups.proofs import Grade, ProofDocument, demands_digest
from uscdr.models.transfers import Transfer, TransferKind, TransferState, Whose
from uscdr.pgserver.cluster import Tool
from uscdr.pgserver.server import LocalPostgres
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load
from uscdr.store.directory import LocalStore
from uscdr.store.encryption import Recipient

PEOPLE = 50
FRONT = {"patients": {"minimum": PEOPLE}, "mail": "ConnectionRefusedError", "web": "URLError"}
"""What the first page says in a drill: no mail and no request gets out."""
MARKS = (b"uasimira", b"zwiebelfisch", b"f00dcafe")
"""Each planted value has one of them; nothing else has."""
DESK = 4_801_234_500_077
"""A number that the operator lets stay: who searches for numbers finds this one."""
KEY = "the operator's own key of encrypted columns"
REAL_SECRET = "the-operators-own-secret-6f1d"
PROCFILE = """\
release: python manage.py migrate --noinput
web: exec python -m gunicorn wardsite.wsgi --bind ${BIND_ADDRESS:-0.0.0.0}:$PORT
"""
MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "wardsite.settings")
execute_from_command_line(sys.argv)
"""
SETTINGS = """\
import os
from urllib.parse import unquote, urlsplit

import clipboard_of_the_ward  # the application's own requirement

SECRET_KEY = os.environ["WARD_SECRET"]
ALLOWED_HOSTS = os.environ["WARD_HOSTS"].split(",")
INSTALLED_APPS = ["ward"]
MIDDLEWARE = []
ROOT_URLCONF = "ward.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
EMAIL_HOST, EMAIL_PORT, EMAIL_TIMEOUT = "127.0.0.1", {mail_port}, 5
_parts = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _parts.path.lstrip("/"), "USER": unquote(_parts.username or ""),
        "PASSWORD": unquote(_parts.password or ""), "HOST": _parts.hostname, "PORT": _parts.port,
    }}
}}
"""
URLS = """\
import json
import secrets
from smtplib import SMTPException
from urllib.error import URLError
from urllib.request import urlopen

from django.contrib.auth.hashers import check_password
from django.core.mail import send_mail
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.urls import path


def ask(query, *values):
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def mailed():
    try:
        return send_mail("Hello", "From the ward.", "ward@ward.example", ["patient@ward.example"])
    except (OSError, SMTPException) as error:
        return type(error).__name__


def fetched():
    try:
        return urlopen("http://ward-statistics.example/", timeout=5).status
    except (OSError, URLError) as error:
        return type(error).__name__


def front(_request):
    patients = ask("SELECT count(*) FROM ward_patient")[0][0]
    return JsonResponse({"patients": patients, "mail": mailed(), "web": fetched()})


def login(request):
    said = json.loads(request.body)
    found = ask("SELECT id, password FROM ward_account WHERE email = %s AND is_active", said["email"])
    if not found or not check_password(said["password"], found[0][1]):
        return JsonResponse({"detail": "no"}, status=400)
    token = secrets.token_hex(20)
    ask("INSERT INTO ward_token (key, account_id) VALUES (%s, %s)", token, found[0][0])
    return JsonResponse({"token": token})


def me(request):
    token = request.headers.get("Authorization", "").removeprefix("Token ")
    found = ask("SELECT a.role FROM ward_token t JOIN ward_account a ON a.id = t.account_id WHERE t.key = %s", token)
    return JsonResponse({"role": found[0][0]}) if found else HttpResponse(status=401)


urlpatterns = [path("", front), path("api/auth/login/", login), path("me/", me)]
"""
MIGRATION = """\
from django.db import migrations


class Migration(migrations.Migration):
    initial, dependencies, operations = True, [], []
"""
WSGI = """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "wardsite.settings")
application = get_wsgi_application()
"""
SCHEMA = """
CREATE EXTENSION pgcrypto;
CREATE TABLE django_migrations (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, app varchar(255) NOT NULL,
    name varchar(255) NOT NULL, applied timestamptz NOT NULL);
INSERT INTO django_migrations (app, name, applied) VALUES ('ward', '0001_initial', now());
CREATE TABLE ward_account (id serial PRIMARY KEY, email varchar(80) UNIQUE NOT NULL, password varchar(128) NOT NULL,
    is_active bool NOT NULL, is_superuser bool NOT NULL, role varchar(20) NOT NULL);
CREATE TABLE ward_token (key varchar(40) PRIMARY KEY, account_id int NOT NULL REFERENCES ward_account);
CREATE TABLE ward_patient (id serial PRIMARY KEY, name varchar(60) NOT NULL, name_enc bytea, email varchar(80) NOT NULL,
    born date NOT NULL, form jsonb NOT NULL, tags text[] NOT NULL, created_at timestamptz NOT NULL,
    phone bigint NOT NULL, student_no bigint UNIQUE NOT NULL, ticket int GENERATED ALWAYS AS IDENTITY UNIQUE,
    weight numeric(5, 1) NOT NULL CHECK (weight BETWEEN 40 AND 120), state smallint NOT NULL);
CREATE TABLE ward_desk (id serial PRIMARY KEY, phone bigint NOT NULL);
CREATE UNIQUE INDEX ward_patient_email ON ward_patient (lower(email));
CREATE TABLE ward_note (id serial PRIMARY KEY, patient_id int NOT NULL REFERENCES ward_patient, token varchar(40)
    REFERENCES ward_token (key), body text NOT NULL, written_at timestamptz NOT NULL);
CREATE MATERIALIZED VIEW ward_summary AS
    SELECT p.name, n.body FROM ward_patient p JOIN ward_note n ON n.patient_id = p.id;
CREATE FUNCTION ward_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
CREATE TRIGGER ward_keep BEFORE UPDATE ON ward_patient FOR EACH ROW EXECUTE FUNCTION ward_keep();
ALTER TABLE ward_patient ENABLE ALWAYS TRIGGER ward_keep;
"""


@dataclass(frozen=True)
class OwnPlace:
    """Files below `root`; `planted` are values that no drill may show anywhere."""

    root: Path
    planted: tuple[str, ...]
    rows: dict[str, int]

    @property
    def code(self) -> Path:
        return self.root / "code"

    @property
    def python(self) -> Path:
        return self.root / "venv" / "bin" / "python"

    @property
    def config(self) -> Path:
        return self.root / "scenarios.yaml"

    @property
    def identity(self) -> Path:
        return self.root / "identity.txt"


def planted(number: int) -> dict[str, str]:
    """One patient's values, each of which is nowhere else."""
    return {
        "name": f"Quasimira Zweibrück-{number:03}", "email": f"quasimira.{number:03}@patients-of-the-ward.example",
        "diagnosis": f"morbus-zwiebelfisch-{number:03}", "token": f"f00dcafe{number:03}" + "ab12cd34ef56" * 2 + "00000",
    }  # fmt: skip


def planted_numbers(number: int) -> dict[str, int]:
    """One patient's numbers: so long that none is anywhere by accident."""
    return {"phone": 6_398_807_710_000 + number, "student_no": 2_023_004_400_000 + number}


def weight(number: int) -> float:
    """One patient's weight in kilograms."""
    return (410 + 13 * number) / 10


def make(root: Path, mail_port: int) -> OwnPlace:
    """Everything that an operator has: code, interpreter, configuration, key, and a store with one proven copy."""
    _write_code(root / "code", mail_port)
    _make_interpreter(root)
    with LocalPostgres.start(root / "server", tied=True) as server:
        rows = _fill(server)
        dump = root / "live.dump"
        subprocess.run([str(Tool.find("pg_dump", minimum_major=17).path), "--format=custom", f"--file={dump}"],
                       env=server.environment("ward"), check=True)  # fmt: skip
    _write_config(root)
    _copy(root, dump.read_bytes())
    dump.unlink()
    values = tuple(value for number in range(PEOPLE) for value in planted(number).values())
    return OwnPlace(root, values, rows)


def _write_code(code: Path, mail_port: int) -> None:
    files = {
        "Procfile": PROCFILE, "manage.py": MANAGE, "requirements.txt": "django\nclipboard-of-the-ward\n",
        "wardsite/__init__.py": "", "wardsite/settings.py": SETTINGS.format(mail_port=mail_port),
        "wardsite/wsgi.py": WSGI,
        "ward/__init__.py": "", "ward/urls.py": URLS, "ward/migrations/__init__.py": "",
        "ward/migrations/0001_initial.py": MIGRATION,
    }  # fmt: skip
    for name, text in files.items():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text(text)


def _make_interpreter(root: Path) -> None:
    """A virtual environment with the application's requirement, which this process's has not."""
    packages = root / "packages"
    packages.mkdir()
    (packages / "clipboard_of_the_ward.py").write_text("PAGES = 3\n")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root / "venv")], check=True)
    site = next((root / "venv" / "lib").glob("python*/site-packages"))
    (site / "wards.pth").write_text(f"{sysconfig.get_path('purelib')}\n{packages}\n")


def _fill(server: LocalPostgres) -> dict[str, int]:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE ward TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
    with psycopg.connect(server.dsn("ward"), autocommit=True) as connection:
        connection.execute(SCHEMA)
        for number in range(PEOPLE):
            _add(connection, number, planted(number))
        connection.execute("INSERT INTO ward_desk (phone) VALUES (%s)", [DESK])
        connection.execute("REFRESH MATERIALIZED VIEW ward_summary; SELECT lo_from_bytea(0, 'morbus-zwiebelfisch-000')")
        tables = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        return {name: connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchall()[0][0] for name in tables}


def _add(connection: psycopg.Connection, number: int, of: dict[str, str]) -> None:
    role = "NURSE" if number % 2 else "DOCTOR"
    account = "INSERT INTO ward_account (email, password, is_active, is_superuser, role) VALUES (%s, 'x', true, %s, %s)"
    connection.execute(account, [f"staff-{of['email']}", number == 3, role])
    connection.execute("INSERT INTO ward_token VALUES (%s, %s)", [of["token"], number + 1])
    form = f'{{"why": "{of["diagnosis"]}", "{of["email"]}": 1, "phone": 639170000{number:03}}}'
    own = {**of, **planted_numbers(number), "weight": weight(number), "state": 10 * (number % 3)}
    connection.execute(
        "INSERT INTO ward_patient"
        " (name, name_enc, email, born, form, tags, created_at, phone, student_no, weight, state) VALUES"
        " (%(name)s::text, pgp_sym_encrypt(%(name)s::text, %(key)s), %(email)s, '1990-01-01', %(form)s,"
        " ARRAY[%(diagnosis)s::text], now(), %(phone)s, %(student_no)s, %(weight)s, %(state)s)",
        {**own, "key": KEY, "form": form},
    )
    long = " ".join(f"{of['name']} {of['diagnosis']} {of['token']} {turn}" for turn in range(200))
    connection.execute("INSERT INTO ward_note (patient_id, token, body, written_at) VALUES (%s, %s, %s, now())",
                       [number + 1, of["token"], long])  # fmt: skip


def _write_config(root: Path) -> None:
    """The packaged file, told about this application."""
    document = yaml.safe_load(packaged().read_text())
    document["app"] = {
        "name": "ward", "manage": "python manage.py", "formation": {"web": 1}, "volatile_tables": ["ward_token"],
        "expected_tables": ["ward_patient", "ward_note"], "freshness": ["ward_note.written_at"],
    }  # fmt: skip
    document["targets"] = {"production": {"heroku": {"app": "ward"}}}
    document["config"] = {"required": ["WARD_SECRET", "DATABASE_URL"], "escrow": ["WARD_SECRET"]}
    document["access"] = {
        "accounts": "ward_account", "flags": ["is_active", "is_superuser"], "roles": ["role"], "logins": ["email"],
        "sessions": ["ward_token"],
    }  # fmt: skip
    document["invariants"] = [{"name": "patients", "sql": "SELECT count(*) FROM ward_patient", "minimum": PEOPLE}]
    document["media"] = {}
    document["vault"] = {"to": str(root / "safe")}
    document["recovery"] = {
        "allowed_hosts_variable": "WARD_HOSTS", "encryption_key_variable": "WARD_KEY", "addons": ["heroku-postgresql"],
        "mail_variables": ["WARD_MAIL_TOKEN"], "address_variables": ["WARD_URL"],
        "canaries": [{"table": "ward_patient", "encrypted": "name_enc", "plain": "name"}],
    }  # fmt: skip
    document["masking"] = {
        "columns": {"ward_patient.tags": "text", "ward_desk.phone": "keep"}, "persons": {"ward_patient": "id"},
    }  # fmt: skip
    document["checks"] = {
        "front": {"kind": "http", "path": "/", "json": FRONT},
        "signed-in": {"kind": "http", "path": "/me/", "auth": True, "json": {"role": {"filled": True}}},
        "decrypts": {"kind": "decrypt"},
    }
    document["checklists"] = {"db": {"title": "Data", "items": [{"item": "Keys fit", "checks": ["decrypts"]}]}}
    document["after_recovery"] = ["front", "signed-in"]
    (root / "scenarios.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


class _Stream(BytesIO):
    """A download."""

    can_resume = False

    def resume(self) -> None:
        raise NotImplementedError


def _copy(root: Path, data: bytes) -> None:
    """As `backup pull` and `backup prove` leave them."""
    pair = importlib.import_module("pyrage").x25519.Identity.generate()
    (root / "identity.txt").write_text(f"{pair}\n")
    (root / "identity.txt").chmod(0o600)
    at = datetime.now(UTC) - timedelta(hours=1)
    backup = Transfer(
        id="transfer-7", num=7, name="b007", kind=TransferKind.MANUAL_BACKUP, state=TransferState.COMPLETED,
        created_at=at, started_at=at, finished_at=at + timedelta(minutes=1), num_keep=5, processed_bytes=len(data),
        whose=Whose.OURS,
    )  # fmt: skip
    origin = BackupOrigin.of(backup, "ward", "addon-1", "17.2")
    store = LocalStore(root / "safe")

    @contextmanager
    def download() -> Iterator[_Stream]:
        yield _Stream(data)

    order = CopyOrder(origin, "production", lambda _: None, lambda _: None)
    card = order.pull(download, store, Keyring(Recipient.read([str(pair.to_public())])))
    demands = demands_digest(load(root / "scenarios.yaml").config.invariants)
    ProofDocument(
        format=1, sha256=card.dump.plain_sha256, bytes=card.dump.plain_size, app="ward", addon_id="addon-1",
        backup="b007", transfer_id="transfer-7", taken_at=at, proven_at=at + timedelta(minutes=2), seconds=1.0,
        source="vault", uscdr="0", grade=Grade.DECRYPTS, demands=demands,
    ).keep(store)  # fmt: skip
