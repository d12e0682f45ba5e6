"""What is declined, or interrupted at its question, was not sent; a run that changed something says how it left it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rehearsal import Person, Rehearsal
from uscdr.errors import BadInput, Declined, ExitCode, Interrupted, UscdrError
from uscdr.journal import runs
from uscdr.journal.reader import Journal
from uscdr.models.transfers import TransferState
from uscdr.report.objectives import build
from uscdr.scenarios.adapters import Request
from uscdr.ui.board import Board
from uscdr.ui.screen import frame
from uscdr.ui.sentences import sentences
from uscdr.ui.text import _bare

LOCKED_OUT = "maintenance mode: ON: users cannot use the application"


class Somebody(Person):
    """Gives these answers to the phrase and to the first question; None is Ctrl-C."""

    def __init__(self, phrase: bool | None = True, first: str | UscdrError | None = "begin") -> None:
        super().__init__()
        self.phrase, self.first = phrase, first

    def confirm_phrase(self, facts: Mapping[str, str], phrase: str) -> bool:
        self.phrases.append(phrase)
        if self.phrase is None:
            raise Interrupted("Interrupted at a question; nothing was confirmed.")
        return self.phrase

    def choose(self, question: str, options: tuple[str, ...]) -> str:
        self.questions.append(question)
        if self.first is None:
            raise Interrupted("Interrupted at a question; nothing was confirmed.")
        if isinstance(self.first, UscdrError):
            raise self.first
        return self.first


def shown(run: Rehearsal) -> str:
    """The live screen when the run has ended."""
    board = Board()
    for stamped in run.seen:
        board.apply(stamped)
    return "\n".join(_bare(line) for line in frame(board, datetime.now(UTC), 200, 60))


def reported(run: Rehearsal) -> dict[str, str]:
    journal = Journal.read(run.journal_path)
    return {step.name: step.status for step in build(journal.records, last_hash=journal.last_hash).steps}


@pytest.mark.parametrize(("phrase", "code"), [(False, ExitCode.DECLINED), (None, ExitCode.INTERRUPTED)])
def test_a_restore_that_was_not_confirmed_was_not_sent(quick: Path, phrase: bool | None, code: ExitCode) -> None:
    run = Rehearsal(quick, person=Somebody(phrase=phrase))
    before = len(run.world.transfers)
    ending = run.begin()
    assert ending is not None
    assert ending.code is code
    assert len(run.world.transfers) == before + 1, "the capture alone"
    again = run.events("run.finished")[0]["left"]["to let them in instead of going on"]
    assert again == "heroku ps:scale beat=1 web=2 worker=3 --app usc-pis && heroku maintenance:off --app usc-pis"
    screen_ = shown(run)
    assert "DESTROYED" not in screen_
    assert "(failed)" not in screen_
    assert "Enable maintenance mode: maintenance mode is on" in screen_
    assert reported(run)["backup.restore"] == "not begun"
    assert [one["begun"] for one in run.events("step.failed")] == [False]
    told = [_bare(one.spans) for stamped in run.seen for one in sentences(stamped.event, Board())]
    assert not [one for one in told if "FAILED" in one]
    assert any(one.startswith("not begun") for one in told)


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("stop", ExitCode.DECLINED),
        (Declined("No answer to: The first change"), ExitCode.DECLINED),
        (None, ExitCode.INTERRUPTED),
    ],
)
def test_nothing_was_changed_where_nothing_was_begun(
    quick: Path, first: str | UscdrError | None, code: ExitCode
) -> None:
    run = Rehearsal(quick, person=Somebody(first=first))
    ending = run.begin()
    assert ending is not None
    assert ending.code is code
    assert run.world.writes == []
    assert "Changed  nothing" in shown(run)
    assert reported(run)["heroku.maintenance"] in ("not begun", "planned")
    assert ending.error is not None
    if code is ExitCode.DECLINED:
        assert "uscdr changed nothing." in ending.error.next_action
    summary = runs.RunSummary.of(Journal.read(run.journal_path))
    assert not summary.wrote


def test_a_write_that_was_interrupted_may_end_well(quick: Path) -> None:
    run = Rehearsal(quick, person=Somebody())
    run.world.slowness = 5

    def crash(seq: int, moment: str) -> None:
        if moment == "after" and [one for one in run.events("step.accepted") if one["step"] == "restore"]:
            run.stop.event.set()

    run.crash = crash
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.INTERRUPTED
    (failed,) = run.events("step.failed")
    assert (failed["step"], failed["known"], failed["begun"]) == ("restore", False, True)
    assert "MAY HAVE DESTROYED Restore the backup (unknown)" in shown(run)


def test_a_failed_write_is_still_told_as_one(quick: Path) -> None:
    run = Rehearsal(quick, person=Somebody())
    run.world.doom = [TransferState.COMPLETED, TransferState.FAILED]
    ending = run.begin()
    assert ending is not None
    assert ending.code is not ExitCode.DONE
    assert "MAY HAVE DESTROYED Restore the backup (failed)" in shown(run)
    assert "maintenance:off" not in str(run.events("run.finished")[0]["left"])
    assert reported(run)["backup.restore"] == "failed"


def test_a_refused_command_leaves_no_run_and_resume_takes_the_one_that_changed_something(quick: Path) -> None:
    run = Rehearsal(quick, person=Somebody(phrase=None))
    run.begin()
    waiting = run.journal_path
    with pytest.raises(BadInput):
        Rehearsal(quick, run.world, request=Request("nosuch")).begin(dry_run=True)
    with pytest.raises(Declined):
        Rehearsal(quick, run.world).begin()
    assert [one.run for one in runs.LocalRuns(quick).summaries()] == [run.run]
    interrupted = Rehearsal(quick, run.world, person=Somebody(first=None), request=Request("db", anew=True))
    interrupted.begin()
    assert runs.LocalRuns(quick).find(None) == waiting
    assert {one.run for one in runs.LocalRuns(quick).summaries()} == {run.run, interrupted.run}


def test_one_that_changed_nothing_is_taken_up_when_there_is_no_other(quick: Path) -> None:
    run = Rehearsal(quick, person=Somebody(first=None))
    run.begin()
    assert runs.LocalRuns(quick).find(None) == run.journal_path


def test_without_a_terminal_a_resumed_run_says_how_it_left_the_application_and_the_phrase(quick: Path) -> None:
    run = Rehearsal(quick, person=Somebody(phrase=None))
    run.begin()
    (phrase,) = run.person.phrases
    run.person = Person(interactive=False)
    ending = run.resume()
    assert ending is not None
    assert ending.code is ExitCode.DECLINED
    assert ending.error is not None
    words = f"{ending.error.message} {ending.error.why} {ending.error.next_action}"
    assert "Nothing was changed" not in words
    assert LOCKED_OUT in words
    assert "stopped: beat, web, worker" in words
    assert ending.error.next_action == f"uscdr runs resume --confirm {shlex.quote(phrase)}"
    again = run.resume(confirm=phrase)
    assert again is not None
    assert again.code is ExitCode.DONE


def test_one_that_was_cut_off_before_its_question_says_where_the_phrase_is(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.faults["scale", 1] = "kill_after"
    assert run.begin() is None
    run.person = Person(interactive=False)
    ending = run.resume()
    assert ending is not None
    assert ending.error is not None
    words = f"{ending.error.message} {ending.error.why} {ending.error.next_action}"
    assert "Nothing was changed" not in words
    assert LOCKED_OUT in words
    assert "uscdr recover db --dry-run" in words
    assert "uscdr runs resume --confirm PHRASE" in words


def test_a_dry_run_beside_an_unfinished_run_says_so_before_and_leads_on(quick: Path) -> None:
    run = Rehearsal(quick, person=Somebody(phrase=None))
    run.begin()
    rehearsed = Rehearsal(quick, run.world)
    ending = rehearsed.begin(dry_run=True)
    assert ending is not None
    assert ending.code is ExitCode.DONE
    (warned,) = [one["text"] for one in rehearsed.events("note") if run.run in one["text"]]
    for words in (warned, rehearsed.events("run.finished")[0]["summary"]):
        assert "is not finished" in words
        assert "uscdr runs resume" in words
        assert "--new" in words
    kinds = [event["kind"] for event in rehearsed.events()]
    assert kinds.index("note") < kinds.index("plan.ready")
    anew = Rehearsal(quick, run.world, request=Request("db", anew=True))
    anew.begin(dry_run=True)
    assert not [one for one in anew.events("note") if run.run in one["text"]]
    with pytest.raises(Declined, match=run.run):
        Rehearsal(quick, run.world).begin(confirm=rehearsed.events("plan.ready")[0]["phrase"])


def test_a_database_that_nothing_is_seen_to_be_broken_in_is_said_to_be_so_before_the_first_question(
    quick: Path,
) -> None:
    run = Rehearsal(quick / "well", person=Somebody(first="stop"))
    run.begin()
    (question,) = run.person.questions
    assert question.startswith("No damage found: postgresql-curved-1 answers, no table is missing")
    assert question.endswith("Begin?")
    assert any("To compare with the backups: uscdr recover db --dry-run" in one["text"] for one in run.events("note"))
    damaged = Rehearsal(quick / "damaged", person=Somebody(first="stop"))
    del damaged.world.live.tables["patients_patient"]
    damaged.begin()
    assert damaged.person.questions[0].startswith("The first change: ")
    assert not [one for one in damaged.events("note") if "No damage found" in one["text"]]


def test_beside_a_cut_run_what_lets_users_in_starts_what_that_one_stopped(quick: Path) -> None:
    run = Rehearsal(quick, person=Somebody(phrase=None))
    run.begin()
    run.person, run.request = Somebody(first="stop"), replace(run.request, anew=True)
    run.begin()
    again = run.events("run.finished")[-1]["left"]["to let them in instead of going on"]
    assert again == "heroku ps:scale beat=1 web=2 worker=3 --app usc-pis && heroku maintenance:off --app usc-pis"


def test_a_command_that_is_named_can_be_pasted(quick: Path) -> None:
    ending = Rehearsal(quick, person=Person(interactive=False)).begin()
    assert ending is not None
    assert ending.error is not None
    assert ending.error.next_action.endswith("uscdr recover db --dry-run")


def test_the_dry_run_that_fills_in_the_phrase_has_the_options_of_the_run(quick: Path) -> None:
    run = Rehearsal(quick, person=Person(interactive=False), request=Request("db", backup="b001"))
    ending = run.begin()
    assert ending is not None
    assert ending.error is not None
    assert "uscdr recover db --backup b001 --dry-run" in ending.error.next_action
