"""The sandbox's media service: what it stores, keeps, refuses and tells."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from media_service import CLOUD, Cloud, running

from uscdr.sandbox.faults.rules import CLOUDINARY, Rule
from uscdr.sandbox.media import clinic, damage, samples
from uscdr.sandbox.media.clinic import Stored
from uscdr.sandbox.media.context import parse
from uscdr.sandbox.media.formats import recognise

DELIVERY = f"/{CLOUD}/image/upload"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with running(tmp_path) as found:
        yield found


def _seed(cloud: Cloud, count: int) -> None:
    stored = [Stored(f"uploads/file_{number:02}.{'pdf' if number % 3 else 'jpg'}") for number in range(count)]
    clinic.seed(cloud.service.library.root, CLOUD, stored)


def test_the_original_comes_back_whole_whatever_the_version_in_the_address(cloud: Cloud) -> None:
    made = cloud.put("a/photo")
    for address in (f"{DELIVERY}/a/photo.jpg", f"{DELIVERY}/v1/a/photo", f"{DELIVERY}/v{made['version']}/a/photo.jpeg"):
        answer = cloud.http.get(address)
        assert answer.content == samples.jpeg("a/photo", 1000)
        assert answer.headers["etag"] == f'"{made["etag"]}"'
        head = cloud.http.head(address)
        assert (head.headers["content-length"], head.content) == ("1000", b"")
    assert cloud.http.get(f"{DELIVERY}/a/photo.png").status_code == 400
    missing = cloud.http.get(f"{DELIVERY}/a/nothing.jpg")
    assert (missing.status_code, missing.headers["x-cld-error"]) == (404, "Resource not found - a/nothing")


def test_an_asset_keeps_its_identity_when_it_is_replaced_and_restored(cloud: Cloud) -> None:
    first, second = cloud.put("x"), cloud.put("x", 2000)
    assert first["asset_id"] == second["asset_id"]
    assert first["version"] < second["version"]
    cloud.post("image/destroy", public_id="x")
    known = cloud.admin("GET", "resources/image/upload/x", versions="true")
    assert (known["placeholder"], known["asset_id"]) == (True, first["asset_id"])
    assert [one["size"] for one in known["versions"]] == [1000, 2000]
    assert cloud.admin("GET", "resources/image/tags/nothing") == {"resources": []}
    restored = cloud.admin("POST", "resources/image/upload/restore", {"public_ids": ["x"]})["x"]
    assert (restored["bytes"], restored["asset_id"]) == (2000, first["asset_id"])


def test_not_overwriting_leaves_what_is_there(cloud: Cloud) -> None:
    cloud.put("x")
    answer = cloud.post("image/upload", file=samples.jpeg("other", 3000), public_id="x", overwrite="0")
    assert (answer["existing"], answer["bytes"]) == (True, 1000)


@pytest.mark.parametrize(("mode", "kept"), [("on", 20), ("off", 0), ("half", 11)])
def test_the_switch_of_the_backup(cloud: Cloud, mode: str, kept: int) -> None:
    cloud.service.library.accounts.set_backup(CLOUD, mode)
    for number in range(20):
        cloud.put(f"p{number}", 400)
    ids = [f"p{number}" for number in range(20)]
    deleted = cloud.admin("DELETE", "resources/image/upload", {"public_ids": ids})["deleted"]
    assert set(deleted.values()) == {"deleted"}
    assert len(cloud.ids()) == kept


def test_only_images_are_images(cloud: Cloud) -> None:
    assert (
        cloud.post("image/upload", file=b"text", public_id="x", status=400)["error"]["message"] == "Invalid image file"
    )
    assert cloud.post("auto/upload", file=b"text", public_id="x.txt")["resource_type"] == "raw"
    assert cloud.post("auto/upload", file=samples.pdf("p", 900), public_id="p")["format"] == "pdf"
    uri = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    fields = cloud.signed(public_id="dot")
    answer = cloud.http.post(f"/v1_1/{CLOUD}/image/upload", data={**fields, "file": uri}).json()
    assert (answer["format"], answer["width"], answer["height"]) == ("gif", 1, 1)


def test_signatures(cloud: Cloud) -> None:
    fields = cloud.signed(public_id="x")
    post = f"/v1_1/{CLOUD}/image/destroy"
    assert cloud.http.post(post, data=fields).json() == {"result": "not found"}
    forged = cloud.http.post(post, data={**fields, "public_id": "y"})
    assert forged.status_code == 401
    text = f"public_id=y&timestamp={fields['timestamp']}"
    message = f"Invalid Signature {fields['signature']}. String to sign - '{text}'."
    assert forged.json()["error"]["message"] == message
    old = cloud.signed(public_id="x", timestamp=str(int(time.time()) - 3700))
    assert "Stale request" in cloud.http.post(post, data=old).json()["error"]["message"]
    assert cloud.http.post(post, data={**fields, "api_key": "1"}).status_code == 401
    assert cloud.http.post("/v1_1/nobody/image/destroy", data=fields).status_code == 401


def test_every_list_is_complete_whatever_the_page(cloud: Cloud) -> None:
    _seed(cloud, 23)
    for kind, wanted in (("image", 8), ("raw", 15)):
        seen, cursor = [], None
        while True:
            query = {"max_results": 4, **({"next_cursor": cursor} if cursor else {})}
            page = cloud.admin("GET", f"resources/{kind}/upload", **query)
            seen += [one["public_id"] for one in page["resources"]]
            if (cursor := page.get("next_cursor")) is None:
                break
        assert len(seen) == len(set(seen)) == wanted
    assert cloud.admin("GET", "resources/image/upload", next_cursor="nonsense", status=400)["error"]
    assert cloud.admin("POST", "resources/search", {"max_results": 5})["total_count"] == 23


def test_the_allowance_runs_out_and_comes_back(cloud: Cloud) -> None:
    accounts = cloud.service.library.accounts
    accounts.set_quota(CLOUD, limit=1, window=3600)
    assert cloud.admin("GET", "ping") == {"status": "ok"}
    refused = cloud.http.get(f"/v1_1/{CLOUD}/ping", auth=(cloud.key, cloud.secret))
    assert (refused.status_code, refused.headers["x-featureratelimit-remaining"]) == (420, "0")
    assert "Limit of 1 api operations reached" in refused.json()["error"]["message"]
    accounts.set_quota(CLOUD, limit=1, window=1)
    answers = [cloud.http.get(f"/v1_1/{CLOUD}/ping", auth=(cloud.key, cloud.secret)).status_code for _ in range(2)]
    end = time.monotonic() + 60
    while cloud.http.get(f"/v1_1/{CLOUD}/ping", auth=(cloud.key, cloud.secret)).status_code != 200:
        assert time.monotonic() < end, answers
        time.sleep(0.05)


def test_the_audit_names_the_provider_and_tells_reads_from_writes(cloud: Cloud) -> None:
    cloud.put("x")
    cloud.admin("POST", "resources/search", {})
    cloud.admin("POST", "resources/image/upload/restore", {"public_ids": ["x"]})
    assert [(one["provider"], one["path"].rpartition("/")[2], one["write"]) for one in cloud.audited()] == [
        (CLOUDINARY, "upload", True),
        (CLOUDINARY, "search", False),
        (CLOUDINARY, "restore", True),
    ]
    assert [one["action"] for one in cloud.service.library.effects()] == ["upload", "restore"]


def test_faults_hit_the_provider_they_name_in_its_own_shape(cloud: Cloud) -> None:
    rules = cloud.service.faults.rules
    rules += [Rule("500"), Rule("420", path="*/ping", provider=CLOUDINARY)]
    message = cloud.admin("GET", "ping", status=420)["error"]["message"]
    assert message.startswith("Rate Limit Exceeded.")
    assert cloud.admin("GET", "ping") == {"status": "ok"}
    assert [one.applied for one in rules] == [0, 1]


def test_the_status_page_says_what_it_is_told(cloud: Cloud) -> None:
    assert cloud.http.get("/api/v2/summary.json").json()["status"]["indicator"] == "none"
    damage.to_service(cloud.service, CLOUD, "service-down", undo=False)
    document = cloud.http.get("/api/v2/summary.json").json()
    assert document["status"]["indicator"] == "major"
    assert {one["status"] for one in document["components"]} == {"partial_outage"}
    assert cloud.http.get(f"/v1_1/{CLOUD}/ping").status_code == 503
    assert cloud.http.get(f"{DELIVERY}/x.jpg").status_code == 503
    damage.to_service(cloud.service, CLOUD, "service-down", undo=True)
    assert cloud.admin("GET", "ping") == {"status": "ok"}


@pytest.mark.parametrize(
    ("how", "left", "restorable"), [("deleted", 7, 14), ("overwritten", 21, 14), ("half-backed-up", 7, 7)]
)
def test_damage_is_real_and_told(cloud: Cloud, how: str, left: int, restorable: int) -> None:
    _seed(cloud, 21)
    root = cloud.service.library.root
    done = damage.to_assets(root, CLOUD, how)
    assert (done.assets_before, done.assets_after, done.assets_affected) == (21, left, 14)
    assert done.restorable == restorable
    truth = cloud.service.library.truth(CLOUD)
    assert sum(one["backed_up"] for one in truth) == restorable + 7
    whole = 0
    for one in truth:
        suffix = ".jpg" if one["resource_type"] == "image" else ""
        answer = cloud.http.get(f"/{CLOUD}/{one['resource_type']}/upload/v1/{one['public_id']}{suffix}")
        whole += hashlib.md5(answer.content).hexdigest() == one["md5"]
    assert whole == 7
    assert cloud.service.library.effects() == []


def test_many_clients_at_once(cloud: Cloud) -> None:
    def one(number: int) -> int:
        return int(cloud.put(f"p{number}", 500 + number)["bytes"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(40))) == [500 + number for number in range(40)]
    assert len(cloud.ids()) == 40


@pytest.mark.parametrize("size", [1, 500, 20_000, 65_536, 65_900, 65_940, 140_001])
@pytest.mark.parametrize("name", ["a.jpg", "media/b.pdf", "c.csv"])
def test_samples_are_as_large_as_asked_and_differ(name: str, size: int) -> None:
    content = samples.content(name, size)
    assert len(content) == max(size, len(samples.content(name, 1)))
    assert content == samples.content(name, size) != samples.content(f"other-{name}", size)
    assert recognise(content).format == {"a.jpg": "jpg", "media/b.pdf": "pdf", "c.csv": ""}[name]


def test_a_name_of_the_clinic_is_the_id_that_its_pages_ask_for() -> None:
    assert Stored("campaigns/banners/a.jpg").public_id == "campaigns/banners/a"
    assert Stored("uploads/form.pdf").public_id == "uploads/form.pdf"


def test_context_is_read_with_its_escapes() -> None:
    assert parse(r"alt=a\=b\|c|caption=x=y") == {"alt": "a=b|c", "caption": "x=y"}


@pytest.mark.parametrize(
    ("kind", "error", "stored"),
    [
        ("timeout-before", httpx.ReadTimeout, False),
        ("timeout-after", httpx.ReadTimeout, True),
        ("reset-after", (httpx.ReadError, httpx.RemoteProtocolError), True),
        ("truncated", httpx.RemoteProtocolError, True),
    ],
)
def test_broken_answers_to_uploads(
    cloud: Cloud, kind: str, error: type[Exception] | tuple[type[Exception], ...], stored: bool
) -> None:
    cloud.service.faults.rules.append(Rule(kind, method="POST", provider=CLOUDINARY))
    files = {"file": ("x.jpg", samples.jpeg("x", 900))}
    with pytest.raises(error):
        cloud.http.post(f"/v1_1/{CLOUD}/image/upload", data=cloud.signed(public_id="x"), files=files, timeout=0.6)
    assert cloud.ids() == ["x"] * stored
    assert next(one["fault"] for one in cloud.audited()) == kind


def test_a_body_that_is_cut_short_is_no_upload(cloud: Cloud) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nhalf of a'
    answer = cloud.http.post(f"/v1_1/{CLOUD}/raw/upload", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Invalid multipart body")


def test_chunks_in_any_order_make_one_file(cloud: Cloud) -> None:
    content = samples.text("chunked", 10_500_000)
    headers = {"X-Unique-Upload-Id": "u1"}
    answers = []
    for start, end in ((5_000_000, 10_000_000), (0, 5_000_000), (10_000_000, 10_500_000)):
        headers["Content-Range"] = f"bytes {start}-{end - 1}/10500000"
        files = {"file": ("c.bin", content[start:end])}
        fields = cloud.signed(public_id="c.bin")
        answers.append(cloud.http.post(f"/v1_1/{CLOUD}/raw/upload", data=fields, files=files, headers=headers).json())
    assert [one["done"] for one in answers] == [False, False, True]
    assert answers[-1]["etag"] == hashlib.md5(content).hexdigest()
    assert [one.name for one in cloud.service.library.root.glob("*.part")] == []
