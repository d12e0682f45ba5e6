"""One recovery per target. The kernel's file lock decides; the file says who holds it, since when, where.

A lock heals itself only when its holder is provably dead: the kernel freed the file lock, and the holder ran on
this machine (a restart frees it too). A holder on another machine (shared state) is never presumed dead.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from uscdr.errors import LockHeld
from uscdr.files import lock_errors, open_lock, private_directory, try_lock
from uscdr.models.base import Fact, Moment
from uscdr.settings import Operator, is_gone
from uscdr.words import moment

NAMING_LIMIT, NAMING_INTERVAL = 2.0, 0.02
"""Seconds: how long the winner may take to write its name, and between two looks."""


class Holder(Fact):
    """Who holds a lock."""

    user: str
    host: str
    pid: int
    since: Moment
    message: str

    def __str__(self) -> str:
        return f"{Operator(self.user, self.host, self.pid)}, since {moment(self.since)}"


@contextmanager
def hold(state: Path, target: str, who: Operator, message: str) -> Iterator[Holder]:
    """Hold the lock of `target` for the duration. Raises LockHeld saying who has it, MachineError for a bad disk."""
    path = private_directory(state / "locks") / (_file_name(target) + ".lock")
    descriptor = open_lock(path)
    try:
        _acquire(descriptor, path, target)
        holder = Holder(user=who.user, host=who.host, pid=who.pid, since=datetime.now(UTC), message=message)
        _write(descriptor, path, holder.model_dump_json().encode())
        try:
            yield holder
        finally:
            _write(descriptor, path, b"")
    finally:
        os.close(descriptor)


def _file_name(target: str) -> str:
    return hashlib.sha256(target.encode()).hexdigest()[:16]


def _acquire(descriptor: int, path: Path, target: str) -> None:
    with lock_errors(path):
        won = try_lock(descriptor)
    if not won:
        raise _held(_winner(descriptor), target)
    holder = _read(descriptor)
    if holder and holder.host != os.uname().nodename:
        raise _held(holder, target, hint=f"If that machine is surely out of the game: delete {path}")


def _winner(descriptor: int) -> Holder | None:
    """Who holds it. The winner writes that a moment after it won; until then the name of a dead one may stand there."""
    deadline = time.monotonic() + NAMING_LIMIT
    while True:
        holder = _read(descriptor)
        if (holder is not None and _may_live(holder)) or time.monotonic() >= deadline:
            return holder
        time.sleep(NAMING_INTERVAL)  # an interval between two looks


def _may_live(holder: Holder) -> bool:
    return holder.host != os.uname().nodename or not is_gone(holder.pid)


def _read(descriptor: int) -> Holder | None:
    data = os.pread(descriptor, 65536, 0)
    try:
        return Holder.model_validate_json(data) if data else None
    except ValidationError:
        return None


def _write(descriptor: int, path: Path, data: bytes) -> None:
    with lock_errors(path):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0)
        os.fsync(descriptor)


def _held(holder: Holder | None, target: str, hint: str = "") -> LockHeld:
    doing = f"It says: {holder.message}" if holder else ""
    return LockHeld(
        f"{target} is being worked on already: {holder or 'another process'}.",
        why=doing,
        next_action=hint or "Talk to that person; watch with: uscdr runs show. Nothing was changed by this command.",
    )
