"""Private servers for tests; the suite's own start lets their files lie in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uscdr.pgserver.server import LocalPostgres


@contextmanager
def running() -> Iterator[LocalPostgres]:
    """A server that ends with the block."""
    with tempfile.TemporaryDirectory() as parent, LocalPostgres.start(Path(parent) / "server", tied=True) as made:
        yield made
