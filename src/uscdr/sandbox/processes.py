"""Process groups the sandbox started: recorded when they start, found again and ended after a crash.

A process is known by its id and its start mark together, so a recycled id is never mistaken for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from uscdr.pgserver.process import birth

_POLL = 0.02


def start_mark(pid: int) -> str:
    """The start mark of a live process; empty when there is none. Opaque: compare it, nothing else."""
    return birth(pid) or ""


def alive(pid: int, started: str) -> bool:
    """Whether the very process that was recorded still runs."""
    return bool(started) and start_mark(pid) == started


def group_members(group: int) -> list[int]:
    """Live processes of a group, zombies left out."""
    import psutil

    return [pid for pid in psutil.pids() if _group_of(pid) == group and birth(pid) is not None]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:  # gone, or another session's where the system keeps that to itself
        return None


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
    return start_mark(pid) == started if pid in members else bool(members)
