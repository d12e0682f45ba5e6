"""The thread pool: order, bound, errors, the stop token."""

from __future__ import annotations

import threading

import pytest

from uscdr.errors import Interrupted, ProviderError, RateLimited
from uscdr.threads import LEAST, MOST, Pace, run_all


def test_results_keep_the_order_of_the_tasks() -> None:
    first_may_end = threading.Event()

    def slow() -> str:
        assert first_may_end.wait(5)
        return "slow"

    def quick() -> str:
        first_may_end.set()
        return "quick"

    assert run_all([slow, quick], workers=2) == ["slow", "quick"]


def test_nothing_to_do() -> None:
    assert run_all([], workers=3) == []


def test_never_more_than_the_workers_at_once() -> None:
    turn = threading.Lock()
    running, most = 0, 0
    pair = threading.Barrier(2)

    def task() -> None:
        nonlocal running, most
        with turn:
            running += 1
            most = max(most, running)
        pair.wait(5)  # proves that two run at once, and lets nobody through alone
        with turn:
            running -= 1

    run_all([task] * 6, workers=2)
    assert most == 2


def test_first_error_is_raised_after_the_running_tasks_ended_and_no_further_began() -> None:
    began: list[str] = []
    ended: list[str] = []
    failing = threading.Event()

    def long() -> None:
        began.append("long")
        assert failing.wait(5)
        ended.append("long")

    def fail() -> None:
        began.append("fail")
        raise ValueError("the first")

    def never() -> None:
        began.append("never")

    tasks = [long, fail, *[never] * 50]
    with pytest.raises(ValueError, match="the first"):
        run_all(tasks, workers=2, abandon=failing.set)
    assert ended == ["long"]
    assert len(began) < len(tasks)


def test_error_of_an_abandoned_task_does_not_hide_the_first() -> None:
    cut = threading.Event()

    def cut_short() -> None:
        assert cut.wait(5)
        raise ValueError("cut short")

    def fail() -> None:
        raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"):
        run_all([cut_short, fail], workers=2, abandon=cut.set)


def test_stop_ends_the_wait_and_says_so() -> None:
    stop, cut = threading.Event(), threading.Event()

    told = list[bool]()

    def task() -> None:
        stop.set()
        told.append(cut.wait(60))

    with pytest.raises(Interrupted):
        run_all([task] * 3, workers=1, stop=stop, abandon=cut.set)
    assert told == [True]


def test_a_task_may_use_a_pool_of_its_own_even_with_one_worker() -> None:
    def outer() -> list[int]:
        return run_all([lambda: 1, lambda: 2], workers=1)

    assert run_all([outer, outer], workers=1) == [[1, 2], [1, 2]]


def test_pace_grows_with_each_call_until_the_service_first_refuses() -> None:
    pace = Pace(threading.Event())
    for _ in range(100):
        with pace.turn():
            pass
    assert pace.allowed == MOST


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("Too many.", provider="media", status=420),
        RateLimited("Too many.", provider="media", status=429),
        ProviderError("It failed.", provider="media", status=503),
    ],
)
def test_pace_halves_when_the_service_refuses_or_fails(error: ProviderError) -> None:
    pace = Pace(threading.Event())
    seen = []
    for _ in range(4):
        with pytest.raises(ProviderError), pace.turn():
            raise error
        seen.append(pace.allowed)
    assert seen == [8, LEAST, LEAST, LEAST]


def test_pace_after_a_refusal_grows_by_one_for_a_whole_round() -> None:
    pace = Pace(threading.Event(), first=8)
    _refuse(pace)
    assert pace.allowed == 4
    grown = []
    for _ in range(9):
        with pace.turn():
            pass
        grown.append(pace.allowed)
    assert grown == [4, 4, 4, 5, 5, 5, 5, 5, 6]


def _refuse(pace: Pace) -> None:
    with pytest.raises(RateLimited), pace.turn():
        raise RateLimited("Too many.", provider="media", status=429)


def test_pace_halves_once_for_all_refusals_of_one_round() -> None:
    pace = Pace(threading.Event())
    together = threading.Barrier(8)

    def refused() -> None:
        with pace.turn():
            together.wait(5)
            raise RateLimited("Too many.", provider="media", status=429)

    def one() -> None:
        with pytest.raises(RateLimited):
            refused()

    run_all([one] * 8, workers=8)
    assert pace.allowed == 8


def test_pace_is_not_slowed_by_what_the_service_says_of_one_file() -> None:
    pace = Pace(threading.Event())
    with pytest.raises(ProviderError), pace.turn():
        raise ProviderError("There is no such file.", provider="media", status=404)
    assert pace.allowed == 17


def test_pace_lets_no_more_calls_go_than_it_allows() -> None:
    pace = Pace(threading.Event(), least=2, first=2, most=2)
    turn, pair = threading.Lock(), threading.Barrier(2)
    running = most = 0

    def task() -> None:
        nonlocal running, most
        with pace.turn():
            with turn:
                running += 1
                most = max(most, running)
            pair.wait(5)
            with turn:
                running -= 1

    run_all([task] * 8, workers=8)
    assert most == 2


def test_pace_holds_a_bounded_number_of_bytes_but_lets_a_larger_call_go_alone() -> None:
    pace = Pace(threading.Event())
    turn = threading.Lock()
    running = most = 0

    def task() -> None:
        nonlocal running, most
        with pace.turn(40_000_000):
            with turn:
                running += 1
                most = max(most, running)
            with turn:
                running -= 1

    run_all([task] * 20, workers=8)
    assert most == 1


def test_pace_waits_no_longer_after_an_interruption() -> None:
    stop = threading.Event()
    pace = Pace(stop, least=1, first=1, most=1)
    with pace.turn():
        stop.set()
        with pytest.raises(Interrupted), pace.turn():
            raise AssertionError("nobody may have this turn")
    with pace.turn():
        pass  # an interrupted run may still call, if it need not wait
