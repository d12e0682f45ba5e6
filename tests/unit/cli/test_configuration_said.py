"""What the first line on stderr says of the configuration, and which keys are warned of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uscdr.cli import main
from uscdr.cli.options import GlobalOptions
from uscdr.commands.housekeeping import warn_exposed
from uscdr.scenarios.config_file import packaged

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
FIRST = "Configuration: {} (named by --config) decides where requests go: targets.production.heroku.api_url (line 4)."
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


@pytest.mark.parametrize("command", [["runbook"], ["kit", "list"], ["verify", "--list"]])
def test_the_same_file_unnamed_is_not_used_and_that_is_said_in_a_line(command: list[str], capsys: Captured) -> None:
    assert main.run(command) == 0
    shown = capsys.readouterr()
    assert "decides" not in shown.err
    assert [line for line in shown.err.splitlines() if "uscdr --config ./scenarios.yaml" in line] == [
        "The scenarios.yaml in this directory is not used. To use it: uscdr --config ./scenarios.yaml …"
    ]
    assert main.run(["--quiet", *command]) == 0
    assert "scenarios.yaml" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("named", "why"),
    [("--config", "named by --config"), ("USCDR_CONFIG", "named by USCDR_CONFIG"), ("", "packaged with uscdr")],
)
def test_the_first_line_of_a_run_names_the_file_and_why(
    named: str, why: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    path = Path("own.yaml").absolute() if named else packaged()
    Path("scenarios.yaml").rename("own.yaml")
    Path("own.yaml").write_text(SMALL.replace(', api_url: "http://127.0.0.1:9"', "").replace("kit: {to: kits}\n", ""))
    if named == "USCDR_CONFIG":
        monkeypatch.setenv("USCDR_CONFIG", "own.yaml")
    chosen = ["--config", "own.yaml"] if named == "--config" else []
    for command in (["recover", "app"], ["verify"], ["runs", "resume"], ["backup", "capture"]):
        main.run([*chosen, *command])
        assert capsys.readouterr().err.splitlines()[0] == f"Configuration: {path} ({why})."
    main.run([*chosen, "--quiet", "verify"])
    assert "Configuration" not in capsys.readouterr().err


@pytest.mark.parametrize("command", [["runbook"], ["verify"], ["recover", "db"], ["backup", "list"], ["kit", "list"]])
def test_every_command_tells_all_that_is_wrong_with_the_file(command: list[str], capsys: Captured) -> None:
    Path("own.yaml").write_text(SMALL.replace("rto: 2h", "rto: 2x") + "odd: 1\nmasking: {zzz: 1}\n")
    assert main.run(["--config", "own.yaml", *command]) == 2
    shown = capsys.readouterr()
    assert [line for line in ("own.yaml:2:23: ", "own.yaml:11:1: ", "own.yaml:12:11: ") if line not in shown.err] == []
    assert "scenarios.yaml in the sources" not in shown.err
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
    targets = GlobalOptions(Path("scenarios.yaml")).targets(output)
    assert targets.find().token_source == str(netrc)
    targets.find()
    warn_exposed(output, key)
    shown = capsys.readouterr().err
    for one in (key, netrc):
        assert shown.count(f"Other users can read {one}. Run: chmod 600 {one}") == 1, shown
    assert "canary" not in shown


def test_a_rebuild_names_the_configuration_once(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops before the first request: the kit's key is missing."""
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    main.run(["recover", "infra", "--kit", "newest", "--dry-run"])
    shown = capsys.readouterr().err
    assert "without the identity file" in shown
    assert shown.count("Configuration:") == 1
