"""The clinic's files in the media service: all there at the start, shown by its pages, damaged by `break media`."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from live_sandbox import Live, start, stop
from uscdr.errors import BadInput
from uscdr.sandbox import launch
from uscdr.sandbox.boot.request import UpRequest

ASSETS = 40


@pytest.fixture(scope="module")
def clinic() -> Iterator[Live]:
    live = start(UpRequest(patients=60, assets=ASSETS, plain=True))
    yield live
    stop(live)


def _facts(live: Live) -> dict[str, Any]:
    found: dict[str, Any] = live.contract["cloudinary"]
    return found


def _whole(live: Live) -> dict[str, bool]:
    """Every asset of the beginning, and whether its bytes are delivered."""
    facts, found = _facts(live), {}
    with httpx.Client(base_url=facts["delivery_url"], trust_env=False) as client:
        for one in live.control("GET", "media/truth"):
            suffix = ".jpg" if one["resource_type"] == "image" else ""
            answer = client.get(f"/{facts['cloud']}/{one['resource_type']}/upload/v1/{one['public_id']}{suffix}")
            found[one["public_id"]] = hashlib.md5(answer.content).hexdigest() == one["md5"]
    return found


def _run(live: Live, *arguments: str) -> str:
    program = "from uscdr.cli.main import main; main()"
    command = [sys.executable, "-c", program, "sandbox", *arguments, "--state", str(live.state.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_stored_name_has_its_file(clinic: Live) -> None:
    found = _whole(clinic)
    assert all(found.values())
    rows = clinic.sql("SELECT file, file_size FROM file_uploads_uploadedfile")
    assert len(rows) == ASSETS + 10
    sizes = {one["public_id"]: one["bytes"] for one in clinic.control("GET", "media/truth")}
    for name, size in rows:
        stem, suffix = name.rsplit(".", 1)
        assert sizes[stem if suffix == "jpg" else f"{stem}.{suffix}"] == size
    linked = clinic.sql("SELECT xray_images::text FROM patients_dentalrecord WHERE xray_images::text <> '[]'")
    urls = [url for (text,) in linked for url in json.loads(text)]
    assert urls
    assert {httpx.get(url, trust_env=False).status_code for url in urls} == {200}


def test_pages_show_the_files(clinic: Live) -> None:
    account = clinic.contract["check_account"]
    headers = {"Authorization": f"Token {account['token']}", "X-Forwarded-Proto": "https"}
    with httpx.Client(base_url=clinic.contract["web_url"], headers=headers, timeout=30, trust_env=False) as web:
        login = {"email": account["email"], "password": account["password"]}
        token = web.post("api/auth/login/", json=login).json()["token"]
        web.headers["Authorization"] = f"Token {token}"
        campaign = web.get("api/health-info/campaigns/").json()["results"][0]
        image = httpx.get(campaign["banner_image_url"], trust_env=False)
        assert (image.status_code, image.headers["content-type"]) == (200, "image/jpeg")
        document = web.get("api/files/patient-documents/").json()[0]
        content = web.get(f"api/files/patient-documents/{document['id']}/download/").content
    assert content.startswith(b"%PDF-")
    assert len(content) == document["file_size"]


def test_env_points_the_official_client_here(clinic: Live) -> None:
    variables = json.loads(_run(clinic, "env", "--json"))["variables"]
    facts = _facts(clinic)
    assert variables["CLOUDINARY_URL"].startswith(f"cloudinary://{facts['api_key']}:{facts['api_secret']}@usc-pis?")
    assert f"upload_prefix={facts['api_url']}" in variables["CLOUDINARY_URL"]
    assert {one["cloud"] for one in facts["accounts"]} == {"usc-pis", "usc-pis-recovery"}


def test_faults_can_be_aimed_at_the_media_service(clinic: Live) -> None:
    facts = _facts(clinic)
    _run(clinic, "fault", "add", "420", "--provider", "cloudinary", "--path", "*/ping")
    with httpx.Client(auth=(facts["api_key"], facts["api_secret"]), trust_env=False) as client:
        ping = f"{facts['api_url']}/v1_1/usc-pis/ping"
        assert [client.get(ping).status_code for _ in range(2)] == [420, 200]
    assert "cloudinary * */ping" in _run(clinic, "fault", "list")
    with pytest.raises(BadInput, match="provider must be one of"):
        clinic.fault("420", provider="nobody")


# Last: from here on the files are damaged, one damage after the other.


def test_damage_is_told_in_counts(clinic: Live) -> None:
    before = _whole(clinic)
    done = json.loads(_run(clinic, "break", "media", "--how", "overwritten", "--json"))
    assert done["assets_before"] == done["assets_after"] == len(before)
    assert list(_whole(clinic).values()).count(False) == done["assets_affected"] == done["restorable"]
    told = _run(clinic, "break", "media", "--how", "half-backed-up")
    assert f"{done['assets_affected']} affected, {done['assets_affected'] // 2}" in told
    assert clinic.control("GET", "media")["clouds"][0]["assets"] == len(before) - done["assets_affected"]


def test_what_cannot_be_meant_is_refused(clinic: Live, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="how must be one of"):
        clinic.control("POST", "break/media", {"how": "gently"})
    with pytest.raises(BadInput, match="Invalid cloud_name nobody"):
        clinic.control("POST", "break/media", {"how": "deleted", "cloud": "nobody"})
    with pytest.raises(BadInput, match="cannot be undone"):
        clinic.control("POST", "break/media", {"how": "deleted", "undo": True})
    with pytest.raises(BadInput, match="too few"):
        clinic.control("POST", "break/media", {"how": "deleted", "cloud": "usc-pis-recovery"})
    for request in (UpRequest(assets=-1), UpRequest(assets=20_001), UpRequest(assets=1, app_source=str(tmp_path))):
        with pytest.raises(BadInput, match="--assets"):
            launch.checked(request)


def test_new_credentials_replace_revoked_ones(clinic: Live) -> None:
    facts = _facts(clinic)
    clinic.control("POST", "break/media", {"how": "credentials-revoked"})
    ping = f"{facts['api_url']}/v1_1/usc-pis/ping"
    assert httpx.get(ping, auth=(facts["api_key"], facts["api_secret"]), trust_env=False).status_code == 401
    fresh = clinic.control("POST", "media/accounts/usc-pis/key")
    assert httpx.get(ping, auth=(fresh["api_key"], fresh["api_secret"]), trust_env=False).status_code == 200
    assert httpx.get(ping, auth=(facts["api_key"], facts["api_secret"]), trust_env=False).status_code == 401
