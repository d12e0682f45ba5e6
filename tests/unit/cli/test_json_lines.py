"""With --json every line of stdout is one object, whatever the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rehearsal import Rehearsal
from uscdr.cli import main


@pytest.mark.parametrize("command", [("runs", "list"), ("runs", "show"), ("runs", "report"), ("runbook", "db")])
def test_each_line_is_one_object(
    command: tuple[str, ...], quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    with Rehearsal(quick)._in_haste():
        assert main.run(["recover", "db", "--dry-run", "--json"]) == 0
    capsys.readouterr()
    assert main.run(["--json", *command]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)
