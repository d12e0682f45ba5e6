"""Process groups the sandbox started: recorded when they start, found again and ended after a crash.

A process is known by its id and its start mark together, so a recycled id is never mistaken for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_STAT_STATE, _STAT_GROUP, _STAT_START = 0, 2, 19  # fields after the command name in /proc/PID/stat
_POLL = 0.02


@dataclass(frozen=True)
class Entry:
    """One line of the process table. `started` is opaque: compare it, nothing else."""

    pid: int
    group: int
    started: str
    zombie: bool


def _from_proc(pid: int) -> Entry | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return Entry(pid, int(fields[_STAT_GROUP]), fields[_STAT_START], fields[_STAT_STATE] in "ZX")


def _from_ps() -> Iterator[Entry]:
    command = ["ps", "-Ao", "pid=,pgid=,stat=,lstart="]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        pid, group, state, started = line.split(None, 3)
        yield Entry(int(pid), int(group), started.strip(), state.startswith("Z"))


def table() -> Iterator[Entry]:
    """Every process of this machine that can be seen."""
    if not (PROC / "self" / "stat").exists():
        yield from _from_ps()
        return
    for directory in PROC.iterdir():
        if directory.name.isdigit() and (entry := _from_proc(int(directory.name))):
            yield entry


def start_mark(pid: int) -> str:
    """The start mark of a live process; empty when there is none."""
    if (PROC / "self" / "stat").exists():
        entry = _from_proc(pid)
    else:
        entry = next((one for one in _from_ps() if one.pid == pid), None)
    return entry.started if entry and not entry.zombie else ""


def alive(pid: int, started: str) -> bool:
    """Whether the very process that was recorded still runs."""
    return bool(started) and start_mark(pid) == started


def group_members(group: int) -> list[Entry]:
    """Live processes of a group, zombies left out."""
    return [entry for entry in table() if entry.group == group and not entry.zombie]


class Ledger:
    """Append-only file of the process groups this daemon leads."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, pid: int) -> None:
        """Write down a process that leads its own group, right after its start."""
        line = json.dumps({"pid": pid, "started": start_mark(pid)})
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def entries(self) -> Iterator[tuple[int, str]]:
        """What was recorded; a torn last line is passed over."""
        with contextlib.suppress(OSError):
            for line in self._path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, KeyError):
                    entry = json.loads(line)
                    yield int(entry["pid"]), str(entry["started"])

    def reap(self, *, limit: float = 10.0) -> list[int]:
        """End every recorded group that is still there; returns the groups that had to be ended.

        `limit` is in seconds. A group whose leader is gone is still ours: the system does not give
        a number to a new process while a group bears it.
        """
        groups = [pid for pid, started in self.entries() if _is_ours(pid, started)]
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        until = time.monotonic() + limit
        while any(group_members(group) for group in groups) and time.monotonic() < until:
            time.sleep(_POLL)
        return groups


def _is_ours(pid: int, started: str) -> bool:
    members = group_members(pid)
    leader = next((entry for entry in members if entry.pid == pid), None)
    return leader.started == started if leader else bool(members)
