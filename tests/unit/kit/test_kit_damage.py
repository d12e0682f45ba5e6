"""Every kind of damage to every object is found, named, and never handed out as content."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kit_world import SECRET, Workshop, key
from uscdr.errors import BadInput, CheckFailed
from uscdr.kit.build import Built
from uscdr.kit.check import Examination
from uscdr.kit.find import KitLine
from uscdr.kit.reader import KitReader


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [flip, cut, empty, Path.unlink]


def look(shop: Workshop, built: Built, *, opened: bool = True) -> Examination:
    return Examination.of(shop.store, built.card.kit, shop.keys if opened else (), shop.work, lambda done, total: None)


def objects(shop: Workshop, built: Built) -> list[str]:
    return [*(one.path for one in built.manifest.objects), *shop.store.names("media")]


def test_a_whole_kit_is_sound_with_and_without_the_identity(shop: Workshop) -> None:
    built = shop.build()
    closed, opened = look(shop, built, opened=False), look(shop, built)
    assert closed.sound
    assert closed.manifest is None
    assert opened.sound
    assert opened.manifest == built.manifest
    assert opened.checked == built.card.objects + 1


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("opened", [True, False])
def test_each_damaged_object_is_named(shop: Workshop, damage: Callable[[Path], None], opened: bool) -> None:
    built = shop.build()
    for name in objects(shop, built):
        path = shop.root / "vault" / name
        before = path.read_bytes()
        damage(path)
        found = look(shop, built, opened=opened)
        assert any(name in finding for finding in found.findings), name
        path.write_bytes(before)
    assert look(shop, built).sound


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_never_handed_out(shop: Workshop, damage: Callable[[Path], None]) -> None:
    built = shop.build()
    kit = shop.read(built)
    for name in objects(shop, built):
        damage(shop.root / "vault" / name)
    for read in (kit.app, kit.config, kit.dns, kit.dump, kit.source, kit.media):
        with pytest.raises(CheckFailed):
            read()
    with pytest.raises(CheckFailed), kit.open_object("database.dump"):
        pass
    with pytest.raises(CheckFailed), kit.open(key(1)):
        pass
    assert list(shop.work.iterdir()) == []


@pytest.mark.parametrize("damage", [flip, cut, empty])
def test_a_damaged_manifest(shop: Workshop, damage: Callable[[Path], None]) -> None:
    built = shop.build()
    damage(shop.root / "vault" / "kits" / built.card.kit / "manifest.json.age")
    with pytest.raises(CheckFailed, match=r"manifest\.json\.age is damaged"):
        shop.read(built)
    assert any("manifest.json.age" in finding for finding in look(shop, built).findings)
    assert not look(shop, built, opened=False).sound


def test_no_manifest_no_kit(shop: Workshop) -> None:
    built = shop.build()
    (shop.root / "vault" / "kits" / built.card.kit / "manifest.json.age").unlink()
    with pytest.raises(CheckFailed, match="no manifest"):
        look(shop, built)
    assert [line.state for line in KitLine.all(shop.store)] == ["unfinished"]


def test_an_exchanged_object_is_found(shop: Workshop) -> None:
    """Anybody can encrypt to the recipient: what counts is the manifest's digest, and the card's of the manifest."""
    built, other = shop.build(), shop.build()
    first = next(one for one in built.manifest.objects if one.name == "config.json")
    second = next(one for one in other.manifest.objects if one.name == "config.json")
    place = shop.root / "vault"
    (place / first.path).write_bytes((place / second.path).read_bytes())
    assert any(first.path in finding for finding in look(shop, built).findings)
    with pytest.raises(CheckFailed):
        shop.read(built).config()


def test_a_list_of_sums_without_a_line_is_found(shop: Workshop) -> None:
    built = shop.build()
    sums = shop.root / "vault" / "kits" / built.card.kit / "SHA256SUMS"
    sums.write_bytes(b"".join(sums.read_bytes().splitlines(keepends=True)[1:]))
    assert not look(shop, built, opened=False).sound
    sums.write_bytes(b"nonsense\n")
    assert not look(shop, built, opened=False).sound
    sums.unlink()
    assert not look(shop, built, opened=False).sound


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', "\x00\xff"])
def test_a_damaged_card(shop: Workshop, text: str) -> None:
    built = shop.build()
    card = shop.root / "vault" / "kits" / built.card.kit / "card.json"
    card.write_text(text)
    with pytest.raises(CheckFailed, match=r"card\.json"):
        look(shop, built, opened=False)
    assert ["card.json" in finding for finding in look(shop, built).findings] == [True]
    assert [line.state for line in KitLine.all(shop.store)] == ["damaged"]


def test_a_kit_of_a_later_format_is_refused(shop: Workshop) -> None:
    built = shop.build()
    card = shop.root / "vault" / "kits" / built.card.kit / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "format": 2, "new": "field"}))
    with pytest.raises(BadInput, match="format 2; this uscdr reads 1"):
        look(shop, built)


def test_a_document_that_does_not_fit_says_where_and_not_what(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    built = shop.build()
    monkeypatch.setattr(KitReader, "_bytes", lambda self, wanted: b'{"values": {"PGP": ["%s"]}}' % SECRET.encode())
    kit = KitReader.__new__(KitReader)
    kit.manifest = built.manifest
    with pytest.raises(CheckFailed) as caught:
        kit.config()
    assert "values.PGP" in caught.value.message
    assert SECRET not in f"{caught.value.message}{caught.value.why}{caught.value!r}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
