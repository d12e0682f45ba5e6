"""`uscdr kit check | list | card` as a person or a script calls them, without any configuration or credentials."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from kit_world import PATIENT, SECRET, Workshop, key, new_key
from uscdr.cli import main
from uscdr.providers.source.git import published
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.yaml_tree import parse

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _nobody(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEROKU_API_KEY", "USCDR_AGE_IDENTITY", "USCDR_KIT_RECIPIENTS", "USCDR_CONFIG", "USCDR_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USCDR_STATE_DIR", str(shop.root / "state"))
    monkeypatch.chdir(shop.root)


def configure(**settings: object) -> None:
    """The packaged scenarios with a `kit` section, in this directory."""
    document = parse(packaged(), packaged().read_bytes()).value
    Path("scenarios.yaml").write_text(json.dumps({**document, "kit": settings}, default=str))


def test_a_path_is_enough(shop: Workshop, capsys: Captured) -> None:
    built = shop.build()
    path = shop.root / "vault" / "kits" / built.card.kit
    assert main.run(["kit", "check", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "all checksums match" in shown
    assert "NOT CHECKED: the contents" in shown
    assert main.run(["kit", "card", str(path)]) == 0
    assert built.card.manifest_sha256 in capsys.readouterr().out


def test_with_the_identity_parts_and_ages_are_listed_and_nothing_else(
    shop: Workshop, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = shop.build()
    monkeypatch.setenv("USCDR_AGE_IDENTITY", str(shop.identity_file))
    assert main.run(["kit", "check", built.card.kit[:16], "--to", "vault"]) == 0
    shown = capsys.readouterr()
    assert "decrypted every object" in shown.out
    assert all(part in shown.out for part in ("app", "config", "dns", "dump", "source", "media"))
    assert not any(canary in shown.out + shown.err for canary in (SECRET, PATIENT, "canary-file"))
    assert list(shop.work.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "checkout", "ignored", "said"),
    [
        (0o600, False, False, ()),
        (0o644, False, False, ("Other users can read",)),
        (0o600, True, False, ("which does not ignore it",)),
        (0o600, True, True, ()),
        (0o640, True, False, ("Other users can read", "which does not ignore it")),
    ],
)
def test_a_key_that_is_ill_kept_is_warned_of(
    shop: Workshop, capsys: Captured, mode: int, checkout: bool, ignored: bool, said: tuple[str, ...]
) -> None:
    built = shop.build()
    shop.identity_file.chmod(mode)
    if checkout:
        subprocess.run(["git", "init", "--quiet", str(shop.identity_file.parent)], check=True)
    if ignored:
        (shop.identity_file.parent / ".gitignore").write_text(f"{shop.identity_file.name}\n")
    path, key_file = str(shop.root / "vault" / "kits" / built.card.kit), str(shop.identity_file)
    assert main.run(["kit", "check", path, "--identity", key_file]) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warning: ")]
    assert len(warnings) == len(said)
    assert all(words in warning for words, warning in zip(said, warnings, strict=True))


def test_an_ignored_key_that_is_tracked_all_the_same_is_warned_of(shop: Workshop) -> None:
    place, git = shop.identity_file.parent, ("git", "-C", str(shop.identity_file.parent))
    (place / ".gitignore").write_text("*\n")
    for command in (("git", "init", "--quiet", str(place)), (*git, "add", "--force", shop.identity_file.name)):
        subprocess.run(command, check=True)
    assert "would publish it" in published(shop.identity_file, os.environ)
    assert published(place / "gone.txt", os.environ) == ""


def test_what_is_missing_costs_exit_1_and_says_what_cannot_be_rebuilt(shop: Workshop, capsys: Captured) -> None:
    shop.world.faults["config_vars", 1] = "refused"
    shop.build()
    assert main.run(["kit", "check", "--to", "vault"]) == 1
    assert "INCOMPLETE by its card" in capsys.readouterr().out
    assert main.run(["kit", "check", "--to", "vault", "--identity", str(shop.identity_file)]) == 1
    shown = capsys.readouterr().out
    assert "This kit cannot rebuild config" in shown
    assert "forbidden" in shown


def test_damage_costs_exit_1(shop: Workshop, capsys: Captured) -> None:
    built = shop.build()
    path = shop.root / "vault" / built.manifest.objects[0].path
    path.write_bytes(path.read_bytes()[1:])
    assert main.run(["kit", "check", "--to", "vault", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["sound"], found["opened"], found["parts"]) == (False, False, None)
    assert path.name in found["findings"][0]


def test_a_wrong_identity_is_bad_input(shop: Workshop, capsys: Captured) -> None:
    shop.build()
    Path("other.txt").write_text(new_key()[1])
    assert main.run(["kit", "check", "--to", "vault", "--identity", "other.txt"]) == 2
    assert "does not decrypt this kit" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "card"])
def test_no_kit_or_no_such_kit_is_bad_input(shop: Workshop, capsys: Captured, command: str) -> None:
    assert main.run(["kit", command, "--to", "vault"]) == 2
    shop.build()
    assert main.run(["kit", command, "nonsense", "--to", "vault"]) == 2
    assert main.run(["kit", command, "../../etc", "--to", "vault"]) == 2
    capsys.readouterr()


def test_an_unclear_beginning_is_bad_input(shop: Workshop, capsys: Captured) -> None:
    shop.build()
    shop.build()
    assert main.run(["kit", "check", "2", "--to", "vault"]) == 2
    assert "2 kits in" in capsys.readouterr().err


def test_the_list_shows_unfinished_kits_too(shop: Workshop, capsys: Captured) -> None:
    shop.cloud.broken = {key(1)}
    first, second = shop.build(), shop.build()
    (shop.root / "vault" / "kits" / second.card.kit / "manifest.json.age").unlink()
    assert main.run(["kit", "list", "--to", "vault", "--json"]) == 0
    states = {line["kit"]: line["state"] for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert states == {first.card.kit: "incomplete", second.card.kit: "unfinished"}


def test_what_a_kit_is_called_is_no_line_of_the_list(shop: Workshop, capsys: Captured) -> None:
    """Whoever may write to the store calls it anything."""
    made = shop.root / "vault" / "kits" / "20280101T000000Z-x\n20280102T000000Z-usc-pis-1: complete"
    made.mkdir(parents=True)
    (made / "manifest.json.age").write_bytes(b"x")
    assert main.run(["kit", "list", "--to", "vault"]) == 0
    shown = capsys.readouterr()
    assert not [line for line in (shown.out + shown.err).splitlines() if line.startswith("20280102")]


def test_the_store_of_the_configuration_is_used(shop: Workshop, capsys: Captured) -> None:
    built = shop.build()
    configure(to=str(shop.root / "vault"), recipients=[shop.public])
    assert main.run(["--config", "scenarios.yaml", "kit", "list"]) == 0
    assert built.card.kit in capsys.readouterr().out


def test_a_private_key_in_the_configuration_is_refused_and_not_repeated(shop: Workshop, capsys: Captured) -> None:
    secret = new_key()[1]
    configure(recipients=[secret])
    assert main.run(["--config", "scenarios.yaml", "kit", "list"]) == 2
    shown = capsys.readouterr()
    assert "a recipient is a public key" in shown.err
    assert secret not in shown.out + shown.err


@pytest.mark.parametrize("words", [["vault"], ["vault:newest"], ["newest", "--to", "vault"], ["--kit", "vault"]])
@pytest.mark.parametrize("command", ["check", "card", "list"])
def test_the_words_for_a_store_and_its_newest_kit_work_in_every_command(
    shop: Workshop, capsys: Captured, command: str, words: list[str]
) -> None:
    built = shop.build()
    assert main.run(["kit", command, *words]) == 0
    assert built.card.kit in capsys.readouterr().out


def test_the_words_work_where_a_kit_is_restored(shop: Workshop, capsys: Captured) -> None:
    shop.build()
    for number, word in enumerate(("vault", "vault:newest")):
        into = shop.root / f"files-{number}"
        given = ["--part", "app", "--into", str(into), "--identity", str(shop.identity_file)]
        assert main.run(["kit", "restore", word, *given]) == 0
        assert list(into.iterdir()) != []


def test_a_list_of_a_store_has_every_kit_and_of_a_kit_that_one(shop: Workshop, capsys: Captured) -> None:
    first, second = shop.build().card.kit, shop.build().card.kit
    assert main.run(["kit", "list", "vault"]) == 0
    every = capsys.readouterr().out
    assert first in every
    assert second in every
    assert main.run(["kit", "list", f"vault:{first}"]) == 0
    one = capsys.readouterr().out
    assert first in one
    assert second not in one


def test_a_word_that_is_neither_kit_nor_store_is_said(shop: Workshop, capsys: Captured) -> None:
    shop.build()
    assert main.run(["kit", "check", "vualt"]) == 2
    shown = capsys.readouterr().err
    assert "There is no store “vualt” in this directory." in shown
    assert not Path("vualt").exists()


@pytest.mark.parametrize("to", ["newest", "vault:newest", "s3://safe:20261123T031500Z-usc-pis-4f2a9c"])
def test_a_kit_is_not_taken_for_a_store(shop: Workshop, capsys: Captured, to: str) -> None:
    assert main.run(["kit", "check", "--to", to]) == 2
    assert "--to names a store, but" in capsys.readouterr().err
