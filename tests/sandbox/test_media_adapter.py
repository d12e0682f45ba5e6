"""The media adapter, and the steps of `recover media`, on the sandbox's service and the clinic's own rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from live_sandbox import Live
from uscdr.errors import CredentialsRefused, RateLimited, WriteRefused
from uscdr.models.media import RESOURCE_TYPES, Asset, AssetKey, MediaAccount
from uscdr.providers.cloudinary.media import CloudinaryMedia
from uscdr.providers.http.retry import RetryPolicy

QUICK = RetryPolicy(attempts=3, seconds=10.0, first=0.01, longest=0.02, rate_floor=0.01)


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
def media(media_site: Live) -> Iterator[CloudinaryMedia]:
    media_site.control("DELETE", "faults")
    with opened(media_site) as adapter:
        yield adapter


@pytest.fixture
def other(media_site: Live) -> Iterator[CloudinaryMedia]:
    """The second cloud: what is written there is no part of what the clinic's rows refer to."""
    with opened(media_site, 1) as adapter:
        yield adapter


def listed(media: CloudinaryMedia) -> dict[AssetKey, Asset]:
    return {asset.key: asset for kind in RESOURCE_TYPES for page in media.list_assets(kind) for asset in page}


def image(name: str) -> AssetKey:
    return AssetKey(resource_type="image", public_id=name)


def test_everything_seeded_is_listed_and_delivered(media_site: Live, media: CloudinaryMedia, tmp_path: Path) -> None:
    media.ping()
    assert media.usage().objects > 130
    assert media.quota is not None
    truth = media_site.control("GET", "media/truth")
    assets = listed(media)
    assert {one["public_id"] for one in truth} <= {key.public_id for key in assets}
    for n, one in enumerate(truth[:6]):
        asset = assets[AssetKey(resource_type=one["resource_type"], delivery=one["type"], public_id=one["public_id"])]
        assert media.download(asset, tmp_path / str(n)).md5 == one["md5"]
        assert media.delivered(media.delivery_url(asset.key, format=asset.format)) == "delivered"


def test_put_back_and_restore(other: CloudinaryMedia, tmp_path: Path) -> None:
    content = os.urandom(5_000)
    file = tmp_path / "file"
    file.write_bytes(content)
    key = AssetKey(resource_type="raw", public_id="media/tests/a b & ü%20.bin")
    like = Asset(key=key, tags=("media", "kept"), context={"alt": "a|b=c"})
    first = other.upload(key, file, like=like)
    assert first.etag == hashlib.md5(content).hexdigest()
    file.write_bytes(content + b"!")
    second = other.upload(key, file, like=like)
    assert second.version > first.version
    details = other.details(key)
    assert [version.bytes for version in details.versions] == [5_000, 5_001]
    assert details.asset.tags == ("media", "kept")
    assert details.asset.context == {"alt": "a|b=c"}
    (back,) = other.restore([key], [details.versions[0].version_id])
    assert back.asset is not None
    assert back.asset.bytes == 5_000
    assert other.download(other.look_up([key])[key], tmp_path / "out").md5 == hashlib.md5(content).hexdigest()
    (none,) = other.restore([AssetKey(resource_type="raw", public_id="media/never")])
    assert (none.asset, none.error != "") == (None, True)


def test_a_large_file_in_chunks(other: CloudinaryMedia, tmp_path: Path) -> None:
    content = os.urandom(13_000_000)
    (tmp_path / "film").write_bytes(content)
    key = AssetKey(resource_type="raw", public_id="media/tests/film.bin")
    assert other.upload(key, tmp_path / "film").etag == hashlib.md5(content).hexdigest()


def test_refusals(media_site: Live, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with opened(media_site, secret="wrong-secret-value") as media:
        with pytest.raises(CredentialsRefused):
            media.ping()
        with pytest.raises(CredentialsRefused) as caught:
            media.upload(image("media/patient-name"), tmp_path / "file")
        assert "patient-name" not in caught.value.why + caught.value.message
    with opened(media_site, read_only=True) as media, pytest.raises(WriteRefused):
        media.upload(image("media/x"), tmp_path / "file")


def test_a_used_up_allowance(media_site: Live, media: CloudinaryMedia) -> None:
    path = f"media/accounts/{facts(media_site)['cloud']}"
    media.ping()
    media_site.control("POST", path, {"quota": {"limit": 1}})
    try:
        media.ping()
        with pytest.raises(RateLimited) as caught:
            media.ping()
        assert caught.value.retry_after
    finally:
        media_site.control("POST", path, {"quota": {"limit": 2000}})
