"""Fakes need no patience: a broken download may begin anew at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from uscdr.scenarios import backup_copies


@pytest.fixture(autouse=True, scope="package")
def hasty() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup_copies, "PAUSE", 0.0)
        yield
