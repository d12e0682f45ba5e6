"""Arguments that no person can have meant are refused before anything looks at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.cli import main
from uscdr.errors import ExitCode


@pytest.mark.parametrize("text", ["A" * 100_000, "b\udcff001", "b\u202e100", "\u2067b001"])
def test_they_are_refused_in_a_short_message_and_leave_no_trace(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    code = main.run(["--target", "sandbox", "recover", "db", "--backup", text])
    said = capsys.readouterr()
    assert code == ExitCode.BAD_INPUT
    assert "Argument 6 " in said.err
    assert len(said.err) < 400
    assert not (tmp_path / "state").exists()
