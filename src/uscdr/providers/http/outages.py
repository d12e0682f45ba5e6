"""Hosts that do not answer a read-only command: each one costs its time limit once, and later requests know that.

A running recovery waits as long as its steps allow, because an outage may end. A read-only command does not wait: the
operator can run it again.
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
"""Seconds of silence allowed for the first host, the second and so on; the last value is for all others."""
ALIVE = 12.0
"""Seconds for the first host if it answered this command before: it may only be slow."""
REFUSALS, AT_LEAST = 3, 1.0
"""After that many failed connections, over that many seconds, the host counts as down."""
WAITING = 6.0
"""Total seconds of waiting between attempts at one provider that answers with errors."""
QUOTA = 40.0
"""The same for a provider that limits our rate: its quota refills, but the wait must end."""
ANSWER = 10.0
"""Seconds for one whole answer, to a read-only command."""
ANSWER_SECONDS = 120.0
"""The same for any other command: without it a slowly dripping server could block us without end."""
REMEMBERED = 60.0
"""Seconds after which a repeating read-only command tries such a host again."""


class Outages:
    """What one command knows about silent hosts (`host:port`). Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turn = threading.Lock()
        self._since: dict[str, float] = {}
        """Host -> time of the first unanswered request since its last answer."""
        self._failures: dict[str, int] = {}
        self._given_up: dict[str, float] = {}
        self._alive: set[str] = set()
        self._waited: dict[str, float] = {}

    @classmethod
    def known(cls) -> Outages | None:
        """The knowledge of the current read-only command; None otherwise, and then every host is tried."""
        return _SHARED[-1] if _SHARED else None

    @classmethod
    @contextmanager
    def shared(cls) -> Iterator[Outages]:
        """All requests within this context, on any thread, share the knowledge."""
        _SHARED.append(cls())
        try:
            yield _SHARED[-1]
        finally:
            _SHARED.pop()

    def left(self, place: str) -> float:
        """Seconds that the host may still stay silent; 0 when it is not tried again."""
        with self._turn:
            now = self._clock()
            if now - self._given_up.get(place, now) > REMEMBERED:
                self._forget(place)
            if place in self._given_up:
                return 0.0
            return max(0.0, self._limit(place) - (now - self._since.get(place, now)))

    def silent(self, place: str, begun: float) -> None:
        """Record that a request at `begun` (monotonic) got no answer."""
        with self._turn:
            first = self._since.setdefault(place, begun)
            self._failures[place] = self._failures.get(place, 0) + 1
            # a timer may fire slightly early
            spent = self._clock() - first + 0.1
            if spent >= self._limit(place) or (spent >= AT_LEAST and self._failures[place] >= REFUSALS):
                self._given_up.setdefault(place, self._clock())

    def answered(self, place: str) -> None:
        """Record that the host answered, with any status."""
        with self._turn:
            self._forget(place)
            self._alive.add(place)

    def may_wait(self, provider: str, seconds: float, share: float = WAITING) -> bool:
        """Whether that wait before the next attempt is within the provider's limit; counts it."""
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


_SHARED: list[Outages] = []


def wait_for_dns(host: str, seconds: float) -> None:
    """Wait until the name lookup ends; TimeoutError after the limit: nothing else limits the lookup."""
    if host in _RESOLVED:
        return
    done = threading.Event()

    def ask() -> None:
        with suppress(OSError, UnicodeError):
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        done.set()

    threading.Thread(target=ask, daemon=True, name="resolving").start()
    if not done.wait(seconds):
        raise TimeoutError(errno.ETIMEDOUT, "no DNS answer within the time limit")
    _RESOLVED.add(host)


_RESOLVED: set[str] = set()


@contextmanager
def time_allowed(place: str, usual: float, silence: tuple[type[Exception], ...] = (OSError,)) -> Iterator[float]:
    """Yields the seconds that `place` may stay silent, at most `usual`.

    An error of the types `silence` counts as no answer. Raises TimeoutError when the command no longer waits for that
    host.
    """
    outages = Outages.known()
    if outages is None:
        yield usual
        return
    left, begun = outages.left(place), time.monotonic()
    if left <= 0:
        raise TimeoutError(errno.ETIMEDOUT, GIVEN_UP)
    try:
        wait_for_dns(place.rpartition(":")[0].removeprefix("dns "), left)
        yield min(usual, left)
    except silence:
        outages.silent(place, begun)
        raise
    outages.answered(place)


GIVEN_UP = "it did not answer before, so this command does not wait for it again"


def answer_seconds() -> float:
    """Seconds that one whole answer may take, including its headers."""
    return ANSWER_SECONDS if Outages.known() is None else ANSWER
