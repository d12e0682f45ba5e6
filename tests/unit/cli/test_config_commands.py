"""`uscdr config`: which file is used and why, what is in effect, every error of a file, its schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from uscdr.cli import main
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load

ROOT = Path(__file__).parents[3]
GOOD = packaged().read_text()
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USCDR_CONFIG", "USCDR_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEROKU_API_KEY", "HRKU-hunter2")
    monkeypatch.setenv("USCDR_SCRATCH", "postgres://u:hunter2@127.0.0.1:1/x")
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def test_the_file_in_use_is_the_first_line_and_the_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    users = tmp_path / "config" / "uscdr" / "scenarios.yaml"
    assert main.run(["config", "path"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"used: {packaged()} (packaged with uscdr)",
        f"not used: {users} (in your configuration directory; it does not exist)",
    ]
    users.parent.mkdir(parents=True)
    users.write_text("[")  # no file is read
    monkeypatch.setenv("USCDR_CONFIG", str(tmp_path / "own.yaml"))
    Path("scenarios.yaml").write_text("[")
    assert main.run(["--config", "given.yaml", "config", "path"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"used: {tmp_path / 'given.yaml'} (named by --config; it does not exist)",
        f"not used: {tmp_path / 'own.yaml'} (named by USCDR_CONFIG; it does not exist)",
        f"not used: {users} (in your configuration directory)",
        f"not used: {packaged()} (packaged with uscdr)",
        "The scenarios.yaml in this directory is not used. To use it: uscdr --config ./scenarios.yaml …",
    ]
    assert main.run(["--json", "config", "path"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["why"], row["used"], row["exists"]) for row in rows] == [
        ("named by USCDR_CONFIG", True, False),
        ("in your configuration directory", False, True),
        ("packaged with uscdr", False, True),
        ("in the current directory", False, True),
    ]


def test_what_is_in_effect_could_be_its_own_file(tmp_path: Path, capsys: Captured) -> None:
    assert main.run(["config", "show"]) == 0
    shown = capsys.readouterr().out
    assert "hunter2" not in shown
    path = tmp_path / "again.yaml"
    path.write_text(shown)
    again, first = load(path).config, load(packaged()).config
    for name in set(type(first).model_fields) - {"checks", "scenarios"}:
        assert getattr(again, name) == getattr(first, name), name
    assert dict(again.scenarios) == dict(first.scenarios)
    other = {name for name in first.checks if again.checks[name] != first.checks[name]}
    assert other == {"published-passwords"}  # whose passwords are masked
    assert "  rpo: 4h\n" in shown
    assert "    steady: 30s\n" in shown  # a default


def test_only_the_named_target_is_shown(tmp_path: Path, capsys: Captured) -> None:
    two = GOOD.replace("\n  production:\n", "\n  staging: {heroku: {app: other}}\n  production:\n", 1)
    (tmp_path / "own.yaml").write_text(two)
    assert main.run(["--config", "own.yaml", "--target", "staging", "--json", "config", "show"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert list(yaml.safe_load(row["configuration"])["targets"]) == ["staging"]
    assert row["target"] == "staging"
    assert main.run(["--config", "own.yaml", "--target", "nowhere", "config", "show"]) == 2
    assert "no target “nowhere”" in capsys.readouterr().err


def test_a_valid_file_says_what_it_has(capsys: Captured) -> None:
    Path("clinic.yaml").write_text(GOOD)
    assert main.run(["config", "check", "clinic.yaml"]) == 0
    shown = capsys.readouterr()
    assert "clinic.yaml is valid: 1 target (production), 6 scenarios (db, app, media, infra, dns," in shown.out
    assert main.run(["--json", "config", "check", "clinic.yaml"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["valid"], row["targets"], row["why"]) == (True, ["production"], "named by --config")


def test_every_error_of_a_file_is_shown_with_line_and_column(capsys: Captured) -> None:
    text = GOOD.replace("rpo: 4h", "rpo: 4x", 1).replace("singletons: [beat]", "singletons: beat", 1)
    text = text.replace("\nmasking:\n", "\nmasking:\n  zzz: 1\n", 1).replace("use: media.look", "use: media.loook", 1)
    Path("clinic.yaml").write_text(f"{text}odd: 1\n")
    assert main.run(["config", "check", "clinic.yaml"]) == 2
    shown = capsys.readouterr().err
    lines = [line for line in shown.splitlines() if "clinic.yaml:" in line]
    assert len(lines) == 5
    for word, line in zip(("4h", "singletons", "zzz", "loook", "odd"), lines, strict=True):
        assert word in line
    assert "scenarios.yaml" not in shown
    assert main.run(["--json", "config", "check", "clinic.yaml"]) == 2
    *rows, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row, line in zip(rows, lines, strict=True):
        assert f"{row['file']}:{row['line']}:{row['column']}: {row['message']}" in line
    assert last["error"]["exit_code"] == 2


def test_the_schema_is_the_one_of_the_pages(capsys: Captured) -> None:
    Path("own.yaml").write_text("[")
    assert main.run(["--config", "own.yaml", "config", "schema"]) == 0
    assert capsys.readouterr().out == (ROOT / "docs" / "scenarios.schema.json").read_text()
