"""Wait for an observed end: bounded, interruptible; a failed observation never counts as one."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import Interrupted, OutcomeUnknown, ProviderError
from uscdr.spent import WATCH
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
MAX_BLIND_LOOKS = 20
FIRST_INTERVAL = 0.05
BLIND_INTERVAL = 0.2
"""The shortest pause after a failed look: twenty of them are not over before a short outage is."""
LONGEST_INTERVAL = 3.0
SHARE = 0.04
"""The longest delay in noticing an end, as a share of the time waited."""


@dataclass
class Stop:
    """The operator's request to stop; every wait checks it."""

    event: threading.Event = field(default_factory=threading.Event)
    cause: str = "by the operator"
    """Who or what interrupted, in words that follow “Interrupted”."""

    def check(self) -> None:
        """Raise Interrupted when the operator asked to stop."""
        if self.event.is_set():
            raise Interrupted(f"Interrupted {self.cause}.", next_action="Continue the run: uscdr runs resume")

    def told(self, error: Interrupted) -> str:
        """The error's message, with the cause if it lacks it."""
        known = self.cause in error.message or not self.event.is_set()
        return error.message if known else f"{error.message.rstrip('.')} ({self.cause})."

    def pause(self, seconds: float) -> None:
        """Wait that long, or raise Interrupted."""
        self.event.wait(seconds)
        self.check()


@dataclass(frozen=True)
class WaitLimit:
    """`what` to wait for, and for how many seconds at most."""

    what: str
    limit: float
    look_at: str
    """The command that shows the state after a wait without an answer."""


def until(look: Callable[[], T], done: Callable[[T], bool], patience: WaitLimit, stop: Stop) -> T:
    """Call `look` until `done`. Twenty failed calls in a row, or the limit, make the outcome unknown.

    Raises Interrupted, and OutcomeUnknown: at once for an error that a retry cannot fix, such as refused credentials.
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
            raise _unknown(patience, f"{blind} checks in a row failed; the last one: {last.message if last else ''}")
        elapsed = time.monotonic() - begun
        if elapsed >= patience.limit:
            raise _unknown(patience, f"it did not finish within {duration(patience.limit)}")
        shortest = BLIND_INTERVAL if blind else FIRST_INTERVAL
        with WATCH.provider():
            stop.pause(min(max(shortest, elapsed * SHARE), LONGEST_INTERVAL))


def _unknown(patience: WaitLimit, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"uscdr does not know how {patience.what} ended.",
        why=why,
        next_action=f"Check: {patience.look_at}. Then: uscdr runs resume (it checks first and repeats nothing).",
    )
