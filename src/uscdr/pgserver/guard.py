"""The guard of a tied server: it ends the server and removes its files when the process that started it dies.

It holds the reading end of a pipe whose writing end is in our process alone. When our process ends in any way,
including kill -9, the kernel closes the pipe; the guard then acts.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from uscdr.errors import MachineError
from uscdr.pgserver.process import GUARD
from uscdr.words import duration

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT = 30.0

# $1 is the data directory; the rest is what to remove. The process id may have been reused: the server's command line
# must name its data directory.
_SCRIPT = """
trap '' HUP INT TERM
data=$1; shift
while read -r _; do :; done
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
line() {
  if [ -e /proc/self/cmdline ]; then tr '\\0' ' ' <"/proc/$pid/cmdline"; else ps -o args= -p "$pid"; fi
}
ours() { [ -n "$pid" ] && line 2>/dev/null | grep -qF -e "$data"; }
if ours; then
  kill -QUIT "$pid"
  n=0
  while ours && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
  if ours; then kill -KILL "$pid"; fi
fi
# A program still starting in the directory may write while we remove: look again.
n=0
for path in "$@"; do
  rm -rf "$path" 2>/dev/null
  while [ -e "$path" ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); rm -rf "$path" 2>/dev/null; done
done
"""


@dataclass(frozen=True)
class Guard:
    """A running guard. It acts when `lifeline` is closed, by us or by the end of our process."""

    process: subprocess.Popen[bytes]
    lifeline: IO[bytes]

    def release(self) -> None:
        """Make the guard end the server and remove its files, and wait for it.

        Raises:
            MachineError: it did not finish within half a minute.
        """
        self.lifeline.close()
        try:
            self.process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise MachineError(
                "A private PostgreSQL server has not shut down.",
                why=f"Its guard, process {self.process.pid}, has not finished after {duration(_TIMEOUT)}.",
                next_action="Check whether the process waits for the disk, then remove its directory.",
            ) from error

    @classmethod
    def start(cls, data: Path, removed: list[Path]) -> Guard:
        """Start a guard for the server whose data directory is `data`; it will remove `removed` with it.

        A child made by a bare `os.fork` shares the lifeline and so delays the guard until it ends too.
        """
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, GUARD, str(data), *map(str, removed)],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
                start_new_session=True,
            )
        finally:
            os.close(reading)
        return Guard(process, os.fdopen(writing, "wb"))
