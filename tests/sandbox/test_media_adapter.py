"""The media adapter, and the steps of `recover media`, on the sandbox's service and the clinic's own rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from live_sandbox import Live, start, stop
from uscdr.errors import CredentialsRefused, RateLimited, WriteRefused
from uscdr.models.media import RESOURCE_TYPES, Asset, AssetKey, MediaAccount
from uscdr.providers.cloudinary.media import CloudinaryMedia
from uscdr.providers.retry import RetryPolicy
from uscdr.sandbox.boot.request import UpRequest

QUICK = RetryPolicy(attempts=3, seconds=10.0, first=0.01, longest=0.02, rate_floor=0.01)


@pytest.fixture(scope="module")
def site() -> Iterator[Live]:
    live = start(UpRequest(patients=40, assets=230))
    yield live
    stop(live)


def facts(site: Live, number: int = 0) -> dict[str, Any]:
    media: dict[str, Any] = site.contract["cloudinary"]
    return {**media, **media["accounts"][number]}


def opened(site: Live, number: int = 0, *, secret: str = "", read_only: bool = False) -> CloudinaryMedia:
    found = facts(site, number)
    account = MediaAccount(
        cloud=found["cloud"], api_key=found["api_key"], api_secret=SecretStr(secret or found["api_secret"])
    )
    return CloudinaryMedia(
        account, api_url=found["api_url"], delivery_url=found["delivery_url"], read_only=read_only, policy=QUICK
    )


@pytest.fixture
def media(site: Live) -> Iterator[CloudinaryMedia]:
    site.control("DELETE", "faults")
    with opened(site) as adapter:
        yield adapter


def listed(media: CloudinaryMedia) -> dict[AssetKey, Asset]:
    return {asset.key: asset for kind in RESOURCE_TYPES for page in media.list_assets(kind) for asset in page}


def image(name: str) -> AssetKey:
    return AssetKey(resource_type="image", public_id=name)


def test_everything_seeded_is_listed_and_delivered(site: Live, media: CloudinaryMedia, tmp_path: Path) -> None:
    media.ping()
    assert media.usage().objects > 230
    assert media.quota is not None
    truth = site.control("GET", "media/truth")
    assets = listed(media)
    assert {key.public_id for key in assets} == {one["public_id"] for one in truth}
    for n, one in enumerate(truth[:6]):
        asset = assets[AssetKey(resource_type=one["resource_type"], public_id=one["public_id"])]
        assert media.download(asset, tmp_path / str(n)).md5 == one["md5"]
        assert media.delivered(media.delivery_url(asset.key, format=asset.format))


def test_put_back_delete_restore(site: Live, media: CloudinaryMedia, tmp_path: Path) -> None:
    content = os.urandom(5_000)
    file = tmp_path / "file"
    file.write_bytes(content)
    key = AssetKey(resource_type="raw", public_id="media/tests/a b & ü%20.bin")
    like = Asset(key=key, tags=("media", "kept"), context={"alt": "a|b=c"})
    first = media.upload(key, file, like=like)
    assert first.etag == hashlib.md5(content).hexdigest()
    file.write_bytes(content + b"!")
    second = media.upload(key, file, like=like)
    assert second.version > first.version
    details = media.details(key)
    assert [version.bytes for version in details.versions] == [5_000, 5_001]
    assert details.asset.tags == ("media", "kept")
    assert details.asset.context == {"alt": "a|b=c"}
    (back,) = media.restore([key], [details.versions[0].version_id])
    assert back.asset is not None
    assert back.asset.bytes == 5_000
    assert media.download(media.look_up([key])[key], tmp_path / "out").md5 == hashlib.md5(content).hexdigest()
    media.download_version(details.asset, details.versions[1].version_id, tmp_path / "version")
    assert (tmp_path / "version").read_bytes() == content + b"!"
    (none,) = media.restore([AssetKey(resource_type="raw", public_id="media/never")])
    assert (none.asset, none.error != "") == (None, True)


def test_a_large_file_in_chunks(media: CloudinaryMedia, tmp_path: Path) -> None:
    content = os.urandom(13_000_000)
    (tmp_path / "film").write_bytes(content)
    key = AssetKey(resource_type="raw", public_id="media/tests/film.bin")
    assert media.upload(key, tmp_path / "film").etag == hashlib.md5(content).hexdigest()


def test_refusals(site: Live, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with opened(site, secret="wrong-secret-value") as media:
        with pytest.raises(CredentialsRefused):
            media.ping()
        with pytest.raises(CredentialsRefused) as caught:
            media.upload(image("media/patient-name"), tmp_path / "file")
        assert "patient-name" not in caught.value.why + caught.value.message
    with opened(site, read_only=True) as media, pytest.raises(WriteRefused):
        media.upload(image("media/x"), tmp_path / "file")


def test_a_used_up_allowance(site: Live, media: CloudinaryMedia) -> None:
    path = f"media/accounts/{facts(site)['cloud']}"
    media.ping()
    site.control("POST", path, {"quota": {"limit": 1}})
    try:
        media.ping()
        with pytest.raises(RateLimited) as caught:
            media.ping()
        assert caught.value.retry_after
    finally:
        site.control("POST", path, {"quota": {"limit": 2000}})
