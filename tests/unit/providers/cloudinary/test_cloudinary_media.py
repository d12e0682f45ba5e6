"""The Cloudinary adapter against a small stateful service on loopback."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from unittest import mock

import pytest
from pydantic import SecretStr

from cloudinary_stub import CLOUD, KEY, SECRET, Fault, Stub, running
from uscdr.errors import (
    AnswerLost,
    BadInput,
    ConfigError,
    CredentialsRefused,
    MachineError,
    NotFound,
    ProviderError,
    RateLimited,
    UscdrError,
    WriteRefused,
)
from uscdr.models.media import Access, AccessRule, Asset, AssetKey, MediaAccount
from uscdr.providers.cloudinary.media import CloudinaryMedia
from uscdr.providers.http.retry import RetryPolicy
from uscdr.threads import Pace
from uscdr.write_guard import ANYHOW, SHORT, WriteGuard

QUICK = RetryPolicy(attempts=3, seconds=60.0, first=0.001, longest=0.001, rate_floor=0.001)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with running() as service:
        yield service


def opened(
    stub: Stub, *, read_only: bool = False, secret: str = SECRET, cloud: str = CLOUD, leave: WriteGuard = ANYHOW
) -> CloudinaryMedia:
    account = MediaAccount(cloud=cloud, api_key=KEY, api_secret=SecretStr(secret))
    return CloudinaryMedia(
        account,
        api_url=stub.url,
        delivery_url=stub.url,
        read_only=read_only,
        stop=threading.Event(),
        policy=QUICK,
        sleep=lambda _: None,
        leave=leave,
    )


@pytest.fixture
def media(stub: Stub) -> Iterator[CloudinaryMedia]:
    with opened(stub) as adapter:
        yield adapter


def image(name: str) -> AssetKey:
    return AssetKey(resource_type="image", public_id=name)


def raw(name: str) -> AssetKey:
    return AssetKey(resource_type="raw", public_id=name)


def test_ping_and_usage_tell_the_allowance(stub: Stub, media: CloudinaryMedia) -> None:
    before = media.quota
    media.ping()
    after = media.quota
    assert before is None
    assert after is not None
    assert after.resets_at == stub.resets
    usage = media.usage()
    assert (usage.plan, usage.objects, usage.storage_bytes) == ("Free", 2, 99)
    assert usage.quota is not None
    assert usage.quota.remaining == 498


def test_a_list_is_followed_page_by_page(stub: Stub, media: CloudinaryMedia) -> None:
    stub.page = 2
    for number in range(5):
        stub.put(f"media/{number}", b"x" * number)
    stub.assets["image", "media/3"].deleted = True
    pages = list(media.list_assets("image"))
    assert [len(page) for page in pages] == [2, 2, 1, 0, 0]
    assets = {asset.key.public_id: asset for page in pages for asset in page}
    assert not assets["media/3"].present
    assert assets["media/4"].bytes == 4
    assert assets["media/4"].tags == ("media",)
    assert stub.requests.count("GET /v1_1/clinic/resources/image/upload") == 3


def test_named_files_are_looked_up_in_batches_of_one_type(stub: Stub, media: CloudinaryMedia) -> None:
    for number in range(101):
        stub.put(f"media/{number}", b"x")
    stub.put("media/a b%20ü.pdf", b"pdf", kind="raw")
    keys = [image(f"media/{number}") for number in range(101)] + [raw("media/a b%20ü.pdf"), raw("media/none")]
    found = media.look_up(keys)
    assert len(found) == 102
    assert len(stub.requests) == 3


def test_details_of_an_id_with_reserved_characters(stub: Stub, media: CloudinaryMedia) -> None:
    stub.put("media/a b?c#d%20&ü", b"abc").backups.append(("v2", b"abcd"))
    details = media.details(image("media/a b?c#d%20&ü"))
    assert details.asset.etag == hashlib.md5(b"abc").hexdigest()
    assert [version.version_id for version in details.versions] == ["v1", "v2"]
    assert [version.bytes for version in details.versions] == [3, 4]


def test_a_restore_answers_for_each_item(stub: Stub, media: CloudinaryMedia) -> None:
    stub.put("media/a", b"old").backups.append(("v2", b"newer"))
    stub.put("media/b", b"b", backed_up=False)
    stub.assets["image", "media/a"].deleted = True
    first, second = media.restore([image("media/a"), image("media/b")])
    assert first.asset is not None
    assert first.asset.present
    assert first.asset.bytes == 5
    assert (second.asset, second.error) == (None, "Cloudinary has no backup of it")
    (chosen,) = media.restore([image("media/a")], ["v1"])
    assert chosen.asset is not None
    assert chosen.asset.etag == hashlib.md5(b"old").hexdigest()


def test_a_restore_of_too_many_or_mixed_files_is_not_sent(stub: Stub, media: CloudinaryMedia) -> None:
    for keys in ([image(str(n)) for n in range(101)], [image("a"), raw("b")]):
        with pytest.raises(BadInput):
            media.restore(keys)
    assert media.restore([]) == ()
    assert stub.requests == []


def test_an_upload_keeps_id_tags_and_context(stub: Stub, media: CloudinaryMedia, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_bytes(b"bytes of a picture")
    like = Asset(key=image("media/a_b & c"), tags=("media", "x"), context={"alt": "words"})
    asset = media.upload(like.key, file, like=like)
    stored = stub.assets["image", "media/a_b & c"]
    assert (stored.content, stored.tags, stored.context) == (b"bytes of a picture", ["media", "x"], {"alt": "words"})
    assert asset.etag == hashlib.md5(stored.content).hexdigest()
    form = stub.forms[-1]
    assert (form["overwrite"], form["invalidate"], form["unique_filename"], form["use_filename"]) == (
        "1",
        "1",
        "0",
        "0",
    )
    assert "folder" not in form


def test_a_large_file_goes_in_chunks_and_a_lost_chunk_is_sent_again(
    stub: Stub, media: CloudinaryMedia, tmp_path: Path
) -> None:
    content = os.urandom(13_000_000)
    file = tmp_path / "film"
    file.write_bytes(content)
    stub.faults.append(Fault("/upload", "cut"))
    asset = media.upload(raw("media/scan.bin"), file)
    assert stub.assets["raw", "media/scan.bin"].content == content
    assert asset.bytes == len(content)
    assert stub.requests.count("POST /v1_1/clinic/raw/upload") == 4


def test_an_upload_whose_answer_is_lost_is_not_repeated(stub: Stub, media: CloudinaryMedia, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_bytes(b"once")
    stub.faults.append(Fault("/upload", "cut", after=True))
    with pytest.raises(AnswerLost):
        media.upload(image("media/a"), file)
    assert len(stub.requests) == 1
    assert stub.assets["image", "media/a"].content == b"once"


@pytest.mark.parametrize("size", [4, SHORT + 1])
@pytest.mark.parametrize(
    ("faults", "counted"),
    [
        ((), 1),
        ((Fault("/upload", "json", status=403),), 0),
        ((Fault("/upload", "json", status=420), Fault("/upload", "json", status=400)), 0),
        ((Fault("/upload", "json", status=420),), 1),
        ((Fault("/upload", "json", status=500),), 1),
        ((Fault("/upload", "html", status=403),), 1),
        ((Fault("/upload", "cut"),), 1),
    ],
)
def test_a_write_counts_once_unless_it_was_refused(
    stub: Stub, tmp_path: Path, faults: tuple[Fault, ...], counted: int, size: int
) -> None:
    file, guard = tmp_path / "copy", WriteGuard()
    file.write_bytes(b"a" * size)
    stub.faults.extend(faults)
    with opened(stub, leave=guard) as media:
        with suppress(ProviderError):
            media.upload(raw("media/a"), file)
        assert guard.sent == counted
        media.ping()
        list(media.list_assets("raw"))
    assert guard.sent == counted


@pytest.mark.parametrize("fault", [Fault("/restore", "html", status=502), Fault("/restore", "json", status=503)])
def test_a_restore_answered_by_a_gateway_is_in_doubt(stub: Stub, media: CloudinaryMedia, fault: Fault) -> None:
    stub.put("media/a", b"a")
    stub.faults.append(fault)
    with pytest.raises(AnswerLost):
        media.restore([image("media/a")])
    assert len(stub.requests) == 1


@pytest.mark.parametrize("fault", [Fault("/ping", "html", status=502), Fault("/ping", "cut"), Fault("/ping", "short")])
def test_a_read_is_asked_again(stub: Stub, media: CloudinaryMedia, fault: Fault) -> None:
    stub.faults.append(fault)
    media.ping()
    assert len(stub.requests) == 2


def test_a_broken_gateway_ends_as_an_error(stub: Stub, media: CloudinaryMedia) -> None:
    stub.faults.extend(Fault("/ping", "html", status=504) for _ in range(3))
    with pytest.raises(ProviderError) as caught:
        media.ping()
    assert caught.value.status == 504
    assert "web page" in caught.value.why


def test_the_wrong_secret_is_refused_and_never_shown(stub: Stub, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_bytes(b"x")
    wrong = "wrong-secret-value"
    with opened(stub, secret=wrong) as media:
        for call in (media.ping, lambda: media.upload(image("media/patient-name"), file)):
            with pytest.raises(CredentialsRefused) as caught:
                call()
            shown = f"{caught.value.message} {caught.value.why} {caught.value.next_action} {caught.value!r}"
            assert wrong not in shown
            assert "patient-name" not in shown
    assert wrong not in repr(media.__dict__)


def test_another_cloud_and_no_credentials_are_refused(stub: Stub) -> None:
    with opened(stub, cloud="other") as media, pytest.raises(CredentialsRefused):
        media.ping()
    with pytest.raises(CredentialsRefused):
        opened(stub, secret="")


def test_what_is_not_there(stub: Stub, media: CloudinaryMedia) -> None:
    with pytest.raises(NotFound) as caught:
        media.details(image("media/patient-name"))
    assert "patient-name" not in caught.value.why


def test_a_used_up_allowance_says_when_it_is_renewed(stub: Stub, media: CloudinaryMedia) -> None:
    media.ping()
    stub.remaining = 0
    with pytest.raises(RateLimited) as caught:
        media.usage()
    assert caught.value.retry_after is not None
    assert 500 < caught.value.retry_after <= 600
    assert len(stub.requests) == 2


def test_a_refusal_for_the_rate_while_some_is_left_is_not_waited_for_until_the_hour_is_over(
    stub: Stub, media: CloudinaryMedia
) -> None:
    media.ping()
    stub.faults += [Fault("/usage", "json", status=429)] * 9
    with pytest.raises(RateLimited) as caught:
        media.usage()
    assert caught.value.retry_after is None
    assert "renewed" not in caught.value.why


def test_a_read_only_wiring_sends_no_write(stub: Stub, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_bytes(b"x" * 7_000_000)
    with opened(stub, read_only=True) as media:
        for call in (lambda: media.restore([image("a")]), lambda: media.upload(image("a"), file)):
            with pytest.raises(WriteRefused):
                call()
        assert stub.requests == []
        media.ping()


def test_a_download_is_private_and_hashed(stub: Stub, media: CloudinaryMedia, tmp_path: Path) -> None:
    content = os.urandom(300_000)
    stub.put("media/a b", content)
    asset = media.look_up([image("media/a b")])[image("media/a b")]
    seen: list[tuple[int, int | None]] = []
    done = media.download(asset, tmp_path / "out", lambda at, of: seen.append((at, of)))
    assert (tmp_path / "out").read_bytes() == content
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600
    assert done.size == len(content)
    assert (done.md5, done.sha256) == (hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest())
    assert seen[-1] == (len(content), len(content))


def test_a_short_download_is_asked_again_and_leaves_nothing(stub: Stub, media: CloudinaryMedia, tmp_path: Path) -> None:
    stub.put("media/a", b"a" * 1000)
    asset = media.look_up([image("media/a")])[image("media/a")]
    stub.faults.append(Fault("/clinic/image", "short", status=200, after=True))
    assert media.download(asset, tmp_path / "out").size == 1000
    stub.faults.extend(Fault("/clinic/image", "short", status=200, after=True) for _ in range(3))
    with pytest.raises(ProviderError):
        media.download(asset, tmp_path / "again")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(MachineError):
        media.download(asset, tmp_path / "out")


def test_a_file_that_cannot_be_written_is_not_named(stub: Stub, media: CloudinaryMedia, tmp_path: Path) -> None:
    stub.put("media/a", b"a")
    asset = media.look_up([image("media/a")])[image("media/a")]
    (tmp_path / "patient-name").touch()
    for destination in (tmp_path / "missing" / "patient-name", tmp_path / "patient-name"):
        with pytest.raises(MachineError) as caught:
            media.download(asset, destination)
        shown = "".join(traceback.format_exception(caught.value))
        assert "patient-name" not in f"{caught.value.message} {caught.value.why} {caught.value.next_action} {shown}"


def test_a_download_that_is_refused_shows_no_signature(stub: Stub, media: CloudinaryMedia, tmp_path: Path) -> None:
    key = image("media/none").model_copy(update={"delivery": "authenticated"})
    asset = Asset(key=key, asset_id="none", format="png")
    with pytest.raises(ProviderError) as caught:
        media.download(asset, tmp_path / "out")
    assert "signature=" not in "".join(traceback.format_exception(caught.value))
    assert list(tmp_path.iterdir()) == []


def test_delivery_is_asked_without_credentials_or_allowance(stub: Stub, media: CloudinaryMedia) -> None:
    stub.put("media/é x", b"a")
    url = media.delivery_url(image("media/é x"))
    assert url == f"{stub.url}/clinic/image/upload/media/%C3%A9%20x"
    assert media.delivered(url) == "delivered"
    assert media.delivered(media.delivery_url(image("media/none"))) == "missing"
    assert stub.remaining == 500
    assert media.delivery_url(image("m/a"), format="jpg").endswith("/m/a.jpg")
    assert media.delivery_url(raw("m/a.pdf"), format="pdf").endswith("/m/a.pdf")


def test_addresses_in_clear_text_are_refused() -> None:
    account = MediaAccount(cloud=CLOUD, api_key=KEY, api_secret=SecretStr(SECRET))
    for api, delivery in (("http://api.example.org", "https://d.example.org"), ("https://a.org", "http://d.org")):
        with pytest.raises(ConfigError):
            CloudinaryMedia(account, api_url=api, delivery_url=delivery, read_only=True)


def test_a_closed_port_is_never_in_doubt(stub: Stub, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_bytes(b"x")
    account = MediaAccount(cloud=CLOUD, api_key=KEY, api_secret=SecretStr(SECRET))
    closed = "http://127.0.0.1:1"
    with CloudinaryMedia(
        account, api_url=closed, delivery_url=closed, read_only=False, policy=QUICK, sleep=lambda _: None
    ) as media:
        for call in (media.ping, lambda: media.upload(image("a"), file), lambda: media.restore([image("a")])):
            with pytest.raises(UscdrError) as caught:
                call()
            assert isinstance(caught.value, ProviderError)
            assert not caught.value.sent


OPEN = """
import sys
from pydantic import SecretStr
from uscdr.errors import ConfigError
from uscdr.models.media import MediaAccount
from uscdr.providers.cloudinary.media import CloudinaryMedia
account = MediaAccount(cloud="clinic", api_key="111222333", api_secret=SecretStr("not-a-real-secret"))
try:
    with CloudinaryMedia(account, api_url=sys.argv[1], delivery_url=sys.argv[1], read_only=True) as media:
        media.ping()
        print("pong")
except ConfigError as error:
    print(error.message, error.__cause__)
"""


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CLOUDINARY_URL", "https://key:hidden-secret@elsewhere", "environment variable. None"),
        ("CLOUDINARY_API_PROXY", "ftp://hidden-secret", "environment variable. None"),
        ("CLOUDINARY_URL", "cloudinary://a:b@other?upload_prefix=http://127.0.0.1:1&timeout=5", "pong"),
        ("CLOUDINARY_TIMEOUT", "5", "pong"),
    ],
)
def test_the_sdks_own_environment_is_not_ours(stub: Stub, name: str, value: str, said: str) -> None:
    # The SDK reads its environment once a process.
    kept = {key: text for key, text in os.environ.items() if not key.startswith("CLOUDINARY_")}
    done = subprocess.run(
        [sys.executable, "-c", OPEN, stub.url],
        env={**kept, "CLOUDINARY_CLOUD_NAME": "x", name: value} if "PROXY" in name else {**kept, name: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said in done.stdout
    assert "hidden-secret" not in done.stdout + done.stderr


TOKEN = Access(rules=(AccessRule(access_type="token"),))
RULES = [{"access_type": "token"}, {"access_type": "anonymous", "start": "2030-01-01T00:00:00Z"}]


def test_every_delivery_type_is_listed_with_who_may_have_it(stub: Stub, media: CloudinaryMedia) -> None:
    stub.put("media/open", b"a")
    stub.put("media/secret", b"b").delivery = "authenticated"
    stub.put("media/mine", b"c").delivery = "private"
    stub.put("media/ruled", b"d").access_control = RULES
    stub.put("media/old-switch", b"e").access_mode = "authenticated"
    found = {asset.key.public_id: asset for page in media.list_assets("image") for asset in page}
    assert {name: asset.key.delivery for name, asset in found.items()} == {
        "media/open": "upload", "media/secret": "authenticated", "media/mine": "private", "media/ruled": "upload",
        "media/old-switch": "upload",
    }  # fmt: skip
    assert [name for name, asset in sorted(found.items()) if asset.restricted] == [
        "media/mine", "media/old-switch", "media/ruled", "media/secret",
    ]  # fmt: skip
    ruled = found["media/ruled"].access
    assert ruled is not None
    assert str(ruled) == "access control: token, anonymous 2030-01-01T00:00:00Z"


def test_the_listing_and_who_has_access_may_be_asked_apart(stub: Stub, media: CloudinaryMedia) -> None:
    stub.page = 2
    for number in range(5):
        stub.put(f"media/{number}", b"a").access_control = RULES if number % 2 else []
    listed = [asset.key for page in media.listing("image") for asset in page]
    assert not any("search" in request for request in stub.requests)
    stub.requests.clear()
    told = media.access_of("image")
    assert set(listed) == set(told)
    assert [told[image(f"media/{number}")].restricted for number in range(5)] == [False, True, False, True, False]
    assert set(stub.requests) == {"POST /v1_1/clinic/resources/search"}


def test_who_only_wants_the_newest_pays_for_no_search(stub: Stub, media: CloudinaryMedia) -> None:
    stub.put("media/a", b"a")
    assert len(next(iter(media.list_assets("image", access=False)))) == 1
    assert stub.requests == ["GET /v1_1/clinic/resources/image/upload"]


def test_without_a_search_nobody_knows_who_may_have_a_file(stub: Stub, media: CloudinaryMedia) -> None:
    stub.searches = False
    stub.put("media/a", b"a").access_control = RULES
    ((asset,), *_) = media.list_assets("image")
    assert asset.access is None
    told = media.details(asset.key).asset.access
    assert told is not None
    assert told.restricted


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "change", [{"delivery": "authenticated"}, {"delivery": "private"}, {"access_mode": "authenticated"}]
)
def test_a_restricted_original_is_fetched_by_a_signed_address(
    stub: Stub, media: CloudinaryMedia, tmp_path: Path, change: dict[str, str], known: bool
) -> None:
    stored = stub.put("media/x.pdf", b"%PDF", kind="raw")
    for name, value in change.items():
        setattr(stored, name, value)
    if known:
        asset = next(asset for page in media.list_assets("raw") for asset in page)
    else:
        asset = Asset(key=raw("media/x.pdf").model_copy(update={"delivery": stored.delivery}), version=1)
    assert media.download(asset, tmp_path / "x").size == 4
    assert (tmp_path / "x").read_bytes() == b"%PDF"
    assert media.delivered(media.delivery_url(asset.key)) == "withheld"


@pytest.mark.parametrize("access", [TOKEN, Access(mode="authenticated"), Access()])
def test_a_file_is_put_back_with_who_may_have_it(
    stub: Stub, media: CloudinaryMedia, tmp_path: Path, access: Access
) -> None:
    (tmp_path / "x").write_bytes(b"x")
    key = image("media/x")
    media.upload(key, tmp_path / "x", like=Asset(key=key, access=access))
    assert media.details(key).asset.access == access
    for other in (TOKEN, Access(mode="authenticated"), Access()):
        media.set_access(key, other)
        assert media.details(key).asset.access == other


def test_a_dry_run_may_search(stub: Stub) -> None:
    stub.put("media/x", b"x").access_mode = "authenticated"
    with opened(stub, read_only=True) as media:
        ((asset,), *_) = media.list_assets("image")
        assert asset.restricted
        with pytest.raises(WriteRefused):
            media.set_access(asset.key, Access())


def test_each_call_takes_a_turn_and_an_upload_tells_the_bytes_that_it_holds(
    media: CloudinaryMedia, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    usual = Pace.turn

    def turn(pace: Pace, size: int = 0) -> AbstractContextManager[None]:
        sizes.append(size)
        return usual(pace, size)

    monkeypatch.setattr(Pace, "turn", turn)
    large = tmp_path / "large.pdf"
    large.write_bytes(b"x" * 13_000_000)
    stored = media.upload(raw("media/large.pdf"), large)
    assert sizes == [12_000_000, 12_000_000, 2_000_000]  # in chunks of six, each in the form that is sent, too
    media.ping()
    media.delivered(media.delivery_url(stored.key))
    media.download(stored, tmp_path / "again.pdf")
    assert sizes[3:] == [0, 0, 0]


def test_a_refusal_for_the_number_of_calls_halves_the_pace_of_all(stub: Stub, media: CloudinaryMedia) -> None:
    paces: list[Pace] = []
    usual = Pace.turn

    def turn(pace: Pace, size: int = 0) -> AbstractContextManager[None]:
        paces.append(pace)
        return usual(pace, size)

    with mock.patch.object(Pace, "turn", turn):
        stub.faults.append(Fault("/ping", "json", status=429))
        media.ping()
    assert len(paces) == 2  # refused, and taken
    assert paces[0] is paces[1]
    assert paces[0].allowed == 8
