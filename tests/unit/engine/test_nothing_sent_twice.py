"""A write without an answer is not sent again because time has passed; what happened twice is compared and said."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from fakes import Killed, clinic
from rehearsal import Person, Rehearsal, kinds
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode
from uscdr.models.transfers import TransferKind, TransferState


class Alone(Rehearsal):
    """A run that nobody watches: its phrase is given, and nothing else can be asked."""

    phrase_given = ""

    def work(self) -> Outcome:
        """The first process."""
        self.phrase_given = self.phrase()
        self.person = Person(interactive=False)
        self.world.calls.clear()
        ending = self.begin(confirm=self.phrase_given)
        assert ending is not None
        return ending

    def go_on(self, *, send_again: bool = False) -> Outcome:
        """A later one: the phrase stands in the journal."""
        self.send_again = send_again
        ending = self.resume(confirm=self.phrase_given)
        assert ending is not None
        return ending

    @property
    def sent(self) -> list[str]:
        """The writes that arrived, by name."""
        return [write.partition(" ")[0] for write in self.world.writes]


@pytest.mark.parametrize("name", ["restore", "capture"])
def test_what_never_came_is_asked_about_and_sent_again_on_a_persons_word(quick: Path, name: str) -> None:
    run = Alone(quick)
    run.world.faults[name, 1] = "lost_before"
    first = run.work()
    assert first.code is ExitCode.UNKNOWN
    assert first.error is not None
    assert first.error.message.startswith("uscdr does not know whether")
    assert "--send-again" in first.error.next_action
    assert name not in run.sent
    again = run.go_on()  # to look once more sends nothing, and is no answer
    assert again.code is ExitCode.UNKNOWN
    assert name not in run.sent
    assert run.go_on(send_again=True).code is ExitCode.DONE
    assert run.sent.count("restore") == 1


def test_what_comes_late_is_found_by_the_next_process_and_not_sent_again(quick: Path) -> None:
    run = Alone(quick)
    run.world.faults["restore", 1], run.world.lateness = "late", 3
    assert run.work().code is ExitCode.UNKNOWN
    for _ in range(4):
        run.world.tick()
    assert run.go_on().code is ExitCode.DONE
    assert run.sent.count("restore") == 1
    assert run.world.live.tables["patients_patient"] == clinic().tables["patients_patient"]


def test_the_answer_given_beforehand_is_for_the_write_that_an_earlier_process_sent(quick: Path) -> None:
    run = Alone(quick)
    run.world.faults["capture", 1] = "lost_before"
    assert run.work().code is ExitCode.UNKNOWN
    run.world.faults["restore", 1] = "lost_before"
    ending = run.go_on(send_again=True)
    assert ending.code is ExitCode.UNKNOWN
    assert run.sent.count("restore") == 0


def test_a_person_may_look_again_until_it_is_there(quick: Path) -> None:
    run = Rehearsal(quick)
    run.person = Person(answers={"look again": "look again"})
    run.world.faults["restore", 1], run.world.lateness = "late", 5
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert len(run.world.restores) == 1
    assert any("may happen twice" in question for question in run.person.questions)


def test_a_late_one_beside_one_that_was_sent_again_is_waited_for_and_said(quick: Path) -> None:
    run = Alone(quick)
    run.world.faults["restore", 1], run.world.lateness = "late", 6
    assert run.work().code is ExitCode.UNKNOWN
    assert run.go_on(send_again=True).code is ExitCode.DONE
    assert [one.state for one in run.world.restores] == [TransferState.COMPLETED] * 2
    assert any("ran more than one restore" in note["text"] for note in run.events("note"))


def test_a_request_that_arrived_twice_is_waited_for_compared_and_said(quick: Path) -> None:
    run = Alone(quick)
    run.world.faults["restore", 1] = "twice"
    assert run.work().code is ExitCode.DONE
    assert [one.state for one in run.world.restores] == [TransferState.COMPLETED] * 2
    notes = [note["text"] for note in run.events("note") if "ran more than one restore" in note["text"]]
    assert len(notes) == 1
    assert "r004" in notes[0]
    assert "r003" in notes[0]
    compared = next(event for event in run.events("step.succeeded") if event["step"] == "compare")
    assert compared["result"]["beside"] == ["r004"]
    assert "MORE THAN ONE restore" in compared["summary"]
    assert run.world.live.tables["patients_patient"] == clinic().tables["patients_patient"]


def test_the_id_of_another_transfer_is_no_answer_and_the_restore_is_found(quick: Path) -> None:
    run = Alone(quick)
    run.world.faults["restore", 1] = "stray"
    assert run.work().code is ExitCode.DONE
    assert run.sent.count("restore") == 1
    accepted = [event["provider_id"] for event in run.events("step.accepted") if event["step"] == "restore"]
    assert accepted == [run.world.restores[0].id]


def test_an_old_restore_that_the_list_left_out_before_is_not_taken_for_ours(quick: Path) -> None:
    run = Alone(quick)
    old = run.world.store(TransferKind.RESTORE, age=timedelta(hours=1))
    run.world.unlisted.add(old.id)
    run.world.faults["restore", 1] = "lost_before"

    def crash(seq: int, when: str) -> None:
        if when == "after" and "step.sending" in kinds(run.journal_path):
            run.world.unlisted.clear()

    run.crash = crash
    assert run.work().code is ExitCode.UNKNOWN
    assert "step.settled" not in {event["kind"] for event in run.events() if event.get("step") == "restore"}


def test_a_restore_that_comes_after_the_comparison_keeps_users_out(quick: Path) -> None:
    run = Alone(quick)

    def crash(seq: int, when: str) -> None:
        newest = run.events()[-1] if when == "after" else {}
        if newest.get("kind") == "step.succeeded" and newest["step"] == "compare":
            run.world.start(TransferKind.RESTORE, 1)

    run.crash = crash
    ending = run.work()
    assert ending.code is ExitCode.CHECK_FAILED
    assert ending.error is not None
    assert "restored again (r004) after the comparison" in ending.error.message
    assert run.world.maintenance


def test_a_process_that_died_before_it_sent_is_gone_on_with_unasked(quick: Path) -> None:
    run = Alone(quick)

    def crash(seq: int, when: str) -> None:
        newest = run.events()[-1] if when == "after" else {}
        if newest.get("kind") == "step.started" and newest.get("step") == "restore":
            raise Killed

    run.crash = crash
    with pytest.raises(AssertionError):
        run.work()
    run.crash = lambda seq, when: None
    assert run.go_on().code is ExitCode.DONE
    assert run.sent.count("restore") == 1
    settled = [event for event in run.events("step.settled") if event["step"] == "restore"]
    assert [(one["found"], one["decision"]) for one in settled] == [("nothing had been sent", "redo")]


def test_an_end_of_which_nobody_says_whether_it_was_good_is_not_known_and_nothing_is_sent_again(quick: Path) -> None:
    run = Alone(quick)
    run.world.doom = [TransferState.COMPLETED, TransferState.UNTOLD]
    ending = run.work()
    assert ending.code is ExitCode.UNKNOWN
    assert ending.error is not None
    assert "does not report its result" in ending.error.why
    assert run.go_on().code is ExitCode.UNKNOWN
    assert run.sent.count("restore") == 1


def test_an_accepted_restore_that_is_listed_no_more_is_not_sent_again_unasked(quick: Path) -> None:
    run = Alone(quick)
    run.world.faults["restore", 1] = "kill_after"
    with pytest.raises(AssertionError):
        run.work()
    restore = run.world.restores[0]
    run.world.transfers.remove(restore)
    ending = run.go_on()
    assert ending.code is ExitCode.UNKNOWN
    assert run.sent.count("restore") == 1
    assert run.go_on(send_again=True).code is ExitCode.DONE
