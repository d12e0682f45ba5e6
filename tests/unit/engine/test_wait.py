"""Waiting is looking: bounded, honest when looking fails, and interruptible."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from uscdr.engine import wait
from uscdr.engine.wait import MAX_BLIND_LOOKS, Stop, WaitLimit, until
from uscdr.errors import (
    AnswerLost,
    CredentialsRefused,
    Interrupted,
    NotFound,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
)

PATIENCE = WaitLimit("the restore", 60.0, "heroku pg:backups")


class Clock:
    """Time that passes only in pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()

    def pause(stop: Stop, seconds: float) -> None:
        made.pauses.append(seconds)
        made.now += seconds
        stop.check()

    monkeypatch.setattr(wait, "time", made)
    monkeypatch.setattr(Stop, "pause", pause)
    return made


def looks(*answers: object) -> Callable[[], object]:
    left = list(answers)

    def look() -> object:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look


def down() -> ProviderError:
    return ProviderError("down", provider="p", retryable=True)


def test_the_first_look_may_be_enough(clock: Clock) -> None:
    assert until(looks(1), lambda seen: seen == 1, PATIENCE, Stop()) == 1
    assert clock.pauses == []


def test_progress_that_goes_backwards_is_only_looked_at(clock: Clock) -> None:
    assert until(looks(5, 3, 1, 0, 9), lambda seen: seen == 9, PATIENCE, Stop()) == 9
    assert clock.pauses == sorted(clock.pauses)


def test_looks_are_close_at_first_and_grow_apart(clock: Clock) -> None:
    with pytest.raises(OutcomeUnknown):
        until(looks("pending"), lambda seen: seen == "done", WaitLimit("it", 600.0, "look"), Stop())
    assert clock.pauses[0] == wait.FIRST_INTERVAL
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[-1] == wait.LONGEST_INTERVAL


def test_failed_looks_do_not_use_up_their_number_in_a_moment(clock: Clock) -> None:
    with pytest.raises(OutcomeUnknown):
        until(looks(down()), lambda seen: True, PATIENCE, Stop())
    assert min(clock.pauses) >= wait.BLIND_INTERVAL
    assert clock.now >= (MAX_BLIND_LOOKS - 1) * wait.BLIND_INTERVAL


def test_pending_for_ever_is_unknown_never_success(clock: Clock) -> None:
    with pytest.raises(OutcomeUnknown) as unknown:
        until(looks("pending"), lambda seen: seen == "done", PATIENCE, Stop())
    assert "the restore" in unknown.value.message
    assert "within 1 min" in unknown.value.why
    assert "heroku pg:backups" in unknown.value.next_action
    assert 60 <= clock.now < 64
    assert max(clock.pauses) <= wait.LONGEST_INTERVAL


@pytest.mark.parametrize("error", [down(), RateLimited("slow down", provider="p")])
def test_twenty_failed_looks_in_a_row_are_unknown(clock: Clock, error: Exception) -> None:
    with pytest.raises(OutcomeUnknown, match="the restore") as unknown:
        until(looks(error), lambda seen: True, PATIENCE, Stop())
    assert "20 checks in a row failed" in unknown.value.why
    assert len(clock.pauses) == MAX_BLIND_LOOKS - 1


def test_failed_looks_with_one_answer_between_are_no_end(clock: Clock) -> None:
    answers = [down()] * 19 + ["pending"] + [down()] * 19 + ["done"]
    assert until(looks(*answers), lambda seen: seen == "done", WaitLimit("x", 1e6, "y"), Stop()) == "done"


@pytest.mark.parametrize(
    "error", [CredentialsRefused("no", provider="p"), NotFound("gone", provider="p"), AnswerLost("lost", provider="p")]
)
def test_what_cannot_mend_itself_is_unknown_at_once(clock: Clock, error: Exception) -> None:
    with pytest.raises(OutcomeUnknown):
        until(looks("pending", error), lambda seen: seen == "done", PATIENCE, Stop())
    assert len(clock.pauses) == 1


def test_other_errors_are_not_swallowed(clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError):
        until(looks(ZeroDivisionError()), lambda seen: True, PATIENCE, Stop())


def test_stop_ends_a_wait_before_and_between_looks() -> None:
    stop = Stop()
    stop.event.set()
    with pytest.raises(Interrupted):
        until(looks(1), lambda seen: True, PATIENCE, stop)
    stop.event.clear()
    threading.Timer(0.05, stop.event.set).start()
    with pytest.raises(Interrupted):
        until(looks("pending"), lambda seen: seen == "done", PATIENCE, stop)
