"""Where kits and backups lie: names are created once. A local directory here, buckets in `objectstore`."""

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
    """Another object has this name already, and nothing is ever overwritten."""

    @classmethod
    def at(cls, path: str) -> NameTaken:
        """A name that is not free."""
        return cls(f"{path} exists already, and nothing in a kit is ever overwritten.", next_action="Build a new kit.")


class StoreRefused(MachineError):
    """The store will not do it, however often it is asked: credentials, a missing bucket, no room."""


class NotExclusive(StoreRefused):
    """The store has no way to create a name only once."""


class ChecksumRefused(StoreRefused):
    """The store wants another checksum with what is written, or knows none of this kind; nothing was stored."""


class StoreRetains(StoreRefused):
    """The store's own retention keeps an object that was to be removed."""

    @classmethod
    def at(cls, place: str, why: str = "") -> StoreRetains:
        """What was to be removed is under the store's own retention."""
        return cls(
            f"{place} does not let go of what was to be removed: its retention holds it.",
            why=why,
            next_action="Start this again when that retention is over.",
        )


class StoreUnreachable(MachineError):
    """The store did not answer, or only with a failure of its own; the same call may succeed later."""


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object: its size in bytes, and when it was written by the clock of the store."""

    name: str
    size: int
    modified_at: datetime


class Store(Protocol):
    """Immutable objects by name (`kits/<id>/manifest.json.age`). Nothing is ever overwritten.

    Every method may raise StoreRefused and StoreUnreachable (both MachineError), and BadInput for what is no name.
    """

    @property
    def place(self) -> str:
        """Where this is, for people."""
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """A private directory for ciphertext under way, gone when the context ends."""
        ...

    def create(self, name: str, file: Path) -> None:
        """Take the finished `file` over under `name`, durably and all at once; `file` is gone afterwards.

        A lost answer is settled by looking: what is stored, byte for byte, is this call's own doing.
        Raises NameTaken, MachineError, and OutcomeUnknown when the store could not be looked at again.
        """
        ...

    def put_once(self, name: str, data: bytes) -> None:
        """Store a small plain document as `create` does, with the same errors."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object, for retention and leases; one that is missing is no error. Raises StoreRetains."""
        ...

    def read(self, name: str) -> bytes:
        """A small object whole. Raises CheckFailed when it is missing."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Read one object; the caller closes it. Raises CheckFailed when it is missing."""
        ...

    def names(self, prefix: str) -> tuple[str, ...]:
        """Every name below the directory `prefix`, sorted."""
        ...

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        """What `names` says, with size and time of each; not one call an object."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes, None when there is no such object."""
        ...

    def keeps_versions(self, name: str) -> bool | None:
        """Whether the object `name` would stay as an older version when it is deleted; None: that is not told."""
        ...


def small(file: BinaryIO, name: str) -> bytes:
    """All of an object that is a small document. Raises CheckFailed for one that is none."""
    data = file.read(_LARGEST_READ + 1)
    if len(data) > _LARGEST_READ:
        raise CheckFailed(f"{name} is larger than {_LARGEST_READ:,} bytes: it is damaged, or no document.")
    return data


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
        with staging_below(self._directory(self._root / STAGING)) as place:
            yield place

    def create(self, name: str, file: Path) -> None:
        """Sync, take the new name (which fails if it exists), sync the directory."""
        target = self._path(name)
        self._directory(target.parent)
        try:
            take_over(file, target)
        except OSError as error:
            _unwritable(target, error)

    def put_once(self, name: str, data: bytes) -> None:
        """Through a staged file, so that nobody sees half of it."""
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
        with disk_errors(f"{path} cannot be removed.", "Fix the permissions."):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync(path.parent)

    def read(self, name: str) -> bytes:
        """The whole file."""
        with self.open(name) as file:
            return small(file, name)

    def open(self, name: str) -> BinaryIO:
        """Open for reading; what is no file there is as good as lost."""
        path = self._path(name)
        try:
            return reading.opened(path, links=False)
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectLost.missing(name, self.place) from None
        except OSError as error:
            if isinstance(error, reading.NotAFile) or error.errno == errno.ELOOP:
                raise _no_file(name, error.strerror or "a loop of links") from None
            raise MachineError(f"{path} cannot be read.", why=error.strerror or type(error).__name__) from error

    def names(self, prefix: str) -> tuple[str, ...]:
        """Walk the directory."""
        return tuple(entry.name for entry in self.listing(prefix))

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        """Walk the directory; a file that goes away meanwhile is left out."""
        try:
            found = [self._entry(path) for path in reading.below(self._path(prefix))]
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise MachineError(f"{error.filename} cannot be read.", why=why) from error
        return tuple(sorted((entry for entry in found if entry is not None), key=lambda entry: entry.name))

    def size(self, name: str) -> int | None:
        """From the file's entry."""
        path = self._path(name)
        try:
            return path.stat().st_size if path.is_file() else None
        except OSError:
            return None

    def keeps_versions(self, name: str) -> bool | None:
        """A directory keeps nothing."""
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
        """Create it and what is missing above it, private; what exists keeps its mode."""
        try:
            for above in (*reversed(path.parents), path):
                if not above.exists():
                    above.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        except OSError as error:
            _unwritable(path, error)
        return path


def checked_name(name: str) -> str:
    """`name`, if every kind of store takes it: ASCII letters, digits, `_`, `-`, `.` and `/`. Raises BadInput."""
    if not is_name(name):
        raise BadInput(f"{name[:_LONGEST_PART]!r} is no name of an object in a kit.")
    return name


def is_name(name: str) -> bool:
    """Whether every kind of store takes it."""
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
        """An object that should be there and is not."""
        return cls(
            name,
            f"{name} is missing from {place}.",
            next_action="Use another kit (uscdr kit list), or fetch this one again from where it was copied.",
        )


def _no_file(name: str, what: str) -> ObjectLost:
    """Something that is no object has its name."""
    return ObjectLost(
        name,
        f"{name} is damaged: {what}.",
        next_action="Use another kit (uscdr kit list), or fetch this one again from where it was copied.",
    )


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
        return new_file(path)
    except OSError as error:
        _unwritable(path, error)


def _unwritable(path: Path, error: OSError) -> NoReturn:
    if isinstance(error, FileExistsError):
        raise NameTaken.at(str(path)) from error
    raise MachineError(
        f"{path} cannot be written.",
        why=error.strerror or type(error).__name__,
        next_action="Make room, or mend the permissions, or name another place (--to PLACE); then try again.",
    ) from error


# A store that can only be looked at: a dry run is given this one.


class ReadOnlyStore:
    """Reads as `store` does; every write is refused before anything is touched."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def place(self) -> str:
        """Of the store itself."""
        return self._store.place

    def staging(self) -> AbstractContextManager[Path]:
        """Refused: it is the beginning of a write."""
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
        """As the store."""
        return self._store.read(name)

    def open(self, name: str) -> BinaryIO:
        """As the store."""
        return self._store.open(name)

    def names(self, prefix: str) -> tuple[str, ...]:
        """As the store."""
        return self._store.names(prefix)

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        """As the store."""
        return self._store.listing(prefix)

    def size(self, name: str) -> int | None:
        """As the store."""
        return self._store.size(name)

    def keeps_versions(self, name: str) -> bool | None:
        """As the store."""
        return self._store.keeps_versions(name)

    def _refuse(self, what: str) -> NoReturn:
        raise StoreRefused(
            f"{self.place} was opened only to look, and was asked to {what}.",
            why="A dry run stores and removes nothing.",
            next_action="Report this: a dry run should never come here. Nothing was changed.",
        )
