"""Every kind of store, one suite: a directory, obstore in memory and on files, S3 by moto on loopback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "unit"))  # kit_world

from obstore.store import MemoryStore
from s3_server import BUCKET, environment, s3
from store_places import FILES, MEMORY, Place

from uscdr.store.store import Store

_numbers = count(1)


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3(tmp_path_factory.mktemp("s3") / "log") as port:
        yield port


@pytest.fixture
def bucket(s3_port: int, tmp_path: Path) -> Place:
    """A prefix of the test's own in the bucket."""
    return Place(f"s3://{BUCKET}/t{next(_numbers)}/safe", tmp_path / "state", environment(s3_port))


SHARED = ("directory", "files", "s3")


@pytest.fixture(params=(*SHARED, "memory"))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "memory":
        return Place(MEMORY, tmp_path / "state", memory=MemoryStore())
    return _place(request, tmp_path)


@pytest.fixture(params=SHARED)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place that other processes see, too."""
    return _place(request, tmp_path)


def _place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "directory":
        return Place(str(tmp_path / "vault"), tmp_path / "state")
    if request.param == "files":
        return Place(f"{FILES}{tmp_path / 'vault'}", tmp_path / "state")
    found: Place = request.getfixturevalue("bucket")
    return found


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()
