"""The database recovery, uninterrupted, on the fake platform."""

from __future__ import annotations

from pathlib import Path

from fakes import clinic
from rehearsal import Rehearsal
from uscdr.errors import ExitCode


def test_a_whole_recovery_ends_verified_with_everything_put_back(tmp_path: Path) -> None:
    run = Rehearsal(tmp_path)
    ending = run.begin()
    assert ending is not None
    assert (ending.code, ending.error) == (ExitCode.DONE, None)
    end = run.world.end_state()
    assert end["restores"] == 1
    assert end["formation"] == {"web": 2, "worker": 3, "beat": 1, "cron": 0}
    assert end["maintenance"] is False
    assert end["one_offs"] == []
    assert run.world.live.tables["patients_patient"] == clinic().tables["patients_patient"]
    assert run.events()[-1]["outcome"] == "done"
    assert len(run.person.phrases) == 1
