"""What is left for people fits how the run ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal import Rehearsal
from uscdr.checks.kinds.http import HttpCheck
from uscdr.errors import ExitCode
from uscdr.models.transfers import TransferState
from uscdr.report.objectives import build
from uscdr.report.summary import summarise
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load

CLAIMS = ("is restored", "is recovered", "works again")


def tasks(run: Rehearsal) -> tuple[str, ...]:
    """But for the way back, which is this run's own."""
    return tuple(task for task in run.events("run.finished")[-1]["follow_up"] if not task.startswith("Way back"))


def test_a_recovery_that_is_done_leaves_the_tasks_of_one_that_is_done(quick: Path) -> None:
    run = Rehearsal(quick)
    run.begin()
    assert tasks(run) == run.config.scenarios["db"].follow_up
    assert any(claim in " ".join(tasks(run)) for claim in CLAIMS)


def test_a_missed_objective_changes_no_task_for_the_service_is_restored(quick: Path) -> None:
    run = Rehearsal(quick)
    objectives = run.config.objectives.model_copy(update={"rpo": 60.0})
    run.config = run.config.model_copy(update={"objectives": objectives})
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert tasks(run) == run.config.scenarios["db"].follow_up


@pytest.mark.parametrize("failed_at", ["capture", "restore"])
def test_a_run_that_failed_tells_nobody_that_the_service_is_restored(quick: Path, failed_at: str) -> None:
    run = Rehearsal(quick)
    doom = {"capture": 0, "restore": 1}[failed_at]
    run.world.doom = [*[TransferState.COMPLETED] * doom, TransferState.FAILED]
    run.begin()
    assert tasks(run) == run.config.scenarios["db"].if_it_fails
    shown = summarise(build(tuple(_records(run)), last_hash=""))
    assert "not restored yet" in shown
    assert not any(claim in shown for claim in CLAIMS)


def test_only_the_new_backup_is_missing(quick: Path) -> None:
    """The data are back and users are in: that is said, with the command for the rest, also after a second failure."""
    run = Rehearsal(quick)
    run.world.doom = [TransferState.COMPLETED, TransferState.COMPLETED, TransferState.FAILED, TransferState.FAILED]
    for ending in (run.begin(), run.resume()):
        assert ending is not None
        assert ending.code is ExitCode.FAILED
        assert not run.world.maintenance
        first, *others = tasks(run)
        assert first.startswith("The data is restored and users have access. Only the backup of the recovered")
        assert "uscdr runs resume" in first
        assert "uscdr backup capture" in first
        assert tuple(others) == run.config.scenarios["db"].follow_up
        shown = summarise(build(tuple(_records(run)), last_hash=""))
        assert "not restored yet" not in shown
        assert "The data is restored" in shown
    ending = run.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert tasks(run) == run.config.scenarios["db"].follow_up


def test_a_check_that_failed_before_the_new_backup_is_no_success(quick: Path) -> None:
    run = Rehearsal(quick)
    failing = HttpCheck(kind="http", path="/", contains=("no such words",))
    run.config = run.config.model_copy(update={"checks": {"homepage": failing}})
    run.begin()
    assert tasks(run) == run.config.scenarios["db"].if_it_fails


def _records(run: Rehearsal) -> list[dict[str, object]]:
    from uscdr.journal.reader import Journal

    return list(Journal.read(run.journal_path).records)


@pytest.mark.parametrize("how", ["at the phrase", "at the beginning", "before anything"])
def test_a_run_that_was_declined_leaves_no_task(quick: Path, how: str) -> None:
    run = Rehearsal(quick)
    if how == "at the phrase":
        run.person.types = False
    elif how == "at the beginning":
        run.person.answers["begin"] = "stop"
    else:
        run.person.interactive = False
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DECLINED
    assert tasks(run) == ()


def test_no_task_of_a_failed_run_claims_success() -> None:
    for scenario in load(packaged()).config.scenarios.values():
        assert scenario.if_it_fails
        assert not any(claim in " ".join(scenario.if_it_fails) for claim in CLAIMS)
