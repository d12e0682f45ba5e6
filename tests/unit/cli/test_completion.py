"""Completion by the shell: words of the tree, and values that this machine knows without a network."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from documented import every
from uscdr.cli import main
from uscdr.cli.app import program
from uscdr.cli.completing import completions
from uscdr.cli.drill import KINDS
from uscdr.cli.known_values import _settings

Captured = pytest.CaptureFixture[str]
RUN = "20261129T110425Z-db-49c21c"
CONFIG = """\
targets: {production: {heroku: {app: usc-pis}}, second: {heroku: {app: other}}}
kit: {to: KITS}
checks: {homepage: {kind: http}, dynos: {kind: dynos}}
checklists: {db: {title: Database}, app: {title: Application}}
scenarios: {db: {title: Loss}, media: {title: Files}}
exercises: [{name: contacts-review, title: Contacts}]
"""


def journal(target: str, seen: str, *, typed: str = "", identity: str = "") -> str:
    """A journal of a run for which somebody typed the name of a backup, and which saw another one."""
    request = {"backup": typed or None, "key": f"https://api.example usc-pis {identity}".rstrip()}
    begun = {"kind": "run.started", "target": target, "app": "usc-pis", "request": request}
    saw = {"kind": "step.succeeded", "result": {"chosen": [{"name": seen}], "addon": {"id": f"addon-{target}"}}}
    return "".join(json.dumps({"event": event}) + "\n" for event in (begun, saw))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that knows one run with a backup, a kit and an incident, and has no network."""

    def refuse(*arguments: object) -> NoReturn:
        raise AssertionError("completion asks nobody")

    state = tmp_path / "state"
    (state / "runs" / RUN).mkdir(parents=True)
    (state / "runs" / RUN / "journal.jsonl").write_text(journal("production", "b017", typed="b999"))
    (state / "incidents" / "20261129T1104-db").mkdir(parents=True)
    (tmp_path / "kits" / "kits" / "20261128T000000Z-usc-pis").mkdir(parents=True)
    (tmp_path / "kits" / "kits" / "20261128T000000Z-usc-pis" / "manifest.json.age").write_text("x")
    (tmp_path / "scenarios.yaml").write_text(CONFIG.replace("KITS", str(tmp_path / "kits")))
    monkeypatch.setenv("USCDR_STATE_DIR", str(state))
    monkeypatch.setenv("USCDR_CONFIG", str(tmp_path / "scenarios.yaml"))
    monkeypatch.setenv("USCDR_TARGET", "production")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    _settings.cache_clear()
    return state


def words(line: str) -> list[str]:
    return [one for one, _ in completions(program(), shlex.split(line) + ([""] if line.endswith(" ") else []))]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("recover d", ["db"]),
        ("--target sandbox recover d", ["db"]),
        ("-q --json recover --no-color d", ["db"]),
        ("backup s", ["status", "schedule"]),
        ("recover db --dry", ["--dry-run"]),
        ("recover db --dry-run --dry", []),
        ("recover db --backup b0", ["b017"]),
        ("recover db --backup=b0", ["--backup=b017"]),
        ("backup prove b0", ["b017"]),
        ("kit check 2026", ["20261128T000000Z-usc-pis"]),
        ("recover infra --kit ", ["20261128T000000Z-usc-pis", "newest"]),
        ("runs show ", [RUN]),
        ("runs show x ", []),
        ("incident status ", ["20261129T1104-db"]),
        ("incident note --incident ", ["20261129T1104-db"]),
        ("--target ", ["production", "sandbox", "second"]),
        ("recover db --target s", ["sandbox", "second"]),
        ("verify ", ["all", "app", "db"]),
        ("verify all ", ["dynos", "homepage"]),
        ("verify all dynos h", ["homepage"]),
        ("runbook ", ["db", "media"]),
        ("drill record ", ["contacts-review"]),
        ("drill app --how ", list(KINDS["app"])),
        ("sandbox break m", ["media"]),
        ("sandbox break infra --how ", ["app-gone", "addon-gone", "account-locked"]),
        ("kit build --without ", ["media", "dump"]),
        ("completion ", ["bash", "fish", "zsh"]),
        ("help backup pr", ["prove", "prune"]),
        ("help env", ["environment"]),
        ("recover db --identity ", []),
        ("nonsense dr", ["drill"]),
    ],
)
def test_what_may_stand_there(line: str, wanted: list[str]) -> None:
    assert words(line) == wanted


def stored(place: Path, name: str, content: Mapping[str, object]) -> None:
    (place / name).parent.mkdir(parents=True)
    (place / name).write_text(json.dumps(content))


def sandbox(state: Path, identity: str) -> None:
    stored(state, "sandbox/sandbox.json", {"identity": identity, "heroku": {"app": "usc-pis"}})


def past_run(state: Path, run: str, text: str) -> None:
    (state / "runs" / run).mkdir(parents=True)
    (state / "runs" / run / "journal.jsonl").write_text(text)


def test_only_backups_that_were_seen_of_the_target_are_offered(state: Path) -> None:
    past_run(state, "20261129T120000Z-db-1", journal("sandbox", "b021", identity="removed"))
    past_run(state, "20261129T130000Z-db-2", journal("sandbox", "b022", identity="running"))
    past_run(state, "20261129T140000Z-db-3", journal("second", "b023"))
    assert words("recover db --backup b") == ["b017"]
    assert words("recover db --target sandbox --backup b") == []
    sandbox(state, "running")
    assert words("recover db --target sandbox --backup b") == ["b022"]
    assert words("--target=sandbox recover db --backup b") == ["b022"]
    assert words("recover db --backup b") == ["b017"]


def test_proofs_and_copies_count_for_the_target_they_are_of(state: Path) -> None:
    vault = state / "vault"
    for number, (identity, addon) in enumerate([("", ""), ("removed", ""), (None, "addon-production"), (None, "x")]):
        sha, app = f"sha{number}", "usc-pis"
        if identity is not None:
            proof = {"app": app, "identity": identity, "backup": f"b10{number}", "sha256": sha}
            stored(vault, f"proofs/{sha}/1.json", proof)
        origin = {"app": app, "name": f"b11{number}", "addon_id": addon}
        stored(vault, f"backups/{number}/card.json", {"origin": origin, "dump": {"plain_sha256": sha}})
    assert words("backup prove b") == ["b017", "b100", "b110", "b112"]


def test_every_command_and_option_has_a_description() -> None:
    for path, command in every():
        found = completions(program(), [*path, "-"]) + (
            completions(program(), [*path, ""]) if not command.params else []
        )
        assert found, path
        assert all(said for one, said in found if one.startswith("--")), path


def test_a_broken_configuration_and_no_state_complete_nothing(state: Path, tmp_path: Path) -> None:
    (tmp_path / "scenarios.yaml").write_text("a: [")
    shutil.rmtree(state)
    assert words("verify ") == []
    assert words("runs show ") == []
    assert words("recover d") == ["db"]


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A directory with a program `uscdr`."""
    place = tmp_path / "bin" / "uscdr"
    place.parent.mkdir()
    start = "import sys; from uscdr.cli.main import main; sys.argv[0] = 'uscdr'; main()"
    place.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{start}" "$@"\n')
    place.chmod(0o755)
    return place.parent


def script(name: str, capsys: Captured) -> str:
    assert main.run(["completion", name]) == 0
    return capsys.readouterr().out


def run(program: list[str], text: str, path: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}
    return subprocess.run(program, input=text, capture_output=True, text=True, timeout=120, check=False, env=env)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_is_one_of_its_shell(name: str, shell: Path, capsys: Captured) -> None:
    text = script(name, capsys)
    assert "_USCDR_COMPLETE=1" in text
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed here")
    done = run([name, "--no-execute" if name == "fish" else "-n"], text, shell)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("uscdr recover d", "db"),
        ("uscdr --target sandbox recover d", "db"),
        ("uscdr recover db --backup b", "b017"),
        ("uscdr recover db --backup = b", "b017"),
        ("uscdr recover db --dry", "--dry-run"),
        ("uscdr runs show ''", RUN),
        ("uscdr nonsense zzz", ""),
    ],
)
def test_a_real_bash_completes(typed: str, wanted: str, shell: Path, capsys: Captured) -> None:
    asks = f"COMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _uscdr_completion uscdr\n"
    done = run(["bash", "--norc"], script("bash", capsys) + asks + 'printf "%s\\n" "${COMPREPLY[@]}"\n', shell)
    assert (done.stdout.strip(), done.stderr) == (wanted, "")


@pytest.mark.parametrize(
    "arguments", [["recover", "\x1b[2J"], ["recover", "db", "--backup", ""], ["--config", "/nowhere", "verify", ""]]
)
def test_the_program_says_nothing_but_words(arguments: list[str], shell: Path) -> None:
    env = {**os.environ, "_USCDR_COMPLETE": "1", "USCDR_PING": "http://127.0.0.1:9/x"}
    done = subprocess.run(
        [shell / "uscdr", *arguments], capture_output=True, text=True, timeout=60, check=False, env=env
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all("\t" in line for line in done.stdout.splitlines())


def test_a_command_line_is_not_run(shell: Path, state: Path) -> None:
    before = sorted(state.rglob("*"))
    env = {**os.environ, "_USCDR_COMPLETE": "1"}
    subprocess.run(
        [shell / "uscdr", "recover", "db", "--dry-run"], capture_output=True, timeout=60, check=True, env=env
    )
    assert sorted(state.rglob("*")) == before
