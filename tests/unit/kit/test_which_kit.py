"""Texts that name a kit, as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.errors import BadInput
from uscdr.kit.find import KitReference, find
from uscdr.store.directory import LocalStore

ID = "20261123T031500Z-usc-pis-4f2a9c"


@pytest.mark.parametrize(
    ("text", "place", "kit"),
    [
        ("newest", None, None),
        (ID, None, ID),
        ("20261123", None, "20261123"),
        ("/mnt/safe:newest", "/mnt/safe", None),
        (f"/mnt/safe:{ID}", "/mnt/safe", ID),
        ("kits:2026", "kits", "2026"),
        ("safe", "safe", None),
        ("safe:newest", "safe", None),
        (ID[:12], None, ID[:12]),
        (ID[:20], None, ID[:20]),
        ("~/safe:newest", "~/safe", None),
        ("/mnt/safe", "/mnt/safe", None),
        ("./safe/", "./safe/", None),
        (f"/mnt/safe/kits/{ID}", "/mnt/safe", ID),
        (f"/mnt/safe/kits/{ID}/", "/mnt/safe", ID),
        (f"kits/{ID}", ".", ID),
        (f"/kits/{ID}", "/", ID),
        ("/mnt/a:b/safe", "/mnt/a:b/safe", None),
        ("/mnt/a:b/safe:newest", "/mnt/a:b/safe", None),
        ("s3://safe", "s3://safe", None),
        ("s3://safe:newest", "s3://safe", None),
        (f"s3://safe/of/usc:{ID}", "s3://safe/of/usc", ID),
        (f"s3://safe/of/usc/kits/{ID}", "s3://safe/of/usc", ID),
        ("s3://safe/kits", "s3://safe/kits", None),
        ("s3://safe/kits/usc", "s3://safe/kits/usc", None),
        ("file:///mnt/safe:newest", "file:///mnt/safe", None),
        # what a store will refuse, whole, so that no part of it is taken for the name of a kit
        ("s3://key:secret@bucket", "s3://key:secret@bucket", None),
        ("s3://localhost:9000/bucket", "s3://localhost:9000/bucket", None),
    ],
)
def test_place_and_kit(text: str, place: str | None, kit: str | None) -> None:
    assert KitReference.parse(text) == KitReference(place, kit)


@pytest.mark.parametrize("text", ["", ":", ":newest", "/mnt/safe:", "s3://safe:"])
def test_nothing_is_named(text: str) -> None:
    with pytest.raises(BadInput, match="The name of the kit is empty"):
        KitReference.parse(text)


def test_an_empty_store_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no kit in") as caught:
        find(LocalStore(tmp_path), None)
    assert "STORE:newest" in (caught.value.next_action or "")
