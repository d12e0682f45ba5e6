"""A store that can only be looked at: a dry run is given this one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, NoReturn

from uscdr.vault.store import Entry, Store, StoreRefused


class LookOnlyStore:
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

    def listing(self, prefix: str) -> tuple[Entry, ...]:
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
