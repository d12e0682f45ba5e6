"""After any recovery of the database one command puts the state before it back, damaged as it may have been."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import Data, FakeDatabase, clinic
from rehearsal import Rehearsal
from uscdr.errors import ExitCode
from uscdr.models.data_settings import Invariant
from uscdr.models.postgres import InvariantResult
from uscdr.models.transfers import TransferKind, TransferState

BACK = "Way back to the state before this recovery: uscdr --target production recover db --backup "


def recovered(run: Rehearsal, backup: str | None = None, *, anew: bool = False) -> ExitCode:
    run.request = replace(run.request, backup=backup, anew=anew)
    ending = run.begin()
    assert ending is not None
    return ending.code


def way_back(run: Rehearsal) -> str:
    """The backup that the last screen names."""
    told = [task for task in run.events("run.finished")[-1]["follow_up"] if task.startswith(BACK)]
    assert len(told) == 1
    return str(told[0].removeprefix(BACK))


def summary(run: Rehearsal, step: str) -> str:
    return str(next(one["summary"] for one in run.events("plan.ready")[-1]["steps"] if one["id"] == step))


def damage(run: Rehearsal, how: str) -> Data:
    """The live database as it is before the recovery."""
    tables = run.world.live.tables
    if how == "a table is gone":
        del tables["patients_patient"]
    if how == "too few rows":
        tables["patients_patient"] = dict.fromkeys(range(60, 70), 1)
    return deepcopy(run.world.live)


@pytest.mark.parametrize("how", ["nothing is broken", "a table is gone", "too few rows"])
def test_the_state_before_is_put_back_row_by_row_and_then_the_backup_again(quick: Path, how: str) -> None:
    run = Rehearsal(quick)
    before = damage(run, how)
    assert recovered(run) is ExitCode.DONE
    kept = way_back(run)
    assert "`uscdr recover db --backup NAME`" in summary(run, "safety")
    assert recovered(run, kept) is ExitCode.DONE
    assert run.world.live.tables.get("patients_patient") == before.tables.get("patients_patient")
    (asked,) = [one for one in run.events("gate.asked") if one["step"] == "restore"]
    assert f" {kept} DAMAGED lose " in asked["phrase"]
    assert "of a DAMAGED state" in asked["facts"]["backup taken"]
    assert "taken from damaged data" in json.dumps(run.events("note"))
    assert "is damaged" in next(one["reason"] for one in run.events("step.skipped") if one["step"] == "fresh")
    assert recovered(run, "b001") is ExitCode.DONE
    assert run.world.live.tables["patients_patient"] == clinic().tables["patients_patient"]


def test_a_damaged_state_that_does_not_restore_is_refused_before_users_are_shut_out(quick: Path) -> None:
    run = Rehearsal(quick)
    assert recovered(run) is ExitCode.DONE
    kept = way_back(run)
    run.world.dumps[int(kept[1:])] = Data()
    writes = len(run.world.writes)
    run.request = replace(run.request, backup=kept)
    ending = run.begin()
    assert ending is not None
    assert ending.error is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert f"heroku pg:backups:download {kept} --app usc-pis" in ending.error.next_action
    assert len(run.world.writes) == writes


def test_a_damaged_state_is_never_put_back_by_itself(quick: Path) -> None:
    run = Rehearsal(quick)
    damage(run, "too few rows")
    assert recovered(run) is ExitCode.DONE
    assert recovered(run) is ExitCode.DONE
    assert way_back(run) != "b001"
    (asked,) = [one for one in run.events("gate.asked") if one["step"] == "restore"]
    assert "DAMAGED" not in asked["phrase"]


def test_a_backup_that_breaks_and_was_no_capture_of_a_damaged_state_stays_refused(quick: Path) -> None:
    run = Rehearsal(quick)
    damage(run, "too few rows")
    run.world.store(TransferKind.MANUAL_BACKUP)
    assert recovered(run, "b002") is ExitCode.CHECK_FAILED
    assert run.world.restores == []


def test_what_breaks_after_the_restore_and_did_not_in_the_capture_keeps_users_out(quick: Path) -> None:
    run = Rehearsal(quick)
    assert recovered(run) is ExitCode.DONE
    kept = way_back(run)
    sound = FakeDatabase.invariants

    def broken(self: FakeDatabase, asked: Sequence[Invariant]) -> tuple[InvariantResult, ...]:
        found = sound(self, asked)
        restored = len(run.world.restores) > 1 and self._fixed is None
        return tuple(one.model_copy(update={"holds": False}) for one in found) if restored else found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeDatabase, "invariants", broken)
        assert recovered(run, kept) is ExitCode.CHECK_FAILED
    assert run.world.maintenance


def test_a_run_that_failed_after_the_restore_names_the_way_back_too(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.doom = [TransferState.COMPLETED, TransferState.FAILED]
    assert recovered(run) is ExitCode.FAILED
    assert way_back(run) == "b002"


def test_without_a_capture_the_last_screen_says_that_there_is_no_way_back(quick: Path) -> None:
    run = Rehearsal(quick)
    run.request = replace(run.request, safety_capture=False)
    run.begin(dry_run=True)
    assert "nothing can bring it back after the restore" in summary(run, "safety")
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert (
        "No way back: the state before this recovery was not captured." in run.events("run.finished")[-1]["follow_up"]
    )


def test_a_run_that_restored_nothing_names_no_way_back(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.doom = [TransferState.FAILED]
    assert recovered(run) is ExitCode.FAILED
    assert "ay back" not in json.dumps(run.events("run.finished")[-1]["follow_up"])


def test_the_new_backup_does_not_push_the_way_back_out(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.keep = 1
    run.world.transfers[-1] = run.world.transfers[-1].model_copy(
        update={"kind": TransferKind.SCHEDULED_BACKUP, "name": "a001"}
    )
    assert recovered(run) is ExitCode.DONE
    kept = way_back(run)
    assert kept in [one.name for one in run.world.transfers]
    skipped = next(one for one in run.events("step.skipped") if one["step"] == "fresh")
    assert f"would drop {kept}" in skipped["reason"]
