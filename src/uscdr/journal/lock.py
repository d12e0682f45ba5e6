"""One recovery per target. The kernel's file lock decides; the file says who holds it, since when, where.

A lock heals itself only when its holder is provably dead: the kernel freed the file lock, and the holder ran on
this machine (a restart frees it too). A holder on another machine (shared state) is never presumed dead.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from uscdr.errors import LockHeld, MachineError
from uscdr.settings import PRIVATE_DIRECTORY, PRIVATE_FILE, Operator, private_directory

OCCUPIED = ".in-use"
DRAFT, DRAFT_SECONDS = ".new-", 60.0
"""How directories are called before they have their mark, and for how many seconds they are left alone."""
NAMING_LIMIT, NAMING_INTERVAL = 2.0, 0.02
"""Seconds: how long the winner may take to write its name, and between two looks."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    user: str
    host: str
    pid: int
    since: str
    message: str


@contextmanager
def hold(state: Path, target: str, who: Operator, message: str) -> Iterator[Holder]:
    """Hold the lock of `target` for the duration. Raises LockHeld saying who has it, MachineError for a bad disk."""
    path = private_directory(state / "locks") / (_file_name(target) + ".lock")
    descriptor = _open(path)
    try:
        _acquire(descriptor, path, target)
        holder = Holder(who.user, who.host, who.pid, datetime.now(UTC).isoformat(timespec="seconds"), message)
        _write(descriptor, path, json.dumps(asdict(holder)).encode())
        try:
            yield holder
        finally:
            _write(descriptor, path, b"")
    finally:
        os.close(descriptor)


@contextmanager
def occupy(directory: Path) -> Iterator[None]:
    """Mark a directory as in use by this process; the mark dies with the process."""
    descriptor = _open(directory / OCCUPIED)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def own_directory(place: Path) -> Iterator[Path]:
    """A new private directory that is marked as this process's from the moment it has its name; gone at the end.

    Nobody is waited for: a process that was stopped half way keeps no other from making or clearing away its own.
    Raises MachineError.
    """
    draft = place.with_name(f"{DRAFT}{secrets.token_hex(8)}")
    try:
        with _usable(place):
            draft.mkdir(mode=PRIVATE_DIRECTORY)
        with occupy(draft):
            with _usable(place):
                draft.rename(place)
            yield place
    finally:
        for path in (draft, place):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"The directory {path} cannot be made.",
            why=error.strerror or type(error).__name__,
            next_action="Make room or mend the permissions, or set USCDR_STATE_DIR to a place that can be written.",
        ) from error


def clear_away(above: Path) -> None:
    """Remove what killed processes left in `above`. One that is being made is left alone for a minute."""
    for left in above.iterdir():
        if not _is_being_made(left) and not occupied(left):
            shutil.rmtree(left, ignore_errors=True)


def _is_being_made(directory: Path) -> bool:
    """By its name, and by its age on a clock that may be another machine's."""
    try:
        return directory.name.startswith(DRAFT) and abs(time.time() - directory.stat().st_mtime) < DRAFT_SECONDS
    except FileNotFoundError:
        return True


def occupied(directory: Path) -> bool:
    """Whether a living process uses the directory."""
    if not (directory / OCCUPIED).exists():
        return False
    descriptor = _open(directory / OCCUPIED)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _file_name(target: str) -> str:
    return hashlib.sha256(target.encode()).hexdigest()[:16]


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as error:
        raise _unusable(path, error) from error


def _acquire(descriptor: int, path: Path, target: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _held(_winner(descriptor), target) from None
    except OSError as error:
        raise _unusable(path, error) from error
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
    if holder.host != os.uname().nodename:
        return True
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(descriptor: int) -> Holder | None:
    data = os.pread(descriptor, 65536, 0)
    try:
        return Holder(**json.loads(data)) if data else None
    except (ValueError, TypeError):
        return None


def _write(descriptor: int, path: Path, data: bytes) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0)
        os.fsync(descriptor)
    except OSError as error:
        raise _unusable(path, error) from error


def _held(holder: Holder | None, target: str, hint: str = "") -> LockHeld:
    who = (
        f"{holder.user} on {holder.host} (process {holder.pid}), since {holder.since}" if holder else "another process"
    )
    doing = f"It says: {holder.message}" if holder else ""
    return LockHeld(
        f"A recovery of {target} is already under way: {who}.",
        why=doing,
        next_action=hint or "Talk to that person; watch with: uscdr runs show. Nothing was changed by this command.",
    )


def _unusable(path: Path, error: OSError) -> MachineError:
    return MachineError(
        f"The lock file {path} cannot be used.",
        why=error.strerror or type(error).__name__,
        next_action="Mend the disk or its permissions, or set USCDR_STATE_DIR to a place that can be written.",
    )
