"""Nothing is changed unless it can be, and then was, confirmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes import Killed
from rehearsal import Person, Rehearsal
from uscdr.engine.gate import LOOK, SEND, STOP, Gate
from uscdr.engine.step import BlastRadius
from uscdr.errors import Declined, ExitCode
from uscdr.models.transfers import TransferState
from uscdr.phrase import UNKNOWN


def code(run: Rehearsal, **how: str | None) -> ExitCode:
    ending = run.begin(**how)  # type: ignore[arg-type]
    assert ending is not None
    return ending.code


def test_the_phrase_of_a_dry_run_confirms_the_run(quick: Path) -> None:
    run = Rehearsal(quick, person=Person(interactive=False))
    phrase = run.phrase()
    assert UNKNOWN not in phrase
    assert run.world.writes == []
    assert code(run, confirm=phrase) is ExitCode.DONE
    assert run.events("gate.answered") == [
        {"kind": "gate.answered", "step": "restore", "name": "backup.restore", "confirmed": True, "by": "--confirm"}
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda phrase: "",
        lambda phrase: "yes",
        lambda phrase: phrase.replace("b001", "b002"),
        lambda phrase: phrase.replace("usc-pis", "usc-pis-staging"),
        lambda phrase: phrase + " or so",
        lambda phrase: phrase.upper(),
    ],
)
def test_a_wrong_phrase_is_refused_before_any_write(quick: Path, change: object) -> None:
    run = Rehearsal(quick, person=Person(interactive=False))
    assert callable(change)
    assert code(run, confirm=change(run.phrase())) is ExitCode.DECLINED
    assert run.world.writes == []


def test_rows_that_do_not_fit_are_refused_at_the_restore(quick: Path) -> None:
    run = Rehearsal(quick, person=Person(interactive=False))
    wrong = run.phrase().replace("at least 10", "at least 9")
    assert code(run, confirm=wrong) is ExitCode.DECLINED
    assert run.world.restores == []


def test_a_phrase_with_what_is_not_known_yet_cannot_confirm(quick: Path) -> None:
    run = Rehearsal(quick, person=Person(interactive=False))
    ending = run.begin()
    assert ending is not None
    assert ending.error is not None
    assert ending.code is ExitCode.DECLINED
    shown = str(run.events("plan.ready")[-1]["phrase"])
    assert UNKNOWN in shown
    assert "pass exactly" not in ending.error.next_action
    assert "--dry-run" in ending.error.next_action
    again = Rehearsal(quick / "again", person=Person(interactive=False))
    assert code(again, confirm=shown) is ExitCode.DECLINED
    assert again.world.writes == []


def test_without_a_terminal_and_without_a_phrase_nothing_is_written(quick: Path) -> None:
    run = Rehearsal(quick, person=Person(interactive=False))
    assert code(run) is ExitCode.DECLINED
    assert run.world.writes == []
    resumed = run.resume()
    assert resumed is not None
    assert resumed.code is ExitCode.DECLINED
    assert run.world.writes == []


def test_a_person_who_does_not_say_begin_changes_nothing(quick: Path) -> None:
    run = Rehearsal(quick, person=Person(answers={"begin": "stop"}))
    assert code(run) is ExitCode.DECLINED
    assert run.world.writes == []


def test_a_person_who_does_not_type_the_phrase_restores_nothing(quick: Path) -> None:
    run = Rehearsal(quick, person=Person(types=False))
    assert code(run) is ExitCode.DECLINED
    assert run.world.restores == []
    left = run.events("run.finished")[-1]["left"]
    assert left["maintenance mode"].startswith("ON")
    run.person.types = True
    ending = run.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert len(run.world.restores) == 1


def test_a_resumed_run_that_changed_nothing_is_planned_anew_and_its_phrase_checked_first(quick: Path) -> None:
    run = Rehearsal(quick, person=Person(interactive=False))
    assert code(run, confirm="yes") is ExitCode.DECLINED
    ending = run.resume(confirm="no")
    assert ending is not None
    assert ending.code is ExitCode.DECLINED
    assert run.world.writes == []


def test_a_restore_that_failed_needs_a_new_confirmation(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.doom = [TransferState.COMPLETED, TransferState.FAILED]
    assert code(run) is ExitCode.FAILED
    assert run.events("step.failed")[-1]["over"] is True
    run.person.types = False
    ending = run.resume()
    assert ending is not None
    assert ending.code is ExitCode.DECLINED
    assert len(run.world.restores) == 1
    run.person.types = True
    ending = run.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert [t.state for t in run.world.restores] == [TransferState.FAILED, TransferState.COMPLETED]


@pytest.mark.parametrize("what", ["database", "owner"])
def test_a_resumed_run_stops_when_the_database_is_another_than_was_approved(quick: Path, what: str) -> None:
    run = Rehearsal(quick)

    def crash(seq: int, moment: str) -> None:
        if moment == "after" and run.events("gate.answered"):
            raise Killed

    run.crash = crash
    assert run.begin() is None
    run.crash = lambda seq, moment: None
    if what == "database":
        run.world.addon = "postgresql-other-2"
    else:
        run.world.owner = "somebody-elses-app"
    ending = run.resume()
    assert ending is not None
    assert ending.error is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert "changed" in ending.error.message
    assert run.world.restores == []


def test_a_backup_that_expires_while_the_run_is_under_way_stops_it(quick: Path) -> None:
    run = Rehearsal(quick)
    run.person.confirm_phrase = lambda facts, phrase: True  # type: ignore[method-assign]

    def crash(seq: int, moment: str) -> None:
        if run.events("gate.asked"):
            raise Killed

    run.crash = crash
    assert run.begin() is None
    run.crash = lambda seq, moment: None
    run.world.transfers[0] = run.world.transfers[0].model_copy(update={"expired": True})
    ending = run.resume()
    assert ending is not None
    assert ending.error is not None
    assert "expired" in ending.error.message
    assert run.world.restores == []


def gate(given: str | None, person: Person | None = None) -> Gate:
    return Gate(person or Person(interactive=False), given)


BLAST = BlastRadius({"rows": "5"}, f"app b001 lose {UNKNOWN}")
KNOWN = BlastRadius({"rows": "5"}, "app b001 lose 9 rows")


def test_early_check_compares_what_is_known() -> None:
    for right in ("app b001  lose 9 rows ", "app b001 lose unknown rows"):
        gate(right).check_early(BLAST)
    gate(None).check_early(BLAST)
    for wrong in ("app b002 lose 9 rows", "app b001 lose 9 8 rows", UNKNOWN, BLAST.phrase):
        with pytest.raises(Declined):
            gate(wrong).check_early(BLAST)


def test_confirming_needs_the_phrase_and_a_refusal_says_where_it_differs() -> None:
    assert gate("app  b001 lose 9 rows").confirm(KNOWN) == "--confirm"
    assert gate(None, Person()).confirm(KNOWN) == "typed at the terminal"
    with pytest.raises(Declined) as refused:
        gate("app b001 lose 8 rows").confirm(KNOWN)
    assert KNOWN.phrase in refused.value.next_action
    assert "word 4 must be “9”" in refused.value.why
    with pytest.raises(Declined):
        gate(None, Person(types=False)).confirm(KNOWN)


def test_a_gate_without_anybody_cannot_be_passed() -> None:
    assert not gate(None).can_be_passed
    assert gate("x").can_be_passed
    assert gate(None, Person()).can_be_passed
    with pytest.raises(Declined):
        gate(None).begin("maintenance mode goes on.")
    with pytest.raises(Declined):
        gate(None).settle("What happened?")
    gate("x").begin("nobody is asked")


def test_an_answer_given_beforehand_is_for_one_write_of_an_earlier_process() -> None:
    there = Gate(Person(answers={LOOK: STOP}), "x", send_again=True)
    assert there.lost("A write of this process?", earlier=False) == STOP
    assert there.lost("One of an earlier process?", earlier=True) == SEND
    assert there.lost("And another?", earlier=True) == STOP
