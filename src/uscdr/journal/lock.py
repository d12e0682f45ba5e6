"""One recovery per target. The kernel's file lock decides; the file says who holds it, since when, where.

A lock heals itself only when its holder is provably dead: the kernel freed the file lock, and the holder ran on
this machine (a restart frees it too). A holder on another machine (a shared home) is never presumed dead.
A file can be deleted while it is held. Its holder looks for that before each change; and the next comer is told by the
lock that every holder has on the state directory as well (`presence`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from uscdr.errors import LockHeld
from uscdr.files import is_at, lock_errors, open_lock, private_directory, try_lock
from uscdr.models.base import Fact, Moment
from uscdr.settings import Operator, boot, is_gone
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

# Who works in a state directory holds a lock on the directory itself: it cannot be deleted from under them.


LIMIT, INTERVAL = 2.0, 0.02
"""Seconds: for how long others may be about to come or to go, and between two looks."""
_PLACE = 5
"""The field of /proc/locks that holds device and inode."""


@dataclass(frozen=True)
class Presence:
    """Whether a process that comes later hears of this one; not on every network file system."""

    keeps_others_out: bool


@contextmanager
def _present(state: Path, own: Path) -> Iterator[Presence]:
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


NAMING_LIMIT, NAMING_INTERVAL = 2.0, 0.02
"""Seconds: how long the winner may take to write its name, and between two looks."""


class Holder(Fact):
    """Who holds a lock."""

    user: str
    host: str
    pid: int
    since: Moment
    message: str
    boot: str = ""
    """Which start of which kernel it runs on, where that is told."""

    def __str__(self) -> str:
        return f"{Operator(self.user, self.host, self.pid)}, since {moment(self.since)}"


class HeldLock:
    """A lock that this process holds; thread-safe."""

    def __init__(self, path: Path, descriptor: int, target: str, holder: Holder, presence: Presence) -> None:
        self.holder = holder
        self._path = path
        self._descriptor = descriptor
        self._target = target
        self._presence = presence
        self._turn = threading.Lock()

    def check(self) -> str:
        """Look whether the lock file is still the one that is held; two calls of the system.

        One that was deleted or replaced is taken again, if nobody else can have come meanwhile; words say so. Raises
        LockHeld when somebody has the new one, or may have had it.
        """
        with self._turn:
            if is_at(self._descriptor, self._path):
                return ""
            self._take_again()
        return (
            f"The lock file {self._path} was deleted or replaced while this run worked. It was taken again, and "
            "nobody else had it meanwhile."
        )

    def _take_again(self) -> None:
        private_directory(self._path.parent)
        descriptor = open_lock(self._path)
        try:
            self._refuse_another(descriptor)
            _write(descriptor, self._path, self.holder.model_dump_json().encode())
        except BaseException:
            os.close(descriptor)
            raise
        os.close(self._descriptor)
        self._descriptor = descriptor

    def _refuse_another(self, descriptor: int) -> None:
        with lock_errors(self._path):
            won = try_lock(descriptor)
        if won and self._presence.keeps_others_out and not _read(descriptor) and is_at(descriptor, self._path):
            return
        other = None if won else _read(descriptor)
        raise LockHeld(
            f"The lock file {self._path} was deleted or replaced while this run worked on {self._target}.",
            why=f"It is another's now: {other}." if other else "Another process may have worked on it meanwhile.",
            next_action="Nothing more was changed from here. See who: uscdr runs list. Then: uscdr runs resume",
        )

    def release(self) -> None:
        """Let go of it; the file stays, and says nothing."""
        try:
            if is_at(self._descriptor, self._path):
                _write(self._descriptor, self._path, b"")
        finally:
            os.close(self._descriptor)


@contextmanager
def hold(state: Path, target: str, who: Operator, message: str) -> Iterator[HeldLock]:
    """Hold the lock of `target` for the duration. Raises LockHeld saying who has it, MachineError for a bad disk."""
    path = private_directory(state / "locks") / (_file_name(target) + ".lock")
    descriptor = _acquired(path, target)
    try:
        with _present(state, path) as presence:
            holder = Holder(
                user=who.user, host=who.host, pid=who.pid, since=datetime.now(UTC), message=message, boot=boot()
            )
            _write(descriptor, path, holder.model_dump_json().encode())
            held = HeldLock(path, descriptor, target, holder, presence)
            descriptor = -1
            try:
                yield held
            finally:
                held.release()
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _file_name(target: str) -> str:
    return hashlib.sha256(target.encode()).hexdigest()[:16]


def _acquired(path: Path, target: str) -> int:
    """The descriptor of the file that is at `path`, locked by this process."""
    while True:
        descriptor = open_lock(path)
        try:
            _acquire(descriptor, path, target)
            if is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # it was deleted in between: then it is not what the next comer will see


def _acquire(descriptor: int, path: Path, target: str) -> None:
    with lock_errors(path):
        won = try_lock(descriptor)
    if not won and not _won_late(descriptor, path):
        raise _held(_read(descriptor), target)
    holder = _read(descriptor)
    if holder and not _of_this_machine(holder):
        raise _held(holder, target, hint=f"If that machine is surely out of the game: delete {path}")


def _won_late(descriptor: int, path: Path) -> bool:
    """False once it is known who holds it, or that nobody says so.

    The winner writes its name a moment after it won; until then the name of a dead one may stand there. One that only
    looked whether somebody holds it lets go at once.
    """
    deadline = time.monotonic() + NAMING_LIMIT
    while True:
        holder = _read(descriptor)
        if holder is not None and _may_live(holder):
            return False
        with lock_errors(path):
            if try_lock(descriptor):
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(NAMING_INTERVAL)  # an interval between two looks


def _may_live(holder: Holder) -> bool:
    return holder.host != os.uname().nodename or not is_gone(holder.pid)


def _of_this_machine(holder: Holder) -> bool:
    """Whether the kernel that gave us the lock is the one that it held it by: then it is dead.

    A container has another name each time, and a laptop one in each network.
    """
    return holder.host == os.uname().nodename or (holder.boot != "" and holder.boot == boot())


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
