"""Identifies processes: a process id alone may have been reused."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.errors import MachineError

if TYPE_CHECKING:
    import psutil

_QUIET = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}  # the operator's environment may hold secrets
_OURS = frozenset({"postgres", "postgres:", "initdb", "pg_ctl", "pg_restore", "psql", "git"})
"""Programs that work in a private directory. An operator's pager or editor in it is not one."""
GUARD = "uscdr-guard"
"""A guard's process name: the name of its script."""
_END_LIMIT = 10.0  # seconds
_POLL = 0.02


def birth(pid: int) -> str | None:
    """A mark that, with `pid`, identifies one process permanently; None when it has ended or is a zombie.

    Counted from the kernel's start, because marks are stored in files and psutil's creation time moves with the clock.
    """
    if Path("/proc/self/stat").exists():
        return _birth_from_proc(pid)
    return _birth_from_ps(pid)


def _users_of(directory: Path) -> list[int]:
    """This user's processes at work in `directory`: a program that names it, or a server with this data directory."""
    import psutil

    return [one.pid for one in psutil.process_iter() if one.pid != os.getpid() and _works_in(directory, one)]


def end_users_of(directory: Path) -> None:
    """Kill them, with their workers, and wait until they have ended. Raises MachineError."""
    deadline = time.monotonic() + _END_LIMIT
    while found := _users_of(directory):
        if time.monotonic() > deadline:
            raise MachineError(
                f"Process {found[0]} still works in {directory}, whose owner has ended, and uscdr cannot end it.",
                next_action=f"Run: kill -KILL {found[0]}",
            )
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL)  # an interval between two polls: a process that was just starting is seen in the next one


def _is_ours(line: str) -> bool:
    program = line.split(" ", 1)[0].rpartition("/")[2]
    return program in _OURS or (program == "sh" and GUARD in line.split(" "))


def _works_in(directory: Path, process: psutil.Process) -> bool:
    import psutil

    try:
        line = " ".join(process.cmdline())
        # A server's workers are recognised only by their working directory, which is unreadable for other users'
        # processes.
        if not _is_ours(line) or not (_names(line, str(directory)) or Path(process.cwd()).is_relative_to(directory)):
            return False
        os.kill(process.pid, 0)
    except (psutil.Error, OSError):  # it has ended, or we may not kill it
        return False
    return True


def _names(line: str, directory: str) -> bool:
    """Whether a command line names the directory or a path in it, and not only a path with the same prefix."""
    start = line.find(directory)
    while start >= 0:
        if line[start + len(directory) : start + len(directory) + 1] in ("", "/", " "):
            return True
        start = line.find(directory, start + 1)
    return False


def _birth_from_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command's name may hold spaces and brackets; the fields after its last bracket are fixed.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in "ZX" else started


def _birth_from_ps(pid: int) -> str | None:
    command = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, env=_QUIET, check=False)
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()
