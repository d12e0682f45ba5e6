"""The contract of a store of kits and backups: each name is created once. `directory` and `bucket` implement it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NoReturn, Protocol

from uscdr.errors import BadInput, CheckFailed, MachineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_LONGEST_NAME, _LONGEST_PART = 800, 255
_CHUNK = 1 << 20
_LARGEST_READ = 1 << 26
_ANOTHER = "Use another kit or copy (uscdr kit list, uscdr backup list), or fetch this one again."


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
        return cls(name, f"{name} is missing from {place}.", next_action=_ANOTHER)

    @classmethod
    def damaged(cls, name: str, what: str) -> ObjectLost:
        """The error for a damaged object; `what` says how it is damaged."""
        return cls(name, f"{name} is damaged: {what}.", next_action=_ANOTHER)


def digest_of(store: Store, name: str, watch: Callable[[int], None] | None = None) -> tuple[str, int]:
    """Compute SHA-256 and size of a stored object. Raises CheckFailed if it is missing.

    `watch` receives the number of bytes so far; may raise to stop.
    """
    digest, size = hashlib.sha256(), 0
    with store.open(name) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if watch is not None:
                watch(size)
    return digest.hexdigest(), size


class ReadOnlyStore:
    """The store of a dry run: reads from `store`, and refuses every write."""

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
