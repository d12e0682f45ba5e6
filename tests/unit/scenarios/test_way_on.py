"""A refusal names a next step that exists and leads on, and says what is lost by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes import clinic
from rehearsal import Rehearsal
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode
from uscdr.models.transfers import TransferState

FAILED = TransferState.FAILED


def ended(ending: Outcome | None) -> tuple[ExitCode, str]:
    assert ending is not None
    assert ending.error is not None
    return ending.code, ending.error.next_action


@pytest.mark.parametrize("refused", ["transfer", "resumed", "at once", "for want of a right", "no answer"])
def test_a_damaged_state_that_cannot_be_captured_is_gone_past_in_words_and_without_a_capture(
    quick: Path, refused: str
) -> None:
    run = Rehearsal(quick)
    run.request = replace(run.request, backup="b001")
    before = dict(run.world.formation)
    if refused == "at once":
        run.world.faults["capture", 1] = "conflict"
    if refused == "for want of a right":
        run.world.faults["capture", 1] = "refused"
    if refused == "no answer":
        run.world.faults |= {("capture", number): "lost_before" for number in range(1, 10)}
    run.world.doom = [FAILED] * 2
    code, advice = ended(run.begin())
    if refused == "resumed":
        code, advice = ended(run.resume())
    assert code is (ExitCode.UNKNOWN if refused == "no answer" else ExitCode.FAILED)
    assert "uscdr recover db --backup b001 --without-safety-capture --new" in advice
    assert "only the damaged database holds: rows written since b001" in advice
    assert run.world.maintenance
    run.request = replace(run.request, safety_capture=False, anew=True)
    run.world.doom.clear()
    run.world.faults.clear()
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
    assert "Only a new backup is missing: uscdr backup capture" in advice


def test_a_restore_that_the_platform_never_answers_names_another_backup(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.faults |= {("restore", number): "lost_before" for number in range(1, 10)}
    code, advice = ended(run.begin())
    assert code is ExitCode.UNKNOWN
    assert "restore another backup from `uscdr backup list`: uscdr recover db --backup NAME --new" in advice


def only(run: Rehearsal, *, live: str) -> Rehearsal:
    """One backup there is, and it has no patients; the live database is whole or damaged too."""
    world = run.world
    world.dumps[1].tables["patients_patient"] = {}
    if live == "damaged":
        world.live.tables["patients_patient"] = {}
    run.request = replace(run.request, backup="b001")
    return run


def said(ending: Outcome | None) -> str:
    assert ending is not None
    assert ending.error is not None
    return f"{ending.error.message} {ending.error.next_action}"


def test_without_another_backup_a_whole_database_is_to_be_captured(quick: Path) -> None:
    run = only(Rehearsal(quick), live="whole")
    words = said(run.begin())
    assert "There is no other backup, but the database itself answers and breaks no invariant" in words
    assert "`uscdr backup capture`" in words
    assert run.world.restores == []


def test_without_another_backup_and_with_a_damaged_database_kits_and_the_support_are_named(quick: Path) -> None:
    words = said(only(Rehearsal(quick), live="damaged").begin())
    assert "There is no other backup. A kit may hold one: uscdr kit list" in words


def test_another_backup_that_there_is_is_named(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.store(run.world.transfers[-1].kind)
    words = said(only(run, live="whole").begin())
    assert "Choose another (b002): uscdr recover db --backup b002" in words


@pytest.mark.parametrize("live", ["whole", "damaged"])
def test_without_any_backup_the_next_step_exists(quick: Path, live: str) -> None:
    run = only(Rehearsal(quick), live=live)
    run.request = replace(run.request, backup=None)
    run.world.transfers.clear()
    code, advice = ended(run.begin())
    assert code is ExitCode.BAD_INPUT
    assert ("uscdr backup capture" in advice) is (live == "whole")
    assert ("uscdr kit list" in advice) is (live == "damaged")


def test_a_restore_that_fails_names_another_backup(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.doom = [TransferState.COMPLETED, FAILED]
    code, advice = ended(run.begin())
    assert code is ExitCode.FAILED
    assert "uscdr runs resume" in advice
    assert "uscdr recover db --backup NAME --new" in advice
