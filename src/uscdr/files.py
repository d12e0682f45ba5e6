"""Private files and directories: written completely or not at all, durably, and marked while a process uses them."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import select
import shutil
import stat
import time
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from uscdr.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600
SHARED_FILE = 0o644
"""For what other users of this machine read, such as metrics: it holds no secret."""
OCCUPIED = ".in-use"
DRAFT, DRAFT_SECONDS = ".new-", 60.0
"""The prefix of directories without their mark yet, and the seconds that cleanup ignores them."""
_ATTEMPTS = 20
ELSEWHERE = "Free disk space or fix the permissions, or set USCDR_STATE_DIR to a writable directory."


@contextmanager
def disk_errors(message: str, next_action: str = ELSEWHERE) -> Iterator[None]:
    """An OSError inside this context is raised as MachineError with the operating system's reason."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise MachineError(message, why=why, next_action=next_action) from error


def private_directory(path: Path) -> Path:
    """Create `path` readable by its owner only. Raises MachineError."""
    with disk_errors(f"uscdr cannot use the state directory {path}."):
        private_parents(path)
        path.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        path.chmod(PRIVATE_DIRECTORY)
    return path


def private_parents(path: Path) -> None:
    """Create the directories that `path` lacks, readable by their owner only. Raises OSError."""
    for above in reversed(path.parents):
        if not above.exists():  # `parents=True` would create parents that everybody can read
            above.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)


def new_file(path: Path) -> BinaryIO:
    """Open a new private file for writing. Raises OSError, and FileExistsError when the name exists."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE), "wb")


@contextmanager
def arriving(path: Path, *, mode: int = PRIVATE_FILE) -> Iterator[BinaryIO]:
    """A file, private by default, that gets the name `path`, durably, when the block succeeds; else it is removed.

    Raises OSError; an old file of that name is then unchanged.
    """
    draft = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with new_file(draft) as file:
            yield file
            file.flush()
            if mode != PRIVATE_FILE:
                os.fchmod(file.fileno(), mode)  # whatever the umask says
            os.fsync(file.fileno())
        draft.replace(path)
        sync(path.parent)
    finally:
        with suppress(OSError):
            draft.unlink()


def write_whole(path: Path, data: bytes, next_action: str = ELSEWHERE, *, mode: int = PRIVATE_FILE) -> None:
    """Replace a file, private by default, atomically and durably.

    Raises MachineError; the old file is then unchanged.
    """
    with disk_errors(f"uscdr cannot write {path}.", next_action), arriving(path, mode=mode) as file:
        file.write(data)


def publish(path: Path, data: bytes, next_action: str, *, mode: int = PRIVATE_FILE) -> None:
    """`write_whole` for a path from the operator: follows a link, and writes into a pipe or device.

    Raises MachineError.
    """
    with disk_errors(f"uscdr cannot write {path}.", next_action):
        special = _is_device(path) or (path.exists() and not path.is_file())
        if special:
            with path.open("wb") as file:
                file.write(data)
    if not special:
        write_whole(path.resolve(), data, next_action, mode=mode)


def _is_device(path: Path) -> bool:
    """Or one's own open stream (`/dev/stdout`), whatever it leads to; `/dev/shm` holds files."""
    return path.parts[:2] in (("/", "dev"), ("/", "proc")) and path.parts[2:3] != ("shm",)


def sync(path: Path) -> None:
    """Make a file's content, or the names in a directory, outlive a power cut. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_tree(path: Path) -> None:
    """Remove a tree as far as possible."""
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def own_directory(
    place: Path, *, above: Callable[[Path], object] | None = None, gone: Callable[[Path], None] = _remove_tree
) -> Iterator[Path]:
    """A new private directory that is marked as this process's from the moment it has its name; removed at the end.

    Never waits: a stopped process does not prevent others from creating or removing their own.
    `above` creates the parent directory, which another process may remove while it is empty; `gone` removes this one.
    Raises MachineError.
    """
    draft, refused = place.with_name(f"{DRAFT}{secrets.token_hex(8)}"), f"uscdr cannot create the directory {place}."
    try:
        with disk_errors(refused):
            _make(draft, above)
        with _occupy(draft):
            with disk_errors(refused):
                _sign(draft / OCCUPIED, place)
                draft.rename(place)
            try:
                yield place
            finally:
                gone(place)
    finally:
        _remove_tree(draft)


def _sign(mark: Path, place: Path) -> None:
    """Write the mark's own identity and path into it, so that a copy can be recognised."""
    mark.write_text(f"{_identity(mark)} {place.absolute()}", errors="surrogateescape")


def _identity(path: Path) -> str:
    facts = path.stat()
    return f"{facts.st_dev}:{facts.st_ino}"


def _is_copy(directory: Path) -> bool:
    """Whether the original of a copied mark still exists: then things noted elsewhere belong to the original."""
    mark = directory / OCCUPIED
    with suppress(OSError):
        identity, _, place = mark.read_text(errors="surrogateescape").partition(" ")
        return bool(place) and identity not in ("", _identity(mark)) and _identity(Path(place) / OCCUPIED) == identity
    return False


def _make(draft: Path, above: Callable[[Path], object] | None) -> None:
    for _ in range(_ATTEMPTS if above else 0):
        if above:
            above(draft.parent)
        with suppress(FileNotFoundError):
            draft.mkdir(mode=PRIVATE_DIRECTORY)
            return
    draft.mkdir(mode=PRIVATE_DIRECTORY)


def clear_away(above: Path, gone: Callable[[Path], None] = _remove_tree) -> None:
    """Remove what killed processes left in `above`.

    A directory under creation is ignored for a minute. A copy of an existing one is only removed, without calling
    `gone`.
    """
    for left in sorted(above.iterdir()):
        if not left.is_dir():
            with suppress(OSError):
                left.unlink()
        elif not _is_being_made(left):
            _clear(left, gone)


def _clear(left: Path, gone: Callable[[Path], None]) -> None:
    """Does nothing if its process runs, or another process is removing it."""
    if not (left / OCCUPIED).exists():
        gone(left)
        return
    with suppress(FileNotFoundError, PermissionError):  # removed meanwhile, or another user's
        descriptor = os.open(left / OCCUPIED, os.O_RDWR | os.O_CLOEXEC)
        try:
            if try_lock(descriptor):
                (_remove_tree if _is_copy(left) else gone)(left)
        finally:
            os.close(descriptor)


def _is_being_made(directory: Path) -> bool:
    """By its name and age; the clock may be another machine's."""
    try:
        return directory.name.startswith(DRAFT) and abs(time.time() - directory.stat().st_mtime) < DRAFT_SECONDS
    except FileNotFoundError:
        return True


@contextmanager
def _occupy(directory: Path) -> Iterator[None]:
    """Mark a directory as in use by this process; the mark ends with the process."""
    descriptor = open_lock(directory / OCCUPIED)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """The descriptor of a lock file, created if missing.

    Raises MachineError. A link or pipe is not accepted, because a holder writes its name into the file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with lock_errors(path):
        descriptor = os.open(path, flags, PRIVATE_FILE)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "It is not a regular file.")
        return descriptor


def try_lock(descriptor: int) -> bool:
    """Take the kernel's lock of an open file unless another process has it. Raises OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


TURN_SECONDS, TURN_INTERVAL = 10.0, 0.05
"""The longest wait for another process's short piece of work, and the interval between two looks."""


@contextmanager
def turn(path: Path, refused: str) -> Iterator[None]:
    """Hold the lock file `path` for a short piece of work.

    Raises MachineError (`refused` is its message) if another process holds it too long: it is suspended.
    """
    descriptor = open_lock(path)
    try:
        end = time.monotonic() + TURN_SECONDS
        while not try_lock(descriptor):
            if time.monotonic() >= end:
                why = f"Another uscdr process holds {path} and does not release it."
                raise MachineError(refused, why=why, next_action=f"Find the process: fuser {path}")
            time.sleep(TURN_INTERVAL)  # an interval between two looks
        yield
    finally:
        os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one that has the name `path`."""
    mine = os.fstat(descriptor)
    try:
        there = path.stat()
    except OSError:
        return False
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def lock_errors(path: Path) -> AbstractContextManager[None]:
    """`disk_errors` of a lock file."""
    return disk_errors(f"uscdr cannot use the lock file {path}.")


# Opens files that others created: without waiting, and only regular files. No third-party module.


PIPE_SECONDS = 10.0
"""Seconds that a pipe from the shell (`<(…)`) may take."""
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
    """The path is not a regular file: `strerror` says what it is."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(errno.EINVAL, what, str(path))


def opened(path: Path, *, links: bool = True) -> BinaryIO:
    """A regular file, open for reading; never blocks and never opens a device.

    `links`: whether to follow. Raises OSError, such as NotAFile; each has a readable `strerror`.
    """
    _require_file(path, path.stat() if links else path.lstat())
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        _require_file(path, os.fstat(descriptor))  # another file may have the name by now
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def below(top: Path) -> Iterator[Path]:
    """Every path that is not a directory, at any depth.

    Skips paths removed meanwhile, and a `top` that is not a directory. Raises OSError for an unreadable directory: its
    content is unknown.
    """
    for directory, _, names in os.walk(top, onerror=_unlisted):
        yield from (Path(directory, name) for name in names)


def _unlisted(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def whole(path: Path, most: int, *, links: bool = True) -> bytes:
    """The bytes of a regular file of at most `most` bytes, or of a pipe from the shell. Raises as `opened`."""
    if path.parent in _GIVEN and stat.S_ISFIFO(path.stat().st_mode):
        data = _piped(path, most)
    else:
        with opened(path, links=links) as file:
            data = file.read(most + 1)
    if len(data) > most:
        raise NotAFile(path, f"it is larger than {most:,} bytes")
    return data


def exposure(path: Path) -> str:
    """The problem with a secret file's permissions, and the fix; empty without one."""
    try:
        found = path.stat()
    except OSError:
        return ""
    if not stat.S_ISREG(found.st_mode) or not stat.S_IMODE(found.st_mode) & _OTHERS:
        return ""
    return f"Other users can read {path}. Run: chmod 600 {path}"


def _require_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotAFile(
            path, next((words for is_one, words in _WHAT if is_one(found.st_mode)), "it is not a regular file")
        )


def _piped(path: Path, most: int) -> bytes:
    """The content of a pipe until its end, or up to one byte more than `most`."""
    data, until = b"", time.monotonic() + PIPE_SECONDS
    with open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as pipe:
        while len(data) <= most:
            ready, _, _ = select.select([pipe], [], [], max(until - time.monotonic(), 0))
            if not ready:
                raise NotAFile(path, f"no data arrived through this pipe for {PIPE_SECONDS:g} seconds")
            piece = pipe.read(min(PIECE, most + 1 - len(data)))
            if piece == b"":
                break
            data += piece or b""
    return data
