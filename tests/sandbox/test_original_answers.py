"""The clinic answers as the application that it stands for, and the packaged checks fit both: one row, one test."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import uscdr.sandbox
from live_sandbox import start, stop
from uscdr.checks.kinds.canary import _png
from uscdr.checks.kinds.config import ConfigCheck
from uscdr.checks.kinds.data import PasswordsCheck
from uscdr.sandbox.boot.request import UpRequest
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load
from verify_desk import ANSWERED, Seen, VerifyDesk

CLINIC = Path(uscdr.sandbox.__file__).parent / "clinic"
FALLBACK = "django-insecure-fallback-key-for-local-dev"
CANARIES = ("report-made-and-removed", "upload-and-removed", "mail-sent", "login-and-logout")


@pytest.fixture(scope="module")
def desk() -> Iterator[VerifyDesk]:
    live = start(UpRequest(patients=30))
    yield VerifyDesk(live)
    stop(live)


@pytest.fixture(scope="module")
def seen(desk: VerifyDesk) -> Seen:
    """What the packaged checks say of the healthy clinic, writes allowed."""
    return desk.verify("--allow-writes", *ANSWERED)


@pytest.fixture(scope="module")
def web(desk: VerifyDesk) -> Iterator[httpx.Client]:
    """Somebody signed in as the check account."""
    account = desk.live.contract["check_account"]
    headers = {"Authorization": f"Token {account['token']}", "X-Forwarded-Proto": "https"}
    with httpx.Client(base_url=desk.live.contract["web_url"], headers=headers, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def config() -> Config:
    return load(packaged()).config


def test_every_packaged_check_passes_on_the_healthy_clinic(seen: Seen, config: Config) -> None:
    assert seen.amiss == {}
    assert seen.over_the_limit == {}
    assert set(seen.verdicts) == set(config.checks)
    assert seen.code == 0


def test_every_recovery_ends_with_checks_that_pass_and_use_up_no_limit(seen: Seen, config: Config) -> None:
    assert {seen.verdicts[name] for name in config.after_recovery} == {"pass"}
    assert not [name for name in config.after_recovery if getattr(config.checks[name], "limit", None)]


def test_homepage(web: httpx.Client) -> None:
    script = re.search(r'src="(/static/[^"]+)"', web.get("/").text)
    assert script
    assert "javascript" in web.get(script[1]).headers["content-type"]
    assert "<div" in web.get(script[1].replace("/static/", "/")).text  # any unknown path is the page


def test_admin_login(web: httpx.Client) -> None:
    answer = web.get("/admin/login/")
    assert "csrfmiddlewaretoken" in answer.text
    assert list(answer.cookies) == ["sessionid"]


EMPTY_FORMS: list[tuple[str, dict[str, Any], int, Any]] = [
    ("/api/auth/login/", {"json": {}}, 400,
     {"detail": "Please provide both email and password", "fields": ["email", "password"]}),
    ("/api/auth/register/", {"json": {}}, 400,
     {"detail": "Validation failed",
      "errors": {"email": ["This field is required."], "password": ["This field is required."]}}),
    ("/api/patients/patients/", {"json": {}}, 400,
     {"detail": "Patient data validation failed", "errors": ["First name is required", "Last name is required"]}),
    ("/api/files/uploads/", {"files": {"other": ("x.png", b"x")}}, 400, {"detail": "No file provided"}),
    ("/api/files/uploads/", {"json": {}}, 500,
     {"detail": 'Unsupported media type "application/json" in request.'}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "sent", "status", "body"), EMPTY_FORMS, ids=range(len(EMPTY_FORMS)))
def test_empty_forms(web: httpx.Client, path: str, sent: dict[str, Any], status: int, body: Any) -> None:
    answer = web.post(path, **sent)
    assert (answer.status_code, answer.json()) == (status, body)


def test_uploads_are_a_page(web: httpx.Client) -> None:
    page = web.get("/api/files/uploads/").json()
    assert page["count"] == len(page["results"]) == 10


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [("canary.png", _png("a canary"), 201), ("canary.txt", b"a canary", 500), ("canary.png", b"no picture", 500)],
)
def test_the_storage_takes_images_only(web: httpx.Client, name: str, content: bytes, status: int) -> None:
    before = web.get("/api/files/uploads/").json()["count"]
    answer = web.post("/api/files/uploads/", files={"file": (name, content)})
    assert answer.status_code == status
    assert web.get("/api/files/uploads/").json()["count"] == before + (status == 201)
    if status == 201:
        assert httpx.get(answer.json()["file"], trust_env=False).content == content
        assert web.delete(f"/api/files/uploads/{answer.json()['id']}/").status_code == 204


def test_campaigns_with_images(web: httpx.Client) -> None:
    first = web.get("/api/health-info/campaigns/").json()["results"][0]
    assert "banner_image" not in first
    assert httpx.get(first["banner_image_url"], trust_env=False).content.startswith(b"\xff\xd8\xff")


def test_mail_switch_and_mail_sent(web: httpx.Client, desk: VerifyDesk) -> None:
    assert web.get("/api/utils/email/config/global/").json()["is_emails_enabled"] is True
    assert "emails_enabled" not in web.get("/api/utils/email/status/").json()
    sent = web.post("/api/utils/email/test/", json={"email": desk.live.contract["check_account"]["email"]})
    assert (sent.status_code, sent.json()["results"]["sent"]) == (200, 1)
    assert "sent" not in sent.json()


def test_metrics_and_backup_book(web: httpx.Client) -> None:
    metrics = web.get("/api/utils/metrics/prometheus/").text
    assert "utils_up 1\n" in metrics
    assert "# TYPE" not in metrics
    book = web.get("/api/utils/backup-health/").json()
    assert "system_health" in book
    assert "status" not in book


def test_a_report_is_named_by_report_id_and_none_is_left_behind(web: httpx.Client, seen: Seen) -> None:
    assert seen.verdicts["report-made-and-removed"] == "pass"
    assert not [one for one in web.get("/api/reports/generated/").json()["results"] if "canary" in one["title"]]
    asked = {"template_id": 1, "title": "x", "export_format": "CSV"}
    made = web.post("/api/reports/templates/1/generate/?sync=true", json=asked).json()
    assert "id" not in made
    assert web.delete(f"/api/reports/generated/{made['report_id']}/").status_code == 204


def test_published_passwords(desk: VerifyDesk, config: Config) -> None:
    check = config.checks["published-passwords"]
    assert isinstance(check, PasswordsCheck)
    published = [one.get_secret_value() for one in check.published]
    assert published == ["admin123", "SuperAdmin2025!", "testpass123", "password123"]
    migration = CLINIC / "backend/authentication/migrations/0004_pgcrypto_and_default_admins.py"
    assert '("admin@usc-pis.example", True, "admin123")' in migration.read_text()
    first = desk.live.sql("SELECT password FROM authentication_user WHERE email = 'admin@usc-pis.example'")
    assert str(first[0][0]).startswith("!")  # nobody can sign in with it in a clinic that is looked after


def test_the_secret_key_that_the_code_falls_back_to(config: Config) -> None:
    assert f'"{FALLBACK}"' in (CLINIC / "backend/backend/settings.py").read_text()
    check = config.checks["config"]
    assert isinstance(check, ConfigCheck)
    published = check.published["SECRET_KEY"]
    assert hashlib.sha256(FALLBACK.encode()).hexdigest() in published


def test_a_singletons_sequence_stands_behind_in_good_order(desk: VerifyDesk, seen: Seen) -> None:
    state = "SELECT last_value, is_called FROM notifications_globalemailsettings_id_seq"
    assert desk.live.sql(state) == [(1, False)]
    assert desk.live.sql("SELECT id FROM notifications_globalemailsettings") == [(1,)]
    assert seen.verdicts["sequences"] == "pass"


def test_media_has_no_prefix_and_its_own_tag(desk: VerifyDesk, web: httpx.Client, config: Config) -> None:
    assert (config.media.prefix, config.media.tag) == ("", "usc-pis")
    assert "campaigns/banners/campaign_01" in {
        one["public_id"] for one in desk.live.control("GET", "media/truth")
    }  # fmt: skip
    facts = desk.live.contract["cloudinary"]
    made = web.post("/api/files/uploads/", files={"file": ("tagged.png", _png("tagged"))}).json()
    listed = httpx.get(
        f"{facts['api_url']}/v1_1/{facts['cloud']}/resources/image/tags/usc-pis", params={"max_results": 500},
        auth=(facts["api_key"], facts["api_secret"]), trust_env=False,
    ).json()["resources"]  # fmt: skip
    ids = {one["public_id"] for one in listed}
    assert {"campaigns/banners/campaign_01", "uploads/tagged"} <= ids
    web.delete(f"/api/files/uploads/{made['id']}/")


def test_deleting_a_token_shuts_a_person_out(desk: VerifyDesk, web: httpx.Client) -> None:
    email = desk.live.contract["check_account"]["email"]
    named = f"user_id = (SELECT id FROM authentication_user WHERE email = '{email}')"
    (kept,) = desk.live.sql(f"SELECT key FROM authtoken_token WHERE {named}")
    desk.live.sql(f"DELETE FROM authtoken_token WHERE {named}")
    try:
        assert web.get("/api/auth/profile/me/").status_code == 401
        assert desk.verify("signed-in").failing
    finally:
        desk.live.sql(
            "INSERT INTO authtoken_token (key, user_id, created)"
            f" SELECT '{kept[0]}', id, now() FROM authentication_user WHERE email = '{email}'"
        )


def test_who_became_one_of_the_staff_is_counted_as_a_patient_no_longer(web: httpx.Client, desk: VerifyDesk) -> None:
    total = web.get("/api/patients/dashboard-stats/").json()["total_patients"]
    ((account,),) = desk.live.sql(
        "SELECT min(p.user_id) FROM patients_patient p JOIN authentication_user u ON u.id = p.user_id"
        " WHERE u.role = 'STUDENT'"
    )
    desk.live.sql(f"UPDATE authentication_user SET role = 'STAFF' WHERE id = {account}")
    try:
        assert web.get("/api/patients/dashboard-stats/").json()["total_patients"] == total - 1
        assert len(web.get("/api/patients/patients/").json()) == total - 1
        seen = desk.verify("patients-agree")
        assert (seen.code, seen.verdicts["patients-agree"]) == (0, "pass")
        assert f"both say {total - 1}" in seen.evidence["patients-agree"]
        desk.live.sql(f"UPDATE authentication_user SET role = 'FACULTY' WHERE id = {account}")
        assert f"both say {total}" in desk.verify("patients-agree").evidence["patients-agree"]
    finally:
        desk.live.sql(f"UPDATE authentication_user SET role = 'STUDENT' WHERE id = {account}")


def test_the_key_is_tried_on_every_encrypted_column(desk: VerifyDesk, seen: Seen, config: Config) -> None:
    there = desk.live.sql(
        "SELECT table_name || '.' || column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'bytea' AND column_name LIKE '%\\_enc' ORDER BY 1"
    )
    named = sorted(f"{one.table}.{one.encrypted}" for one in config.recovery.canaries)
    assert named == [name for (name,) in there]
    assert len(named) == 9
    assert "in 9 columns" in seen.evidence["encrypted-columns"]


def test_some_rows_of_one_column_under_another_key_are_found(desk: VerifyDesk) -> None:
    newer = "id > (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY id) FROM authentication_user)"
    filled = f"{newer} AND allergies_enc IS NOT NULL"
    kept = desk.live.sql(f"SELECT id, encode(allergies_enc, 'hex') FROM authentication_user WHERE {filled}")
    assert kept
    desk.live.sql(
        f"UPDATE authentication_user SET allergies_enc = pgp_sym_encrypt(allergies, 'another') WHERE {filled}"
    )
    try:
        seen = desk.verify("encrypted-columns")
        assert seen.code == 1
        assert "PGP_ENCRYPTION_KEY does not fit" in seen.evidence["encrypted-columns"]
        assert f"{len(kept)} of " in seen.evidence["encrypted-columns"]
        assert "in authentication_user.allergies_enc" in seen.evidence["encrypted-columns"]
    finally:
        for key, sealed in kept:
            desk.live.sql(f"UPDATE authentication_user SET allergies_enc = decode('{sealed}', 'hex') WHERE id = {key}")


# Last: what is sent here is counted by the application, and by the tool.


def right_login(web: httpx.Client, desk: VerifyDesk) -> int:
    account = desk.live.contract["check_account"]
    sent = {"email": account["email"], "password": account["password"]}
    return web.post("/api/auth/login/", json=sent).status_code


def test_checks_lock_nobody_out(web: httpx.Client, desk: VerifyDesk, seen: Seen) -> None:
    """One verification was before this."""
    assert right_login(web, desk) == 200  # and the application forgets what was sent before
    assert seen.verdicts["login-refuses-empty"] == "pass"
    verdicts = [desk.verify("login-refuses-empty", "register-form").verdicts for _ in range(4)]
    assert [one["login-refuses-empty"] for one in verdicts] == ["pass", *["not checked"] * 3]
    last = desk.verify("login-refuses-empty", "register-form")
    assert last.code == 1
    assert "checks used 2 of 5 logins in 15 min" in last.evidence["login-refuses-empty"]
    assert "checks used 2 of 5 registrations in 15 min" in last.evidence["register-form"]
    assert set(last.over_the_limit) == {"login-refuses-empty", "register-form"}
    assert right_login(web, desk) == 200


def test_429_is_not_checked_is_remembered_and_ends_with_the_window(web: httpx.Client, desk: VerifyDesk) -> None:
    for _ in range(5):
        web.post("/api/auth/register/", json={})
    shutil.rmtree(desk.home / "attempts")  # another machine's book
    seen = desk.verify("register-form", "homepage")
    assert (seen.code, seen.verdicts["register-form"], seen.verdicts["homepage"]) == (1, "not checked", "pass")
    assert "429" in seen.evidence["register-form"]
    again = desk.verify("register-form")
    assert again.verdicts["register-form"] == "not checked"
    assert "uscdr waits until" in again.evidence["register-form"]


def test_five_refused_logins_lock_an_address_out_for_right_ones_too(web: httpx.Client, desk: VerifyDesk) -> None:
    assert right_login(web, desk) == 200
    for _ in range(5):
        assert web.post("/api/auth/login/", json={}).status_code == 400
    assert right_login(web, desk) == 429
    assert web.post("/api/auth/login/", json={}).status_code == 400  # whoever sends nothing is told so
