"""The clinic beside an image service: delivery, the upload command, and the command that clears what is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest

from clinic_site import Site, deploy
from uscdr.pgserver.server import LocalPostgres


class Service(ThreadingHTTPServer):
    """Delivers the paths in `stored`, and keeps the bodies of uploads."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.stored: set[str] = set()
        self.uploads: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Service

    def do_HEAD(self) -> None:
        self.answer(200 if self.path in self.server.stored else 404)

    def do_GET(self) -> None:
        known = self.path in {*self.server.stored, "/v1_1/usc/ping"}
        self.answer(200 if known else 404, b"bytes")

    def do_POST(self) -> None:
        self.server.uploads.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(200 if self.path == "/v1_1/usc/auto/upload" else 404)

    def answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@contextmanager
def running() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with LocalPostgres.start(tmp_path_factory.mktemp("postgres") / "server") as server:
        with psycopg.connect(server.dsn(), autocommit=True) as session:
            session.execute("CREATE ROLE clinic LOGIN PASSWORD 'clinic'")
            session.execute("CREATE DATABASE clinic OWNER clinic")
        site = deploy(tmp_path_factory.mktemp("slug") / "app", server.dsn("clinic", "clinic", "clinic"))
        site.done("migrate", "-v0")
        site.done("generate_clinic", "--patients", "10")
        yield site


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as server:
        yield server


@pytest.fixture
def site(bare: Site, service: Service) -> Site:
    return bare.with_env(
        USE_CLOUDINARY="True",
        CLOUDINARY_CLOUD_NAME="usc",
        CLOUDINARY_API_KEY="1",
        CLOUDINARY_API_SECRET="not to be sent",
        CLOUDINARY_DELIVERY_URL=service.url,
        CLOUDINARY_API_URL=service.url,
    )


def put(site: Site) -> None:
    folder = site.root / "backend/media/campaigns"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a poster.jpg").write_bytes(b"picture")


def test_upload_sends_the_file_under_another_name_and_removes_it(site: Site, service: Service) -> None:
    put(site)
    assert "usc_pis_media/campaigns/a_poster.jpg" in site.done("migrate_to_cloudinary", "--backup-first")
    (body,) = service.uploads
    assert b"picture" in body
    assert b"signature" in body
    assert b"not to be sent" not in body
    assert not (site.root / "backend/media/campaigns/a poster.jpg").exists()


@pytest.mark.parametrize("option", ["--dry-run", "--keep-local"])
def test_upload_can_leave_the_file(site: Site, service: Service, option: str) -> None:
    put(site)
    site.done("migrate_to_cloudinary", option)
    assert len(service.uploads) == (option == "--keep-local")
    assert (site.root / "backend/media/campaigns/a poster.jpg").exists()


def test_upload_fails_when_the_service_is_gone(site: Site) -> None:
    gone = site.with_env(CLOUDINARY_API_URL="http://127.0.0.1:1").manage("migrate_to_cloudinary", "--dry-run")
    assert gone.returncode == 1
    assert "does not answer" in gone.stderr


def test_restore_campaign_images_clears_what_it_cannot_reach(site: Site, service: Service) -> None:
    service.stored.add("/usc/image/upload/v1/campaigns/banners/campaign_01.jpg")
    site.done("restore_campaign_images")
    left = site.rows("SELECT banner_image FROM health_info_healthcampaign WHERE banner_image <> ''")
    assert left == [("campaigns/banners/campaign_01.jpg",)]
    assert site.one("SELECT count(*) FROM health_info_healthcampaign WHERE pubmat_image <> ''") == 0


def test_a_document_comes_from_the_delivery_service(site: Site, service: Service) -> None:
    key, name = site.rows("SELECT id, file FROM file_uploads_patientdocument ORDER BY id LIMIT 1")[0]
    service.stored.add(f"/usc/raw/upload/v1/{name}")
    with site.web() as client:
        login = {"email": site.env["CHECK_EMAIL"], "password": site.env["CHECK_PASSWORD"]}
        token = client.post("/api/auth/login/", json=login).json()["token"]
        headers = {"Authorization": f"Token {token}"}
        answer = client.get(f"/api/files/patient-documents/{key}/download/", headers=headers)
    assert (answer.status_code, answer.content) == (200, b"bytes")
