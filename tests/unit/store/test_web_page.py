"""A public page is replaced whole, readable by everybody, and where it cannot be, the old one stays."""

from __future__ import annotations

import stat
from pathlib import Path

import obstore
import pytest
from obstore import exceptions
from obstore.store import MemoryStore

from uscdr.errors import BadInput, MachineError
from uscdr.store.bucket import Handles
from uscdr.store.location import open_page
from uscdr.store.store import StoreRefused
from uscdr.store.web_page import BucketPage, DirectoryPage

S3 = {"AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": "canary-secret", "AWS_REGION": "eu-central-1"}
PAGE = "maintenance.html"


def test_a_file_is_replaced_whole_and_everybody_reads_it(tmp_path: Path) -> None:
    page = open_page(str(tmp_path), PAGE, {})
    assert page.place == str(tmp_path / PAGE)
    for text in ("first, long", "zweite ü"):
        page.replace(text)
        assert (tmp_path / PAGE).read_text(encoding="utf-8") == text
        assert stat.S_IMODE((tmp_path / PAGE).stat().st_mode) == 0o644
    assert [one.name for one in tmp_path.iterdir()] == [PAGE]


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """It may be a share that is not mounted: a page below it would be seen by nobody."""
    with pytest.raises(MachineError, match="there is no directory") as raised:
        DirectoryPage(tmp_path / "share", PAGE).replace("x")
    assert "maintenance_page.to" in raised.value.next_action
    assert not (tmp_path / "share").exists()


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / PAGE).mkdir()
    (tmp_path / PAGE / "x").touch()
    with pytest.raises(MachineError, match="uscdr cannot write"):
        DirectoryPage(tmp_path, PAGE).replace("x")
    assert [one.name for one in tmp_path.iterdir()] == [PAGE]


def bucket(memory: MemoryStore, other: MemoryStore | None = None) -> BucketPage:
    spare = Handles(other, other, other, other) if other else None
    return BucketPage("s3://b/p", Handles(memory, memory, memory, memory, with_md5=spare), PAGE)


def test_an_object_is_overwritten_with_its_type_and_cache_rule() -> None:
    memory = MemoryStore()
    for text in (b"first", b"second"):
        bucket(memory).replace(text.decode())
        found = obstore.get(memory, PAGE)
        assert found.attributes == {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"}
        assert bytes(found.bytes()) == text


def refuse(monkeypatch: pytest.MonkeyPatch, code: str, status: int, times: int) -> None:
    real, left = obstore.put, [None] * times

    def put(*args: object, **options: object) -> object:
        if left:
            left.pop()
            raise exceptions.GenericError(f"status code: {status} <Code>{code}</Code> key AKIACANARY")
        return real(*args, **options)  # type: ignore[arg-type]  # whatever it was given

    monkeypatch.setattr(obstore, "put", put)


def test_a_store_that_refuses_the_checksum_gets_the_page_without(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, other = MemoryStore(), MemoryStore()
    refuse(monkeypatch, "NotImplemented", 400, times=1)
    bucket(memory, other).replace("text")
    assert bytes(obstore.get(other, PAGE).bytes()) == b"text"


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("NoSuchBucket", 404), ("NotImplemented", 400)])
def test_a_refusal_is_in_words_and_repeats_no_key(monkeypatch: pytest.MonkeyPatch, code: str, status: int) -> None:
    refuse(monkeypatch, code, status, times=9)
    with pytest.raises(StoreRefused) as raised:
        bucket(MemoryStore()).replace("text")
    assert raised.value.next_action
    assert "AKIACANARY" not in f"{raised.value} {raised.value.why} {raised.value.next_action}"


def test_places_in_buckets() -> None:
    page = open_page("s3://usc-pis-status/a/", PAGE, S3)
    assert isinstance(page, BucketPage)
    assert page.place == f"s3://usc-pis-status/a/{PAGE}"


@pytest.mark.parametrize(("folder", "name"), [("ftp://x", PAGE), ("", PAGE), ("s3://K:S@b", PAGE), ("/srv", "../x")])
def test_what_is_no_place_of_a_page(folder: str, name: str) -> None:
    with pytest.raises(BadInput):
        open_page(folder, name, S3)
