"""What the first line on stderr says of the configuration, and which keys are warned of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uscdr.cli import main
from uscdr.cli.options import GlobalOptions
from uscdr.commands.housekeeping import warn_exposed

SMALL = """\
version: 1
objectives: {rpo: 4h, rto: 2h}
app: {name: usc-pis}
targets: {production: {heroku: {app: usc-pis, api_url: "http://127.0.0.1:9"}}}
kit: {to: kits}
scenarios:
  dns:
    title: Domain
    budget: {assess: 10m, recover: 60m}
    steps: [{use: dns.rollback}]
"""
FIRST = "Configuration: {} decides where requests go: targets.production.heroku.api_url (line 4)."
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEROKU_API_KEY", "USCDR_CONFIG", "USCDR_TARGET", "USCDR_AGE_IDENTITY", "USCDR_VAULT_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    Path("scenarios.yaml").write_text(SMALL)


@pytest.mark.parametrize("command", [["runbook"], ["runbook", "--json"], ["kit", "list"], ["backup", "list"]])
def test_the_file_that_decides_is_named_first_and_once(command: list[str], capsys: Captured) -> None:
    main.run(["--config", "scenarios.yaml", *command])
    shown = capsys.readouterr()
    assert shown.err.splitlines()[0] == FIRST.format(Path("scenarios.yaml").absolute())
    assert shown.err.count("decides where requests go") == 1
    assert "decides" not in shown.out


def test_json_stays_one_object_a_line(capsys: Captured) -> None:
    assert main.run(["--config", "scenarios.yaml", "runbook", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)


@pytest.mark.parametrize("command", [["runbook"], ["kit", "list"], ["backup", "list"], ["verify", "--list"]])
def test_the_same_file_unnamed_is_refused_by_every_command(command: list[str], capsys: Captured) -> None:
    assert main.run(command) == 2
    shown = capsys.readouterr()
    assert "targets.production.heroku.api_url (line 4)" in shown.err
    assert "uscdr --config ./scenarios.yaml" in shown.err
    assert shown.out == ""


def test_keys_that_others_can_read_are_warned_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    key, netrc = tmp_path / "identity.txt", tmp_path / ".netrc"
    key.write_text("AGE-SECRET-KEY-1")
    netrc.write_text("machine api.heroku.com login a password HRKU-canary\n")
    for one in (key, netrc):
        one.chmod(0o644)
    monkeypatch.setenv("USCDR_AGE_IDENTITY", str(key))
    text = SMALL.replace(', api_url: "http://127.0.0.1:9"', "")
    Path("scenarios.yaml").write_text(text)
    output = GlobalOptions().output()
    targets = GlobalOptions().targets(output)
    assert targets.find().token_source == str(netrc)
    targets.find()
    warn_exposed(output, key)
    shown = capsys.readouterr().err
    for one in (key, netrc):
        assert shown.count(f"Other users can read {one}. Run: chmod 600 {one}") == 1, shown
    assert "canary" not in shown
