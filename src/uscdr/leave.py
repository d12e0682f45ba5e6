"""Leave to change something: asked for just before each request that does, of all who can take it away.

The lock of this machine and the lease of the team give it for a run. Clients ask when their connection stands, with
nothing but the sending left to do: between an answer and the request lies no wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = Callable[[], str]
"""Raises what forbids it. Returns words for people when there is something to say, else nothing."""


class Leave:
    """What one process needs for its changes; nothing, when nobody was named. Thread-safe."""

    def __init__(self) -> None:
        self._of: tuple[Answer, ...] = ()
        self.tell: Callable[[str], object] = str
        """Is told what there is to say."""

    def __call__(self) -> None:
        """Ask all of them. Raises LockHeld and MachineError, among others: then nothing may be sent."""
        for answer in self._of:
            if words := answer():
                self.tell(words)

    @contextmanager
    def of(self, answer: Answer) -> Iterator[None]:
        """Ask this one, too, until the context ends."""
        self._of = (*self._of, answer)
        try:
            yield
        finally:
            self._of = tuple(one for one in self._of if one is not answer)


ANYHOW = Leave()
"""For a client that belongs to no run: nobody is asked."""
