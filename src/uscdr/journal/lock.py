"""One recovery per target. The kernel's file lock decides; the file names the holder, the time and the machine.

A stale lock is replaced only if its holder is certainly dead: the kernel released the file lock, and the holder ran on
this machine (a restart releases it too). A holder on another machine (a shared home) is never presumed dead.
The lock file can be deleted while it is held. Its holder checks for that before each change. A later process learns of
the holder from the lock that every holder also has on the state directory (`_present`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import ValidationError

from uscdr.errors import LockHeld
from uscdr.files import is_at, lock_errors, open_lock, private_directory, try_lock
from uscdr.models.base import Fact, Moment
from uscdr.settings import Operator, is_gone
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every process that works in a state directory also locks the directory itself, which cannot be deleted while in use.


LIMIT, INTERVAL = 2.0, 0.02
"""Seconds: the longest wait while other processes join or leave, and the interval between two looks."""
_PLACE = 5
"""The field of /proc/locks with device and inode."""


@dataclass(frozen=True)
class _Presence:
    """Whether a later process can detect this one; not on every network file system."""

    keeps_others_out: bool


@contextmanager
def _present(state: Path, own: Path) -> Iterator[_Presence]:
    """Join the processes that work in `state`, with the lock file `own`. Raises LockHeld."""
    descriptor = _opened(state)
    try:
        known = descriptor is not None and _join(descriptor, state, own)
        yield _Presence(known)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _opened(state: Path) -> int | None:
    try:
        return os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None


def _join(descriptor: int, state: Path, own: Path) -> bool:
    """Join; false if the system cannot lock directories, or if another process stalled during its own look."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            alone = try_lock(descriptor)
        except OSError:
            return False
        hidden = () if alone else _hidden(descriptor, own)
        if not hidden:
            with suppress(BlockingIOError):  # another process is checking at this moment whether it is alone
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return True
        if time.monotonic() >= deadline:
            if hidden:
                raise _refused(state, hidden)
            return False
        time.sleep(INTERVAL)  # an interval between two looks


def _hidden(descriptor: int, own: Path) -> tuple[str, ...]:
    """The other processes without a lock file, in words."""
    named = {pid for path in own.parent.glob("*.lock") if path != own and (pid := _holder(path)) is not None}
    seen = _who(descriptor)
    if not seen:  # the system does not list the other processes
        return () if named else ("another process",)
    return tuple(f"process {pid}" for pid in sorted(seen - named))


def _who(descriptor: int) -> set[int]:
    """The other processes of this machine that lock the directory, if the system lists them."""
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
    """The process that a held lock file names, 0 if it names none yet; None if the file is not held."""
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
        f"{who[:1].upper()}{who[1:]} already works in {state}, and its lock file is gone.",
        why="Somebody deleted or replaced the lock file. That process may work on the same target.",
        next_action="Wait until that process ends. See: uscdr runs list. This command changed nothing.",
    )


NAMING_LIMIT, NAMING_INTERVAL = 2.0, 0.02
"""Seconds: the longest wait for the holder to write its name, and the interval between two looks."""


_RUN = re.compile(r"\(run ([^)\s]+)\)$")


class _Holder(Fact):
    """The holder of a lock."""

    user: str
    host: str
    pid: int
    since: Moment
    message: str
    boot: str = ""
    """The boot id of the holder's kernel; empty if the system has none."""

    def __str__(self) -> str:
        return f"{Operator(self.user, self.host, self.pid)}, since {moment(self.since)}"

    @property
    def run(self) -> str:
        """The id of the run that the message names; empty if it names none."""
        found = _RUN.search(self.message)
        return found[1] if found else ""


class HeldLock:
    """A lock that this process holds; thread-safe."""

    def __init__(self, path: Path, descriptor: int, target: str, holder: _Holder, presence: _Presence) -> None:
        self.holder = holder
        self._path = path
        self._descriptor = descriptor
        self._target = target
        self._presence = presence
        self._turn = threading.Lock()

    @classmethod
    @contextmanager
    def hold(cls, state: Path, target: str, who: Operator, message: str) -> Iterator[Self]:
        """Hold the lock of `target` while the context lasts. Raises LockHeld that names the holder, MachineError."""
        path = private_directory(state / "locks") / (_file_name(target) + ".lock")
        descriptor = _acquired(path, target)
        try:
            with _present(state, path) as presence:
                holder = _Holder(
                    user=who.user, host=who.host, pid=who.pid, since=datetime.now(UTC), message=message, boot=_boot()
                )
                _write(descriptor, path, holder.model_dump_json().encode())
                held = cls(path, descriptor, target, holder, presence)
                descriptor = -1
                try:
                    yield held
                finally:
                    held.release()
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def check(self) -> str:
        """Check that the path still names the held lock file; two system calls.

        If it was deleted or replaced and no other process can have held it meanwhile, lock it again and return a
        warning. Raises LockHeld if another process holds the new file, or may have held it.
        """
        with self._turn:
            if is_at(self._descriptor, self._path):
                return ""
            self._take_again()
        return (
            f"Somebody deleted or replaced the lock file {self._path} during this run. This run locked it again. "
            "No other process held it meanwhile."
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
            f"Somebody deleted or replaced the lock file {self._path} while this run worked on {self._target}.",
            why=f"Another process holds it now: {other}." if other else "Another process may have held it meanwhile.",
            next_action="This run changed nothing more. Find the other run: uscdr runs list. Then: uscdr runs resume",
        )

    def release(self) -> None:
        """Release the lock; the file stays, empty."""
        try:
            if is_at(self._descriptor, self._path):
                _write(self._descriptor, self._path, b"")
        finally:
            os.close(self._descriptor)


def at_work(state: Path, run: str) -> str:
    """Who works on the run on this machine now, in words; empty if no process does."""
    return works(state).get(run, "")


def works(state: Path) -> dict[str, str]:
    """The runs that processes of this machine work on now, by id, with who does."""
    found = {}
    for path in sorted((state / "locks").glob("*.lock")):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            holder = None if try_lock(descriptor) else _read(descriptor)
        except OSError:
            continue
        finally:
            os.close(descriptor)
        if holder is not None and (run := holder.run):
            found[run] = str(Operator(holder.user, holder.host, holder.pid))
    return found


def _file_name(target: str) -> str:
    return hashlib.sha256(target.encode()).hexdigest()[:16]


def _acquired(path: Path, target: str) -> int:
    """A descriptor of the file at `path`, locked by this process."""
    while True:
        descriptor = open_lock(path)
        try:
            _acquire(descriptor, path, target)
            if is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the file was deleted meanwhile: a later process would lock another file


def _acquire(descriptor: int, path: Path, target: str) -> None:
    with lock_errors(path):
        won = try_lock(descriptor)
    if not won and not _won_late(descriptor, path):
        raise _held(_read(descriptor), target)
    holder = _read(descriptor)
    if holder and not _of_this_machine(holder):
        raise _held(holder, target, hint=f"If you are sure that this machine has stopped: rm {path}")


def _won_late(descriptor: int, path: Path) -> bool:
    """Retry the lock for a short time; false once its holder is known, or names nobody.

    A new holder writes its name a moment after it locked the file; until then the file may name a dead process. A
    process that only checks whether the lock is held releases it at once.
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


def _may_live(holder: _Holder) -> bool:
    return holder.host != os.uname().nodename or not is_gone(holder.pid)


def _of_this_machine(holder: _Holder) -> bool:
    """Whether the holder ran on this kernel: then it is dead, because the kernel released its lock.

    Host names do not decide: a container gets a new name at each start, and a laptop in each network.
    """
    return holder.host == os.uname().nodename or (holder.boot != "" and holder.boot == _boot())


def _boot() -> str:
    """The id of this boot of the machine; empty when unavailable."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _read(descriptor: int) -> _Holder | None:
    data = os.pread(descriptor, 65536, 0)
    try:
        return _Holder.model_validate_json(data) if data else None
    except ValidationError:
        return None


def _write(descriptor: int, path: Path, data: bytes) -> None:
    with lock_errors(path):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0)
        os.fsync(descriptor)


def _held(holder: _Holder | None, target: str, hint: str = "") -> LockHeld:
    doing = f"Its message: {holder.message}" if holder else ""
    return LockHeld(
        f"Another run already works on {target}: {holder or 'an unknown process'}.",
        why=doing,
        next_action=hint
        or f"Talk to that person. See the run: uscdr runs show{f' {holder.run}' if holder and holder.run else ''}. "
        "This command changed nothing.",
    )
