"""Opening files that somebody else made: at once, and only what is a file. No third-party module."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PIPE_SECONDS = 10.0
"""How long a pipe that the shell gave us (`<(…)`) may take."""
PIECE = 1 << 16
_GIVEN = (Path("/dev/fd"), Path("/proc/self/fd"))
_OTHERS = 0o077
_WHAT = (
    (stat.S_ISDIR, "it is a directory"),
    (stat.S_ISFIFO, "it is a named pipe, not a file"),
    (stat.S_ISSOCK, "it is a socket, not a file"),
    (stat.S_ISCHR, "it is a device, not a file"),
    (stat.S_ISBLK, "it is a device, not a file"),
    (stat.S_ISLNK, "it is a symbolic link, not a file"),
)


class NotAFile(OSError):
    """What has that name is no file to be read: `strerror` says what it is."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(errno.EINVAL, what, str(path))


def opened(path: Path, *, links: bool = True) -> BinaryIO:
    """A regular file, open for reading; nothing is waited for, and no device is touched. `links`: whether to follow.

    Raises OSError, of which NotAFile is one; each has a `strerror` for people.
    """
    _require_file(path, path.stat() if links else path.lstat())
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        _require_file(path, os.fstat(descriptor))  # another may have taken the name meanwhile
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def below(top: Path) -> Iterator[Path]:
    """What is no directory, at any depth. What goes away meanwhile, and a `top` that is none, is left out.

    Raises OSError for a directory that cannot be listed: what is in it is unknown.
    """
    for directory, _, names in os.walk(top, onerror=_unlisted):
        yield from (Path(directory, name) for name in names)


def _unlisted(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def whole(path: Path, most: int, *, links: bool = True) -> bytes:
    """The bytes of a regular file of at most `most` bytes, or of a pipe that the shell gave us. Raises as `opened`."""
    if path.parent in _GIVEN and stat.S_ISFIFO(path.stat().st_mode):
        data = _piped(path, most)
    else:
        with opened(path, links=links) as file:
            data = file.read(most + 1)
    if len(data) > most:
        raise NotAFile(path, f"it is larger than {most:,} bytes")
    return data


def exposure(path: Path) -> str:
    """What is wrong with who may read or write a file with a secret, and the cure; empty when nothing is."""
    try:
        found = path.stat()
    except OSError:
        return ""
    if not stat.S_ISREG(found.st_mode) or not stat.S_IMODE(found.st_mode) & _OTHERS:
        return ""
    return f"{path} can be read by others: `chmod 600 {path}`."


def _require_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotAFile(path, next((words for is_one, words in _WHAT if is_one(found.st_mode)), "it is no file"))


def _piped(path: Path, most: int) -> bytes:
    """What comes through a pipe until its end, or one byte more than `most`."""
    data, until = b"", time.monotonic() + PIPE_SECONDS
    with open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as pipe:
        while len(data) <= most:
            ready, _, _ = select.select([pipe], [], [], max(until - time.monotonic(), 0))
            if not ready:
                raise NotAFile(path, f"nothing came through this pipe for {PIPE_SECONDS:g} seconds")
            piece = pipe.read(min(PIECE, most + 1 - len(data)))
            if piece == b"":
                break
            data += piece or b""
    return data
