"""Permission to write: checked just before each writing request, with everyone who can revoke it.

The machine's lock and the team's lease grant it for a run. Clients ask once their connection is open, right before
sending. A process may be suspended at that point and continue when another operator has the lease. So a kernel timer is
set first, which ends the process before it sends anything.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from uscdr.errors import MachineError

Answer = Callable[[], str]
"""A check before a write: raises what forbids it. Returns a warning, or an empty text."""
SHORT = 65536
"""Bytes: a body up to this size is sent at once. A longer one takes time, and is the same whoever sends it."""

_TRIES, _ENOUGH = 3, 0.05
"""How often to check again after a suspension; and the seconds that are enough to send."""


class WriteGuard:
    """This process's permission to write; always granted while no check is registered. Thread-safe."""

    def __init__(self) -> None:
        self._of: tuple[tuple[Answer, Callable[[], float]], ...] = ()
        self.tell: Callable[[str], object] = str
        """Receives the warnings."""
        self.sent = 0
        """Writing requests that were let go and may have had an effect."""
        self._counting = threading.Lock()

    def __call__(self, *, more: bool = False) -> None:
        """Run every check before a request, or with `more` before another part of one.

        Raises LockHeld, MachineError and others: then nothing may be sent.
        """
        self._ask()
        self._count(int(not more))

    def refused(self) -> None:
        """One of the requests was certainly refused, and had no effect: it does not count."""
        self._count(-1)

    def _count(self, change: int) -> None:
        with self._counting:
            self.sent += change

    def _ask(self) -> None:
        for answer, _ in self._of:
            if words := answer():
                self.tell(words)

    @contextmanager
    def of(self, answer: Answer, lasts: Callable[[], float] = lambda: math.inf) -> Iterator[None]:
        """Register a check until the context ends. `lasts`: for how many seconds its permission certainly holds."""
        mine = (answer, lasts)
        self._of = (*self._of, mine)
        try:
            yield
        finally:
            self._of = tuple(one for one in self._of if one is not mine)

    @contextmanager
    def sending(self, *, more: bool = False) -> Iterator[None]:
        """Run every check, then send something short inside: a request, or with `more` another part of one.

        A process suspended there for longer than its permission lasts is ended. Raises as a call does.
        """
        for _ in range(_TRIES):
            self._ask()
            if math.isinf(seconds := self._lasts()):
                self._count(int(not more))
                yield
                return
            with _FUSE.lit(seconds):
                if self._lasts() > _ENOUGH:  # it may have been suspended before the timer was set
                    self._count(int(not more))
                    yield
                    return
        raise MachineError(
            "This process was suspended so often that uscdr cannot be sure it still holds the lock.",
            next_action="When the machine is less busy, run: uscdr runs resume",
        )

    def _lasts(self) -> float:
        return min((lasts() for _, lasts in self._of), default=math.inf)


class _Fuse:
    """The kernel's timer of this process, for all threads that send. When it expires, the kernel ends the process.

    A signal that arrives while a process is stopped is delivered before the process continues. The default action of
    SIGALRM ends the process, without any Python code.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._ends: list[float] = []

    @contextmanager
    def lit(self, seconds: float) -> Iterator[None]:
        """Let the timer expire after so many seconds, unless the context ends first."""
        end = time.monotonic() + seconds
        self._changed(lambda: self._ends.append(end))
        try:
            yield
        finally:
            self._changed(lambda: self._ends.remove(end))

    def _changed(self, change: Callable[[], None]) -> None:
        with self._turn:
            change()
            if signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
                return  # it belongs to another user of the timer
            left = min(self._ends) - time.monotonic() if self._ends else 0.0
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001) if self._ends else 0.0)


_FUSE = _Fuse()
ANYHOW = WriteGuard()
"""For a client outside a run: always granted."""
