"""Makes `fakes` and `rehearsal` importable from every room's tests, and gives them a place in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from uscdr.engine import settle

MEMORY = Path("/dev/shm")
SHARE = 3


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


@pytest.fixture(scope="session")
def some(request: pytest.FixtureRequest) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """One of three of many like cases, the first and the last among them; all with `--all` (see `make campaigns`)."""
    if request.config.getoption("--all"):
        return lambda cases: cases
    return lambda cases: [*cases[:-1:SHARE], *cases[-1:]]
