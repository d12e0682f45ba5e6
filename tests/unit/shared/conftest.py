"""A store whose clock the test sets, shared by machines in memory; and a run that nothing came between."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from clocked_store import Clocked
from team_machines import Pair

from uscdr.errors import ExitCode


@pytest.fixture
def store() -> Clocked:
    return Clocked()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Nothing came between."""
    pair = Pair(tmp_path_factory.mktemp("whole"), Clocked())
    ending = pair.ada.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    return pair
