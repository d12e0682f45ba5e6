"""A colleague's process: holds the lock of a target until its standard input ends.

Run as `python -m uscdr.drills.colleague STATE TARGET`; it says `held` once it holds the lock.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.errors import MachineError
from uscdr.journal.lock import HeldLock
from uscdr.settings import Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

HELD = "held"
MESSAGE = "a colleague's run, which the drill made up"


@contextmanager
def colleague(state: Path, target: str) -> Iterator[None]:
    """Another process holds the lock of `target` in this context. Raises MachineError when it cannot take it."""
    command = [sys.executable, "-P", "-m", __name__, str(state), target]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("started without pipes")
        try:
            if process.stdout.readline().strip() != HELD:
                raise MachineError(
                    "The drill could not take the lock in a colleague's place.",
                    next_action="Run the drill again: uscdr drill db --surprise",
                )
            yield
        finally:
            process.stdin.close()


def hold(state: Path, target: str) -> None:
    """Hold the lock until standard input ends."""
    with HeldLock.hold(state, target, Operator.of(os.environ), MESSAGE):
        print(HELD, flush=True)  # noqa: T201 - the other process waits for it
        sys.stdin.read()


if __name__ == "__main__":
    hold(Path(sys.argv[1]), sys.argv[2])
