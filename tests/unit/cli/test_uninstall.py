"""`uscdr self uninstall`: it lists, and removes only what it may, when nothing is under way."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from uscdr.cli import main
from uscdr.commands import uninstall as module

Captured = pytest.CaptureFixture[str]
KEY = "# created: 2026-11-23\nAGE-SECRET-KEY-1ABC\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with one of everything, and a configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "USCDR_SHARED", "USCDR_AGE_IDENTITY", "USCDR_VAULT_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    state = tmp_path / "state"
    monkeypatch.setenv("USCDR_STATE_DIR", str(state))
    for name in ("locks/a.lock", "source/repo/HEAD", "baselines/b.json", "vault/kits/k/manifest", "outbox/i/n1.txt",
                 "exercises/records/r.json", "mine.txt"):  # fmt: skip
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text("x" * 100)
    config = tmp_path / ".config" / "uscdr"
    config.mkdir(parents=True)
    (config / "identity.txt").write_text(KEY)
    return state


def phrase(capsys: Captured, *more: str) -> str:
    """The one that the command wants."""
    assert main.run(["self", "uninstall", "--state", *more]) == 4
    found = re.search(r"--confirm '([^']+)'", capsys.readouterr().err)
    assert found
    return found[1]


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


def test_it_lists_and_changes_nothing(place: Path, capsys: Captured) -> None:
    before = sorted(place.parent.rglob("*"))
    assert main.run(["self", "uninstall"]) == 0
    shown = capsys.readouterr()
    assert "kits and copies of backups" in shown.out
    assert "not of uscdr" in shown.out
    assert "pip uninstall uscdr" in shown.out
    assert "To remove the state: uscdr self uninstall --state" in shown.err
    assert sorted(place.parent.rglob("*")) == before


def test_as_json_each_thing_is_one_line(place: Path, capsys: Captured) -> None:
    assert main.run(["--json", "self", "uninstall"]) == 0
    *items, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    fates = {Path(one["path"]).name: one["with_state"] for one in items}
    assert fates == {
        "locks": "removed", "source": "removed", "baselines": "removed", "vault": "kept", "mine.txt": "kept",
        "outbox": "journals", "exercises": "journals", "uscdr": "kept",
    }  # fmt: skip
    assert {one["bytes"] for one in items if Path(one["path"]).parent == place} == {100}
    assert "uninstall" in last["program"]


def test_without_the_phrase_nothing_goes(place: Path, capsys: Captured) -> None:
    before = sorted(place.rglob("*"))
    wanted = phrase(capsys)
    assert wanted.endswith(" remove 3 files")
    assert main.run(["self", "uninstall", "--state", "--confirm", wanted.replace("3", "4")]) == 4
    assert sorted(place.rglob("*")) == before


def test_with_it_the_state_goes_and_journals_keys_and_kits_stay(place: Path, capsys: Captured) -> None:
    wanted = phrase(capsys)
    assert main.run(["self", "uninstall", "--state", "--confirm", wanted]) == 0
    assert names(place) == {"vault", "mine.txt", "outbox", "exercises"}
    assert (place.parent / ".config" / "uscdr" / "identity.txt").read_text() == KEY


def test_journals_go_only_when_it_is_said(place: Path, capsys: Captured) -> None:
    kept, gone = phrase(capsys), phrase(capsys, "--journals", "remove")
    assert kept != gone
    assert main.run(["self", "uninstall", "--state", "--journals", "remove", "--confirm", kept]) == 4
    assert main.run(["self", "uninstall", "--state", "--journals", "remove", "--confirm", gone]) == 0
    assert names(place) == {"vault", "mine.txt"}


def test_an_unfinished_run_keeps_everything(place: Path, capsys: Captured) -> None:
    run = place / "runs" / "20261123T031500Z-db-4f2a9c"
    run.mkdir(parents=True)
    (run / "journal.jsonl").write_text("torn")
    before = sorted(place.rglob("*"))
    assert main.run(["self", "uninstall", "--state", "--journals", "remove"]) == 2
    assert f"The run {run.name} is not finished." in capsys.readouterr().err
    assert sorted(place.rglob("*")) == before


def test_a_sandbox_keeps_everything(place: Path, capsys: Captured) -> None:
    (place / "sandbox").mkdir()
    assert main.run(["self", "uninstall", "--state"]) == 2
    assert "uscdr sandbox down" in capsys.readouterr().err
    assert "locks" in names(place)


def test_a_command_that_runs_keeps_everything(place: Path, capsys: Captured) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        assert main.run(["self", "uninstall", "--state"]) == 6
    finally:
        os.close(descriptor)
    assert "locks" in names(place)


@pytest.mark.parametrize("where", ["source/repo/key.txt", "baselines/id_ed25519"])
def test_a_private_key_is_never_removed(place: Path, capsys: Captured, where: str) -> None:
    (place / where).write_text(KEY if where.endswith("txt") else "-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert main.run(["self", "uninstall", "--state"]) == 2
    assert "holds a private key" in capsys.readouterr().err
    assert "locks" in names(place)


def test_nor_is_the_file_that_the_environment_names(
    place: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "source" / "words").write_text("correct horse")
    monkeypatch.setenv("USCDR_VAULT_PASSPHRASE_FILE", str(place / "source" / "words"))
    assert main.run(["self", "uninstall", "--state"]) == 2
    assert "passphrase" in capsys.readouterr().err


def test_a_link_stays(place: Path, capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (place / "attempts").symlink_to(tmp_path / "elsewhere")
    wanted = phrase(capsys)
    assert main.run(["self", "uninstall", "--state", "--confirm", wanted]) == 0
    assert "attempts" in names(place)
    assert (tmp_path / "elsewhere" / "file").exists()


def test_at_a_terminal_it_asks_for_the_journals(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answering:
        interactive = True
        manner = "typed"

        def __init__(self, output: object, *, unanswered: Callable[[], str]) -> None:
            del output
            assert unanswered() == "uscdr removed nothing."

        def choose(self, question: str, options: tuple[str, ...]) -> str:
            assert "evidence" in question
            return "remove"

        def confirm_phrase(self, facts: dict[str, str], phrase: str) -> bool:
            assert facts["Kept"].startswith("not of uscdr")
            assert phrase.endswith("journals too")
            return True

    monkeypatch.setattr(module, "Prompter", Answering)
    assert main.run(["self", "uninstall", "--state"]) == 0
    assert names(place) == {"vault", "mine.txt"}


def test_options_without_state_are_refused(place: Path) -> None:
    assert main.run(["self", "uninstall", "--journals", "remove"]) == 2


def test_a_machine_without_state(place: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USCDR_STATE_DIR", str(place / "none"))
    assert main.run(["self", "uninstall", "--state"]) == 0
    assert "There is no state" in capsys.readouterr().err
    assert not (place / "none").exists()
