"""A kit is built in a bucket, listed, checked and read there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from obstore.store import S3Store
from store_places import Place

from kit_world import CANARIES, SECRET, Workshop, key
from uscdr.cli import main
from uscdr.engine.wait import Stop
from uscdr.errors import CheckFailed, Interrupted
from uscdr.kit.find import KitLine
from uscdr.kit.reader import KitReader
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.config import KitSettings
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.yaml_tree import parse
from uscdr.store.bucket import ObjectStore
from uscdr.store.directory import LocalStore
from uscdr.wiring.context import RunContext
from uscdr.wiring.kits import open_kit, pinned


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
    (line,) = KitLine.all(shop.store)
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
    assert len(KitLine.all(shop.store)) == 2


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


@pytest.fixture
def desk(shop: BucketShop, monkeypatch: pytest.MonkeyPatch) -> BucketShop:
    """The same machine at the command line."""
    for name in ("HEROKU_API_KEY", "USCDR_AGE_IDENTITY", "USCDR_KIT_RECIPIENTS", "USCDR_CONFIG", "USCDR_TARGET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**shop.kept_in.env, "USCDR_STATE_DIR": str(shop.root / "state")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(shop.root)
    return shop


def test_every_command_works_on_a_bucket(desk: BucketShop, capsys: pytest.CaptureFixture[str]) -> None:
    kit, place = desk.build().card.kit, desk.kept_in.text
    assert main.run(["kit", "list", "--to", place, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kit"] == kit
    assert main.run(["kit", "check", place, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sound"] is True
    opened = ["--identity", str(desk.identity_file)]
    assert main.run(["kit", "check", f"{place}:{kit[:16]}", *opened, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["opened"] is True
    assert main.run(["kit", "card", f"{place}:newest", "--html", *opened]) == 0
    assert f"uscdr recover infra --kit {place}:{kit} --identity FILE" in capsys.readouterr().out
    assert main.run(["kit", "restore", "--kit", f"{place}:newest", "--into", "out", *opened]) == 0
    assert (desk.root / "out" / "database.dump").read_bytes().startswith(b"PGDMP")
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err
    assert main.run(["kit", "check", f"{place}:nonsense"]) == 2


def test_damage_in_the_bucket_costs_exit_1(desk: BucketShop, capsys: pytest.CaptureFixture[str]) -> None:
    built = desk.build()
    desk.store.delete(built.manifest.objects[0].path)
    assert main.run(["kit", "check", desk.kept_in.text, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["freshness"]["score"] == 0


def test_a_run_reads_the_kit_that_it_is_bound_to(desk: BucketShop) -> None:
    """As `recover infra` does: named before the run, opened in it, only to look."""
    built = desk.build()
    config = SimpleNamespace(kit=KitSettings())
    target = SimpleNamespace(heroku=SimpleNamespace(app="usc-pis"))
    place = cast("Any", SimpleNamespace(config=config, services=target, identity=""))
    named = pinned(f"{desk.kept_in.text}:newest", place, desk.root / "state")
    assert named == f"{desk.kept_in.text}:{built.card.kit}"
    context = SimpleNamespace(
        request=Request("infra", kit=named), target=place, identity=desk.identity_file, state=desk.root / "state",
        env=os.environ, stop=Stop(),
    )  # fmt: skip
    reader = open_kit(cast("RunContext", context), desk.work)
    assert reader is not None
    assert (reader.config(), reader.app()) == (desk.read(built).config(), desk.read(built).app())
    with reader.open_object("database.dump") as dump:
        assert dump.read_bytes().startswith(b"PGDMP")
    with reader.open(key(1)) as original:
        assert original.read_bytes() == desk.cloud.files[key(1)]
    context.stop.event.set()
    with pytest.raises(Interrupted), reader.open_object("database.dump"):
        pass


def test_the_place_of_the_configuration_may_be_a_bucket(desk: BucketShop, capsys: pytest.CaptureFixture[str]) -> None:
    kit = desk.build().card.kit
    document = parse(packaged(), packaged().read_bytes()).value
    Path("scenarios.yaml").write_text(json.dumps({**document, "kit": {"to": desk.kept_in.text}}, default=str))
    assert main.run(["--config", "scenarios.yaml", "kit", "check", kit]) == 0
    assert kit in capsys.readouterr().out
