"""Fakes need no patience: a broken download may begin anew at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from uscdr.scenarios.backups import copying


@pytest.fixture(autouse=True, scope="package")
def hasty() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "PAUSE", 0.0)
        yield
