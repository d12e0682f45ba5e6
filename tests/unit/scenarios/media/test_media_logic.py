"""Names, comparison, choice of versions, cost, folders of copies and forbidden commands: without a service."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from uscdr.engine.wait import Stop
from uscdr.errors import BadInput, CheckFailed, MachineError, RateLimited
from uscdr.models.data_settings import ResourceType
from uscdr.models.media import (
    DELIVERIES,
    Access,
    AccessRule,
    Asset,
    AssetDetails,
    AssetKey,
    AssetVersion,
    Kind,
    KnownAsset,
    NameReading,
    Quota,
    Where,
)
from uscdr.scenarios.config import MediaSettings
from uscdr.scenarios.media.compare import FileState, ListedAsset, MediaSurvey, Window
from uscdr.scenarios.media.copies import FolderFiles
from uscdr.scenarios.media.repair import Repairs, _before_the_change, _pages, _plan, _waiting, refusal
from uscdr.scenarios.steps import media_base
from uscdr.scenarios.steps.media_base import _within
from uscdr.write_guard import SHORT

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def key(public_id: str, kind: ResourceType = "image") -> AssetKey:
    return AssetKey(resource_type=kind, public_id=public_id)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("media/avatars/me_ab12cd", "image", ["image/upload/media/avatars/me_ab12cd"]),
        ("avatars/me.jpg", "by_extension", ["image/upload/media/avatars/me", "image/upload/media/avatars/me.jpg"]),
        ("/media/docs/cv.pdf", "raw", ["raw/upload/media/docs/cv.pdf"]),
        ("docs/cv.pdf", "by_extension", ["raw/upload/media/docs/cv.pdf", "image/upload/media/docs/cv"]),
        ("media/x", "by_extension", ["image/upload/media/x", "raw/upload/media/x"]),
        (
            "https://res.cloudinary.com/clinic/image/upload/c_fill,w_9/v12/media/a%20b.jpg",
            "by_extension",
            ["image/upload/media/a b", "image/upload/media/a b.jpg"],
        ),
        ("https://res.cloudinary.com/clinic/raw/upload/media/c.pdf", "image", ["raw/upload/media/c.pdf"]),
        ("https://res.cloudinary.com/other/image/upload/v1/media/a.jpg", "image", []),
        ("https://example.org/a.jpg", "image", []),
    ],
)
def test_what_a_row_holds_is_what_the_service_calls_it(value: str, kind: Kind, expected: list[str]) -> None:
    found = NameReading.of(value, kind, prefix="media/", clouds=frozenset({"clinic"}))
    assert [str(one) for one in found.names][: len(expected)] == expected
    assert bool(found.names) == bool(expected)
    assert found.where == ("here" if expected else "elsewhere")


@pytest.mark.parametrize("value", ["http://[2001:db8/media/a.jpg", "//[x/image/upload/v1/media/a.jpg"])
def test_an_address_that_cannot_be_read_is_told_by_nobody(value: str) -> None:
    assert NameReading.of(value, "image", prefix="media/", clouds=frozenset({"clinic"})).where == "not understood"


AUTH, PRIVATE = "raw/authenticated/media/dental/x.pdf", "image/private/media/dental/x"
RES, API = "https://res.cloudinary.com/clinic", "https://api.cloudinary.com/v1_1/clinic"


@pytest.mark.parametrize(
    ("value", "where", "first"),
    [
        (f"{RES}/raw/authenticated/s--Ab3-_x9Z--/v17/media/dental/x.pdf", "here", AUTH),
        (f"{RES}/raw/authenticated/media/dental/x.pdf?_a=BAE#top", "here", AUTH),
        ("http://res-3.cloudinary.com/clinic/raw/authenticated/v1/media/dental/x.pdf", "here", AUTH),
        ("//res.cloudinary.com/clinic/raw/authenticated/v1/media/dental/x.pdf", "here", AUTH),
        (f"{RES}/image/private/s--Ab3-_x9Z--/c_fill,w_9/f_auto/v1/media/dental/x.png", "here", PRIVATE),
        (f"{RES}/image/private/t_thumb/media/dental/x.png", "here", PRIVATE),
        ("https://clinic-res.cloudinary.com/image/private/v1/media/dental/x.jpg", "here", PRIVATE),
        ("https://files.example.org/image/private/v1/media/dental/x.jpg", "not understood", PRIVATE),
        ("https://files.example.org/clinic/image/private/v1/media/dental/x.jpg", "here", PRIVATE),
        (f"{RES}/private_images/v1/media/dental/x/name-for-engines.jpg", "here", PRIVATE),
        (f"{API}/raw/download?public_id=media%2Fdental%2Fx.pdf&type=authenticated&signature=00", "here", AUTH),
        ("raw/authenticated/v17/media/dental/x.pdf#5f3c", "here", AUTH),
        (" media/a.pdf ", "here", "raw/upload/media/a.pdf"),
        (f"{RES}/image/upload/v2/media/v3/x.jpg", "here", "image/upload/media/v3/x"),
        (f"{RES}/video/upload/media/a.mp4", "here", "video/upload/media/a"),
        (f"{RES}/image/fetch/https://example.org/a.jpg", "not understood", None),
        ("https://res.cloudinary.com/other/raw/authenticated/v17/media/dental/x.pdf", "elsewhere", None),
        ("https://other-res.cloudinary.com/raw/upload/v17/media/dental/x.pdf", "elsewhere", None),
        ("https://example.org/a.jpg", "elsewhere", None),
        ("https://clinic.example.org/media/dental/a.jpg", "elsewhere", None),
        ("data:image/png;base64,iVBO", "not understood", None),
        ("{media/a.jpg,media/b.jpg}", "not understood", None),
        ("two\nlines.pdf", "not understood", None),
    ],
)
def test_every_form_of_a_name_or_address_is_read_or_said_not_to_be(value: str, where: Where, first: str | None) -> None:
    found = NameReading.of(value, "by_extension", prefix="media/", clouds=frozenset({"clinic"}))
    assert (found.where, str(found.names[0]) if found.names else None) == (where, first)


@pytest.mark.parametrize(
    ("value", "there"),
    [
        ("dental/x", "image/authenticated/media/dental/x"),
        ("media/cv.pdf", "raw/private/media/cv.pdf"),
        ("clips/a.mp4", "video/upload/media/clips/a"),
        ("loose", "image/upload/loose"),
        ("v123/media/a.jpg", "image/upload/media/a"),
        ("media/a%20b.pdf", "raw/upload/media/a b.pdf"),
        (f"{RES}/image/upload/c_chart/x.jpg", "image/upload/c_chart/x"),
        ("https://clinic.example.org/media/dental/a.jpg", "image/upload/media/dental/a"),
    ],
)
def test_what_is_there_under_a_less_likely_name_is_found(value: str, there: str) -> None:
    found = NameReading.of(value, "by_extension", prefix="media/", clouds=frozenset({"clinic"}))
    assert there in [str(one) for one in (*found.names, *found.others)]


def test_a_digest_shows_no_name() -> None:
    assert key("media/patient").digest != key("media/patient", "raw").digest
    assert len(key("media/patient").digest) == 8


def held(*, size: int = 3, version: int = 7, etag: str = "", placeholder: bool = False) -> ListedAsset:
    return ListedAsset(size, version, placeholder, 0.0, etag, "", (), {})


KNOWN = KnownAsset(bytes=3, digest="abc", file=True, version=7)


@pytest.mark.parametrize(
    ("there", "known", "seen", "size", "state"),
    [
        (None, KNOWN, "", 0, FileState.MISSING),
        (held(placeholder=True), KNOWN, "", 0, FileState.DELETED),
        (held(), KNOWN, "", 0, FileState.PRESENT),
        (held(size=4), KNOWN, "", 0, FileState.CHANGED),
        (held(version=8), KNOWN, "", 0, FileState.UNPROVEN),
        (held(version=8), KNOWN, "abc", 0, FileState.PRESENT),
        (held(version=8), KNOWN, "other", 0, FileState.CHANGED),
        (held(etag="other"), KNOWN, "", 0, FileState.CHANGED),
        (held(), None, "", 0, FileState.PRESENT),
        (held(), None, "", 3, FileState.PRESENT),
        (held(), None, "", 4, FileState.CHANGED),
    ],
)
def test_the_state_of_a_file(
    there: ListedAsset | None, known: KnownAsset | None, seen: str, size: int, state: FileState
) -> None:
    assert FileState.of(there, known, seen, size=size) is state


def replaced(version: int) -> ListedAsset:
    return ListedAsset(3, version, False, 100.0, "", "", (), {})


@pytest.mark.parametrize(
    ("version", "state"),
    [
        (100, FileState.PRESENT),
        (499, FileState.PRESENT),
        (500, FileState.CHANGED),
        (599, FileState.CHANGED),
        (600, FileState.PRESENT),
    ],
)
def test_a_file_replaced_while_the_damage_was_done_is_damaged(version: int, state: FileState) -> None:
    window = Window(500, 600)
    assert FileState.of(replaced(version), None, size=3, window=window) is state
    assert FileState.of(replaced(version), None, size=3) is FileState.PRESENT
    assert (
        FileState.of(replaced(version), KNOWN.model_copy(update={"version": version}), window=window)
        is FileState.PRESENT
    )


def test_what_was_there_before_the_damage_comes_back() -> None:
    window = Window(8, 20)
    assert chosen(versions((5, 3), (7, 4), (9, 3)), None, window=window) == "v7"
    assert chosen(versions((5, 3), (7, 4), (9, 3)), None, size=3, window=window) == "v5"
    assert chosen(versions((9, 3)), None, window=window) is None


def versions(*pairs: tuple[int, int]) -> AssetDetails:
    made = tuple(AssetVersion(version_id=f"v{number}", version=number, bytes=size) for number, size in pairs)
    return AssetDetails(asset=Asset(key=key("a"), bytes=99), versions=made)


def chosen(
    details: AssetDetails | None, known: KnownAsset | None, size: int = 0, window: Window | None = None
) -> str | None:
    found = _before_the_change(details, known, size, window)
    return found.version_id if found else None


def test_the_version_before_the_change() -> None:
    described = KNOWN.model_copy(update={"file": False})
    assert chosen(versions((5, 3), (7, 3), (9, 99)), KNOWN) == "v7"
    assert chosen(versions((5, 3), (9, 99)), KNOWN) == "v5"
    assert chosen(versions((5, 2), (9, 99)), KNOWN) is None  # the copy itself is better
    assert chosen(versions((5, 2), (9, 99)), described) == "v5"
    assert chosen(versions((5, 99), (9, 99)), described) is None  # as good as what is there
    assert chosen(None, KNOWN) is None
    assert chosen(versions((5, 3), (6, 3), (9, 99)), None, size=3) == "v6"
    assert chosen(versions((5, 3)), None) is None


def test_every_bad_file_has_one_fate() -> None:
    states = {
        key("fine"): FileState.PRESENT,
        key("deleted"): FileState.DELETED,
        key("missing"): FileState.MISSING,
        key("copied"): FileState.MISSING,
        key("changed"): FileState.CHANGED,
    }
    copies = {key("copied"): KNOWN, key("changed"): KNOWN}
    details = {key("changed"): versions((7, 3))}
    whole = _plan(states, copies, details, own_backup=True, sizes={})
    assert whole.restore == (key("deleted"),)
    assert whole.versions == {key("changed"): "v7"}
    assert whole.upload == (key("copied"),)
    assert whole.lost == (key("missing"),)
    elsewhere = _plan(states, copies, details, own_backup=False, sizes={})
    assert elsewhere.from_backup == 0
    assert elsewhere.upload == (key("copied"), key("changed"))
    assert elsewhere.lost == (key("deleted"), key("missing"))


def test_the_cost_is_reckoned_before() -> None:
    repairs = Repairs(restore=tuple(key(str(n)) for n in range(250)), upload=(key("u"),))
    quota = Quota(limit=500, remaining=10, resets_at=NOW + timedelta(minutes=10))
    copies = {key("u"): KnownAsset(bytes=4_000_000, digest="m", file=True)}
    cost = repairs.effort(copies, listed=[1200, 0, 0], searched=[600], quota=quota, now=NOW)
    assert (cost.calls, cost.uploads, cost.upload_bytes) == (3 + 5 + 2, 1, 4_000_000)
    assert cost.wait_seconds == 0
    assert _waiting(11, quota, NOW) == 600
    assert _waiting(1010, quota, NOW) == 600 + 3600
    assert _pages([500, 501, 0]) == 4


def test_a_folder_of_copies(tmp_path: Path) -> None:
    root = tmp_path / "copies"
    (root / "media" / "docs").mkdir(parents=True)
    (root / "avatars").mkdir()
    (root / "media" / "docs" / "cv.pdf").write_bytes(b"pdf")
    (root / "avatars" / "me.jpg").write_bytes(b"jpg")
    (root / ".hidden").write_bytes(b"x")
    (tmp_path / "outside").write_bytes(b"x")
    (root / "link").symlink_to(tmp_path / "outside")
    files = FolderFiles(root, MediaSettings())
    known = files.inventory()
    assert {one.delivery for one in known} == set(DELIVERIES)
    assert {str(one) for one in known if one.delivery == "upload"} == {
        "raw/upload/media/docs/cv.pdf",
        "image/upload/media/docs/cv",
        "image/upload/media/docs/cv.pdf",
        "image/upload/media/avatars/me",
        "image/upload/media/avatars/me.jpg",
        "raw/upload/media/avatars/me.jpg",
    }
    assert known[key("media/avatars/me")].md5 == hashlib.md5(b"jpg").hexdigest()
    assert known[key("media/avatars/me")].tags == ("media",)
    with files.open(key("media/avatars/me")) as copy:
        assert copy == b"jpg"
    for other in (b"gpj", b"jpg and more", b""):
        (root / "avatars" / "me.jpg").write_bytes(other)
        with pytest.raises(CheckFailed), files.open(key("media/avatars/me")):
            pass


def test_a_large_file_of_a_folder_is_not_held_in_memory(tmp_path: Path) -> None:
    (tmp_path / "long.jpg").write_bytes(b"x" * (SHORT + 1))
    files = FolderFiles(tmp_path, MediaSettings())
    with files.open(key("media/long")) as copy:
        assert copy == tmp_path / "long.jpg"
    (tmp_path / "long.jpg").write_bytes(b"y" * (SHORT + 1))
    with pytest.raises(CheckFailed), files.open(key("media/long")):
        pass


def test_a_file_is_read_when_its_digest_is_needed_and_one_that_was_written_since_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "me.jpg"
    path.write_bytes(b"jpg")
    files = FolderFiles(tmp_path, MediaSettings())
    known = files.inventory()[key("media/me")]
    assert (known.bytes, known.file) == (3, True)
    path.write_bytes(b"gpj")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    with pytest.raises(CheckFailed, match="changed while it was used"), files.open(key("media/me")):
        pass
    path.unlink()
    with pytest.raises(MachineError, match="file in the folder cannot be read"), files.open(key("media/me")):
        pass
    with pytest.raises(MachineError, match="file in the folder cannot be read"):
        _ = known.md5


def test_a_bad_place_of_the_disk_spoils_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("good", "bad"):
        (tmp_path / f"{name}.jpg").write_bytes(b"jpg")
    files = FolderFiles(tmp_path, MediaSettings())
    assert len(files.inventory()) == 2 * 3 * len(DELIVERIES)
    really = os.open

    def opened(path: Path | str, flags: int, mode: int = 0o777) -> int:
        if str(path).endswith("bad.jpg"):
            raise OSError(errno.EIO, "Input/output error", str(path))
        return really(path, flags, mode)

    monkeypatch.setattr(os, "open", opened)
    with files.open(key("media/good")) as copy:
        assert copy == b"jpg"
    with pytest.raises(CheckFailed, match="disk cannot read"), files.open(key("media/bad")):
        pass


def test_of_files_that_may_have_had_one_id_the_last_in_order_counts(tmp_path: Path) -> None:
    names = ("media/a.jpg", "media-old/b.jpg", "a.png", "media/a.gif", "media/.b/c.jpg", "d./e.jpg")
    for number, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))
    known = FolderFiles(tmp_path, MediaSettings()).inventory()
    assert {one.public_id: known[one].bytes for one in known if one == key(one.public_id)} == {
        "media/a": 1, "media/a.png": 3, "media/a.gif": 4, "media/a.jpg": 1, "media/media-old/b": 2,
        "media/media-old/b.jpg": 2, "media/d./e": 6, "media/d./e.jpg": 6,
    }  # fmt: skip


def test_who_has_access_is_taken_in_where_the_listing_did_not_say_it() -> None:
    survey = MediaSurvey()
    told, open_ = Access(rules=(AccessRule(access_type="token"),)), Access()
    for name, access in (("said", open_), ("not said", None)):
        survey.note(Asset(key=key(name), access=access))
    survey.tell_access({key("said"): told, key("not said"): told, key("not there"): told})
    assert {one.public_id: held.access for one, held in survey.held.items()} == {"said": open_, "not said": told}


def test_a_folder_that_is_none_or_empty(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        FolderFiles(tmp_path / "none", MediaSettings())
    with pytest.raises(BadInput):
        FolderFiles(tmp_path, MediaSettings()).inventory()


def test_a_folder_with_a_part_that_cannot_be_listed_is_not_taken_for_all_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "me.jpg").write_bytes(b"jpg")
    scan = os.scandir

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if path.endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(MachineError, match="directory in the folder cannot be read"):
        FolderFiles(tmp_path, MediaSettings()).inventory()


@pytest.mark.parametrize(
    "command",
    [
        "python backend/manage.py restore_campaign_images",
        "manage.py deleteorphanedmedia --no-input",
        "migrate_to_cloudinary --backup-first",
    ],
)
def test_commands_that_make_it_worse_are_refused(command: str) -> None:
    assert "is refused" in (refusal(command) or "")


def test_other_commands_are_not() -> None:
    assert refusal("python backend/manage.py migrate --noinput") is None


class Silent:
    """A `Tell` that says nothing."""

    def sending(self) -> None:
        pass

    def accepted(self, provider_id: str) -> None: ...
    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None: ...
    def warn(self, text: str) -> None: ...
    def check(self, name: str, verdict: object, evidence: str) -> None: ...


def test_an_allowance_that_never_comes_back_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_base, "SLACK", 0.0)
    monkeypatch.setattr(media_base, "LONGEST", 0.05)
    calls: list[int] = []

    def refused() -> None:
        calls.append(1)
        raise RateLimited("used up", provider="fake", retry_after=0.02)

    with pytest.raises(RateLimited):
        _within(refused, Stop(), Silent())
    assert len(calls) > 1
