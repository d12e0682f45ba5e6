"""The score of a fault comes from what was seen: what nothing shows is not detected, and nothing passes by default."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from uscdr.drills.faults import BAD_BACKUPS, FaultRule, PlannedFault, Reaction, Sign
from uscdr.drills.scoring import DrillTrace, Ending, FaultScore, Strike, recovery_expected, scores
from uscdr.errors import ExitCode, ProviderError
from uscdr.models import events as ev
from uscdr.models.events import Stamped
from uscdr.providers.http.download import DownloadOrigin
from uscdr.providers.http.retry import Wait
from uscdr.scenarios.steps.media_restore import ANSWER_LOST
from uscdr.wiring.context import WaitReporter

START = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
DONE = Ending(ExitCode.DONE, START + timedelta(seconds=60))


def at(seconds: float, event: Any) -> Stamped:
    return Stamped(run="r", seq=int(seconds), at=START + timedelta(seconds=seconds), mono=seconds, event=event)


def fault(sign: Sign, expected: Reaction = Reaction.SURVIVE, **more: Any) -> PlannedFault:
    return PlannedFault("it", "what it does", expected, sign, FaultRule("500", "GET", "*"), **more)


def observed(*events: Stamped, strike: float | None = 10, **more: Any) -> DrillTrace:
    strikes = {} if strike is None else {"it": Strike(START + timedelta(seconds=strike), "GET /a", 2)}
    return DrillTrace(**{"events": events, "strikes": strikes, "endings": (DONE,), "compared": True, **more})


def score(planned: PlannedFault, seen: DrillTrace) -> FaultScore:
    (one,) = scores((planned,), seen)
    return one


class _Bus:
    """Takes what the product itself says of a retry."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def emit(self, event: Any) -> None:
        self.events.append(event)


def retry(reason: str = "Heroku failed.") -> Any:
    reporter, bus = WaitReporter(), _Bus()
    reporter.bus = bus  # type: ignore[assignment]
    reporter(Wait(1.0, 1, 6, reason))
    return bus.events[0]


SETTLED = ev.StepSettled(step="restore", looked_at="the list", found="r003", decision="adopt")
REFUSED = ev.StepFailed(step="drain", message="Heroku refused to list the dynos: the token is not valid.")
PASSED = ev.StepSucceeded(
    step="choose", name="backup.choose", seconds=1, summary="b002",
    result={"backup": "b002", "passed_over": ["b003 (tables are missing)"]},
)  # fmt: skip
STORAGE = DownloadOrigin("Heroku", "", lambda status: ProviderError("Refused.", provider="Heroku"))
CUT = retry(STORAGE.cut(12_300_000, 40_000_000).message)
RUN_REFUSED = ev.RunFinished(outcome="failed", exit_code=3, summary="Heroku refused to find the database.")
STOPPED = Ending(ExitCode.FAILED, START + timedelta(seconds=20), "Heroku refused.", "Set HEROKU_API_KEY.")


@pytest.mark.parametrize(
    ("sign", "event"),
    [
        (Sign.RETRIED, retry()),
        (Sign.SETTLED, SETTLED),
        (Sign.SETTLED, ev.Note(level="warning", text=f"{ANSWER_LOST} Back: 3 of 3 files.")),
        (Sign.REFUSED, REFUSED),
        (Sign.REFUSED, RUN_REFUSED),
        (Sign.BROKEN, CUT),
        (Sign.PASSED_OVER, PASSED),
    ],
)
def test_evidence_is_the_first_event_after_the_first_effect(sign: Sign, event: Any) -> None:
    seen = observed(at(5, event), at(13, event), at(20, event), bad_backup="b003")
    one = score(fault(sign), seen)
    assert (one.detected, one.seconds, one.verdict) == (True, 3.0, "handled")
    assert one.struck == "GET /a and 1 more"
    assert "exit code 0" in one.outcome


@pytest.mark.parametrize("sign", list(Sign))
def test_a_fault_that_nothing_shows_failed_although_the_recovery_is_done(sign: Sign) -> None:
    others = [retry(), SETTLED, REFUSED, CUT, PASSED]
    own = {Sign.RETRIED: retry(), Sign.SETTLED: SETTLED, Sign.REFUSED: REFUSED, Sign.BROKEN: CUT,
           Sign.PASSED_OVER: PASSED}.get(sign)  # fmt: skip
    seen = observed(*(at(12, one) for one in others if one != own), bad_backup="b003")
    one = score(fault(sign, delay=5.0), seen)
    assert (one.detected, one.seconds, one.verdict) == (False, None, "FAILED")
    assert "NOT DETECTED" in one.words


def test_a_fault_that_was_never_reached_did_not_strike_and_is_not_detected() -> None:
    one = score(fault(Sign.RETRIED), observed(at(12, retry()), strike=None))
    assert (one.verdict, one.handled, one.detected, one.seconds) == ("did not strike", True, False, None)
    assert one.words.startswith("did not strike")


def test_a_late_answer_shows_in_the_duration_of_its_own_step_only() -> None:
    started = ev.StepStarted(step="safety", title="", phase="recover", effect="read")
    ended = ev.StepSucceeded(step="safety", seconds=4.0, summary="")
    slow = fault(Sign.LASTED, delay=1.5)
    assert score(slow, observed(at(9, started), at(13, ended))).evidence == "step safety lasted 4 s"
    assert not score(slow, observed(at(9, started), at(13, ended.model_copy(update={"seconds": 1.0})))).detected
    assert not score(slow, observed(at(12, started), at(16, ended))).detected


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"endings": (replace(DONE, code=ExitCode.UNKNOWN, message="It is unknown."),)}, "exit code 5: It is unknown."),
        ({"compared": False}, "comparison"),
        ({"endings": (STOPPED, DONE)}, "1 attempts were expected"),
    ],
)
def test_surviving_is_one_attempt_that_is_done_and_compared(changes: dict[str, Any], says: str) -> None:
    one = score(fault(Sign.RETRIED), observed(at(12, retry()), **changes))
    assert (one.detected, one.right, one.verdict) == (True, False, "FAILED")
    assert says in one.outcome


def test_choosing_another_backup_is_not_choosing_the_bad_one() -> None:
    planned = PlannedFault("it", "bad", Reaction.CHOOSE, Sign.PASSED_OVER, bad_backup=next(iter(BAD_BACKUPS)))
    assert score(planned, observed(at(12, PASSED), bad_backup="b003")).handled
    chose = PASSED.model_copy(update={"result": {"backup": "b003", "passed_over": []}})
    one = score(planned, observed(at(12, chose), bad_backup="b003"))
    assert (one.detected, one.right) == (False, False)
    assert one.outcome == "uscdr chose the bad backup b003"


STOP = fault(Sign.REFUSED, Reaction.STOP, codes=(ExitCode.FAILED, ExitCode.UNKNOWN))
AGAIN = replace(STOP, expected=Reaction.AGAIN)


def test_a_safe_stop_is_the_right_exit_code_a_next_action_and_nothing_destroyed() -> None:
    seen = observed(at(12, REFUSED), endings=(STOPPED,), compared=False)
    assert score(STOP, seen).handled
    assert not recovery_expected((STOP,), seen)
    assert recovery_expected((STOP,), replace(seen, strikes={}))
    for changes, says in (
        ({"endings": (replace(STOPPED, code=ExitCode.CHECK_FAILED),)}, "exit code 1 instead of 3 or 5"),
        ({"endings": (replace(STOPPED, next_action=""),)}, "named no next action"),
        ({"endings": (DONE,)}, "exit code 0 instead of 3 or 5"),
        ({"endings": (STOPPED, DONE)}, "uscdr went on"),
        ({"destroyed": "it sent POST /restores"}, "did not stop in time: it sent POST /restores"),
    ):
        one = score(STOP, replace(seen, **changes))
        assert not one.right
        assert says in one.outcome


def test_a_stop_that_ends_needs_a_second_attempt_that_recovers() -> None:
    seen = observed(at(12, REFUSED), endings=(STOPPED, DONE))
    assert score(AGAIN, seen).handled
    assert recovery_expected((AGAIN,), seen)
    assert not score(AGAIN, replace(seen, endings=(STOPPED,))).right
    assert not score(AGAIN, replace(seen, compared=False)).right


def test_a_fault_to_survive_beside_one_that_stops_is_judged_by_the_stop() -> None:
    strike = Strike(START + timedelta(seconds=10), "GET /a")
    lost = replace(fault(Sign.RETRIED), name="lost")
    seen = observed(at(11, retry()), at(12, REFUSED), endings=(STOPPED,), compared=False)
    seen = replace(seen, strikes={"it": strike, "lost": strike})
    assert [one.verdict for one in scores((STOP, lost), seen)] == ["handled", "handled"]
    assert [one.verdict for one in scores((STOP, lost), replace(seen, destroyed="rows"))] == ["FAILED", "FAILED"]


def _locked(endings: Iterable[Ending]) -> FaultScore:
    planned = PlannedFault("it", "a lock", Reaction.STOP, Sign.LOCKED, codes=(ExitCode.LOCKED,))
    return score(planned, observed(endings=tuple(endings), compared=False))


def test_a_lock_is_detected_by_its_exit_code() -> None:
    refused = Ending(ExitCode.LOCKED, START + timedelta(seconds=11), "Another run works on it.", "Talk to that person.")
    assert (_locked([refused]).handled, _locked([refused]).seconds) == (True, 1.0)
    beside = _locked([DONE])
    assert (beside.detected, beside.right, beside.verdict) == (False, False, "FAILED")
