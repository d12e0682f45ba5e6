"""Makes `fakes` and `rehearsal` importable from every room's tests, and gives them a place in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from uscdr import redaction
from uscdr.engine import reconcile

MEMORY = Path("/dev/shm")
SHARE = 3


@pytest.fixture(autouse=True, scope="session")
def at_once() -> Iterator[None]:
    """Fakes need no patience: what was sent is listed at once. Nor do invented keys need a slow hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile, "LOOK_SECONDS", 0.0)
        patch.setattr(redaction, "_COST", 2)
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
def some(request: pytest.FixtureRequest) -> Callable[..., Sequence[Any]]:
    """A third of many like cases, another third at each `turn`; all with `--all` (see `make campaigns`)."""
    if request.config.getoption("--all"):
        return lambda cases, turn=0: cases
    return lambda cases, turn=0: cases[turn % SHARE :: SHARE]
