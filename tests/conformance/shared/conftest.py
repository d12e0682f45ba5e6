"""The stores that a team may share, as the vault's suite has them: a directory, obstore on files, S3 by moto."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

sys.path.extend(
    str(Path(__file__).resolve().parents[2] / room)
    for room in ("unit", "unit/shared", "unit/store", "conformance/store")
)

from s3_server import BUCKET, environment, s3
from store_places import FILES, Place

_numbers = count(1)


@pytest.fixture(scope="session")
def team_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3(tmp_path_factory.mktemp("s3") / "log") as port:
        yield port


@pytest.fixture(params=("directory", "files", "s3"))
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place of this test's own."""
    scratch = tmp_path / "scratch"
    if request.param == "s3":
        port = request.getfixturevalue("team_s3")
        return Place(f"s3://{BUCKET}/team{next(_numbers)}", scratch, environment(port))
    if request.param == "files":
        return Place(f"{FILES}{tmp_path / 'team'}", scratch)
    (tmp_path / "team").mkdir()
    return Place(str(tmp_path / "team"), scratch)
