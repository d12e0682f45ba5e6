"""Ends what a killed test run left: commands under way, sandboxes, and their servers with them.

A run marks its environment, which sandboxes and commands inherit, and starts a shell that waits at the end of a pipe.
However the run dies, the pipe closes; only then is this file run, with the mark.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "USCDR_TEST_RUN"
_WAIT = 'while read -r _; do :; done; [ -e /proc/self/environ ] && exec "$1" "$2" "$3"'
_DAEMON = b"uscdr.sandbox.daemon"
_PIPES: list[int] = []


def watch() -> None:
    """Mark this process and have its end watched; a run within a run is watched with it."""
    if VARIABLE in os.environ:
        return
    os.environ[VARIABLE] = mark = secrets.token_hex(8)
    reading, writing = os.pipe()
    _PIPES.append(writing)  # open for as long as we live, and in no child
    subprocess.Popen(
        ["/bin/sh", "-c", _WAIT, "orphans", sys.executable, str(Path(__file__).resolve()), mark],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={name: value for name, value in os.environ.items() if name != VARIABLE},
        start_new_session=True,
    )
    os.close(reading)


def _marked(mark: str) -> Iterator[tuple[int, list[bytes]]]:
    """Number and command line of what the run started."""
    wanted = f"{VARIABLE}={mark}".encode()
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                yield int(place.name), (place / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")


def end(mark: str) -> None:
    """Commands first, since they could make more; then each sandbox as `sandbox down` would."""
    from uscdr.sandbox import launch
    from uscdr.sandbox.state import StateDir

    found = list(_marked(mark))
    for pid, line in found:
        if _DAEMON not in line:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    for _, line in found:
        if _DAEMON in line:
            launch.down(StateDir(Path(os.fsdecode(line[-1]))), lambda _: None)


if __name__ == "__main__":
    end(sys.argv[1])
