"""Commands that may write remove what killed processes left; what only looks, or tells, removes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal import Rehearsal
from uscdr import staging
from uscdr.cli import main


@pytest.fixture
def left(quick: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of a dead process, with a dump; and a database on a server that nobody names."""
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    monkeypatch.chdir(quick)
    place = quick / "scratch" / "left"
    place.mkdir(parents=True)
    (place / "b001.dump").write_text("patients")
    return place


def type_(run: Rehearsal, *arguments: str) -> int:
    with run._in_haste():
        return main.run(arguments)


@pytest.mark.parametrize(
    "command",
    [
        "--help", "--version", "recover db --help", "recover db --dry-run", "--json recover db --dry-run",
        "recover db --dry-run --json", "runs list", "--json runs list", "backup list", "backup list --json",
        "verify all --list", "verify db --skip-manual", "kit list --to kits", "sandbox status", "runbook",
        "recover db --no-such-option",
    ],
)  # fmt: skip
def test_who_looks_removes_nothing(left: Path, quick: Path, command: str) -> None:
    type_(Rehearsal(quick), *command.split())
    assert (left / "b001.dump").read_text() == "patients"


@pytest.mark.parametrize(
    "command", ["recover db", "--json recover db", "runs resume", "backup capture", "backup prove b001", "sandbox down"]
)
def test_who_may_write_removes_it(left: Path, quick: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    note = staging.CleanupNote.write(left, "database", {"server": "db.example:5432", "name": "uscdr_proof_" + "0" * 24})
    type_(Rehearsal(quick), *command.split())
    assert note.path.exists()
    assert not (left / "b001.dump").exists()
    if command != "runs resume":  # there is nothing to resume, and no run to say it in
        said = " ".join("".join(capsys.readouterr()).split())
        assert "db.example:5432" in said
        assert "--scratch" in said
    note.strike()
    type_(Rehearsal(quick), "runs", "resume")
    assert not (quick / "scratch").exists()
