"""Looks that many checks share: asked once, kept, and never waited for without end."""

from __future__ import annotations

import threading
import time

import pytest

from uscdr.checks.context import Once
from uscdr.errors import ProviderError


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
