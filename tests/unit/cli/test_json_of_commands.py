"""Commands with --json on the platform in memory: which objects each prints. Their fields are held to the schemas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rehearsal import Rehearsal
from uscdr.cli import main


@pytest.fixture
def place(quick: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(quick / "config"))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    monkeypatch.setenv("USER", "ada")
    monkeypatch.chdir(quick)
    return quick


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("verify --list", {"check"}),
        ("runbook db", {"runbook-step"}),
        ("backup list", {"backup"}),
        ("backup status", {"rpo"}),
        ("backup schedule --to safe", {"schedule"}),
        ("incident open --what broken", {"incident-status"}),
        ("incident list", set()),
        ("incident check", {"overdue"}),
        ("drill due", {"exercise", "exercise-finding"}),
        ("drill list", set()),
        ("runs show", {"error"}),
        ("sandbox status", {"sandbox-status"}),
    ],
)
def test_what_a_command_prints(place: Path, capsys: pytest.CaptureFixture[str], line: str, kinds: set[str]) -> None:
    with Rehearsal(place)._in_haste():
        code = main.run([*line.split(), "--json"])
    read = capsys.readouterr()
    told = [json.loads(one)["schema"] for one in read.out.splitlines()]
    assert set(told) == {f"uscdr.{kind}.v1" for kind in kinds}, (code, read)


@pytest.mark.parametrize("line", [["--version", "--json"], ["--json", "-V"], ["version", "--json"]])
def test_the_version_is_an_object_wherever_json_stands(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(line) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "uscdr.version.v1"
