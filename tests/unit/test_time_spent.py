"""What a process waits for is told apart from its own work, and counts once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from uscdr import spent
from uscdr.spent import StopWatch


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    clock = Clock()
    monkeypatch.setattr(spent, "time", clock)
    return clock.passes


def test_only_waits_are_counted(passes: Callable[[float], None]) -> None:
    watch = StopWatch()
    passes(5)
    with watch.provider():
        passes(2)
    passes(7)
    with watch.person():
        passes(3)
    assert watch.read() == (2, 3)


def test_waits_that_overlap_count_once(passes: Callable[[float], None]) -> None:
    watch = StopWatch()
    with watch.provider():
        passes(1)
        with watch.provider():
            passes(1)
        passes(1)
    assert watch.read() == (3, 0)


def test_the_time_of_a_question_is_the_persons_even_if_a_download_runs(passes: Callable[[float], None]) -> None:
    watch = StopWatch()
    with watch.provider():
        passes(1)
        with watch.person():
            passes(10)
        passes(1)
    assert watch.read() == (2, 10)


def test_a_wait_under_way_is_counted_so_far(passes: Callable[[float], None]) -> None:
    watch = StopWatch()
    with watch.provider():
        passes(4)
        assert watch.read() == (4, 0)


def test_a_wait_that_fails_ends(passes: Callable[[float], None]) -> None:
    watch = StopWatch()

    def cut() -> None:
        with watch.provider():
            passes(1)
            raise ValueError("cut")

    with pytest.raises(ValueError, match="cut"):
        cut()
    passes(9)
    assert watch.read() == (1, 0)


def test_work_on_what_arrives_is_no_wait(passes: Callable[[float], None]) -> None:
    watch = StopWatch()

    def sent() -> Iterator[int]:
        for piece in range(3):
            passes(1)
            yield piece

    found = []
    for piece in watch.arriving(sent()):
        passes(10)
        found.append(piece)
    assert found == [0, 1, 2]
    assert watch.read() == (3, 0)
