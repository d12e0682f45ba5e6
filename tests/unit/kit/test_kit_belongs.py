"""A kit is the one that was asked for: the encrypted manifest says which, and how old; the card is a hint."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit_world import Workshop
from uscdr.cli import main
from uscdr.errors import CheckFailed
from uscdr.kit.build import Built
from uscdr.kit.check import Examination
from uscdr.kit.find import KitLine, find
from uscdr.kit.reader import KitReader
from uscdr.store.encryption import seal, unseal

Captured = pytest.CaptureFixture[str]
NEWER = "20990101T000000Z-usc-pis-abcdef"


@pytest.fixture(autouse=True)
def at_home(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.root)
    monkeypatch.setenv("USCDR_STATE_DIR", str(shop.root / "state"))


def place(shop: Workshop, kit: str) -> Path:
    return shop.root / "vault" / "kits" / kit


def change_card(shop: Workshop, which: str, **said: Any) -> None:
    path = place(shop, which) / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **said}))


def change_manifest(shop: Workshop, kit: str, edit: Callable[[dict[str, Any]], None]) -> None:
    """Seal another manifest, as anybody can who knows the public key, and make the card agree."""
    path, plain, target = place(shop, kit) / "manifest.json.age", io.BytesIO(), io.BytesIO()
    unseal(io.BytesIO(path.read_bytes()), plain, shop.keys)
    document = json.loads(plain.getvalue())
    edit(document)
    seal(io.BytesIO(json.dumps(document).encode()), target, shop.to)
    path.write_bytes(target.getvalue())
    change_card(shop, kit, manifest_sha256=hashlib.sha256(target.getvalue()).hexdigest())


def opened(shop: Workshop, kit: str) -> KitReader:
    return KitReader(shop.store, kit, shop.keys, shop.work)


def identity(shop: Workshop) -> tuple[str, ...]:
    return ("--to", "vault", "--identity", str(shop.identity_file))


@pytest.fixture
def renamed(shop: Workshop) -> Built:
    """An old kit, and a copy of it that calls itself newer."""
    built = shop.build()
    shutil.copytree(place(shop, built.card.kit), place(shop, NEWER))
    return built


@pytest.mark.parametrize("forged", [False, True])
def test_an_old_kit_under_a_newer_name_is_refused(shop: Workshop, renamed: Built, forged: bool) -> None:
    if forged:
        change_card(shop, NEWER, kit=NEWER)
    assert find(shop.store, None) == NEWER
    with pytest.raises(
        CheckFailed, match=f"does not belong to this kit: it is the (card|manifest) of {renamed.card.kit}"
    ):
        opened(shop, NEWER)
    assert opened(shop, renamed.card.kit).manifest == renamed.manifest


@pytest.mark.parametrize("forged", [False, True])
def test_no_command_takes_it(shop: Workshop, renamed: Built, forged: bool, capsys: Captured) -> None:
    if forged:
        change_card(shop, NEWER, kit=NEWER)
    for words in (["check"], ["card"], ["restore", "--into", "out", "--part", "config"]):
        assert main.run(["kit", *words[:1], "newest", *words[1:], *identity(shop)]) == 1, words
        shown = capsys.readouterr()
        assert "does not belong to this kit" in shown.out + shown.err, words
    assert not list(shop.root.glob("out/*"))
    assert main.run(["kit", "list", *identity(shop), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["kit"] == NEWER, line["state"], line["checked"]) for line in lines] == [
        (False, "complete", True), (True, "damaged", True),
    ]  # fmt: skip


def test_ages_come_from_the_sealed_manifest(shop: Workshop, capsys: Captured) -> None:
    built = shop.build()
    kit, at = built.card.kit, built.manifest.created_at
    change_card(shop, kit, created_at=(at - timedelta(days=400)).isoformat())
    reader = opened(shop, kit)
    assert reader.card.created_at == at
    assert "made " in reader.doubts[0].message
    assert "the encrypted manifest says" in reader.doubts[0].message
    assert main.run(["kit", "check", *identity(shop)]) == 1
    shown = capsys.readouterr().out
    assert "card.json does not belong to this kit" in shown
    assert "400 d" not in shown.replace("1 y", "")
    assert "1 damaged or missing object" in shown
    assert main.run(["kit", "card", *identity(shop)]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("said", [{"app": "another"}, {"target": "another"}, {"identity": "another"}])
def test_a_card_of_another_place_opens_nothing(shop: Workshop, said: dict[str, str]) -> None:
    kit = shop.build().card.kit
    change_card(shop, kit, **said)
    with pytest.raises(CheckFailed, match=r"card\.json does not belong to this kit"):
        opened(shop, kit)


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda path: path.write_bytes(b"{"), lambda path: path.write_bytes(b"")]
)
def test_a_kit_without_its_card_can_be_opened(shop: Workshop, damage: Callable[[Path], None]) -> None:
    built = shop.build()
    damage(place(shop, built.card.kit) / "card.json")
    reader = opened(shop, built.card.kit)
    assert reader.manifest == built.manifest
    assert reader.config() is not None
    assert "card.json" in reader.doubts[0].message
    assert main.run(["kit", "restore", "newest", "--into", "out", "--part", "config", *identity(shop)]) == 0


def test_what_a_card_says_is_called_unchecked(shop: Workshop, capsys: Captured) -> None:
    shop.build()
    assert main.run(["kit", "list", "--to", "vault"]) == 0
    shown = capsys.readouterr()
    assert "complete by its card" in shown.out
    assert "This is what the cards say" in shown.err
    assert main.run(["kit", "card", "--to", "vault"]) == 0
    assert "This is what the card says" in capsys.readouterr().err
    assert main.run(["kit", "list", *identity(shop)]) == 0
    shown = capsys.readouterr()
    assert "by its card" not in shown.out
    assert "not checked" not in shown.err


FOREIGN: list[Callable[[dict[str, Any]], None]] = [
    lambda it: it.update(created_at="2026-11-01T00:00:00"),
    lambda it: it.update(created_at="9999-12-31T23:59:59Z"),
    lambda it: it.update(created_at=-1e18),
    lambda it: it.update(rpo=-1),
    lambda it: it.update(rpo=1e300),
    lambda it: it.update(objects=it["objects"] * 2),
    lambda it: it.update(parts=it["parts"] * 2),
    lambda it: it["objects"][0].update(size=-1),
    lambda it: it["objects"][0].update(size=10**400),
    lambda it: it["objects"][0].update(path="kits/another/objects/x.age"),
    lambda it: it["fingerprints"].update(salt="no hex"),
    lambda it: it.clear(),
]


@pytest.mark.parametrize("edit", FOREIGN)
def test_a_manifest_of_odd_shape_is_damage(shop: Workshop, edit: Callable[[dict[str, Any]], None]) -> None:
    kit = shop.build().card.kit
    change_manifest(shop, kit, edit)
    with pytest.raises(CheckFailed, match=r"manifest\.json\.age is damaged"):
        opened(shop, kit)
    assert not Examination.of(shop.store, kit, shop.keys, shop.work, lambda done, total: None).sound


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": 1, "created_at": 1e999}', '{"format": "one"}', "NaN"])
def test_a_card_of_odd_shape_is_damage(shop: Workshop, text: str) -> None:
    kit = shop.build().card.kit
    (place(shop, kit) / "card.json").write_text(text)
    assert [line.state for line in KitLine.all(shop.store)] == ["damaged"]
    assert opened(shop, kit).kit == kit


def test_one_damaged_object_is_counted_once(shop: Workshop, capsys: Captured) -> None:
    built = shop.build()
    path = shop.root / "vault" / next(one.path for one in built.manifest.objects if one.name == "media.json")
    path.write_bytes(path.read_bytes()[:-20])
    assert main.run(["kit", "check", *identity(shop)]) == 1
    shown = capsys.readouterr().out
    assert "1 damaged or missing object" in shown
    assert shown.count("DAMAGE:") == 1
    assert main.run(["kit", "check", *identity(shop), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["damaged"], len(found["findings"]), found["opened"]) == (1, 1, True)
    age = datetime.fromisoformat(found["created_at"])
    assert age == built.manifest.created_at


@pytest.mark.parametrize(
    "said", [{"objects": 1}, {"bytes": 1}, {"complete": False}, {"recipients": ["x"]}, {"rpo": 1.0}]
)
def test_whatever_a_card_says_otherwise_is_a_finding(shop: Workshop, said: dict[str, Any]) -> None:
    built = shop.build()
    change_card(shop, built.card.kit, **said)
    reader = opened(shop, built.card.kit)
    assert "differs from the manifest" in reader.doubts[0].message
    assert reader.card == built.card


@pytest.mark.parametrize("what", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_a_damaged_object(shop: Workshop, what: Callable[[Path], None]) -> None:
    built = shop.build()
    name = next(one.path for one in built.manifest.objects if one.name == "config.json")
    (shop.root / "vault" / name).unlink()
    what(shop.root / "vault" / name)
    with pytest.raises(CheckFailed, match=r"\.age is damaged: it is a"):
        opened(shop, built.card.kit).config()
    found = Examination.of(shop.store, built.card.kit, shop.keys, shop.work, lambda done, total: None)
    assert [one.name for one in found.lost] == [name]


def test_a_directory_that_cannot_be_a_kit_is_never_the_newest(shop: Workshop) -> None:
    kit = shop.build().card.kit
    shutil.copytree(place(shop, kit), place(shop, "zzz"))
    assert find(shop.store, None) == kit
