"""Where a run stands, by its journal and by whether a process works on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from uscdr.models import events as ev
from uscdr.phrase import UNKNOWN
from uscdr.report.objectives import build
from uscdr.report.position import Position

T0 = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)
ADA = "ada on here, process 7"
PHRASE = "usc-pis b001 12"
PLAN = ev.PlanReady(
    digest="d", dry_run=False, budgets={},
    steps=tuple(
        ev.PlannedStep(id=one, title=one.capitalize(), phase="p", effect="idempotent", action="change", summary="")
        for one in ("freeze", "restore", "open")
    ),
)  # fmt: skip
ASKED = ev.GateAsked(step="restore", facts={}, phrase=PHRASE)
CONFIRMED = ev.GateAnswered(step="restore", confirmed=True, by="typed")
QUESTION = ev.QuestionAsked(question="The first change", options=("begin", "stop"))
RESUMED = ev.RunResumed(user="eve", host="there", version="0.1.0")


def began(scenario: str = "db") -> ev.RunStarted:
    return ev.RunStarted(
        scenario=scenario, target="production", app="usc-pis", request={}, version="0.1.0", user="ada", host="here",
        scenario_digest="d", rto_seconds=7200, rpo_seconds=14400,
    )  # fmt: skip


def started(step: str) -> ev.StepStarted:
    return ev.StepStarted(step=step, title=step.capitalize(), phase="p", effect="idempotent")


def done(step: str) -> ev.StepSucceeded:
    return ev.StepSucceeded(step=step, seconds=62, summary="fine", result={})


def failed(step: str, *, known: bool = True, changed: bool = True) -> ev.StepFailed:
    return ev.StepFailed(step=step, message="It broke.", known=known, changed=changed)


def over(outcome: str) -> ev.RunFinished:
    return ev.RunFinished.model_validate({"outcome": outcome, "exit_code": 3, "summary": "It ended."})


FROZEN = (PLAN, started("freeze"), done("freeze"))
WHOLE = (*FROZEN, started("restore"), done("restore"), started("open"), done("open"))


def position(*events: ev.Payload, at_work: str = "", of_others: bool = False, scenario: str = "db") -> Position:
    every = (began(scenario), *events) if scenario else events
    stamped = [
        ev.Stamped(run="r-1", seq=number, at=T0 + timedelta(seconds=number), mono=number, event=event)
        for number, event in enumerate(every)
    ]
    return Position(build(stamped), at_work, of_others=of_others)


def states(found: Position) -> list[str]:
    return list(found.facts["states"].values())


def test_an_empty_journal_has_no_place_and_no_step() -> None:
    found = position(scenario="")
    assert (found.words, found.step, found.lines, found.phrase, found.waits_for) == (
        "made no plan yet",
        None,
        [],
        "",
        "",
    )
    assert found.facts["states"] == {}
    assert found.run_state.startswith("interrupted: ")


def test_a_run_without_a_plan_that_died_is_gone_on_with() -> None:
    found = position()
    assert found.words == "made no plan yet"
    assert found.command == "uscdr runs resume r-1"
    assert found.run_state == "interrupted: no process works on it, and none recorded its end"


def test_a_run_at_work_is_followed() -> None:
    found = position(*FROZEN, started("restore"), at_work=ADA)
    assert found.words == "stands in 2/3 Restore; 1 of 3 steps done"
    assert states(found) == ["done", "running", "not begun"]
    assert found.run_state == f"running: {ADA} works on it"
    assert found.command == "uscdr runs show r-1 --follow"
    assert found.lines[0] == "1  done       Freeze: fine (1 min 02 s)"


def test_a_step_of_a_run_whose_process_died_does_not_run() -> None:
    found = position(*FROZEN, started("restore"))
    assert states(found) == ["done", "interrupted", "not begun"]
    assert found.run_state.startswith("interrupted: ")
    assert found.command == "uscdr runs resume r-1"


def test_a_run_of_another_machine_may_be_at_work() -> None:
    found = position(*FROZEN, started("restore"), of_others=True)
    assert states(found)[1] == "running"
    assert found.run_state == "not ended, as far as its journal says"
    assert found.command == "uscdr runs resume r-1 --take-over"


def test_a_run_that_waits_for_its_phrase_says_so_and_the_command_holds_it() -> None:
    waiting, died = position(*FROZEN, ASKED, at_work=ADA), position(*FROZEN, ASKED)
    for found in (waiting, died):
        assert states(found) == ["done", "waits for its phrase", "not begun"]
        assert found.waits_for == f"the phrase: {PHRASE}"
        assert (found.facts["waits_for"], found.facts["phrase"]) == ("phrase", PHRASE)
    assert waiting.run_state == f"waits for an answer: {ADA} works on it"
    assert waiting.command == "uscdr runs show r-1 --follow"
    assert died.command == f"uscdr runs resume r-1 --confirm '{PHRASE}'"


def test_a_phrase_that_is_not_whole_is_in_no_command() -> None:
    whole = f"usc-pis b001 {UNKNOWN}"
    found = position(*FROZEN, ASKED.model_copy(update={"phrase": whole}), over("declined"))
    assert (found.phrase, found.command) == (whole, "uscdr runs resume r-1")


def test_a_confirmed_phrase_is_not_waited_for() -> None:
    found = position(*FROZEN, ASKED, CONFIRMED, started("restore"), at_work=ADA)
    assert (found.phrase, found.waits_for) == ("", "")
    assert states(found)[1] == "running"


def test_a_run_that_was_resumed_and_has_not_asked_again_waits_for_nothing() -> None:
    found = position(*FROZEN, ASKED, over("declined"), RESUMED, at_work=ADA)
    assert (found.phrase, found.waits_for) == ("", "")
    assert states(found) == ["done", "not begun", "not begun"]
    assert found.run_state == f"running: {ADA} works on it"
    again = position(*FROZEN, ASKED, over("declined"), RESUMED, ASKED, at_work=ADA)
    assert again.phrase == PHRASE
    died = position(*FROZEN, ASKED, over("declined"), RESUMED)
    assert died.command == f"uscdr runs resume r-1 --confirm '{PHRASE}'"


@pytest.mark.parametrize("before", [(PLAN,), (*FROZEN, started("restore"))])
def test_a_question_is_open_while_its_process_lives(before: tuple[ev.Payload, ...]) -> None:
    asked, died = position(*before, QUESTION, at_work=ADA), position(*before, QUESTION)
    assert "waits for an answer" in states(asked)
    assert asked.waits_for == "an answer: The first change (begin / stop)"
    assert asked.run_state == f"waits for an answer: {ADA} works on it"
    assert "waits for an answer" not in states(died)
    assert (died.waits_for, died.facts["waits_for"]) == ("", "")
    assert died.run_state.startswith("interrupted: ")


def test_an_answered_question_is_closed_by_what_the_run_does_next() -> None:
    assert position(PLAN, QUESTION, started("freeze"), at_work=ADA).waits_for == ""
    assert position(PLAN, QUESTION, over("declined")).waits_for == ""


@pytest.mark.parametrize(("known", "state"), [(True, "failed"), (False, "unknown")])
def test_a_run_that_failed_goes_on_where_it_failed(known: bool, state: str) -> None:
    found = position(*FROZEN, started("restore"), failed("restore", known=known), over("failed"))
    assert states(found) == ["done", state, "not begun"]
    assert found.words == "stands in 2/3 Restore; 1 of 3 steps done"
    assert found.run_state == "failed: It ended."
    assert found.command == "uscdr runs resume r-1"
    assert "It broke." in found.lines[1]


def test_a_run_that_changed_nothing_begins_again() -> None:
    declined = position(PLAN, over("declined"))
    refused = position(PLAN, started("freeze"), failed("freeze", changed=False), over("failed"))
    assert (declined.command, refused.command) == ("uscdr recover db", "uscdr recover db")
    assert declined.words == "stands before 1/3 Freeze; 0 of 3 steps done"
    assert position(PLAN, over("failed"), scenario="capture").command == "uscdr backup capture"


def test_a_run_with_every_step_done_is_over_only_if_its_end_is_recorded() -> None:
    assert position(*WHOLE, over("done")).command == ""
    missed, died = position(*WHOLE, over("failed")), position(*WHOLE)
    assert (missed.words, missed.command) == ("3 of 3 steps done", "")
    assert (died.words, died.command) == ("3 of 3 steps done", "uscdr runs resume r-1")
    assert position(*WHOLE, at_work=ADA).command == "uscdr runs show r-1 --follow"


def test_nothing_goes_on_after_a_look() -> None:
    dry = PLAN.model_copy(update={"dry_run": True})
    for found in (position(dry), position(scenario="verify all"), position(dry, over("failed"))):
        assert found.command == ""
    assert position(scenario="verify all").run_state == "not ended, as far as its journal says"
    assert position(dry, over("done")).run_state == "done: It ended."


def test_numbers_stand_in_a_column() -> None:
    steps = tuple(
        ev.PlannedStep(id=f"s{n}", title=f"S{n}", phase="p", effect="read", action="read", summary="")
        for n in range(12)
    )
    lines = position(PLAN.model_copy(update={"steps": steps})).lines
    assert [line.index("S") for line in lines] == [lines[0].index("S")] * 12
