"""Where kits lie: names are created once and never changed. A local directory now, an object store the same way."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, Protocol

from uscdr.errors import BadInput, CheckFailed, MachineError
from uscdr.journal import lock
from uscdr.settings import PRIVATE_DIRECTORY, PRIVATE_FILE

STAGING = ".staging"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_CHUNK = 1 << 20
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV)


class Store(Protocol):
    """Immutable objects by name (`kits/<id>/manifest.json.age`). Nothing is ever overwritten or deleted here."""

    @property
    def place(self) -> str:
        """Where this is, for people."""
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """A private directory for ciphertext under way, gone when the context ends."""
        ...

    def create(self, name: str, file: Path) -> None:
        """Take the finished `file` over under `name`, durably and all at once. Raises MachineError, also if it exists.

        `file` is gone afterwards.
        """
        ...

    def open(self, name: str) -> BinaryIO:
        """Read one object; the caller closes it. Raises CheckFailed when it is missing."""
        ...

    def names(self, prefix: str) -> tuple[str, ...]:
        """Every name below the directory `prefix`, sorted."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes, None when there is no such object."""
        ...


class LocalStore:
    """A directory on this machine or on a drive that is carried away. Directories 0700, files 0600."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def place(self) -> str:
        """The directory."""
        return str(self._root)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """On the same disk, so that taking over is one rename; what killed processes left is removed."""
        above = self._directory(self._root / STAGING)
        for left in above.iterdir():
            if not lock.occupied(left):
                shutil.rmtree(left, ignore_errors=True)
        place = self._directory(above / secrets.token_hex(8))
        try:
            with lock.occupy(place):
                yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def create(self, name: str, file: Path) -> None:
        """Sync, link under the new name (which fails if it exists), sync the directory."""
        target = self._path(name)
        self._directory(target.parent)
        try:
            _sync(file)
            _take_over(file, target)
            _sync(target.parent)
        except OSError as error:
            _unwritable(target, error)

    def open(self, name: str) -> BinaryIO:
        """Open for reading."""
        path = self._path(name)
        try:
            return path.open("rb")
        except FileNotFoundError:
            raise CheckFailed(
                f"{name} is missing from {self._root}.",
                next_action="Use another kit (uscdr kit list), or fetch this one again from where it was copied.",
            ) from None
        except OSError as error:
            raise MachineError(f"{path} cannot be read.", why=error.strerror or type(error).__name__) from error

    def names(self, prefix: str) -> tuple[str, ...]:
        """Walk the directory."""
        top = self._path(prefix)
        found = (path for path in top.rglob("*") if path.is_file()) if top.is_dir() else iter(())
        return tuple(sorted(path.relative_to(self._root).as_posix() for path in found))

    def size(self, name: str) -> int | None:
        """From the file's entry."""
        try:
            return self._path(name).stat().st_size
        except OSError:
            return None

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name!r} is no name of an object in a kit.")
        return self._root / name

    def _directory(self, path: Path) -> Path:
        """Create it and what is missing above it, private; what exists keeps its mode."""
        try:
            for above in (*reversed(path.parents), path):
                if not above.exists():
                    above.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        except OSError as error:
            _unwritable(path, error)
        return path


def digest_of(store: Store, name: str) -> tuple[str, int]:
    """SHA-256 and size of a stored object as it is now. Raises CheckFailed when it is missing."""
    digest, size = hashlib.sha256(), 0
    with store.open(name) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def new_private_file(path: Path) -> BinaryIO:
    """Open a new 0600 file for writing. Raises MachineError."""
    try:
        return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE_FILE), "wb")
    except OSError as error:
        _unwritable(path, error)


def _take_over(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # a disk without hard links (a USB stick): reserve the name, then put the whole file in its place
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE))
        file.replace(target)
        return
    file.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> NoReturn:
    if isinstance(error, FileExistsError):
        raise MachineError(
            f"{path} exists already, and nothing in a kit is ever overwritten.", next_action="Build a new kit."
        ) from error
    raise MachineError(
        f"{path} cannot be written.",
        why=error.strerror or type(error).__name__,
        next_action="Make room, or mend the permissions, or name another place: uscdr kit build --to DIR",
    ) from error
