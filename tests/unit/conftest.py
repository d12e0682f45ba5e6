"""Makes `fakes` and `rehearsal` importable from every room's tests, and gives them a place in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from uscdr.engine import settle

MEMORY = Path("/dev/shm")


@pytest.fixture(autouse=True, scope="session")
def at_once() -> Iterator[None]:
    """Fakes need no patience: what was sent is listed at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settle, "LOOK_SECONDS", 0.0)
        yield


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A directory whose fsync costs nothing, where the system has one."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        yield Path(place)
