"""The thread pool: order, bound, errors, the stop token."""

from __future__ import annotations

import threading
import time

import pytest

from uscdr.errors import Interrupted
from uscdr.threads import run_all


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

    def task() -> None:
        stop.set()
        assert cut.wait(5)

    start = time.monotonic()
    with pytest.raises(Interrupted):
        run_all([task] * 3, workers=1, stop=stop, abandon=cut.set)
    assert time.monotonic() - start < 4


def test_a_task_may_use_a_pool_of_its_own_even_with_one_worker() -> None:
    def outer() -> list[int]:
        return run_all([lambda: 1, lambda: 2], workers=1)

    assert run_all([outer, outer], workers=1) == [[1, 2], [1, 2]]
