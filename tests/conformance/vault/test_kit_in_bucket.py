"""A kit is built in a bucket, listed, checked and read there."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from obstore.store import S3Store
from store_places import Place

from kit_world import CANARIES, Workshop, key
from uscdr.errors import CheckFailed
from uscdr.vault.listing import kits
from uscdr.vault.objectstore import ObjectStore
from uscdr.vault.reader import KitReader
from uscdr.vault.store import LocalStore


class BucketShop(Workshop):
    """The machine that makes kits, with its store elsewhere."""

    kept_in: Place

    @property
    def store(self) -> LocalStore:
        return cast("LocalStore", self.kept_in.open())


@pytest.fixture
def shop(bucket: Place, tmp_path: Path) -> BucketShop:
    made = BucketShop(tmp_path / "shop")
    made.kept_in = bucket
    return made


def test_a_kit_round_trip(shop: BucketShop) -> None:
    built = shop.build()
    assert built.card.complete
    (line,) = kits(shop.store)
    assert (line.kit, line.state) == (built.card.kit, "complete")
    reader: KitReader = shop.read(built)
    with reader.open_object("database.dump") as dump:
        assert dump.read_bytes().startswith(b"PGDMP")
    for number in range(6):
        one = key(number, "raw" if number == 5 else "image")
        with reader.open(one) as original:
            assert original.read_bytes() == shop.cloud.files[one]
    assert not (shop.root / "vault").exists()


def test_a_second_kit_fetches_no_media_again(shop: BucketShop) -> None:
    shop.build()
    first = len(shop.cloud.downloads)
    again = shop.build()
    assert again.card.complete
    assert len(shop.cloud.downloads) == first
    assert len(kits(shop.store)) == 2


def test_a_missing_object_is_named(shop: BucketShop) -> None:
    built = shop.build()
    reader = shop.read(built)
    found = reader.find("database.dump")
    assert found is not None
    shop.store.delete(found.path)
    with pytest.raises(CheckFailed, match=f"{found.path} is missing"), reader.open_object("database.dump"):
        pass


def test_no_secret_is_in_the_bucket(shop: BucketShop) -> None:
    shop.build()
    store = shop.store
    assert isinstance(store, ObjectStore)
    handle = store._handles.quick
    assert isinstance(handle, S3Store)
    names = [meta["path"] for page in handle.list() for meta in page]
    assert len(names) > 10
    for name in names:
        stored = name.encode() + bytes(handle.get(name).bytes())
        assert not [word for word in CANARIES if word.encode() in stored], name
