"""Who works in a state directory holds a lock on the directory itself: it cannot be deleted from under them.

All of them share it. Whoever comes asks whether it is alone. If it is not, the others' lock files must be there, and
held; when none is, somebody deleted or replaced one, and its holder may work on the very same target.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from uscdr.errors import LockHeld
from uscdr.files import try_lock

LIMIT, INTERVAL = 2.0, 0.02
"""Seconds: for how long others may be about to come or to go, and between two looks."""
_PLACE = 5
"""The field of /proc/locks that holds device and inode."""


@dataclass(frozen=True)
class Presence:
    """Whether a process that comes later hears of this one; not on every network file system."""

    keeps_others_out: bool


@contextmanager
def present(state: Path, own: Path) -> Iterator[Presence]:
    """Be one of those who work in `state`, with the lock file `own`. Raises LockHeld."""
    descriptor = _opened(state)
    try:
        known = descriptor is not None and _join(descriptor, state, own)
        yield Presence(known)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _opened(state: Path) -> int | None:
    try:
        return os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None


def _join(descriptor: int, state: Path, own: Path) -> bool:
    """False where a directory cannot be locked, or nobody can join because one stands still as it looks."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            alone = try_lock(descriptor)
        except OSError:
            return False
        hidden = () if alone else _hidden(descriptor, own)
        if not hidden:
            with suppress(BlockingIOError):  # somebody asks at this very moment whether it is alone
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return True
        if time.monotonic() >= deadline:
            if hidden:
                raise _refused(state, hidden)
            return False
        time.sleep(INTERVAL)  # an interval between two looks


def _hidden(descriptor: int, own: Path) -> tuple[str, ...]:
    """Those of the others whose lock file is not there, for people."""
    named = {pid for path in own.parent.glob("*.lock") if path != own and (pid := _holder(path)) is not None}
    seen = _who(descriptor)
    if not seen:  # the system does not tell who they are
        return () if named else ("another process",)
    return tuple(f"process {pid}" for pid in sorted(seen - named))


def _who(descriptor: int) -> set[int]:
    """The other processes of this machine that hold the directory, where the system tells."""
    facts = os.fstat(descriptor)
    place = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return set()
    fields = [line.split() for line in lines]
    found = {int(one[4]) for one in fields if len(one) > _PLACE and one[1] == "FLOCK" and one[_PLACE] == place}
    return {pid for pid in found if pid > 0} - {os.getpid()}


def _holder(path: Path) -> int | None:
    """The process that a lock file names, if the file is held; 0 when it names none yet."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if try_lock(descriptor):
            return None
        return int(json.loads(os.pread(descriptor, 65536, 0))["pid"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0
    finally:
        os.close(descriptor)


def _refused(state: Path, hidden: tuple[str, ...]) -> LockHeld:
    who = ", ".join(hidden)
    return LockHeld(
        f"{who[:1].upper()}{who[1:]} is at work in {state} already, and the lock file that says on what is gone.",
        why="It was deleted or replaced while its holder works. It may be the same target.",
        next_action="Wait until it ends: uscdr runs list shows it. Nothing was changed by this command.",
    )
