"""The clinic on a real PostgreSQL: schema, data, background processes, fallbacks and commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from clinic_broker import Place, broker
from clinic_site import EMAIL, KEY, Site, deploy, until
from mail_sink import sink
from uscdr.pgserver.server import LocalPostgres
from uscdr.sandbox.daemon import PYTHON

CLOSED = (
    "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'closed'; END $$;"
    " CREATE TRIGGER no BEFORE INSERT ON patients_patient FOR EACH ROW EXECUTE FUNCTION no()"
)
GRACE = 30  # seconds that the platform leaves a process after SIGTERM
WRITTEN = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    with LocalPostgres.start(tmp_path_factory.mktemp("postgres") / "server") as server:
        with psycopg.connect(server.dsn(), autocommit=True) as session:
            session.execute("CREATE ROLE clinic LOGIN PASSWORD 'clinic'")
        yield server


def new_database(server: LocalPostgres, name: str, template: str = "released") -> str:
    with psycopg.connect(server.dsn(), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name} OWNER clinic TEMPLATE {template}".encode())
    return server.dsn(name, "clinic", "clinic")


@pytest.fixture(scope="module")
def queue() -> Iterator[Place]:
    with broker() as one:
        yield one


@pytest.fixture(scope="module")
def site(postgres: LocalPostgres, queue: Place, tmp_path_factory: pytest.TempPathFactory) -> Site:
    url = new_database(postgres, "clinic", "template1")
    site = deploy(tmp_path_factory.mktemp("slug") / "app", url, queue.url)
    with site.process("release") as release:
        assert release.wait(60) == 0
    new_database(postgres, "released", "clinic")
    return site


@pytest.fixture(scope="module")
def filled(site: Site) -> Site:
    site.done("generate_clinic", "--patients", "200", "--seed", "7")
    return site


def test_a_release_makes_the_whole_schema_and_the_defaults(site: Site) -> None:
    tables = "SELECT count(*) FROM pg_class WHERE relkind = %s AND relnamespace = 'public'::regnamespace"
    assert site.one(tables, "r") == 49
    assert site.one(tables, "S") == 47
    assert site.one("SELECT count(*) FROM authentication_user WHERE role = 'ADMIN'") >= 2  # type: ignore[operator]
    assert site.one("SELECT count(*) FROM reports_reporttemplate") == 9
    assert site.one("SELECT count(*) FROM medical_certificates_certificatetemplate") == 1
    assert site.one("SELECT count(*) FROM pg_extension WHERE extname = 'pgcrypto'") == 1
    assert (site.root / "backend/staticfiles/admin").is_dir()
    assert "No changes" in site.done("makemigrations", "--check", "--dry-run")


def test_generated_data_is_whole(filled: Site) -> None:
    assert filled.one("SELECT count(*) FROM patients_patient") == 200
    assert filled.one("SELECT count(*) FROM patients_patient p JOIN authentication_user u ON u.id = p.user_id") == 200
    assert (
        filled.one(
            "SELECT count(*) FROM patients_patient WHERE id NOT IN (SELECT patient_id FROM patients_medicalrecord)"
        )
        == 0
    )
    oldest, newest = filled.rows(
        "SELECT now() - min(created_at) > '700 days', now() - max(created_at) < '5 minutes' FROM patients_patient"
    )[0]
    assert oldest
    assert newest
    empty = [
        name
        for (name,) in filled.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        if filled.one(f"SELECT count(*) FROM {name}") == 0
    ]
    assert not set(empty) - {
        "auth_group",
        "auth_group_permissions",
        "authentication_user_groups",
        "authentication_user_user_permissions",
        "authtoken_token",
        "django_admin_log",
        "django_session",
        "notifications_notificationlog",
        "utils_job",
        "utils_workerheartbeat",
    }


def test_the_check_account_has_no_token_yet_and_a_superuser_exists(filled: Site) -> None:
    row = filled.rows("SELECT is_verified, is_active, role FROM authentication_user WHERE email = %s", EMAIL)
    assert row == [(True, True, "STAFF")]
    assert filled.one("SELECT count(*) FROM authentication_user WHERE is_superuser AND is_active") >= 1  # type: ignore[operator]


def test_sequences_are_not_behind_their_tables(filled: Site) -> None:
    inserted = "INSERT INTO patients_dentalrecord (patient_id, visit_date, procedure, diagnosis, treatment,"
    inserted += " tooth_numbers, xray_images, photos, documents, created_at, updated_at)"
    inserted += " SELECT min(id), now(), 'X', '', '', '', '[]', '[]', '[]', now(), now() FROM patients_patient"
    with psycopg.connect(filled.env["DATABASE_URL"]) as session:
        session.execute(inserted.encode())  # a sequence behind max(id) would break the primary key
        session.rollback()


def test_ciphertext_opens_with_the_right_key_only(filled: Site) -> None:
    for table, column in (
        ("patients_patient", "first_name"),
        ("patients_medicalrecord", "diagnosis"),
        ("authentication_user", "blood_type"),
    ):
        opened = f"SELECT count(*) FROM {table} WHERE pgp_sym_decrypt({column}_enc, %s) = {column}"
        sealed = filled.one(f"SELECT count(*) FROM {table} WHERE {column}_enc IS NOT NULL")
        assert sealed >= 50  # type: ignore[operator]
        assert filled.one(opened, KEY) == sealed
        with pytest.raises(psycopg.errors.ExternalRoutineInvocationException, match="Wrong key or corrupt data"):
            filled.one(opened, "another key")


def test_equal_seeds_make_equal_patients(postgres: LocalPostgres, site: Site) -> None:
    digest = (
        "SELECT md5(string_agg(concat(p.*::text), '' ORDER BY id)) FROM (SELECT id, user_id, first_name, last_name,"
    )
    digest += " date_of_birth, phone_number, address, created_at FROM patients_patient) p"
    seen = []
    for name, seed in (("first", "5"), ("second", "5"), ("third", "6")):
        twin = site.with_env(DATABASE_URL=new_database(postgres, name))
        twin.done("generate_clinic", "--patients", "30", "--seed", seed, "--now", "2026-11-01T00:00:00+00:00")
        seen.append(twin.one(digest))
    assert seen[0] == seen[1] != seen[2]


def test_many_patients_keep_every_foreign_key(postgres: LocalPostgres, site: Site) -> None:
    big = site.with_env(DATABASE_URL=new_database(postgres, "big"), PGP_ENCRYPTION_KEY=None)
    keys = "SELECT count(*), count(*) FILTER (WHERE convalidated) FROM pg_constraint WHERE contype = 'f'"
    before = big.rows(keys)
    big.done("generate_clinic", "--patients", "5000", "--walk-ins", "3")
    assert big.rows(keys) == before
    assert big.one("SELECT count(*) FROM patients_patient WHERE user_id IS NULL") == 3
    assert big.one("SELECT count(*) FROM patients_patient WHERE first_name_enc IS NOT NULL") == 0


def test_patients_0008_deletes_patients_without_account(postgres: LocalPostgres, site: Site) -> None:
    old = site.with_env(DATABASE_URL=new_database(postgres, "old"))
    old.done("migrate", "-v0", "patients", "0007")
    old.done("generate_clinic", "--patients", "20", "--walk-ins", "4")
    assert "0008_delete_patients_without_account" in old.done("showmigrations", "--plan")
    old.done("migrate", "-v0")
    assert old.one("SELECT count(*) FROM patients_patient") == 16


def test_worker_and_beat_write_and_stop_at_once(filled: Site) -> None:
    logged = "SELECT count(*) FROM notifications_notificationlog"
    before = filled.one(logged)
    with filled.process("beat") as beat, filled.process("worker") as worker:
        until(lambda: filled.one(logged) > before)  # type: ignore[operator]
        assert filled.one("SELECT jobs_done > 0 FROM utils_workerheartbeat WHERE name = 'worker'")
        for child in (beat, worker):
            child.send_signal(signal.SIGTERM)
            assert child.wait(GRACE) == 0


def beaten(site: Site) -> object:
    return site.rows("SELECT beat_at FROM utils_workerheartbeat WHERE name = 'worker'")


def test_worker_outlives_its_connection_and_stops_even_behind_a_lock(filled: Site) -> None:
    with filled.process("worker") as worker, psycopg.connect(filled.env["DATABASE_URL"]) as session:
        before = beaten(filled)
        until(lambda: beaten(filled) != before)
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'clinic'"
        filled.rows(f"{others} AND pid NOT IN (pg_backend_pid(), %s)", session.info.backend_pid)
        before = beaten(filled)
        until(lambda: beaten(filled) != before)
        session.execute("LOCK TABLE utils_job")
        until(lambda: filled.one("SELECT count(*) FROM pg_locks WHERE NOT granted") == 1)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(GRACE) == 0


def test_nobody_can_log_in_with_the_published_password(site: Site, filled: Site) -> None:
    admins = "SELECT count(*) FROM authentication_user WHERE email IN ('admin@usc-pis.example',"
    admins += " 'clinic.head@usc-pis.example')"
    assert filled.one(admins) == 2
    assert filled.one(f"{admins} AND password NOT LIKE '!%%'") == 0


def test_keys_without_rows_and_rows_without_keys_do_no_harm(postgres: LocalPostgres, site: Site, queue: Place) -> None:
    """As after a restore of the database, and after the loss of the broker."""
    own = site.with_env(DATABASE_URL=new_database(postgres, "queued"), IDLE_HEARTBEAT=None)
    logged = "SELECT count(*) FROM notifications_notificationlog"
    queue.call(lambda: queue.broker.store.push(0, b"celery", [b"901", b"902", b"nonsense"]))
    with psycopg.connect(own.env["DATABASE_URL"]) as session:
        session.execute("INSERT INTO utils_job (kind, payload, created_at) VALUES ('welcome', '{}', now())")
    with own.process("worker"):
        until(lambda: not queue.waiting() and own.one(logged) == 1)
    assert own.one("SELECT count(*) FROM utils_job") == 0


def test_the_worker_waits_while_the_broker_is_gone(postgres: LocalPostgres, site: Site, queue: Place) -> None:
    own = site.with_env(DATABASE_URL=new_database(postgres, "waiting"), BEAT_SECONDS="0.2")
    queue.stop()
    try:
        with own.process("beat") as beat, own.process("worker") as worker:
            for _ in range(30):
                assert (beat.poll(), worker.poll()) == (None, None)
                time.sleep(0.05)
            assert own.one("SELECT count(*) FROM utils_job") == 0
            assert own.one("SELECT count(*) FROM utils_workerheartbeat") == 0
            queue.start()
            until(lambda: own.one("SELECT count(*) FROM notifications_notificationlog"))
    finally:
        queue.start()


@pytest.mark.parametrize("heartbeat", [None, "1"])
def test_an_idle_worker_writes_nothing_unless_told_to(
    postgres: LocalPostgres, site: Site, queue: Place, heartbeat: str | None
) -> None:
    name = f"idle_{heartbeat or 'silent'}"
    own = site.with_env(DATABASE_URL=new_database(postgres, name), IDLE_HEARTBEAT=heartbeat)
    before = own.one(WRITTEN)
    queue.fault("slow:0", method="LPOP", count=0)
    (rule,) = queue.faults.rules
    try:
        with own.process("worker"):
            until(lambda: rule.applied >= 3)
    finally:
        queue.faults.clear()
    # A session tells what it wrote at its end, for certain.
    until(lambda: own.one(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'") == 1)
    assert (own.one(WRITTEN) == before) is (heartbeat is None)


def test_the_worker_mails_real_people_unless_the_switch_is_off(postgres: LocalPostgres, site: Site) -> None:
    copy = site.with_env(DATABASE_URL=new_database(postgres, "copy"))
    copy.done("generate_clinic", "--patients", "200")
    status = "SELECT count(*) FROM notifications_notification WHERE status = %s"
    gmail = dict.fromkeys(("GMAIL_CLIENT_ID", "GMAIL_CLIENT_SECRET", "GMAIL_REFRESH_TOKEN"), "x")
    with sink() as server, copy.process("beat"):
        with copy.process("worker", GMAIL_RELAY=server.address, **gmail):
            until(lambda: server.recipients)
        assert all(name.endswith("usc-pis.example") for name in server.recipients)
        with psycopg.connect(copy.env["DATABASE_URL"]) as session:
            session.execute("UPDATE notifications_globalemailsettings SET emails_enabled = false")
        sent = len(server.recipients)
        with copy.process("worker", GMAIL_RELAY=server.address, **gmail):
            until(lambda: copy.one(status, "FAILED"))
        assert len(server.recipients) == sent


def test_a_signal_that_comes_while_an_object_is_taken_apart_is_not_lost(site: Site) -> None:
    code = (
        "import os, signal, time\n"
        "from utils import background\n"
        "class Gone:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(0)\n"
        "background.run(Gone, seconds=600)\n"
        "print('ended')\n"
    )
    command = [os.environ[PYTHON], "-c", code]
    result = subprocess.run(
        command, cwd=site.root / "backend", env=site.env, capture_output=True, text=True, timeout=60, check=True
    )
    assert "Exception ignored" in result.stderr
    assert result.stdout == "ended\n"


def test_without_a_database_url_it_boots_on_an_empty_sqlite(site: Site) -> None:
    alone = site.with_env(DATABASE_URL=None)
    with alone.process("release") as release:
        assert release.wait(60) == 0
    with alone.web() as client:
        assert client.get("/api/health/").status_code == 200
        assert client.post("/api/auth/login/", json={"email": EMAIL, "password": "x"}).status_code == 401
    assert alone.manage("generate_clinic").returncode == 1


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("monitor_backups --check-heroku", 2, "unrecognized arguments"),
        ("monitor_backups --auto-fix --timeout-minutes 5", 0, "backups known"),
        ("verify_backup", 0, "FAILED"),
        ("create_backup --type full --verify", 0, "Verification completed"),
        ("migrate_to_cloudinary --backup-first --dry-run", 1, "not configured"),
        ("check --database default", 0, "no issues"),
    ],
)
def test_commands_of_the_runbook(site: Site, command: str, code: int, said: str) -> None:
    result = site.manage(*command.split())
    assert result.returncode == code, result.stderr
    assert said in result.stdout + result.stderr


def test_backup_setup_needs_a_tool_that_a_dyno_lacks(site: Site) -> None:
    bare = site.with_env(PATH=str(Path(sys.executable).parent))
    result = bare.manage("setup_heroku_backups", "--app", "usc-pis")
    assert result.returncode == 1
    assert "Heroku CLI not found" in result.stderr


def test_checks_pass_with_the_database_gone_and_manage_is_not_at_the_root(site: Site) -> None:
    gone = site.with_env(DATABASE_URL="postgres://clinic:clinic@127.0.0.1:1/clinic")
    assert gone.manage("check", "--database", "default").returncode == 0
    root = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=site.root, env=site.env, capture_output=True, check=False
    )
    assert root.returncode == 2


def test_the_tree_does_not_know_the_product(site: Site) -> None:
    assert not [path for path in site.root.rglob("*.py") if "uscdr" in path.read_text()]


def test_the_write_check_saves_everything_and_keeps_nothing(site: Site, postgres: LocalPostgres) -> None:
    here = site.with_env(DATABASE_URL=new_database(postgres, "written"))
    kept = ("authentication_user", "patients_patient", "patients_medicalrecord", "reports_generatedreport")
    before = [here.one(f"SELECT count(*) FROM {table}") for table in kept]
    lines = here.done("write_check").splitlines()
    assert len(lines) == 12
    assert all(line.endswith(": saved and rolled back") for line in lines)
    assert [here.one(f"SELECT count(*) FROM {table}") for table in kept] == before


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("ALTER TABLE patients_patient ADD COLUMN insurer text NOT NULL", "insurer"),
        (CLOSED, "closed"),
        ("ALTER TABLE patients_patient RENAME COLUMN gender TO sex", "gender"),
    ],
)
def test_the_write_check_names_what_cannot_be_saved(
    site: Site, postgres: LocalPostgres, damage: str, named: str
) -> None:
    name = f"unwritable_{named}"
    here = site.with_env(DATABASE_URL=new_database(postgres, name))
    with psycopg.connect(here.env["DATABASE_URL"]) as session:
        session.execute(damage.encode())
    done = here.manage("write_check")
    assert done.returncode == 1
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert said["authentication.User"] == "saved and rolled back"
    assert said["patients.Patient"].startswith("cannot be saved")
    assert named in said["patients.Patient"]
    assert said["feedback.Feedback"] == "cannot be tried: the row that it belongs to was not saved"
    assert here.one("SELECT count(*) FROM patients_patient") == 0
