"""The official SDK against the sandbox's media service."""

from __future__ import annotations

import hashlib
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from cloudinary import api, exceptions, uploader, utils
from cloudinary.search import Search
from media_under_test import CloudUnderTest, picture

from uscdr.sandbox.media import samples


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        content: bytes = answer.read()
    return content


def _uploaded(cloud: CloudUnderTest, directory: Path, name: str, **more: Any) -> dict[str, Any]:
    wanted = {"public_id": name, "overwrite": True, "invalidate": True, "unique_filename": False, **more}
    answer: dict[str, Any] = uploader.upload(str(picture(directory, name)), **wanted, **cloud.options)
    return answer


def test_ping_usage_and_settings(cloud: CloudUnderTest, tmp_path: Path) -> None:
    _uploaded(cloud, tmp_path, "one")
    assert api.ping(**cloud.options)["status"] == "ok"
    usage = api.usage(**cloud.options)
    assert usage["storage"]["usage"] == 3000
    assert usage["resources"] == 1
    assert usage.rate_limit_allowed == 2000
    assert usage.rate_limit_remaining == api.ping(**cloud.options).rate_limit_remaining + 1
    assert api.config(settings="true", **cloud.options)["settings"]["folder_mode"] == "dynamic"


def test_an_upload_is_described_and_delivered(cloud: CloudUnderTest, tmp_path: Path) -> None:
    made = _uploaded(cloud, tmp_path, "photo", tags=["media", "x"], context={"alt": "a=b|c"})
    content = samples.jpeg("photo", 3000)
    assert (made["bytes"], made["etag"]) == (3000, hashlib.md5(content).hexdigest())
    assert (made["width"], made["height"], made["format"]) == (160, 120, "jpg")
    signed = {"public_id": made["public_id"], "version": str(made["version"])}
    assert made["signature"] == utils.api_sign_request(signed, cloud.facts["api_secret"])
    known = api.resource("photo", **cloud.options)
    assert (known["tags"], known["context"]) == (["media", "x"], {"custom": {"alt": "a=b|c"}})
    assert _get(made["url"]) == content
    assert _get(f"{cloud.facts['delivery_url']}/{cloud.facts['cloud']}/image/upload/v1/photo.jpg") == content


def test_names_are_made_as_the_storage_of_django_does(cloud: CloudUnderTest, tmp_path: Path) -> None:
    file = picture(tmp_path, "me")
    made = uploader.upload(str(file), folder="media/avatars", use_filename=True, tags=["media"], **cloud.options)
    assert re.fullmatch(r"media/avatars/me_[a-z0-9]{6}", made["public_id"])
    text = tmp_path / "cv.txt"
    text.write_text("a document")
    options = {"folder": "media/docs", "use_filename": True, "resource_type": "raw", **cloud.options}
    assert re.fullmatch(r"media/docs/cv_[a-z0-9]{6}\.txt", uploader.upload(str(text), **options)["public_id"])


def test_a_large_file_goes_in_chunks(cloud: CloudUnderTest, tmp_path: Path) -> None:
    content = samples.text("large", 11_000_000)
    file = tmp_path / "large.bin"
    file.write_bytes(content)
    options = {"resource_type": "raw", "public_id": "large.bin", "chunk_size": 5_000_000, **cloud.options}
    made = uploader.upload_large(str(file), **options)
    assert (made["bytes"], made["etag"], made["done"]) == (11_000_000, hashlib.md5(content).hexdigest(), True)
    assert _get(made["secure_url"]) == content


def test_chunks_that_are_too_small_are_refused(cloud: CloudUnderTest, tmp_path: Path) -> None:
    file = picture(tmp_path, "small", 9000)
    with pytest.raises(exceptions.BadRequest, match="larger than 5mb"):
        uploader.upload_large(str(file), chunk_size=4000, resource_type="image", **cloud.options)


def test_lists_come_in_pages_that_survive_deletions(cloud: CloudUnderTest, tmp_path: Path) -> None:
    for number in range(12):
        _uploaded(cloud, tmp_path, f"p{number:02}", tags=["t"] if number % 2 else [])
    first = api.resources(type="upload", **cloud.options)
    assert len(first["resources"]) == 10
    cloud.switch(backup="off")
    api.delete_resources(["p11"], **cloud.options)
    second = api.resources(type="upload", next_cursor=first["next_cursor"], **cloud.options)
    seen = [one["public_id"] for one in (*first["resources"], *second["resources"])]
    assert (len(set(seen)), "next_cursor" in second) == (12, False)
    prefixed = api.resources(type="upload", prefix="p0", max_results=500, tags=True, **cloud.options)["resources"]
    assert [one["public_id"] for one in prefixed] == [f"p{number:02}" for number in range(10)]
    assert prefixed[1]["tags"] == ["t"]
    named = api.resources_by_ids(["p03", "p05", "nobody"], **cloud.options)["resources"]
    assert {one["public_id"] for one in named} == {"p03", "p05"}


def test_search_sees_all_types(cloud: CloudUnderTest, tmp_path: Path) -> None:
    _uploaded(cloud, tmp_path, "seen", asset_folder="shelf/top")
    file = tmp_path / "notes.txt"
    file.write_text("notes")
    uploader.upload(str(file), resource_type="raw", public_id="notes.txt", asset_folder="shelf", **cloud.options)

    def found(expression: str) -> list[dict[str, Any]]:
        query = Search().expression(expression).sort_by("public_id", "asc").max_results(1)
        first = query.execute(**cloud.options)
        rows: list[dict[str, Any]] = first["resources"]
        while cursor := first.get("next_cursor"):
            first = query.next_cursor(cursor).execute(**cloud.options)
            rows += first["resources"]
        return rows

    everything = found("")
    assert [one["public_id"] for one in everything] == ["notes.txt", "seen"]
    assert all("format" in one and one["etag"] for one in everything)
    assert [one["public_id"] for one in found('asset_folder:"shelf/*" AND resource_type:image')] == ["seen"]
    assert [one["public_id"] for one in found("bytes<100 OR public_id=nobody")] == ["notes.txt"]
    with pytest.raises(exceptions.BadRequest, match="Unknown field"):
        found("colour:red")


def test_a_deleted_asset_with_a_backup_is_a_placeholder(cloud: CloudUnderTest, tmp_path: Path) -> None:
    made = _uploaded(cloud, tmp_path, "gone")
    cloud.switch(backup="off")
    _uploaded(cloud, tmp_path, "never")
    answer = api.delete_resources(["gone", "never", "nobody"], invalidate=True, **cloud.options)
    assert answer["deleted"] == {"gone": "deleted", "never": "deleted", "nobody": "not_found"}
    shown = api.resource("gone", **cloud.options)
    assert (shown["placeholder"], shown["bytes"]) == (True, 0)
    assert [(one["public_id"], one["bytes"]) for one in api.resources(**cloud.options)["resources"]] == [("gone", 0)]
    with pytest.raises(exceptions.NotFound, match="Resource not found - never"):
        api.resource("never", **cloud.options)
    with pytest.raises(urllib.error.HTTPError) as refused:
        _get(made["url"])
    assert (refused.value.code, refused.value.headers["X-Cld-Error"]) == (404, "Resource not found - gone")


def test_versions_come_back_one_by_one(cloud: CloudUnderTest, tmp_path: Path) -> None:
    first, second = samples.jpeg("first", 2000), samples.jpeg("second", 4000)
    for content in (first, second):
        file = tmp_path / "versioned.jpg"
        file.write_bytes(content)
        uploader.upload(str(file), public_id="versioned", **cloud.options)
    uploader.destroy("versioned", **cloud.options)
    known = api.resource("versioned", versions=True, **cloud.options)
    old, new = (one["version_id"] for one in known["versions"])
    assert api.restore(["versioned"], **cloud.options)["versioned"]["bytes"] == 4000
    restored = api.restore(["versioned"], versions=[old], **cloud.options)["versioned"]
    assert (restored["bytes"], restored["etag"]) == (2000, hashlib.md5(first).hexdigest())
    assert restored["version"] > known["version"]
    assert _get(restored["url"]) == first
    assert _get(utils.download_backedup_asset(known["asset_id"], new, **cloud.options)) == second
    again = api.restore_by_asset_ids([known["asset_id"]], versions=[new], **cloud.options)
    assert again[known["asset_id"]]["bytes"] == 4000


def test_one_item_of_a_restore_may_fail(cloud: CloudUnderTest, tmp_path: Path) -> None:
    _uploaded(cloud, tmp_path, "kept")
    cloud.switch(backup="off")
    _uploaded(cloud, tmp_path, "lost")
    api.delete_resources(["kept", "lost"], **cloud.options)
    answer = api.restore(["kept", "lost"], **cloud.options)
    assert answer["kept"]["bytes"] == 3000
    assert answer["lost"] == {"error": "no_backup"}


def test_private_originals_are_downloaded_by_signed_address(cloud: CloudUnderTest, tmp_path: Path) -> None:
    made = _uploaded(cloud, tmp_path, "secret", type="private")
    unsigned, found = re.subn(r"s--[A-Za-z0-9_-]{8}--/", "", made["url"])
    assert found == 1
    with pytest.raises(urllib.error.HTTPError, match="401"):
        _get(unsigned)
    assert _get(made["url"]) == samples.jpeg("secret", 3000)
    url = utils.private_download_url("secret", "jpg", type="private", **cloud.options)
    assert _get(url) == samples.jpeg("secret", 3000)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        _get(url.replace("public_id=secret", "public_id=other"))
    api.delete_resources(["secret"], type="private", **cloud.options)


def test_access_control_is_told_and_kept(cloud: CloudUnderTest, tmp_path: Path) -> None:
    made = _uploaded(cloud, tmp_path, "ruled", access_control=[{"access_type": "token"}])
    assert made["access_control"] == [{"access_type": "token"}]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        _get(made["url"])
    assert _get(utils.private_download_url("ruled", "jpg", **cloud.options)) == samples.jpeg("ruled", 3000)
    opened = {"access_type": "anonymous", "start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}
    for rules, answers in ((opened, False), ({**opened, "end": "2999-01-01T00:00:00Z"}, True), ([], True)):
        api.update("ruled", access_control=rules, **cloud.options)
        if answers:
            assert len(_get(made["url"])) == 3000
        else:
            with pytest.raises(urllib.error.HTTPError, match="401"):
                _get(made["url"])
    assert "access_control" not in api.resource("ruled", **cloud.options)
    again = _uploaded(cloud, tmp_path, "ruled", access_control=[{"access_type": "token"}])
    assert _uploaded(cloud, tmp_path, "ruled").get("access_control") is None  # what is put back is open
    with pytest.raises(exceptions.BadRequest):
        api.update("ruled", access_control=[{"access_type": "everybody"}], **cloud.options)
    assert again["version"]


def test_a_wrong_signature_is_refused_with_the_string_to_sign(cloud: CloudUnderTest, tmp_path: Path) -> None:
    options = {**cloud.options, "api_secret": "wrong"}
    with pytest.raises(exceptions.AuthorizationRequired) as refused:
        uploader.upload(str(picture(tmp_path, "x")), public_id="a&b", **options)
    assert re.fullmatch(
        r"Invalid Signature [0-9a-f]{40}\. String to sign - 'public_id=a%26b&timestamp=\d+'\.", str(refused.value)
    )
    with pytest.raises(exceptions.AuthorizationRequired, match="Error 401 - api_secret mismatch"):
        api.ping(**options)
    with pytest.raises(exceptions.AuthorizationRequired, match="Error 401 - unknown api_key"):
        api.ping(**{**cloud.options, "api_key": "1"})
    with pytest.raises(exceptions.BadRequest, match="Stale request"):
        uploader.call_api("destroy", {"timestamp": 1_000_000_000, "public_id": "x"}, **cloud.options)


def test_metadata_is_repaired(cloud: CloudUnderTest, tmp_path: Path) -> None:
    _uploaded(cloud, tmp_path, "plain")
    uploader.add_tag("media", ["plain", "nobody"], **cloud.options)
    uploader.add_context({"alt": "x"}, ["plain"], **cloud.options)
    known = api.update("plain", display_name="Plain", **cloud.options)
    assert (known["tags"], known["context"]["custom"], known["display_name"]) == (["media"], {"alt": "x"}, "Plain")
    assert api.resources_by_tag("media", **cloud.options)["resources"][0]["public_id"] == "plain"
    uploader.rename("plain", "renamed", **cloud.options)
    assert api.resource("renamed", **cloud.options)["tags"] == ["media"]
    assert api.delete_resources_by_tag("media", **cloud.options)["deleted"] == {"renamed": "deleted"}


def test_the_hourly_limit_is_told_and_kept(cloud: CloudUnderTest, tmp_path: Path) -> None:
    cloud.switch(quota={"limit": 2, "window": 3600})
    readings = [api.ping(**cloud.options) for _ in range(2)]
    assert [(one.rate_limit_allowed, one.rate_limit_remaining) for one in readings] == [(2, 1), (2, 0)]
    with pytest.raises(exceptions.RateLimited, match=r"Rate Limit Exceeded\. Limit of 2 api operations reached"):
        api.ping(**cloud.options)
    assert _uploaded(cloud, tmp_path, "free")["bytes"] == 3000


def test_revoked_credentials_and_a_service_that_is_down(cloud: CloudUnderTest, tmp_path: Path) -> None:
    made = _uploaded(cloud, tmp_path, "here")
    cloud.control("POST", "break/media", {"how": "credentials-revoked"})
    with pytest.raises(exceptions.AuthorizationRequired):
        api.ping(**cloud.options)
    assert len(_get(made["url"])) == 3000
    cloud.control("POST", "break/media", {"how": "credentials-revoked", "undo": True})
    cloud.control("POST", "break/media", {"how": "service-down"})
    with pytest.raises(exceptions.GeneralError, match="Error parsing server response"):
        api.ping(**cloud.options)
    cloud.control("POST", "break/media", {"how": "service-down", "undo": True})
    assert api.ping(**cloud.options)["status"] == "ok"


def test_structured_metadata_fields(cloud: CloudUnderTest) -> None:
    field = {"external_id": "kind", "label": "Kind", "type": "string"}
    assert api.add_metadata_field(field, **cloud.options)["external_id"] == "kind"
    with pytest.raises(exceptions.AlreadyExists):
        api.add_metadata_field(field, **cloud.options)
    assert [one["label"] for one in api.list_metadata_fields(**cloud.options)["metadata_fields"]] == ["Kind"]
    assert api.delete_metadata_field("kind", **cloud.options)["message"] == "ok"
