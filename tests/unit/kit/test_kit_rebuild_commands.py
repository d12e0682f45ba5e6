"""`uscdr kit check`, `card --html` and `restore`, as a person or cron calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from fakes import APP
from kit_world import CANARIES, PATIENT, SECRET, Workshop
from uscdr.cli import main
from uscdr.errors import BadInput
from uscdr.kit.manifest import KitContact
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.config_targets import HerokuTarget, TargetConfig
from uscdr.scenarios.loader import load
from uscdr.scenarios.yaml_tree import parse
from uscdr.wiring.kits import pinned
from uscdr.wiring.target import Target

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _nobody(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEROKU_API_KEY", "USCDR_AGE_IDENTITY", "USCDR_KIT_RECIPIENTS", "USCDR_CONFIG", "USCDR_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USCDR_STATE_DIR", str(shop.root / "state"))
    monkeypatch.chdir(shop.root)


def test_a_minimum_is_for_cron(shop: Workshop, capsys: Captured) -> None:
    shop.build()
    assert main.run(["kit", "check", "--to", "vault", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["freshness"]
    score = found["score"]
    assert 0 < score < 100
    assert main.run(["kit", "check", "--to", "vault", "--minimum", str(score)]) == 0
    capsys.readouterr()
    assert main.run(["kit", "check", "--to", "vault", "--minimum", str(score + 1)]) == 1
    assert f"BELOW THE MINIMUM of {score + 1}" in capsys.readouterr().out
    assert main.run(["kit", "check", "--to", "vault", "--json", "--minimum", str(score + 1)]) == 1
    assert json.loads(capsys.readouterr().out)["fresh_enough"] is False
    assert main.run(["kit", "check", "--to", "vault", "--minimum", "101"]) == 2


def test_without_an_identity_it_says_what_it_could_not_look_at(shop: Workshop, capsys: Captured) -> None:
    shop.build(rpo=14400.0)
    assert main.run(["kit", "check", "--to", "vault"]) == 0
    shown = capsys.readouterr().out
    assert "NOT CHECKED: the contents (pass --identity FILE)" in shown
    assert "more unknown" in shown
    assert "not asked (--online)" in shown


def test_damage_is_no_freshness(shop: Workshop, capsys: Captured) -> None:
    built = shop.build()
    (shop.root / "vault" / built.manifest.objects[0].path).unlink()
    assert main.run(["kit", "check", "--to", "vault", "--minimum", "0", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["freshness"]["score"] == 0


def test_a_card_that_was_changed_is_found_with_the_identity(shop: Workshop, capsys: Captured) -> None:
    built = shop.build(unproven=True)
    path = shop.root / "vault" / "kits" / built.card.kit / "card.json"
    card = json.loads(path.read_text())
    card["dump"]["grade"] = "encrypted columns decrypt"
    path.write_text(json.dumps(card))
    assert main.run(["kit", "check", "--to", "vault", "--identity", str(shop.identity_file)]) == 1
    assert "it differs from the manifest" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["vault:{}", "vault:newest", "vault", "vault/kits/{}", "{}"])
def test_every_way_to_name_a_kit(shop: Workshop, capsys: Captured, form: str) -> None:
    kit = shop.build().card.kit
    named = form.format(kit)
    place = ["--to", "vault"] if form == "{}" else []
    named = f"./{named}" if named == "vault" else named
    assert main.run(["kit", "card", named, *place]) == 0
    assert kit in capsys.readouterr().out
    assert main.run(["kit", "check", "--kit", named, *place]) == 0
    capsys.readouterr()


def test_a_kit_named_twice_is_bad_input(shop: Workshop, capsys: Captured) -> None:
    shop.build()
    assert main.run(["kit", "check", "newest", "--kit", "newest", "--to", "vault"]) == 2
    assert main.run(["kit", "check", "vault:newest", "--to", "vault"]) == 2
    assert "names the store twice" in capsys.readouterr().err


def test_credentials_in_a_place_are_refused_and_not_repeated(shop: Workshop, capsys: Captured) -> None:
    for place in ("s3://key:canary-password@bucket", "s3://key:canary-password@bucket/x"):
        assert main.run(["kit", "check", place]) == 2
        assert main.run(["kit", "list", "--to", place]) == 2
        shown = capsys.readouterr()
        assert "canary-password" not in shown.out + shown.err


def test_the_page_has_contacts_of_the_configuration_or_of_the_kit(shop: Workshop, capsys: Captured) -> None:
    shop.build(contacts=(KitContact(role="Lead", name="Grace", how="+1 555 0100"),))
    document = parse(packaged(), packaged().read_bytes()).value
    contacts = [{"role": "Lead", "name": "Ada", "how": "+63 2 1234"}]
    Path("scenarios.yaml").write_text(json.dumps({**document, "contacts": contacts}, default=str))
    assert main.run(["--config", "scenarios.yaml", "kit", "card", "--html", "--to", "vault"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("<!doctype html>")
    assert "+63 2 1234" in page
    assert main.run(["kit", "card", "--html", "--to", "vault", "--identity", str(shop.identity_file)]) == 0
    opened = capsys.readouterr().out
    assert "+1 555 0100" in opened
    assert "Ada" not in opened
    assert not [canary for canary in CANARIES if canary in page + opened]


def test_a_card_prints_without_a_configuration_that_can_be_read(shop: Workshop, capsys: Captured) -> None:
    shop.build()
    Path("scenarios.yaml").write_text("version: [")
    assert main.run(["--config", "scenarios.yaml", "kit", "card", "--html", "vault:newest"]) == 0
    shown = capsys.readouterr()
    assert "What to type" in shown.out
    assert "has no contacts" in shown.err


def test_parts_come_out_and_are_said_to_be_in_the_clear(shop: Workshop, capsys: Captured) -> None:
    shop.build()
    opened = ["--kit", "vault:newest", "--identity", str(shop.identity_file), "--into", "out"]
    assert main.run(["kit", "restore", *opened, "--part", "config", "--part", "dump", "--json"]) == 0
    shown = capsys.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert [line["part"] for line in lines] == ["config", "dump"]
    assert "NOT ENCRYPTED" in shown.err
    assert json.loads(Path("out/config.json").read_text())["PGP_ENCRYPTION_KEY"] == SECRET
    assert PATIENT.encode() in Path("out/database.dump").read_bytes()
    assert not [canary for canary in (SECRET, PATIENT, "canary-file") if canary in shown.out + shown.err]
    assert main.run(["kit", "restore", *opened, "--part", "config"]) == 2
    assert "already contains config.json" in capsys.readouterr().err


def test_nothing_comes_out_without_the_identity(shop: Workshop, capsys: Captured) -> None:
    shop.build()
    assert main.run(["kit", "restore", "vault:newest", "--into", "out"]) == 2
    assert not Path("out").exists()
    assert "--identity" in capsys.readouterr().err


def place_of(app: str = APP, identity: str = "", to: str | None = None) -> Target:
    config = load(packaged()).config
    config = config.model_copy(update={"kit": config.kit.model_copy(update={"to": to})})
    target = TargetConfig(heroku=HerokuTarget(app=app))
    return Target("production", target, config, "digest", SecretStr("token"), "test", None, None, identity=identity)


def test_a_run_is_bound_to_the_kit_that_it_was_begun_with(shop: Workshop) -> None:
    first = shop.build().card.kit
    state = shop.root / "state"
    named = pinned("vault:newest", place_of(), state, {})
    assert named == f"{shop.root / 'vault'}:{first}"
    assert pinned("vault", place_of(), state, {}) == named
    shop.build()
    assert pinned(named, place_of(), state, {}) == named
    assert pinned(first, place_of(to=str(shop.root / "vault")), state, {}) == named
    with pytest.raises(BadInput):
        pinned("newest", place_of(), state, {})


def test_the_newest_kit_is_this_places_and_another_one_is_taken_only_by_name(shop: Workshop) -> None:
    state, ours = shop.root / "state", shop.build().card.kit
    theirs = shop.build(app="billing").card.kit
    of_sandbox = shop.build(identity="4f2a9c").card.kit
    assert pinned("vault:newest", place_of(), state, {}).endswith(ours)
    assert pinned("vault:newest", place_of("billing"), state, {}).endswith(theirs)
    assert pinned("vault:newest", place_of(identity="4f2a9c"), state, {}).endswith(of_sandbox)
    with pytest.raises(BadInput, match="There is no kit of usc-pis") as refused:
        pinned("vault:newest", place_of(identity="another"), state, {})
    assert "--kit ID" in refused.value.next_action
    assert pinned(f"vault:{theirs}", place_of(), state, {}).endswith(theirs)
