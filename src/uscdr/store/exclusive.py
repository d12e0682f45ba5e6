"""A file gets a name that is free, at once and whole, whoever else wants it: on disks with hard links and without.

A hard link fails where the name is taken, and so does a rename that must not replace. Where there is neither, the name
is reserved with an empty file. What is small, as everything is that several want, is written into that very file: who
stood still, and whose reservation was taken over meanwhile, writes where nobody looks. What is large takes the place of
it. Nothing that is stored is empty: so an empty file is a reservation, and one that stays as it is was left by a
process that is gone.
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
"""Seconds after which a reservation that nobody fills is taken over; filling it is one rename."""
_LOOK = 0.1
_SMALL = 65536
"""Bytes that are written at one go."""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV)
_NO_RENAME = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)
_HERE, _LINUX_NOREPLACE, _MACOS_EXCLUSIVE = -100, 1, 4
"""What `renameat2` and `renamex_np` take: this directory, and that nothing is to be replaced."""


def take_over(file: Path, target: Path) -> None:
    """Give a finished file of the same disk a new name, durably. Raises OSError; FileExistsError when it is taken."""
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
    """Rename unless the name is taken, as one act of the system; False where it has none that does so.

    Raises OSError; FileExistsError when it is taken.
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
    """One that stood still in between finds its reservation gone, and leaves what another put there alone."""
    with new_file(target) as reserved:
        if file.stat().st_size <= _SMALL:
            _fill(reserved.fileno(), file.read_bytes(), target)
            _require_own(reserved.fileno(), target)
            file.unlink()
        else:
            _require_own(reserved.fileno(), target)
            file.replace(target)


def _fill(descriptor: int, data: bytes, target: Path) -> None:
    """All of it durably, or the name is free again."""
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
    """Raises FileExistsError when the name leads elsewhere by now, or nowhere."""
    if not is_at(descriptor, target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))


def _given_up(target: Path) -> bool:
    """Whether the name was only reserved, by one who does not fill it; then it is free."""
    first = _reservation(target)
    began = running()
    while first is not None and running() - began < RESERVED:
        time.sleep(_LOOK)  # an interval between two looks
        if _reservation(target) != first:
            return False
    return first is not None and _removed(target)


def _reservation(target: Path) -> tuple[int, int] | None:
    """Which file it is, when it is empty."""
    try:
        facts = target.stat()
    except OSError:
        return None
    return None if facts.st_size else (facts.st_dev, facts.st_ino)


def _removed(target: Path) -> bool:
    """Put it aside first: it may be filled at this very moment, and then it keeps its name."""
    aside = target.with_name(f".{secrets.token_hex(8)}.given-up")
    target.rename(aside)
    if _reservation(aside) is not None:
        aside.unlink()
        return True
    with suppress(FileExistsError):
        _named(aside, target)
    return False
