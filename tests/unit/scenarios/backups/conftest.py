"""Fakes need no patience: what was sent is listed at once, and a broken download may begin anew at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from uscdr.scenarios.backups import copying
from uscdr.scenarios.steps import backups_schedule


@pytest.fixture(autouse=True, scope="package")
def hasty() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backups_schedule, "SETTLE_SECONDS", 0.0)
        patch.setattr(copying, "PAUSE", 0.0)
        yield
