"""Looks that many checks share: asked once, kept, and never waited for without end."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from uscdr.checks.context import Once
from uscdr.errors import ProviderError
from uscdr.threads import Ahead, side_by_side


def test_it_is_asked_once_whoever_asks() -> None:
    once, asked = Once(limit=5, provider="the platform"), []

    def ask() -> int:
        asked.append(1)
        return 7

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(once.get("app", ask))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 8
    assert asked == [1]


def test_an_error_is_kept_for_everybody() -> None:
    once, asked = Once(limit=5, provider="the platform"), []

    def ask() -> int:
        asked.append(1)
        raise ProviderError("refused", provider="heroku")

    for _ in range(3):
        with pytest.raises(ProviderError, match="refused"):
            once.get("app", ask)
    assert asked == [1]


def test_who_comes_later_waits_no_longer_than_the_first() -> None:
    once, over = Once(limit=0.2, provider="the platform"), threading.Event()
    begun = time.monotonic()
    for _ in range(5):
        with pytest.raises(ProviderError, match="did not return its app"):
            once.get("app", lambda: over.wait(30))
    spent = time.monotonic() - begun
    over.set()
    assert spent < 0.2 * 4


def test_what_is_begun_is_asked_once_and_waited_for_later() -> None:
    once, asked, go_on = Once(limit=30, provider="the platform"), [], threading.Event()

    def ask() -> int:
        asked.append(1)
        assert go_on.wait(30)
        return 7

    once.begin("app", ask)
    once.begin("app", ask)
    go_on.set()
    assert (once.get("app", ask), asked) == (7, [1])


def test_a_look_ahead_holds_up_no_end_of_the_process() -> None:
    over = threading.Event()
    look = Ahead(lambda: over.wait(30), "hanging")
    assert not look.ended(0)
    assert next(one for one in threading.enumerate() if one.name == "hanging").daemon
    over.set()
    assert look.result()


def test_looks_side_by_side_are_bounded_and_keep_their_order() -> None:
    full, most, now, turn = threading.Barrier(3), 0, 0, threading.Lock()

    def look(number: int) -> int:
        nonlocal most, now
        with turn:
            now += 1
            most = max(most, now)
        if number < 3:
            full.wait(30)  # three are under way at once, or this breaks
        with turn:
            now -= 1
        return number

    assert side_by_side([partial(look, number) for number in range(9)], workers=3) == list(range(9))
    assert most == 3


def test_the_first_failed_look_is_told_once_all_have_ended() -> None:
    ended, last = list[str](), threading.Event()

    def fails(name: str, after: threading.Event | None) -> None:
        if after is not None:
            assert after.wait(30)
        ended.append(name)
        last.set()
        raise ProviderError(name, provider="fake")

    with pytest.raises(ProviderError, match="first"):
        side_by_side([partial(fails, "first", last), partial(fails, "second", None)], workers=2)
    assert ended == ["second", "first"]
