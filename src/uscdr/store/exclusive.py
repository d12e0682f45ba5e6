"""Give a complete file a free name atomically, also on disks without hard links and with several writers.

A hard link fails if the name is taken, and so does a rename without replacement. On a disk that has neither, an empty
file reserves the name. Small data, which several processes may write at once, goes into that same file. If a process
stalls and another one takes over its reservation, the first one writes to a file that has no name any more. A large
file replaces the reservation. No stored file is empty: an empty file is a reservation. A reservation that stays
unchanged was left by a dead process.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from uscdr.clock import running
from uscdr.files import is_at, new_file, sync

if TYPE_CHECKING:
    from pathlib import Path

RESERVED = 3.0
"""Seconds after which another process takes over an empty reservation; filling one takes a single rename."""
_LOOK = 0.1
_SMALL = 65536
"""Bytes per write."""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV)
_NO_RENAME = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)
_HERE, _LINUX_NOREPLACE, _MACOS_EXCLUSIVE = -100, 1, 4
"""Arguments of `renameat2` and `renamex_np`: the current directory, and the flag that forbids replacement."""


def take_over(file: Path, target: Path) -> None:
    """Rename a complete file of the same disk, durably. Raises OSError; FileExistsError if the name is taken."""
    sync(file)
    try:
        _named(file, target)
    except FileExistsError:
        if not _given_up(target):
            raise
        _named(file, target)
    sync(target.parent)


def _named(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        file.unlink()
        return
    if not _rename(file, target):
        _reserved_and_filled(file, target)


def _rename(file: Path, target: Path) -> bool:
    """Rename atomically without replacement; False where the system cannot do so.

    Raises OSError; FileExistsError if the name is taken.
    """
    system = ctypes.CDLL(None, use_errno=True)
    old, new = os.fsencode(file), os.fsencode(target)
    if sys.platform == "darwin":
        call, arguments = "renamex_np", (old, new, _MACOS_EXCLUSIVE)
    else:
        call, arguments = "renameat2", (_HERE, old, _HERE, new, _LINUX_NOREPLACE)
    if not hasattr(system, call):
        return False
    if getattr(system, call)(*arguments) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_RENAME:
        return False
    raise OSError(number, os.strerror(number), str(target))


def _reserved_and_filled(file: Path, target: Path) -> None:
    """Reserve the name, then fill it. A process that stalled finds its reservation gone and changes nothing."""
    with new_file(target) as reserved:
        if file.stat().st_size <= _SMALL:
            _fill(reserved.fileno(), file.read_bytes(), target)
            _require_own(reserved.fileno(), target)
            file.unlink()
        else:
            _require_own(reserved.fileno(), target)
            file.replace(target)


def _fill(descriptor: int, data: bytes, target: Path) -> None:
    """Write all of `data` durably, or free the name again."""
    done = False
    try:
        written = os.write(descriptor, data)
        os.fsync(descriptor)
        done = written == len(data)
    finally:
        if not done and is_at(descriptor, target):
            target.unlink(missing_ok=True)
    if not done:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))


def _require_own(descriptor: int, target: Path) -> None:
    """Raises FileExistsError if the name now belongs to another file or to none."""
    if not is_at(descriptor, target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))


def _given_up(target: Path) -> bool:
    """Whether the name was an abandoned reservation; then this removes it."""
    first = _reservation(target)
    began = running()
    while first is not None and running() - began < RESERVED:
        time.sleep(_LOOK)  # an interval between two looks
        if _reservation(target) != first:
            return False
    return first is not None and _removed(target)


def _reservation(target: Path) -> tuple[int, int] | None:
    """Device and inode of the file if it is empty, else None."""
    try:
        facts = target.stat()
    except OSError:
        return None
    return None if facts.st_size else (facts.st_dev, facts.st_ino)


def _removed(target: Path) -> bool:
    """Rename the reservation before removing it: if its owner fills it at this moment, it keeps its name."""
    aside = target.with_name(f".{secrets.token_hex(8)}.given-up")
    target.rename(aside)
    if _reservation(aside) is not None:
        aside.unlink()
        return True
    with suppress(FileExistsError):
        _named(aside, target)
    return False
