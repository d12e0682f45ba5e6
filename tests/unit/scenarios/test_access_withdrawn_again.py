"""Who was shut out since the backup is shut out after the restore, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal import Rehearsal
from uscdr.errors import ExitCode


def clinic(state: Path) -> Rehearsal:
    """Account 7 was deactivated and 8 lost its rights since b001; session 3 was ended."""
    run = Rehearsal(state)
    run.world.dumps[1].accounts = {key: {"is_active", "is_staff"} for key in range(1, 41)}
    run.world.live.accounts = {key: {"is_active", "is_staff"} for key in range(1, 41)}
    run.world.live.accounts[7] = set()
    run.world.live.accounts[8] = {"is_active"}
    del run.world.live.tables["django_session"][3]
    return run


def plan(run: Rehearsal, step: str) -> str:
    lines = run.events("plan.ready")[-1]["steps"]
    return str(next(line["summary"] for line in lines if line["id"] == step))


def test_the_plan_lists_who_gets_in_again_before_the_phrase(quick: Path) -> None:
    run = clinic(quick)
    run.begin(dry_run=True)
    words = plan(run, "access")
    assert "1 account deactivated since the backup (7)" in words
    assert "2 accounts without is_staff now (7, 8)" in words
    assert "1 row of django_session deleted since the backup" in words
    assert "withdrawn again in this run" in words
    assert run.world.writes == []


def test_they_are_shut_out_again_before_anybody_can_sign_in(quick: Path) -> None:
    run = clinic(quick)
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert run.world.live.accounts[7] == set()
    assert run.world.live.accounts[8] == {"is_active"}
    assert 3 not in run.world.live.tables["django_session"]
    assert len(run.world.live.accounts) == 40
    after = run.world.writes[run.world.writes.index("withdraw") :]
    assert "set_maintenance False" in after
    assert [one for one in after if one.startswith("scale")] != []
    asked = run.events("gate.asked")[0]["facts"]
    assert "1 account deactivated since the backup (7)" in asked["access given back"]


def test_left_as_the_backup_has_it_the_run_is_not_done(quick: Path) -> None:
    run = clinic(quick)
    run.request = run.request.__class__("db", give_access_back=True)
    ending = run.begin()
    assert ending is not None
    assert ending.error is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert "1 account deactivated since the backup (7)" in ending.error.message
    assert run.world.live.accounts[7] == {"is_active", "is_staff"}
    assert not run.world.maintenance


def test_a_flag_that_most_accounts_lost_is_damage_and_comes_back(quick: Path) -> None:
    run = clinic(quick)
    for key in range(1, 41):
        run.world.live.accounts[key] = {"is_staff"}
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert run.world.live.accounts[9] == {"is_active", "is_staff"}
    assert "40 of 40 accounts lost is_active: that looks like damage" in json.dumps(run.events("note"))


@pytest.mark.parametrize("cut", range(1, 60, 4))
def test_a_run_that_is_killed_withdraws_after_all(quick: Path, cut: int) -> None:
    from fakes import Killed

    run = clinic(quick)

    def crash(seq: int, moment: str) -> None:
        if (seq, moment) == (cut, "after"):
            raise Killed

    run.crash = crash
    ending: Any = run.begin()
    run.crash = lambda seq, moment: None
    if ending is None and run.journal_path.exists():
        ending = run.resume()
    if ending is None or ending.code is not ExitCode.DONE:
        return  # it had not begun, and said so
    assert run.world.live.accounts[7] == set()
    assert 3 not in run.world.live.tables["django_session"]
