"""A refusal names a next step that exists and leads on, and says what is lost by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes import clinic
from rehearsal import Rehearsal
from uscdr.engine.conduct import Ending
from uscdr.errors import ExitCode
from uscdr.models.heroku import TransferState

FAILED = TransferState.FAILED


def ended(ending: Ending | None) -> tuple[ExitCode, str]:
    assert ending is not None
    assert ending.error is not None
    return ending.code, ending.error.next_action


@pytest.mark.parametrize("refused", ["transfer", "resumed", "at once"])
def test_a_damaged_state_that_cannot_be_captured_is_gone_past_in_words_and_without_a_capture(
    quick: Path, refused: str
) -> None:
    run = Rehearsal(quick)
    run.request = replace(run.request, backup="b001")
    before = dict(run.world.formation)
    if refused == "at once":
        run.world.faults["capture", 1] = "conflict"
    run.world.doom = [FAILED] * 2
    code, advice = ended(run.begin())
    if refused == "resumed":
        code, advice = ended(run.resume())
    assert code is ExitCode.FAILED
    assert "uscdr recover db --backup b001 --without-safety-capture --new" in advice
    assert "lost for good: rows written since b001 was taken" in advice
    assert run.world.maintenance
    run.request = replace(run.request, safety_capture=False, anew=True)
    run.world.doom.clear()
    ending = run.begin()
    assert ending is not None
    assert (ending.code, ending.error) == (ExitCode.DONE, None)
    end = run.world.end_state()
    assert (end["maintenance"], end["formation"]) == (False, before)
    assert run.world.live.tables["patients_patient"] == clinic().tables["patients_patient"]


def test_a_new_backup_that_fails_at_the_end_says_that_only_the_backup_is_missing(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.doom = [TransferState.COMPLETED, TransferState.COMPLETED, FAILED]
    code, advice = ended(run.begin())
    assert code is ExitCode.FAILED
    assert "only a new backup is missing: uscdr backup capture" in advice


def test_a_restore_that_fails_names_another_backup(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.doom = [TransferState.COMPLETED, FAILED]
    code, advice = ended(run.begin())
    assert code is ExitCode.FAILED
    assert "uscdr runs resume" in advice
    assert "uscdr recover db --backup NAME --new" in advice
