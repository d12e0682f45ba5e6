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
"""Raises what forbids it. Returns words for people when there is something to say, else nothing."""
SHORT = 65536
"""Bytes: what is sent at one go. More may take long, and is the same from whoever sends it."""

_TRIES, _ENOUGH = 3, 0.05
"""How often it is asked when it stood still after it was asked; and how many seconds are enough to send."""


class WriteGuard:
    """What one process needs for its changes; nothing, when nobody was named. Thread-safe."""

    def __init__(self) -> None:
        self._of: tuple[tuple[Answer, Callable[[], float]], ...] = ()
        self.tell: Callable[[str], object] = str
        """Is told what there is to say."""

    def __call__(self) -> None:
        """Ask all of them. Raises LockHeld, MachineError and others: then nothing may be sent."""
        for answer, _ in self._of:
            if words := answer():
                self.tell(words)

    @contextmanager
    def of(self, answer: Answer, lasts: Callable[[], float] = lambda: math.inf) -> Iterator[None]:
        """Ask this one, too, until the context ends. `lasts` tells for how many seconds its leave surely holds."""
        mine = (answer, lasts)
        self._of = (*self._of, mine)
        try:
            yield
        finally:
            self._of = tuple(one for one in self._of if one is not mine)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Ask, then send something short inside.

        A process suspended there for longer than its permission lasts is ended. Raises as a call does.
        """
        for _ in range(_TRIES):
            self()
            if math.isinf(seconds := self._lasts()):
                yield
                return
            with _FUSE.lit(seconds):
                if self._lasts() > _ENOUGH:  # it may have been suspended before the timer was set
                    yield
                    return
        raise MachineError(
            "This process was suspended so often that uscdr cannot be sure it still holds the lock.",
            next_action="When the machine is less busy, run: uscdr runs resume",
        )

    def _lasts(self) -> float:
        return min((lasts() for _, lasts in self._of), default=math.inf)


class _Fuse:
    """The kernel's timer of this process, for all threads that send. When it goes off, the process is ended.

    A signal that came while a process was stopped is dealt with before it runs on. The default of this one is to end
    it, and no Python code is needed for that.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._ends: list[float] = []

    @contextmanager
    def lit(self, seconds: float) -> Iterator[None]:
        """Have it go off after so many seconds, unless the context ends before."""
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
"""For a client outside of a run: asks nobody."""
