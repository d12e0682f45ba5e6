"""Where the time of this process goes: waiting for a provider, waiting for a person; all else is this machine's work.

Waits that overlap, on whatever threads, count once: a moment belongs to the person who is asked, else to a provider
that is waited for.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

T = TypeVar("T")
_For = Literal["provider", "person"]


class SpentTime(NamedTuple):
    """Seconds since the process began."""

    provider: float
    person: float


class StopWatch:
    """Adds up the waits of one process; any thread may wait."""

    def __init__(self) -> None:
        self._turn = threading.RLock()  # a signal may interrupt the thread that has it
        self._waits: dict[_For, int] = {"provider": 0, "person": 0}
        self._total: dict[_For, float] = {"provider": 0.0, "person": 0.0}
        self._since = time.monotonic()

    def provider(self) -> AbstractContextManager[None]:
        """Inside, this thread waits for a provider: for its answer, or for the end of its work."""
        return self._waiting("provider")

    def person(self) -> AbstractContextManager[None]:
        """Inside, this thread waits for a person's answer."""
        return self._waiting("person")

    def arriving(self, items: Iterable[T]) -> Iterator[T]:
        """What a provider sends: to get the next piece is a wait for it, what is done with the piece is none."""
        left = iter(items)
        while True:
            with self.provider():
                try:
                    item = next(left)
                except StopIteration:
                    return
            yield item

    def read(self) -> SpentTime:
        """The waits so far, those under way included."""
        with self._turn:
            self._advance()
            return SpentTime(self._total["provider"], self._total["person"])

    @contextmanager
    def _waiting(self, whom: _For) -> Iterator[None]:
        self._change(whom, 1)
        try:
            yield
        finally:
            self._change(whom, -1)

    def _change(self, whom: _For, by: int) -> None:
        with self._turn:
            self._advance()
            self._waits[whom] += by

    def _advance(self) -> None:
        now = time.monotonic()
        if self._waits["person"]:
            self._total["person"] += now - self._since
        elif self._waits["provider"]:
            self._total["provider"] += now - self._since
        self._since = now


WATCH = StopWatch()
"""That of this process."""
