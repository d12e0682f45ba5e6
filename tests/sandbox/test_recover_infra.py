"""The application is gone with its add-ons and backups: it is built anew from a kit, whatever goes wrong on the way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from infra_desk import HOST, NEW, OLD, Desk, opened
from live_sandbox import until
from uscdr.sandbox.boot.deploy import LOG_DRAIN

KEY = "PGP_ENCRYPTION_KEY"
WRITTEN_BY_CHECKS = {"authentication_user", "authtoken_token", "utils_workerheartbeat", "utils_systemhealthmetric",
                     "utils_backupstatus", "utils_job", "django_session", "notifications_notificationlog",
                     "reports_reporttemplate", "django_migrations"}  # fmt: skip
"""What the running application itself writes: logins, heartbeats, the release phase."""


@dataclass
class Lost:
    """What was there before the disaster."""

    desk: Desk
    rows: dict[str, str]
    config: dict[str, str]
    formation: dict[str, int]
    record: list[str]


@pytest.fixture(scope="module")
def lost() -> Iterator[Lost]:
    with opened("uscdr-infra-") as desk:
        before = Lost(desk, desk.backup(), desk.config(OLD), desk.formation(OLD), desk.records("primary"))
        desk.kit()
        for place, value in (("no key", None), ("wrong key", "not-the-key")):
            desk.api(f"/apps/{OLD}/config-vars", "PATCH", {KEY: value})
            desk.kit(place, "--without", "media", code=1)  # neither proof comes as far as the key
        desk.call("sandbox", "break", "infra", "--how", "app-gone")
        yield before


def test_what_cannot_be_built_is_refused_with_the_reason_and_nothing_is_written(lost: Lost) -> None:
    desk = lost.desk
    before = desk.writes()
    assert f"{KEY} is not available" in desk.plan("--kit", "no key:newest", code=1).stderr
    assert f"{KEY} does not fit the backup" in desk.plan("--kit", "wrong key:newest", code=1).stderr
    assert "--kit newest" in desk.plan(code=2).stderr
    shutil.copytree(desk.state / "vault", desk.state / "damaged")
    largest = max((desk.state / "damaged" / "kits").rglob("*.age"), key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    assert "is damaged" in desk.plan("--kit", "damaged:newest", code=1).stderr
    other = desk.state / "other.txt"
    shutil.copy(desk.state / "identity.txt", other)
    other.write_text("AGE-SECRET-KEY-1" + "Q" * 58 + "\n")
    assert "Next:" in desk.plan("--kit", "newest", "--identity", str(other), code=2).stderr
    assert desk.writes() == before


def test_a_name_that_another_account_has_is_left_alone(lost: Lost) -> None:
    desk = lost.desk
    desk.api("/apps", "POST", {"name": "usc-pis-taken"}, token=desk.spare)
    before = desk.writes()
    refused = desk.recover("--kit", "newest", "--app", "usc-pis-taken", code=3)
    assert "taken" in refused.stderr
    assert "--app NAME --new" in refused.stderr
    assert desk.writes()[len(before) :] == ["POST /apps"]
    assert [one["name"] for one in desk.api("/apps")] == []


def test_trouble_on_the_way_stops_with_advice_and_a_resumed_run_goes_on(lost: Lost) -> None:
    desk = lost.desk
    desk.call("sandbox", "fault", "add", "addon-fails", "--method", "POST", "--path", "*/addons")
    assert "did not provision the add-on" in desk.recover("--kit", "newest", "--new", code=3).stderr
    desk.call("sandbox", "fault", "add", "build-fails", "--method", "POST", "--path", "*/builds")
    assert "heroku builds:output" in desk.resume(code=3).stderr
    desk.call("sandbox", "fault", "add", "release-fails", "--method", "POST", "--path", "*/builds")
    assert "heroku releases:output" in desk.resume(code=3).stderr
    assert desk.records("primary") == lost.record
    key = desk.resume(code=3, USCDR_DNS_KEY="bm90LXRoZS1rZXk=").stderr
    assert "bm90LXRoZS1rZXk=" not in key
    assert "TSIG key" in key
    assert desk.records("primary") == lost.record
    assert desk.mails(NEW) == 0
    assert not {"GMAIL_CLIENT_ID", "GMAIL_CLIENT_SECRET", "GMAIL_REFRESH_TOKEN"} & desk.config(NEW).keys()
    assert "beat" not in desk.running(NEW)
    desk.control("POST", "acm", {"refuse": True})
    assert "certs:auto:refresh" in desk.resume(code=1).stderr
    assert desk.mails(NEW) == 0
    desk.control("POST", "acm", {"refuse": False})
    desk.api(f"/apps/{NEW}/acm", "PATCH")
    desk.resume()


def test_the_new_place_is_the_old_one(lost: Lost) -> None:
    desk = lost.desk
    rows = desk.rows(NEW)
    assert rows.keys() == lost.rows.keys()
    assert {table for table in rows if rows[table] != lost.rows[table]} <= WRITTEN_BY_CHECKS
    config = desk.config(NEW)
    assert {name for name in config if config[name] != lost.config.get(name)} <= {
        "DATABASE_URL", "REDIS_URL", "SITE_URL", "FRONTEND_URL", "ALLOWED_HOSTS",
    }  # fmt: skip
    assert config.keys() == lost.config.keys()
    assert desk.formation(NEW) == lost.formation
    assert desk.running(NEW).count("beat") == 1


def test_encrypted_columns_are_read_with_the_new_places_key(lost: Lost) -> None:
    psycopg = pytest.importorskip("psycopg")
    config = lost.desk.config(NEW)
    with psycopg.connect(config["DATABASE_URL"], autocommit=True) as connection:
        query = "SELECT count(*), count(*) FILTER (WHERE pgp_sym_decrypt(first_name_enc, %s) = first_name)"
        total, readable = connection.execute(f"{query} FROM patients_patient", [config[KEY]]).fetchone()
    assert total == readable > 0


def test_the_domain_leads_there_from_every_name_server(lost: Lost) -> None:
    desk = lost.desk
    target = next(one["cname"] for one in desk.api(f"/apps/{NEW}/domains") if one["hostname"] == HOST)
    for server in ("primary", "secondary"):
        records = [line for line in desk.records(server) if " CNAME " in line]
        assert len(records) == 1
        assert target in records[0]
    seen = desk.through_the_edge("/api/health/")
    assert seen.status_code == 200


def test_every_line_of_the_checklists_passes_in_the_new_place(lost: Lost) -> None:
    wanted = sorted(kind for kind, number in lost.formation.items() for _ in range(number))
    # the last release starts them anew: those of the one before may still be up, and `starting` is no `up`
    until(lambda: lost.desk.settled(NEW) and lost.desk.running(NEW) == wanted)
    done = lost.desk.call("--target", "sandbox", "verify", "all", "--app", NEW, "--skip-manual")
    assert "22 of 22" in done.stdout, done.stdout
    assert [one["url"] for one in lost.desk.api(f"/apps/{NEW}/log-drains")] == [LOG_DRAIN]


def test_nothing_was_written_that_was_not_said(lost: Lost) -> None:
    desk = lost.desk
    mine = [write for write in desk.writes() if f"/{NEW}" in write or write == "POST /apps"]
    counts = {kind: len([one for one in mine if one.startswith(kind)]) for kind in (
        f"POST /apps/{NEW}/addons", f"POST /apps/{NEW}/builds", f"PATCH /apps/{NEW}/config-vars",
        f"POST /apps/{NEW}/domains", f"PATCH /apps/{NEW}/formation",
    )}  # fmt: skip
    assert counts == {
        f"POST /apps/{NEW}/addons": 3,  # one of them failed
        f"POST /apps/{NEW}/builds": 3,  # two of them failed
        f"PATCH /apps/{NEW}/config-vars": 2,
        f"POST /apps/{NEW}/domains": 1,
        f"PATCH /apps/{NEW}/formation": counts[f"PATCH /apps/{NEW}/formation"],
    }
    assert [one["name"] for one in desk.api("/apps")] == [NEW]


def test_no_secret_is_in_any_journal(lost: Lost) -> None:
    secrets = [value for name, value in lost.config.items() if len(value) >= 12 and name != "ALLOWED_HOSTS"
               and not value.startswith("https://")]  # fmt: skip
    secrets.append(str(urlsplit(LOG_DRAIN).password))
    assert len(secrets) > 5
    for journal in (lost.desk.state / "runs").rglob("*"):
        if journal.is_file():
            text = journal.read_text(errors="replace")
            assert [value for value in secrets if value in text] == [], journal
