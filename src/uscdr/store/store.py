"""Storage of kits and backups: each name is created once. Local directories are here, buckets in `bucket`."""

from __future__ import annotations

import errno
import hashlib
import re
import secrets
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, NoReturn, Protocol

from uscdr import files as reading
from uscdr.errors import BadInput, CheckFailed, MachineError
from uscdr.files import PRIVATE_DIRECTORY, disk_errors, new_file, sync
from uscdr.staging import STAGING, staging_below
from uscdr.store.exclusive import take_over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_LONGEST_NAME, _LONGEST_PART = 800, 255
_CHUNK = 1 << 20
_LARGEST_READ = 1 << 26


class NameTaken(MachineError):
    """Another object already has this name; a store never overwrites an object."""

    @classmethod
    def at(cls, path: str) -> NameTaken:
        """The error for a name that is taken."""
        return cls(
            f"{path} already exists. uscdr never overwrites an object in a store.",
            next_action="Run the command again: it uses a new name.",
        )


class StoreRefused(MachineError):
    """The store refuses permanently: bad credentials, a missing bucket, a full disk."""


class NotExclusive(StoreRefused):
    """The store does not support conditional writes."""


class ChecksumRefused(StoreRefused):
    """The store requires another kind of checksum, or does not support this one; nothing was stored."""


class StoreRetains(StoreRefused):
    """The store's own retention protects an object from deletion."""

    @classmethod
    def at(cls, place: str, why: str = "") -> StoreRetains:
        """The error for an object that the store's own retention protects from deletion."""
        return cls(
            f"{place} refused the deletion: the store's retention protects the object.",
            why=why,
            next_action="Run the command again after the retention period.",
        )


class StoreUnreachable(MachineError):
    """The store did not answer, or failed internally; the same call may succeed later."""


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object: its size in bytes, and its time by the store's clock."""

    name: str
    size: int
    modified_at: datetime


class Store(Protocol):
    """Immutable objects by name (`kits/<id>/manifest.json.age`). Nothing is ever overwritten.

    Every method may raise StoreRefused and StoreUnreachable (both MachineError), and BadInput for an invalid name.
    """

    @property
    def place(self) -> str:
        """The location of the store, as shown to people."""
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """A private directory for ciphertext before it is stored; removed when the context ends."""
        ...

    def create(self, name: str, file: Path) -> None:
        """Move the complete `file` to `name`, durably and atomically; `file` is gone afterwards.

        After a lost answer, look: an object with exactly the same bytes counts as created by this call.
        Raises NameTaken, MachineError, and OutcomeUnknown if a later request to the store failed.
        """
        ...

    def put_once(self, name: str, data: bytes) -> None:
        """Store a small plain document as `create` does, with the same errors."""
        ...

    def delete(self, name: str) -> None:
        """Delete an object; a missing one is not an error. Raises StoreRetains."""
        ...

    def read(self, name: str) -> bytes:
        """Read a small object. Raises CheckFailed if it is missing."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Read one object; the caller closes it. Raises CheckFailed when it is missing."""
        ...

    def names(self, prefix: str) -> tuple[str, ...]:
        """Every name below the directory `prefix`, sorted."""
        ...

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        """The names with size and time of each object; does not send one request per object."""
        ...

    def size(self, name: str) -> int | None:
        """Size in bytes, None if the object does not exist."""
        ...

    def keeps_versions(self, name: str) -> bool | None:
        """Whether the store would keep the deleted object `name` as an older version; None if it does not say."""
        ...


def small(file: BinaryIO, name: str) -> bytes:
    """Read a small document. Raises CheckFailed if the object is too large for one."""
    data = file.read(_LARGEST_READ + 1)
    if len(data) > _LARGEST_READ:
        raise CheckFailed(f"{name} is larger than {_LARGEST_READ:,} bytes: it is damaged, or not a document.")
    return data


class LocalStore:
    """A directory on this machine or on a removable drive. Directories 0700, files 0600."""

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
                raise _no_file(name, error.strerror or "symbolic links form a loop") from None
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


def checked_name(name: str) -> str:
    """`name`, if it is valid in every kind of store: ASCII letters, digits, `_`, `-`, `.` and `/`. Raises BadInput."""
    if not is_name(name):
        raise BadInput(f"{name[:_LONGEST_PART]!r} is not a valid name of an object.")
    return name


def is_name(name: str) -> bool:
    """Whether the name is valid in every kind of store."""
    return (
        _NAME.fullmatch(name) is not None
        and len(name) <= _LONGEST_NAME
        and max(map(len, name.split("/"))) <= _LONGEST_PART
    )


class ObjectLost(CheckFailed):
    """One stored object, `name`, is missing or damaged."""

    def __init__(self, name: str, message: str, *, next_action: str) -> None:
        super().__init__(message, next_action=next_action)
        self.name = name

    @classmethod
    def missing(cls, name: str, place: str) -> ObjectLost:
        """The error for a missing object."""
        return cls(
            name,
            f"{name} is missing from {place}.",
            next_action="Use another kit or copy (uscdr kit list, uscdr backup list), or fetch this one again.",
        )


def _no_file(name: str, what: str) -> ObjectLost:
    """The error for a name that is not a regular file."""
    return ObjectLost(
        name,
        f"{name} is damaged: {what}.",
        next_action="Use another kit or copy (uscdr kit list, uscdr backup list), or fetch this one again.",
    )


def digest_of(store: Store, name: str) -> tuple[str, int]:
    """Compute SHA-256 and size of a stored object. Raises CheckFailed if it is missing."""
    digest, size = hashlib.sha256(), 0
    with store.open(name) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


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
        next_action="Free disk space, fix the permissions, or name another store (--to PLACE). Then run it again.",
    ) from error


# A read-only store, which a dry run uses.


class ReadOnlyStore:
    """Reads from `store`; refuses every write."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def place(self) -> str:
        """The location of the wrapped store."""
        return self._store.place

    def staging(self) -> AbstractContextManager[Path]:
        """Always raises: staging begins a write."""
        self._refuse("prepare an object")

    def create(self, name: str, file: Path) -> None:
        """Refused."""
        del file
        self._refuse(f"store {name}")

    def put_once(self, name: str, data: bytes) -> None:
        """Refused."""
        del data
        self._refuse(f"store {name}")

    def delete(self, name: str) -> None:
        """Refused."""
        self._refuse(f"remove {name}")

    def read(self, name: str) -> bytes:
        """Delegate to the store."""
        return self._store.read(name)

    def open(self, name: str) -> BinaryIO:
        """Delegate to the store."""
        return self._store.open(name)

    def names(self, prefix: str) -> tuple[str, ...]:
        """Delegate to the store."""
        return self._store.names(prefix)

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        """Delegate to the store."""
        return self._store.listing(prefix)

    def size(self, name: str) -> int | None:
        """Delegate to the store."""
        return self._store.size(name)

    def keeps_versions(self, name: str) -> bool | None:
        """Delegate to the store."""
        return self._store.keeps_versions(name)

    def _refuse(self, what: str) -> NoReturn:
        raise StoreRefused(
            f"A dry run tried to {what} in {self.place}. uscdr refused it and changed nothing.",
            why="A dry run stores and removes nothing.",
            next_action="Report this error in uscdr: a dry run must never write.",
        )
