"""Tasks with time limits: what hangs costs its limit once, and never more than that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from uscdr.checks.run import _Ended, _run_timed, _Timed
from uscdr.errors import Interrupted


def gathered(*tasks: _Timed[int], workers: int = 8, seconds: float = 30.0) -> dict[int, _Ended[int]]:
    return {one.index: one for one in _run_timed(tasks, workers=workers, seconds=seconds)}


@pytest.fixture
def hang() -> object:
    """Something that never answers, until the test is over."""
    over = threading.Event()
    yield lambda: int(over.wait(60))
    over.set()


def test_values_and_errors_come_back() -> None:
    def fail() -> int:
        raise ValueError("no")

    ends = gathered(_Timed(lambda: 7, 5, "a"), _Timed(fail, 5, "a"))
    assert ends[0].value == 7
    assert isinstance(ends[1].error, ValueError)
    assert not ends[0].overran
    assert not ends[1].overran


def test_a_hung_provider_is_waited_for_once_and_the_rest_reports(hang: Callable[[], int]) -> None:
    hung = [_Timed(hang, 0.3, "platform") for _ in range(6)]
    begun = time.monotonic()
    ends = gathered(*hung, _Timed(lambda: 1, 5, "application"), workers=2)
    spent = time.monotonic() - begun
    assert ends[6].value == 1
    assert [ends[n].overran for n in range(2)] == [True, True]
    assert [ends[n].spared for n in range(2, 6)] == [0, 0, 0, 0]
    assert spent < 0.3 * 3  # two at once, and no third wait


def test_a_slow_task_beside_answers_does_not_speak_for_its_provider(hang: Callable[[], int]) -> None:
    answered = threading.Event()

    def answer() -> int:
        answered.wait(5)
        return 1

    def late() -> int:
        return 2

    tasks = [_Timed(hang, 0.2, "platform"), _Timed(answer, 5, "platform"), _Timed(late, 5, "platform")]
    seen: list[_Ended[int]] = []
    for one in _run_timed(tasks, workers=2, seconds=30):
        seen.append(one)
        answered.set()
    by_index = {one.index: one for one in seen}
    assert by_index[0].overran
    assert by_index[1].value == 1


def test_after_the_deadline_nothing_begins(hang: Callable[[], int]) -> None:
    ran: list[int] = []

    def note() -> int:
        ran.append(1)
        return 1

    tasks = [_Timed(hang, 60, "a"), _Timed(note, 60, "b")]
    ends = gathered(*tasks, workers=1, seconds=0.2)
    assert ends[0].overran
    assert ends[1].overran
    assert ran == []


def test_no_more_than_the_workers_run_at_once() -> None:
    lock, now, most = threading.Lock(), [0], [0]
    gate = threading.Barrier(3)

    def work() -> int:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        gate.wait(5)
        with lock:
            now[0] -= 1
        return 0

    assert all(one.error is None for one in gathered(*[_Timed(work, 10, "a") for _ in range(9)], workers=3).values())
    assert most[0] == 3


def test_of_one_provider_no_more_than_its_share() -> None:
    lock, now, most = threading.Lock(), [0], [0]
    other_ran = threading.Event()

    def other() -> int:
        other_ran.set()
        return 1

    def work() -> int:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        assert other_ran.wait(5)  # it need not wait behind these
        with lock:
            now[0] -= 1
        return 0

    tasks = [*(_Timed(work, 10, "small") for _ in range(6)), _Timed(other, 10, "other")]
    ends = list(_run_timed(tasks, workers=20, seconds=30, at_once={"small": 2}))
    assert all(one.error is None for one in ends)
    assert most[0] == 2


def test_the_operator_can_stop_it(hang: Callable[[], int]) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        list(_run_timed([_Timed(hang, 60, "a")], workers=1, seconds=60, stop=stop))
