"""A platform that refuses to tell its releases is not an unknown outcome: nothing was sent yet."""

from __future__ import annotations

from pathlib import Path

from rehearsal import Rehearsal
from uscdr.errors import ExitCode


def test_a_refusal_is_said_as_it_is(tmp_path: Path) -> None:
    run = Rehearsal(tmp_path)
    run.world.faults["releases", 1] = "refused"
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert ending.code is ExitCode.FAILED
    assert ending.error is not None
    assert "forbidden" in ending.error.message
    assert run.world.writes == []
