"""A directory as a store, on this machine or on a removable drive."""

from __future__ import annotations

import errno
import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from uscdr import files as reading
from uscdr.errors import MachineError
from uscdr.files import PRIVATE_DIRECTORY, disk_errors, new_file, sync
from uscdr.staging import STAGING, staging_below
from uscdr.store.exclusive import take_over
from uscdr.store.store import NameTaken, ObjectInfo, ObjectLost, checked_name, small

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class LocalStore:
    """A directory of objects. Directories have mode 0700, files 0600."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def place(self) -> str:
        """The directory."""
        return str(self._root)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A directory on the same disk, so that storing is one rename. Removes the remains of killed processes."""
        with staging_below(self._directory(self._root / STAGING)) as place:
            yield place

    def create(self, name: str, file: Path) -> None:
        """Sync the file, give it the new name (which fails if it exists), sync the directory."""
        target = self._path(name)
        self._directory(target.parent)
        try:
            take_over(file, target)
        except OSError as error:
            _unwritable(target, error)

    def put_once(self, name: str, data: bytes) -> None:
        """Write a staged file first, so that no reader sees a part of it."""
        with self.staging() as place:
            staged = place / secrets.token_hex(8)
            try:
                with new_private_file(staged) as file:
                    file.write(data)
            except OSError as error:
                _unwritable(staged, error)
            self.create(name, staged)

    def delete(self, name: str) -> None:
        """Unlink, and sync the directory."""
        path = self._path(name)
        with disk_errors(f"uscdr cannot delete {path}.", "Fix the permissions."):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync(path.parent)

    def read(self, name: str) -> bytes:
        """The whole file."""
        with self.open(name) as file:
            return small(file, name)

    def open(self, name: str) -> BinaryIO:
        """Open for reading. Anything but a file counts as a lost object."""
        path = self._path(name)
        try:
            return reading.opened(path, links=False)
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectLost.missing(name, self.place) from None
        except OSError as error:
            if isinstance(error, reading.NotAFile) or error.errno == errno.ELOOP:
                raise ObjectLost.damaged(name, error.strerror or "symbolic links form a loop") from None
            raise MachineError(f"uscdr cannot read {path}.", why=error.strerror or type(error).__name__) from error

    def names(self, prefix: str) -> tuple[str, ...]:
        """Walk the directory."""
        return tuple(entry.name for entry in self.listing(prefix))

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        """Walk the directory; leaves out a file that disappears meanwhile."""
        try:
            found = [self._entry(path) for path in reading.below(self._path(prefix))]
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise MachineError(f"uscdr cannot read {error.filename}.", why=why) from error
        return tuple(sorted((entry for entry in found if entry is not None), key=lambda entry: entry.name))

    def size(self, name: str) -> int | None:
        """Read the file's status."""
        path = self._path(name)
        try:
            return path.stat().st_size if path.is_file() else None
        except OSError:
            return None

    def keeps_versions(self, name: str) -> bool | None:
        """Always false: a directory keeps no older versions."""
        checked_name(name)
        return False

    def _entry(self, path: Path) -> ObjectInfo | None:
        try:
            if not path.is_file():
                return None
            facts = path.stat()
        except FileNotFoundError:
            return None
        written = datetime.fromtimestamp(facts.st_mtime, UTC)
        return ObjectInfo(path.relative_to(self._root).as_posix(), facts.st_size, written)

    def _path(self, name: str) -> Path:
        return self._root / checked_name(name)

    def _directory(self, path: Path) -> Path:
        """Create the directory and its missing parents, private; existing ones keep their mode."""
        try:
            for above in (*reversed(path.parents), path):
                if not above.exists():
                    above.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        except OSError as error:
            _unwritable(path, error)
        return path


def new_private_file(path: Path) -> BinaryIO:
    """Open a new 0600 file for writing. Raises MachineError."""
    try:
        return new_file(path)
    except OSError as error:
        _unwritable(path, error)


def _unwritable(path: Path, error: OSError) -> NoReturn:
    if isinstance(error, FileExistsError):
        raise NameTaken.at(str(path)) from error
    raise MachineError(
        f"uscdr cannot write {path}.",
        why=error.strerror or type(error).__name__,
        next_action="Free disk space, fix the permissions, or name another store (--to STORE). Then run it again.",
    ) from error
