"""Places for private servers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from uscdr.pgserver.server import reap


@pytest.fixture
def directory() -> Iterator[Path]:
    """A fresh directory's name below a parent that only we can traverse."""
    parent = Path(tempfile.mkdtemp())
    yield parent / "server"
    reap(parent / "server")
    parent.rmdir()
