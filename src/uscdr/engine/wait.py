"""Wait by observing: bounded, interruptible, and honest when looking itself fails."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import Interrupted, OutcomeUnknown, ProviderError
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
MAX_BLIND_LOOKS = 20
FIRST_INTERVAL = 0.2
LONGEST_INTERVAL = 3.0
SHARE = 0.04
"""An end is noticed after at most this share of the time it took."""


@dataclass
class Stop:
    """The operator's wish to stop, seen by every wait."""

    event: threading.Event = field(default_factory=threading.Event)
    cause: str = "by the operator"
    """Who or what it was, after “interrupted”."""

    def check(self) -> None:
        """Raise Interrupted when the operator asked to stop."""
        if self.event.is_set():
            raise Interrupted(
                f"Interrupted {self.cause}.", next_action="Go on where it stopped with: uscdr runs resume"
            )

    def told(self, error: Interrupted) -> str:
        """What the error says, and the cause if it does not name it."""
        known = self.cause in error.message or not self.event.is_set()
        return error.message if known else f"{error.message.rstrip('.')} ({self.cause})."

    def pause(self, seconds: float) -> None:
        """Wait that long, or raise Interrupted."""
        self.event.wait(seconds)
        self.check()


@dataclass(frozen=True)
class WaitLimit:
    """How long to wait for what, in seconds."""

    what: str
    limit: float
    look_at: str
    """What a person would look at when the wait ends without an answer."""


def until(look: Callable[[], T], done: Callable[[T], bool], patience: WaitLimit, stop: Stop) -> T:
    """Look until `done`. Twenty failed looks in a row, or the limit, mean the outcome is unknown.

    Raises OutcomeUnknown, Interrupted, or at once what cannot mend itself (refused credentials, a vanished thing).
    """
    begun, blind = time.monotonic(), 0
    last: ProviderError | None = None
    while True:
        stop.check()
        try:
            seen = look()
            blind, last = 0, None
            if done(seen):
                return seen
        except ProviderError as error:
            if not error.retryable:
                raise _unknown(patience, error.message) from error
            blind, last = blind + 1, error
        if blind >= MAX_BLIND_LOOKS:
            raise _unknown(patience, f"{blind} looks in a row failed; the last: {last.message if last else ''}")
        elapsed = time.monotonic() - begun
        if elapsed >= patience.limit:
            raise _unknown(patience, f"it was not finished after {duration(patience.limit)}")
        stop.pause(min(max(FIRST_INTERVAL, elapsed * SHARE), LONGEST_INTERVAL))


def _unknown(patience: WaitLimit, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"It is not known how {patience.what} ended.",
        why=why,
        next_action=f"Look at: {patience.look_at}. Then: uscdr runs resume (it looks first and repeats nothing).",
    )
