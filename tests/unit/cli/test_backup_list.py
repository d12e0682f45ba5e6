"""Listing backups waits for nobody: another command's workplace is its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from rehearsal import Rehearsal
from uscdr import cleanup
from uscdr.cli import main


def test_two_listings_do_not_share_a_workplace(
    quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    monkeypatch.chdir(quick)
    run = Rehearsal(quick)
    used: list[str] = []
    real = cleanup.workplace

    def workplace(state: Path, name: str) -> AbstractContextManager[Path]:
        used.append(name)
        return real(state, name)

    monkeypatch.setattr(cleanup, "workplace", workplace)
    with run._in_haste():
        assert main.run(["backup", "list"]) == 0
        assert main.run(["backup", "list", "--json"]) == 0
    assert "b001" in capsys.readouterr().out
    assert len(set(used)) == 2
