"""What the next process knows of a run: its journal, folded."""

from __future__ import annotations

from typing import Any

from uscdr.engine.history import History

FIRST, SECOND = "2026-11-23T03:15:00Z", "2026-11-23T03:20:00Z"


def started(baseline: dict[str, Any], *, effect: str = "findable", says_when_sent: bool = True) -> dict[str, Any]:
    return {
        "kind": "step.started", "step": "restore", "effect": effect, "attempt": 1, "baseline": baseline,
        "says_when_sent": says_when_sent,
    }  # fmt: skip


SENDING = {"kind": "step.sending", "step": "restore"}
ACCEPTED = {"kind": "step.accepted", "step": "restore", "provider_id": "r-1"}
CONFIRMED = {"kind": "gate.answered", "step": "restore", "confirmed": True}
SUCCEEDED = {"kind": "step.succeeded", "step": "restore", "result": {"id": "r-1"}}
SKIPPED = {"kind": "step.skipped", "step": "restore", "result": {}}
LOOKED = {**started({}, effect="read"), "step": "choose"}


def failed(*, over: bool) -> dict[str, Any]:
    return {"kind": "step.failed", "step": "restore", "over": over}


def folded(*events: dict[str, Any]) -> History:
    return History.of(({"at": SECOND if number else FIRST, "event": event} for number, event in enumerate(events)))


def test_a_second_attempt_knows_what_there_was_before_the_first() -> None:
    intent = folded(started({"newest_transfer": 7}), SENDING, started({"newest_transfer": 8})).intents["restore"]
    assert (intent.at, intent.baseline, intent.sent) == (FIRST, {"newest_transfer": 7}, True)
    assert folded(started({}), started({"newest_transfer": 8})).intents["restore"].baseline == {"newest_transfer": 8}


def test_what_says_when_it_is_sent_was_not_sent_before_it_said_so() -> None:
    assert not folded(started({})).intents["restore"].sent
    assert folded(started({}), SENDING).intents["restore"].sent
    assert folded(started({}, says_when_sent=False)).intents["restore"].sent


def test_the_accepted_id_is_known() -> None:
    intent = folded(started({"newest_transfer": 7}), SENDING, ACCEPTED).intents["restore"]
    assert (intent.accepted, intent.baseline) == ("r-1", {"newest_transfer": 7})


def test_a_write_in_doubt_stays_one_and_one_that_surely_failed_needs_another_word() -> None:
    doubtful = folded(CONFIRMED, started({}), SENDING, failed(over=False))
    assert (set(doubtful.intents), doubtful.confirmed) == ({"restore"}, {"restore"})
    over = folded(CONFIRMED, started({}), SENDING, failed(over=True))
    assert (over.intents, over.confirmed, over.spent) == ({}, set(), True)


def test_what_ended_is_not_begun_again() -> None:
    assert folded(started({}), SENDING, SUCCEEDED).results == {"restore": {"id": "r-1"}}
    assert folded(SKIPPED).results == {"restore": {}}
    assert folded(started({}), SUCCEEDED).intents == {}


def test_a_look_after_a_write_makes_it_no_run_that_changed_nothing() -> None:
    assert folded(started({}), LOOKED).wrote
    assert folded(started({}), LOOKED).begun
    assert not folded(LOOKED).begun
    assert folded(LOOKED, CONFIRMED).begun
