"""Getting parts out of a kit: whole private files, nothing overwritten, no name trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit_world import COMMIT, PATIENT, SECRET, Workshop
from uscdr.errors import BadInput, CheckFailed, Interrupted, MachineError
from uscdr.kit.build import Built
from uscdr.kit.export import NAMELESS, Extracted, extract
from uscdr.kit.manifest import ObjectKind, StoredObject
from uscdr.kit.reader import KitReader
from uscdr.models.media import AssetKey
from uscdr.scenarios.config import MediaSettings
from uscdr.scenarios.media.copies import FolderFiles


def take(shop: Workshop, built: Built, into: Path, *parts: ObjectKind, step: Any = None) -> tuple[Extracted, ...]:
    def opened(work: Path) -> KitReader:
        return KitReader(shop.store, built.card.kit, shop.keys, work)

    return extract(opened, parts, into, step or (lambda *_: None))


def files(into: Path) -> set[str]:
    return {path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file()}


def test_every_part_comes_out(shop: Workshop, tmp_path: Path) -> None:
    into = shop.root / "out"
    done = take(shop, shop.build(), into)
    assert [one.part for one in done] == ["app", "config", "dns", "dump", "source", "media"]
    assert PATIENT.encode() in (into / "database.dump").read_bytes()
    values = json.loads((into / "config.json").read_text())
    assert values == {"PGP_ENCRYPTION_KEY": SECRET, "DEBUG": "", "TWO_LINES": "one\ntwo Ω"}
    assert (into / "source.tar.gz").read_bytes() == shop.code.content
    assert json.loads((into / "app.json").read_text())["commit"] == COMMIT
    originals = {str(one.public_id): data for one, data in shop.cloud.files.items()}
    for name, data in originals.items():
        raw = name.endswith("5")
        assert (into / "media" / (name if raw else f"{name}.jpg")).read_bytes() == data
    everything = list(into.rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in everything if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (into, *everything) if path.is_dir()} == {0o700}
    assert not [path for path in everything if path.name.startswith(".")]


def test_one_part_is_one_part(shop: Workshop) -> None:
    into = shop.root / "out"
    (done,) = take(shop, shop.build(), into, "config")
    assert (done.part, done.files) == ("config", 1)
    assert files(into) == {"config.json"}


def test_the_list_of_recipients_comes_out_as_it_went_in(shop: Workshop) -> None:
    file = shop.root / "audience.age"
    file.write_bytes(b"age-encryption.org/v1 whatever")
    built = shop.build(audience=file)
    assert built.card.complete == shop.build().card.complete
    assert "audience" not in {one.name for one in built.manifest.parts}
    take(shop, built, shop.root / "out", "audience")
    assert (shop.root / "out" / "audience.age").read_bytes() == file.read_bytes()
    assert "audience" in {one.part for one in take(shop, built, shop.root / "all")}
    with pytest.raises(BadInput, match="has no audience"):
        take(shop, shop.build(), shop.root / "none", "audience")


def test_media_can_be_recovered_from_the_folder(shop: Workshop) -> None:
    into = shop.root / "out"
    take(shop, shop.build(), into, "media")
    found = FolderFiles(into / "media", MediaSettings(prefix="media/")).inventory()
    assert {one for one in shop.cloud.files if one.resource_type == "image"} <= set(found)


@pytest.mark.parametrize("taken", ["database.dump", "config.json", "media/media/canary-file 1.jpg"])
def test_what_is_there_is_left_alone_and_nothing_is_written(shop: Workshop, taken: str) -> None:
    into = shop.root / "out"
    (into / taken).parent.mkdir(parents=True)
    (into / taken).write_text("mine")
    with pytest.raises(BadInput) as caught:
        take(shop, shop.build(), into)
    assert files(into) == {taken}
    assert (into / taken).read_text() == "mine"
    assert "canary" not in str(caught.value) + caught.value.message


def test_a_link_is_not_followed(shop: Workshop) -> None:
    into, elsewhere = shop.root / "out", shop.root / "elsewhere"
    into.mkdir()
    elsewhere.mkdir()
    (into / "media").symlink_to(elsewhere)
    with pytest.raises(MachineError, match="could not rename a file"):
        take(shop, shop.build(), into, "media")
    assert list(elsewhere.iterdir()) == []
    (into / "config.json").symlink_to(elsewhere / "config.json")
    with pytest.raises(BadInput):
        take(shop, shop.build(), into, "config")
    assert list(elsewhere.iterdir()) == []


def test_a_file_in_place_of_the_directory(shop: Workshop) -> None:
    into = shop.root / "out"
    into.write_text("mine")
    with pytest.raises(MachineError, match="uscdr cannot write to"):
        take(shop, shop.build(), into)
    assert into.read_text() == "mine"


def test_a_part_that_the_kit_has_not(shop: Workshop) -> None:
    built = shop.build(without=frozenset({"dump"}))
    with pytest.raises(BadInput, match="has no dump"):
        take(shop, built, shop.root / "out", "config", "dump")
    assert files(shop.root / "out") == set()
    assert "dump" not in [one.part for one in take(shop, built, shop.root / "all")]


def test_damage_leaves_no_half_of_a_file(shop: Workshop) -> None:
    built = shop.build()
    reader = shop.read(built)
    found = reader.find("database.dump")
    assert found
    path = shop.root / "vault" / found.path
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CheckFailed, match="is damaged"):
        take(shop, built, shop.root / "out", "dump")
    assert files(shop.root / "out") == set()


@pytest.mark.parametrize("name", ["../outside", "/etc/x", ".hidden", "a/b", "", "x\ny"])
def test_an_object_with_another_place_for_a_name_is_refused(
    shop: Workshop, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = KitReader.__init__

    def forged(self: KitReader, *given: Any) -> None:
        real(self, *given)
        objects = (*self.manifest.objects, StoredObject.model_validate({
            **self.manifest.objects[0].model_dump(), "kind": "dns", "name": name,
        }))  # fmt: skip
        self.manifest = self.manifest.model_copy(update={"objects": objects})

    built = shop.build()
    monkeypatch.setattr(KitReader, "__init__", forged)
    with pytest.raises(CheckFailed, match="not a valid file name"):
        take(shop, built, shop.root / "out", "dns")
    assert files(shop.root / "out") == set()


def test_media_with_ids_that_are_no_paths_are_named_by_digests(shop: Workshop) -> None:
    strange = ("../../escaped", "/absolute", "a//b", ".hidden/x", "n\0ul", "back\\slash", "l" * 300, "line\nbreak")
    for number, name in enumerate(strange):
        shop.cloud.files[AssetKey(resource_type="image", public_id=name)] = b"strange %d" % number
    into = shop.root / "deep" / "out"
    (done,) = take(shop, shop.build(), into, "media")
    assert done.nameless == len(strange)
    assert len(list((into / "media" / NAMELESS).iterdir())) == len(strange)
    assert len(files(into)) == done.files == len(strange) + 6 + 1
    assert {path.name for path in (shop.root / "deep").iterdir()} == {"out"}


def test_two_media_of_one_name_both_come_out(shop: Workshop) -> None:
    shop.cloud.files = {
        AssetKey(resource_type="image", public_id="media/x"): b"image",
        AssetKey(resource_type="raw", public_id="media/x.jpg"): b"raw",
    }
    into = shop.root / "out"
    (done,) = take(shop, shop.build(), into, "media")
    assert done.nameless == 1
    contents = {path.read_bytes() for path in (into / "media").rglob("*") if path.is_file()}
    assert contents == {b"image", b"raw"}


def test_stopped_it_leaves_whole_files_only_and_no_scratch(shop: Workshop) -> None:
    into = shop.root / "out"

    def stop(part: str, number: int, total: int) -> None:
        if part == "source":
            raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        take(shop, shop.build(), into, step=stop)
    assert {"app.json", "config.json", "dns.json", "database.dump"} <= files(into)
    assert not [one for one in into.iterdir() if one.name.startswith(".")]
