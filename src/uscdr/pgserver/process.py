"""Is this process still the one we started? A process id alone may have been given to another."""

from __future__ import annotations

import subprocess
from pathlib import Path

_QUIET = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}  # the operator's environment may hold secrets


def birth(pid: int) -> str | None:
    """A mark that, with `pid`, names one process for ever; None when it is gone or only a zombie."""
    if Path("/proc/self/stat").exists():
        return _birth_from_proc(pid)
    return _birth_from_ps(pid)


def command_line(pid: int) -> str:
    """The command line of process `pid`, arguments joined by blanks; empty when it is gone."""
    # Unlike a process's working directory, this may be read of another user's process too.
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").replace("\0", " ")
        except OSError:
            return ""
    answer = subprocess.run(
        ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, env=_QUIET, check=False
    )
    return answer.stdout.strip()


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
