"""What every store does, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_places import Place
from store_worker import content, digest

from uscdr.errors import BadInput, CheckFailed
from uscdr.staging import STAGING
from uscdr.store.bucket import SMALL, ObjectStore
from uscdr.store.directory import new_private_file
from uscdr.store.store import NameTaken, Store, digest_of

LARGE = SMALL + (1 << 20) + 17
WEIRD = (
    "", "/", "/etc/passwd", "../x", "kits/../../x", "kits//x", "kits/x/", "./x", ".staging/x", "kits/.x", "kits/Ω",
    "patiënt", "a\nb", "a b", "a?b", "a#b", "a%2fb", "a\\b", "a\0b", "s3://x", "k" * 256, "k/" * 500 + "k",
)  # fmt: skip


def stored(store: Store, name: str, seed: str, size: int) -> None:
    with store.staging() as staging:
        file = staging / "staged"
        with new_private_file(file) as target:
            target.writelines(content(seed, size))
        store.create(name, file)
        assert not file.exists()


def test_a_document_is_created_once_and_read_back(store: Store) -> None:
    store.put_once("notes/one.json", b"first")
    with pytest.raises(NameTaken, match="already exists"):
        store.put_once("notes/one.json", b"second")
    with pytest.raises(NameTaken):
        store.put_once("notes/one.json", b"first")
    assert store.read("notes/one.json") == b"first"
    assert store.size("notes/one.json") == 5


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, LARGE])
def test_a_file_is_taken_over_whole(store: Store, size: int) -> None:
    stored(store, "kits/one/x.age", "x", size)
    assert store.size("kits/one/x.age") == size
    assert digest_of(store, "kits/one/x.age") == (digest("x", size), size)


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_name_that_is_taken_stays_as_it_is(store: Store, size: int) -> None:
    stored(store, "kits/one/x.age", "first", size)
    with pytest.raises(NameTaken):
        stored(store, "kits/one/x.age", "second", size)
    assert digest_of(store, "kits/one/x.age") == (digest("first", size), size)


def test_names_and_facts_of_what_is_there(store: Store) -> None:
    assert store.listing("kits") == ()
    for name in ("kits/b/2", "kits/a/1", "kits-of-others/x", "media/y"):
        store.put_once(name, name.encode())
    assert store.names("kits") == ("kits/a/1", "kits/b/2")
    entries = store.listing("kits")
    assert [(one.name, one.size) for one in entries] == [("kits/a/1", 8), ("kits/b/2", 8)]
    assert all(abs(datetime.now(UTC) - one.modified_at) < timedelta(minutes=5) for one in entries)


def test_more_names_than_a_page_holds(store: Store) -> None:
    for number in range(1003):
        store.put_once(f"many/{number:04d}", b"")
    assert store.names("many") == tuple(f"many/{number:04d}" for number in range(1003))


def test_what_is_missing(store: Store) -> None:
    store.put_once("kits/there", b"x")
    assert store.size("kits/x") is None
    for look in (store.open, store.read):
        with pytest.raises(CheckFailed, match="kits/x is missing from"):
            look("kits/x")


def test_deleting(store: Store) -> None:
    store.put_once("notes/x", b"1")
    store.delete("notes/x")
    store.delete("notes/x")
    store.delete("never/was")
    assert store.names("notes") == ()
    store.put_once("notes/x", b"2")
    assert store.read("notes/x") == b"2"


def test_reading_in_small_steps(store: Store) -> None:
    size = LARGE
    stored(store, "kits/x", "x", size)
    whole = b"".join(content("x", size))
    with store.open("kits/x") as file:
        assert file.read(3) == whole[:3]
        assert file.read(SMALL) == whole[3 : SMALL + 3]
        assert file.read() == whole[SMALL + 3 :]
        assert file.read(1) == b""


def calls(store: Store, tmp_path: Path) -> list[Callable[[str], object]]:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    return [
        store.open, store.read, store.size, store.delete, store.names, store.listing,
        lambda name: store.put_once(name, b"x"), lambda name: store.create(name, file),
    ]  # fmt: skip


@pytest.mark.parametrize("name", WEIRD, ids=range(len(WEIRD)))
def test_names_that_not_every_store_takes_are_refused_before_anything_is_asked(
    store: Store, tmp_path: Path, name: str
) -> None:
    for call in calls(store, tmp_path):
        with pytest.raises(BadInput):
            call(name)
    assert (tmp_path / "file").exists()


def test_two_stagings_beside_each_other(place: Place) -> None:
    one, other = place.open(), place.open()
    with one.staging() as first, other.staging() as second:
        assert first != second
        assert (first.stat().st_mode & 0o777, second.stat().st_mode & 0o777) == (0o700, 0o700)
    assert not first.exists()
    assert not second.exists()


def test_nothing_is_left_beside_what_was_stored(place: Place) -> None:
    store = place.open()
    stored(store, "kits/x", "x", LARGE)
    with pytest.raises(NameTaken):
        stored(store, "kits/x", "y", LARGE)
    if isinstance(store, ObjectStore):
        assert store._listed(STAGING) == ()
    else:
        assert list((Path(place.text) / STAGING).iterdir()) == []
