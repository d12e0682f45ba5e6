"""Places that do not answer a command that only looks: each costs its limit once, and whoever asks it later knows.

A recovery that is under way waits for as long as its steps say, since an outage may pass. A look may not: nobody gains
by it, and the next look is a command away.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SILENCES = (6.0, 2.0, 1.0, 0.5)
"""Seconds for which the first place, the second and so on may keep silent; the last for all further ones."""
ALIVE = 12.0
"""Seconds for the first one, if it has answered this command before: it may only be slow."""
REFUSALS, AT_LEAST = 3, 1.0
"""So often in a row, over so many seconds, no connection is taken for an answer that will not change."""
WAITING = 6.0
"""Seconds that are waited in all between attempts at one provider that answers, but not well."""
QUOTA = 40.0
"""The same at one that refuses for its rate: its pool fills up again, but not for one that asks for ever."""
ANSWER = 10.0
"""Seconds that one whole answer may take, to a command that only looks."""
ANSWER_SECONDS = 120.0
"""To any other: the time-outs of silence alone would let a dripping server hold us for ever."""
REMEMBERED = 60.0
"""Seconds after which such a place is asked again, by a command that looks again and again."""


class Outages:
    """What one command knows of places (`host:port`) that keep silent. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turn = threading.Lock()
        self._since: dict[str, float] = {}
        """Place -> when it was first asked in vain since its last answer."""
        self._failures: dict[str, int] = {}
        self._given_up: dict[str, float] = {}
        self._alive: set[str] = set()
        self._waited: dict[str, float] = {}

    def left(self, place: str) -> float:
        """Seconds for which the place may still keep silent; 0 when it is not asked again."""
        with self._turn:
            now = self._clock()
            if now - self._given_up.get(place, now) > REMEMBERED:
                self._forget(place)
            if place in self._given_up:
                return 0.0
            return max(0.0, self._limit(place) - (now - self._since.get(place, now)))

    def silent(self, place: str, begun: float) -> None:
        """The place was asked at `begun` (monotonic), and no answer came."""
        with self._turn:
            first = self._since.setdefault(place, begun)
            self._failures[place] = self._failures.get(place, 0) + 1
            # a timer may ring a moment early
            spent = self._clock() - first + 0.1
            if spent >= self._limit(place) or (spent >= AT_LEAST and self._failures[place] >= REFUSALS):
                self._given_up.setdefault(place, self._clock())

    def answered(self, place: str) -> None:
        """The place answered, whatever it said."""
        with self._turn:
            self._forget(place)
            self._alive.add(place)

    def may_wait(self, provider: str, seconds: float, share: float = WAITING) -> bool:
        """Whether so long a wait before the next attempt is within the provider's share; it is counted."""
        with self._turn:
            waited = self._waited.get(provider, 0.0) + seconds
            if waited > share:
                return False
            self._waited[provider] = waited
            return True

    def _limit(self, place: str) -> float:
        if not self._given_up and place in self._alive:
            return ALIVE
        return SILENCES[min(len(self._given_up), len(SILENCES) - 1)]

    def _forget(self, place: str) -> None:
        for known in (self._since, self._failures, self._given_up):
            known.pop(place, None)


_LOOKING: list[Outages] = []


def known() -> Outages | None:
    """What the command that looks knows; None while none does, and every place is asked as it comes."""
    return _LOOKING[-1] if _LOOKING else None


@contextmanager
def looking() -> Iterator[Outages]:
    """Whoever asks any place within, on any thread, shares what is known of it."""
    _LOOKING.append(Outages())
    try:
        yield _LOOKING[-1]
    finally:
        _LOOKING.pop()


def resolved(host: str, seconds: float) -> None:
    """Wait until the name is resolved, well or not; TimeoutError when that takes longer: nothing else limits it."""
    if host in _RESOLVED:
        return
    done = threading.Event()

    def ask() -> None:
        with suppress(OSError, UnicodeError):
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        done.set()

    threading.Thread(target=ask, daemon=True, name="resolving").start()
    if not done.wait(seconds):
        raise TimeoutError(errno.ETIMEDOUT, "the name was not resolved within the time limit")
    _RESOLVED.add(host)


_RESOLVED: set[str] = set()


@contextmanager
def borne(place: str, usual: float, silence: tuple[type[Exception], ...] = (OSError,)) -> Iterator[float]:
    """For how many seconds `place` may keep silent, `usual` at most; an error among `silence` is no answer.

    Raises TimeoutError when the command does not wait for that place any more.
    """
    outages = known()
    if outages is None:
        yield usual
        return
    left, begun = outages.left(place), time.monotonic()
    if left <= 0:
        raise TimeoutError(errno.ETIMEDOUT, GIVEN_UP)
    try:
        resolved(place.rpartition(":")[0].removeprefix("dns "), left)
        yield min(usual, left)
    except silence:
        outages.silent(place, begun)
        raise
    outages.answered(place)


GIVEN_UP = "it kept silent before, and is not waited for again"


def answer_seconds() -> float:
    """How long one whole answer may take, in seconds; its head alone may not take longer."""
    return ANSWER_SECONDS if known() is None else ANSWER
