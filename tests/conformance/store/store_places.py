"""The stores of the suite, by a text that other processes can open, too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from obstore.store import LocalStore as ObstoreFiles
from obstore.store import MemoryStore

from uscdr.store.bucket import Handles, ObjectStore
from uscdr.store.location import SCRATCH, open_store
from uscdr.store.store import Store

FILES = "obstore-files:"
MEMORY = "obstore-memory:"


@dataclass(frozen=True)
class Place:
    """A place of one test's own; other processes see it, but for memory."""

    text: str
    scratch: Path
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    memory: MemoryStore | None = None

    def through(self, port: int) -> Place:
        """The same bucket behind a proxy."""
        return replace(self, env={**self.env, "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}"})

    def open(self) -> Store:
        """A store as another process would open it."""
        if self.memory is not None:
            return ObjectStore("memory", _same(self.memory), self.scratch)
        return open_place(self.text, {**self.env, "USCDR_STATE_DIR": str(self.scratch)})


def open_place(text: str, env: Mapping[str, str]) -> Store:
    """The store of `text`: obstore's own files, or whatever a user may name."""
    if text.startswith(FILES):
        root = Path(text.removeprefix(FILES))
        return ObjectStore(text, _same(ObstoreFiles(root, mkdir=True)), Path(env["USCDR_STATE_DIR"]) / SCRATCH)
    return open_store(text, env)


def _same(handle: MemoryStore | ObstoreFiles) -> Handles:
    return Handles(handle, handle, handle, handle)


def process_environment(place: Place) -> dict[str, str]:
    """For a process that opens `place`."""
    return {**os.environ, **place.env, "USCDR_STATE_DIR": str(place.scratch)}
