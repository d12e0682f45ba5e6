"""Every address of the clinic's checklist: its success, and the trap beside it."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from clinic_broker import Place, broker
from clinic_site import EMAIL, NOWHERE, PASSWORD, Site, deploy, until
from uscdr.pgserver.server import LocalPostgres

REPORTED = {"CSV": b"month,count", "JSON": b'{"title"', "HTML": b"<!doctype html>", "PDF": b"%PDF-", "EXCEL": b"PK"}


@pytest.fixture(scope="module")
def queue() -> Iterator[Place]:
    with broker() as one:
        yield one


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, queue: Place) -> Iterator[Site]:
    with LocalPostgres.start(tmp_path_factory.mktemp("postgres") / "server") as server:
        with psycopg.connect(server.dsn(), autocommit=True) as session:
            session.execute("CREATE ROLE clinic LOGIN PASSWORD 'clinic'")
            session.execute("CREATE DATABASE clinic OWNER clinic")
        site = deploy(tmp_path_factory.mktemp("slug") / "app", server.dsn("clinic", "clinic", "clinic"), queue.url)
        with site.process("release") as release:
            assert release.wait(60) == 0
        site.done("generate_clinic", "--patients", "60")
        yield site


@pytest.fixture(scope="module")
def anyone(site: Site) -> Iterator[httpx.Client]:
    with site.web() as client:
        yield client


@pytest.fixture(scope="module")
def token(anyone: httpx.Client) -> str:
    answer = login(anyone, EMAIL, PASSWORD)
    assert answer.status_code == 200
    assert answer.json()["is_verified"] is True
    return str(answer.json()["token"])


@pytest.fixture
def staff(anyone: httpx.Client, token: str) -> Iterator[httpx.Client]:
    anyone.headers["Authorization"] = f"Token {token}"
    yield anyone
    anyone.headers.pop("Authorization", None)


def login(client: httpx.Client, email: str, password: str, address: str = "10.0.0.1") -> httpx.Response:
    headers = {"X-Forwarded-For": address}
    return client.post("/api/auth/login/", json={"email": email, "password": password}, headers=headers)


def make_account(site: Site, email: str, *, verified: bool, role: str = "STUDENT") -> None:
    made = "INSERT INTO authentication_user (username, email, password, role, first_name, last_name, middle_name,"
    made += " is_active, is_staff, is_superuser, is_verified, profile_completed, id_number, course, year_level,"
    made += " department, phone_number, address, sex, illness, existing_medical_condition, medications, allergies,"
    made += " emergency_contact, emergency_contact_number, blood_type, date_joined, created_at, updated_at)"
    made += " SELECT %(email)s, %(email)s, password, %(role)s, 'Ann', 'Bee', '', true, false, false, %(verified)s,"
    made += " false, '', '', '', '', '', '', '', '', '', '', '', '', '', '', now(), now(), now()"
    made += " FROM authentication_user WHERE email = %(check)s"
    values = {"email": email, "role": role, "verified": verified, "check": EMAIL}
    with psycopg.connect(site.env["DATABASE_URL"]) as session:
        session.execute(made.encode(), values)


def test_plain_http_is_redirected(anyone: httpx.Client) -> None:
    answer = anyone.get("/health", headers={"X-Forwarded-Proto": "http"})
    assert answer.status_code == 301
    assert answer.headers["location"].startswith("https://")


def test_homepage_its_asset_and_any_other_path(anyone: httpx.Client) -> None:
    page = anyone.get("/")
    assert page.status_code == 200
    assert '<div id="root">' in page.text
    named = re.search(r'src="([^"]+)"', page.text)
    assert named
    asset = anyone.get(named[1])
    assert asset.status_code == 200
    assert "javascript" in asset.headers["content-type"]
    assert anyone.get("/no/such/page").text == page.text
    assert anyone.get("/api/no/such/endpoint").status_code == 404
    assert anyone.get("/", headers={"Host": "clinic.example"}).status_code == 400


def test_login_says_no_and_locks_out_after_five(anyone: httpx.Client) -> None:
    for _attempt in range(5):
        assert login(anyone, "nobody@clinic.example", "wrong", "10.0.0.9").status_code == 401
    assert login(anyone, "nobody@clinic.example", "wrong", "10.0.0.8").status_code == 429
    assert login(anyone, EMAIL, PASSWORD, "10.0.0.9").status_code == 429


def test_profile_needs_the_token(anyone: httpx.Client, token: str) -> None:
    assert anyone.get("/api/auth/profile/me/").status_code == 401
    bearer = anyone.get("/api/auth/profile/me/", headers={"Authorization": f"Bearer {token}"})
    assert bearer.status_code == 401
    mine = anyone.get("/api/auth/profile/me/", headers={"Authorization": f"Token {token}"})
    assert mine.json()["role"] == "STAFF"


def test_an_unverified_account_logs_in_and_gets_no_further(site: Site, anyone: httpx.Client) -> None:
    make_account(site, "new@clinic.example", verified=False)
    answer = login(anyone, "new@clinic.example", PASSWORD)
    assert (answer.status_code, answer.json()["is_verified"]) == (200, False)
    headers = {"Authorization": f"Token {answer.json()['token']}"}
    assert anyone.get("/api/auth/profile/me/", headers=headers).status_code == 403


def test_logout_ends_every_session_of_the_account(site: Site, anyone: httpx.Client) -> None:
    make_account(site, "student@clinic.example", verified=True)
    first = login(anyone, "student@clinic.example", PASSWORD).json()["token"]
    assert login(anyone, "student@clinic.example", PASSWORD).json()["token"] == first
    headers = {"Authorization": f"Token {first}"}
    assert anyone.get("/api/patients/patients/?search=x", headers=headers).status_code == 403
    assert anyone.post("/api/auth/logout/", headers=headers).status_code == 200
    assert anyone.get("/api/auth/profile/me/", headers=headers).status_code == 401


def test_patient_search_finds_the_one(site: Site, staff: httpx.Client) -> None:
    email, key = site.rows("SELECT email, id FROM patients_patient ORDER BY id LIMIT 1 OFFSET 20")[0]
    found = staff.get("/api/patients/patients/", params={"search": str(email)}).json()
    assert [row["id"] for row in found] == [key]
    assert found[0]["medical_records"]
    assert len(staff.get("/api/patients/patients/").json()) == 60
    for kind in ("medical-records", "dental-records", "consultations"):
        rows = staff.get(f"/api/patients/{kind}/").json()
        assert rows
        one = staff.get(f"/api/patients/{kind}/", params={"patient": rows[0]["patient"]}).json()
        assert {row["patient"] for row in one} == {rows[0]["patient"]}
    assert staff.get("/api/patients/dashboard-stats/").json()["total_patients"] == 60


def test_certificates_render(staff: httpx.Client) -> None:
    key = staff.get("/api/medical-certificates/certificates/").json()[0]["id"]
    assert "<h1>" in staff.get(f"/api/medical-certificates/certificates/{key}/render/").json()["html"]
    pdf = staff.get(f"/api/medical-certificates/certificates/{key}/render_pdf/")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")
    start_of_table = int(pdf.content.split(b"startxref\n")[1].split()[0])
    assert pdf.content[start_of_table:].startswith(b"xref")
    assert staff.get("/api/medical-certificates/certificates/999999/render/").status_code == 404


def test_campaigns_are_paged_and_looking_at_one_counts(site: Site, staff: httpx.Client) -> None:
    page = staff.get("/api/health-info/campaigns/", params={"page_size": 5}).json()
    assert (page["count"], len(page["results"]), page["previous"]) == (12, 5, None)
    assert "/media/campaigns/banners/" in page["results"][0]["banner_image_url"]
    assert "banner_image" not in page["results"][0]
    lost = staff.get(page["results"][0]["banner_image_url"].replace("https://", "http://"))
    assert lost.status_code == 404
    key = page["results"][0]["id"]
    staff.get(f"/api/health-info/campaigns/{key}/")
    assert site.one("SELECT view_count FROM health_info_healthcampaign WHERE id = %s", key) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/feedback/",
        "/api/feedback/analytics/",
        "/api/feedback/pending/",
        "/api/files/uploads/",
        "/api/files/patient-documents/",
        "/api/notifications/notifications/",
        "/api/health-info/health-information/",
        "/api/utils/email/status/",
        "/api/utils/email/config/global/",
        "/api/utils/health/quick/",
        "/api/utils/health/comprehensive/",
        "/api/utils/database-health/",
        "/api/utils/backup/health/",
        "/api/utils/backup-health/",
        "/api/utils/metrics/prometheus/",
        "/api/auth/database-health/",
    ],
)
def test_reading_needs_a_token_and_then_works(anyone: httpx.Client, token: str, path: str) -> None:
    assert anyone.get(path).status_code == 401
    headers = {"Authorization": f"Token {token}"}
    assert anyone.get(path, headers=headers).status_code == 200
    assert anyone.delete(path, headers=headers).status_code == 405


def test_a_document_on_local_storage_cannot_be_downloaded(staff: httpx.Client) -> None:
    key = staff.get("/api/files/patient-documents/").json()[0]["id"]
    assert staff.get(f"/api/files/patient-documents/{key}/download/").status_code == 500


@pytest.mark.parametrize("kind", REPORTED)
def test_a_report_is_made_and_fetched(site: Site, staff: httpx.Client, kind: str) -> None:
    templates = staff.get("/api/reports/templates/").json()
    assert templates["count"] == 9
    key = next(row["id"] for row in templates["results"] if row["report_type"] == "VISIT_TRENDS")
    asked = {"template_id": key, "title": "Visits", "export_format": kind, "date_range_start": "2020-01-01"}
    made = staff.post(f"/api/reports/templates/{key}/generate/", params={"sync": "true"}, json=asked)
    assert (made.status_code, made.json()["status"]) == (202, "PENDING")
    report = made.json()["report_id"]
    assert staff.get(f"/api/reports/generated/{report}/").json()["status"] == "COMPLETED"
    data = staff.get(f"/api/reports/generated/{report}/download/").content
    assert data.startswith(REPORTED[kind])
    if kind == "EXCEL":
        assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    assert site.one("SELECT download_count FROM reports_generatedreport WHERE id = %s", report) == 1


def test_a_report_without_sync_is_made_by_the_worker(site: Site, staff: httpx.Client) -> None:
    key = staff.get("/api/reports/templates/").json()["results"][-1]["id"]
    asked = {"template_id": key, "title": "Later", "export_format": "CSV"}
    report = staff.post(f"/api/reports/templates/{key}/generate/", json=asked).json()["report_id"]
    assert staff.get(f"/api/reports/generated/{report}/download/").status_code == 404
    with site.process("worker"):
        until(lambda: staff.get(f"/api/reports/generated/{report}/").json()["status"] == "COMPLETED")
    assert staff.get(f"/api/reports/generated/{report}/download/").status_code == 200


def summary(client: httpx.Client, token: str) -> httpx.Response:
    headers = {"Authorization": f"Token {token}"}
    templates = client.get("/api/reports/templates/", headers=headers).json()["results"]
    key = next(row["id"] for row in templates if row["report_type"] == "PATIENT_SUMMARY")
    asked = {"template_id": key, "title": "One", "export_format": "JSON", "patient_id": 1}
    return client.post(f"/api/reports/templates/{key}/generate/?sync=true", json=asked, headers=headers)


def test_a_patient_summary_hides_its_error_and_a_wrong_key_breaks_it(
    site: Site, anyone: httpx.Client, token: str
) -> None:
    report = summary(anyone, token).json()["report_id"]
    content = site.one("SELECT content FROM reports_generatedreport WHERE id = %s AND status = 'COMPLETED'", report)
    rows = {row["field"]: row["value"] for row in json.loads(base64.b64decode(str(content)))["data"]}
    assert rows["first_name"]
    assert "Cannot resolve keyword" in rows["error"]
    with site.with_env(PGP_ENCRYPTION_KEY="another key").web() as wrong:
        headers = {"Authorization": f"Token {token}"}
        assert wrong.get("/api/patients/dashboard-stats/", headers=headers).status_code == 200
        assert summary(wrong, token).status_code == 500


def test_the_admin_panel_lets_staff_in(anyone: httpx.Client) -> None:
    assert anyone.get("/admin/").status_code == 302
    form = anyone.get("/admin/login/")
    secret = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
    assert secret
    assert anyone.get("/static/admin/css/base.css").status_code == 200
    sent = {"username": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": secret[1], "next": "/admin/"}
    # The cookies are marked secure and this client speaks plain http behind the router's header.
    base = str(anyone.base_url)
    cookies = {"Cookie": f"sessionid={form.cookies['sessionid']}", "Referer": base.replace("http:", "https:") + "/"}
    entered = anyone.post("/admin/login/", data=sent, headers=cookies)
    assert entered.status_code == 302
    session = {"Cookie": f"sessionid={entered.cookies['sessionid']}"}
    assert anyone.get("/admin/", headers=session).status_code == 200


def test_mail_test_runs_dry_and_fails_without_gmail(staff: httpx.Client) -> None:
    dry = staff.post("/api/utils/email/test/", json={"email": "a@clinic.example", "dry_run": True})
    assert dry.json()["dry_run"] is True
    failed = staff.post("/api/utils/email/test/", json={"email": "a@clinic.example"})
    assert (failed.status_code, failed.json()["results"]["sent"], failed.json()["results"]["failed"]) == (200, 0, 1)


@pytest.mark.parametrize("url", [None, NOWHERE])
def test_without_a_broker_profile_setup_lies(site: Site, token: str, url: str | None) -> None:
    headers, patients = {"Authorization": f"Token {token}"}, "SELECT count(*) FROM patients_patient"
    with site.with_env(REDIS_URL=url).web() as client:
        answer = client.post("/api/auth/complete-profile-setup/", headers=headers)
        assert (answer.status_code, answer.json()["completeSetup"]) == (200, True)
        assert site.one(patients) == 60
        key = site.one("SELECT id FROM authentication_user WHERE email = %s", EMAIL)
        named = {"first_name": "A", "last_name": "B"}
        assert client.post("/api/patients/patients/", json={**named, "user": key}, headers=headers).status_code == 500
        assert site.one(patients) == 60
    assert site.one("SELECT count(*) FROM utils_job WHERE kind <> 'generate_report'") == 0


def test_with_a_broker_the_job_is_queued(site: Site, token: str, queue: Place) -> None:
    with site.web() as client:
        client.post("/api/auth/complete-profile-setup/", headers={"Authorization": f"Token {token}"})
    assert site.one("SELECT count(*) FROM patients_patient") == 61
    key = site.one("SELECT id FROM utils_job WHERE kind = 'welcome'")
    assert str(key).encode() in queue.waiting()


def test_every_answer_carries_the_security_headers(anyone: httpx.Client) -> None:
    for path in ("/", "/admin/login/", "/api/auth/profile/me/", "/static/admin/css/base.css"):
        headers = anyone.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert int(headers["strict-transport-security"].removeprefix("max-age=")) > 0
    cookie = anyone.get("/admin/login/").headers["set-cookie"]
    assert cookie.startswith("sessionid=")
    assert "; Secure" in cookie


def test_a_file_is_stored_shown_and_removed(site: Site, staff: httpx.Client) -> None:
    refused = staff.post("/api/files/uploads/", files={"file": ("empty.txt", b"")})
    assert (refused.status_code, refused.json()["errors"]) == (400, ["File cannot be empty"])
    made = staff.post("/api/files/uploads/", files={"file": ("canary.txt", b"sings", "text/plain")})
    assert made.status_code == 201
    row = made.json()
    assert (row["original_filename"], row["file_size"], row["content_type"]) == ("canary.txt", 5, "text/plain")
    path = f"/api/files/uploads/{row['id']}/"
    assert staff.get(path).json() == row
    (stored,) = (site.root / "backend/media/uploads").glob("canary*.txt")
    assert stored.read_bytes() == b"sings"
    removed = staff.delete(path)
    assert (removed.status_code, removed.content) == (204, b"")
    assert not stored.exists()
    assert staff.get(path).status_code == 404
    assert staff.delete(path).status_code == 404


def test_files_are_for_the_clinics_staff(site: Site, anyone: httpx.Client) -> None:
    make_account(site, "pupil@clinic.example", verified=True)
    headers = {"Authorization": f"Token {login(anyone, 'pupil@clinic.example', PASSWORD).json()['token']}"}
    files = {"file": ("canary.txt", b"sings")}
    assert anyone.post("/api/files/uploads/", files=files, headers=headers).status_code == 403
    assert anyone.delete("/api/files/uploads/1/", headers=headers).status_code == 403
    assert anyone.post("/api/files/uploads/", files=files).status_code == 401


def test_a_report_can_be_taken_back(site: Site, staff: httpx.Client) -> None:
    reports = "SELECT count(*) FROM reports_generatedreport"
    before = site.one(reports)
    key = staff.get("/api/reports/templates/").json()["results"][0]["id"]
    asked = {"template_id": key, "title": "Canary", "export_format": "CSV"}
    made = staff.post(f"/api/reports/templates/{key}/generate/?sync=true", json=asked).json()["report_id"]
    removed = staff.delete(f"/api/reports/generated/{made}/")
    assert (removed.status_code, removed.content) == (204, b"")
    assert staff.get(f"/api/reports/generated/{made}/").status_code == 404
    assert site.one(reports) == before


def test_images_resolve_to_the_delivery_service_only_when_it_is_wholly_configured(site: Site, token: str) -> None:
    cloud = {"CLOUDINARY_CLOUD_NAME": "usc", "CLOUDINARY_API_KEY": "1", "CLOUDINARY_DELIVERY_URL": "http://cdn.example"}
    headers = {"Authorization": f"Token {token}"}
    for extra, address in (
        ({"CLOUDINARY_API_SECRET": "s"}, "http://cdn.example/usc/image/upload/v1/campaigns/banners/"),
        ({}, "https://127.0.0.1"),
    ):
        with site.with_env(USE_CLOUDINARY="True", **cloud, **extra).web() as client:
            row = client.get("/api/health-info/campaigns/", headers=headers).json()["results"][0]
            assert row["banner_image_url"].startswith(address)


def test_health_with_the_database_gone(site: Site) -> None:
    with site.with_env(DATABASE_URL="postgres://clinic:clinic@127.0.0.1:1/clinic").web() as client:
        codes = {
            path: client.get(path).status_code for path in ("/health", "/api/health", "/api/health/", "/admin/login/")
        }
    assert codes == {"/health": 200, "/api/health": 200, "/api/health/": 500, "/admin/login/": 500}
