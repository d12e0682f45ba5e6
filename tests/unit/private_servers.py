"""Private servers whose files lie in memory, where the suite found room there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from uscdr.pgserver import server
from uscdr.pgserver.server import LocalPostgres

MEMORY = Path("/dev/shm")


@contextmanager
def homes_in_memory() -> Iterator[None]:
    """Servers that are started and removed meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        if Path(tempfile.gettempdir()) == MEMORY:
            patch.setattr(server, "_FOREIGN_HOMES", MEMORY)
        yield


@contextmanager
def running() -> Iterator[LocalPostgres]:
    """A server that ends with the block."""
    with tempfile.TemporaryDirectory() as parent:
        with homes_in_memory():
            made = LocalPostgres.start(Path(parent) / "server", tied=True)
        try:
            yield made
        finally:
            with homes_in_memory():
                made.destroy()
