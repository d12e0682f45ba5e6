"""A store in memory whose clock the test sets."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from uscdr.errors import CheckFailed
from uscdr.store.store import NameTaken, ObjectInfo, StoreUnreachable

EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
"""When the store's clock begins: nowhere near this machine's."""


@dataclass
class Clocked:
    """A store in memory. `seconds` is its time; `before` is done before the next call of that name."""

    objects: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    seconds: float = 0.0
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    down: bool = False
    place: str = "s3://bucket"

    def put_once(self, name: str, data: bytes) -> None:
        self._called("put_once")
        if name in self.objects:
            raise NameTaken(f"{name} exists already")
        self.objects[name] = (data, self.seconds)
        self._called("after put_once")

    def delete(self, name: str) -> None:
        self._called("delete")
        self.objects.pop(name, None)

    def read(self, name: str) -> bytes:
        self._called("read")
        if name not in self.objects:
            raise CheckFailed(f"{name} is missing")
        return self.objects[name][0]

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        self._called("listing")
        return tuple(
            ObjectInfo(name, len(data), EPOCH + timedelta(seconds=at))
            for name, (data, at) in sorted(self.objects.items())
            if name.startswith(f"{prefix}/")
        )

    def names(self, prefix: str) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.listing(prefix))

    def _called(self, what: str) -> None:
        if self.down:
            raise StoreUnreachable("The store cannot be reached.")
        self.before.pop(what, lambda: None)()

    def create(self, name: str, file: Path) -> None:
        self.put_once(name, file.read_bytes())

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.read(name))

    def size(self, name: str) -> int | None:
        return len(self.objects[name][0]) if name in self.objects else None

    def keeps_versions(self, name: str) -> bool | None:
        return False

    def staging(self) -> AbstractContextManager[Path]:
        raise NotImplementedError
