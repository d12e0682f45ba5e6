"""The options of every command: before it, after it, anywhere; an error knows them, too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from documented import every, parsed
from uscdr.cli import app, main
from uscdr.cli.global_options import gives
from uscdr.cli.options import GlobalOptions, options
from uscdr.errors import ExitCode

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEROKU_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


ALL = GlobalOptions(Path("x.yaml"), "sandbox", json_lines=True, quiet=True, verbose=True, color=False)


@pytest.mark.parametrize(
    "words",
    [
        "--config x.yaml --target sandbox --json -q -v --no-color recover db --dry-run",
        "recover --config x.yaml --target sandbox --json -q -v --no-color db --dry-run",
        "recover db --config x.yaml --target sandbox --json -q -v --no-color --dry-run",
        "--json --config=x.yaml recover -qv db --target=sandbox --no-color",
        "--target sandbox recover db --target sandbox --config x.yaml --json --json --quiet --verbose --no-color",
        "kit check newest --json -qv --no-color --target sandbox --config x.yaml",
    ],
)
def test_they_stand_anywhere(words: str) -> None:
    assert options(parsed(words.split())) == ALL


def test_every_command_takes_them() -> None:
    for path, command in every():
        context = command.context_class(command)
        assert {"--config", "--target", "--json", "-q", "-v", "--no-color"} <= {
            name for one in command.get_params(context) for name in one.opts
        }, path
        assert not any(one.name in ("as_json", "json") for one in command.params), path


@pytest.mark.parametrize(
    "words",
    [
        "--target a recover db --target b",
        "recover db --target a --target b",
        "recover --target a db --target b",
        "--config a.yaml runbook --config b.yaml",
    ],
)
def test_two_different_values_are_bad_input(words: str, capsys: Captured) -> None:
    assert main.run(words.split()) == ExitCode.BAD_INPUT
    assert "is given twice: a" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("runs frob --json", True),
        ("--json frob", True),
        ("frob --json", True),
        ("recover db --frob --json", True),
        ("recover db --json --backup", True),
        ("recover db --backup --json", False),
        ("recover db --backup=b001 --json", True),
        ("--target --json recover db", False),
        ("incident note -- --json", False),
        ("incident open --what --json", False),
        ("incident open --what --json --json", True),
        ("incident note -q --json text text", True),
    ],
)
def test_an_error_is_json_only_if_the_option_was_given(words: str, wanted: bool, capsys: Captured) -> None:
    assert gives(words.split(), "--json", app.program()) is wanted
    code = main.run(words.split())
    assert code in (ExitCode.BAD_INPUT, ExitCode.FAILED)  # the second without credentials
    shown = capsys.readouterr()
    if wanted:
        (line,) = shown.out.splitlines()
        assert json.loads(line)["error"]["exit_code"] == code
        assert "Error: " not in shown.err
    else:
        assert shown.out == ""
        assert "Error: " in shown.err


@pytest.mark.parametrize("words", [["runs"], ["kit"], []])
def test_a_group_without_a_command_is_one_error_in_json(words: Sequence[str], capsys: Captured) -> None:
    assert main.run([*words, "--json"]) == ExitCode.BAD_INPUT
    (line,) = capsys.readouterr().out.splitlines()
    assert "needs a command" in json.loads(line)["error"]["message"]


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["version"], ["-q", "--version"], ["version", "--no-color"]])
def test_the_version(words: Sequence[str], capsys: Captured) -> None:
    assert main.run(words) == 0
    assert capsys.readouterr().out.startswith("uscdr 0.")
    assert main.run(["--json", *words]) == 0
    assert json.loads(capsys.readouterr().out)["version"]
