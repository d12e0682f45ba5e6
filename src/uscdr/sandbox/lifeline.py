"""A pipe that ties a sandbox to the process that started it: when its writing end closes unasked, the sandbox ends.

However a process dies, kill -9 included, the kernel closes its pipes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_KEEP = b"k"


@dataclass
class Lifeline:
    """The starter's side: `reading` is for the daemon."""

    reading: int
    writing: int

    def hand_over(self) -> None:
        """The daemon has its end now."""
        os.close(self.reading)
        self.reading = -1

    def release(self) -> None:
        """From now on the sandbox does not depend on us."""
        with suppress(BrokenPipeError):
            os.write(self.writing, _KEEP)


@contextmanager
def lifeline() -> Iterator[Lifeline]:
    """A sandbox started with it ends with this context, or with this process."""
    line = Lifeline(*os.pipe())
    try:
        yield line
    finally:
        os.close(line.writing)
        if line.reading >= 0:
            os.close(line.reading)


@dataclass
class Starter:
    """The daemon's side, its standard input: who started it, until it is released."""

    descriptor: int = 0
    kept: bool = False
    gone: bool = field(default=False, init=False)

    def watch(self, loop: asyncio.AbstractEventLoop, ended: Callable[[], None]) -> None:
        """Calls `ended` when the starter has died. One that is no pipe, as at a terminal, is not watched."""

        def look() -> None:
            self._read()
            if self.kept or self.gone:
                loop.remove_reader(self.descriptor)
            if self.gone:
                ended()

        with suppress(OSError):
            loop.add_reader(self.descriptor, look)

    def _read(self) -> None:
        with suppress(OSError):
            said = os.read(self.descriptor, 1)
            self.kept, self.gone = said == _KEEP, not said

    def is_gone(self) -> bool:
        """Whether it has died by now, without having released us; for the end, when nothing waits any more."""
        if not self.kept and not self.gone:
            with suppress(OSError):
                os.set_blocking(self.descriptor, False)
                self._read()
        return self.gone
