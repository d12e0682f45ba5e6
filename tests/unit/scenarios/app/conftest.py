"""Fakes need no patience: what was sent is listed at once."""

from __future__ import annotations

import pytest

from uscdr.scenarios import builds
from uscdr.scenarios.steps import app_rollback


@pytest.fixture(autouse=True, scope="package")
def hasty() -> object:
    with pytest.MonkeyPatch.context() as patch:
        for module in (builds, app_rollback):
            patch.setattr(module, "SETTLE_SECONDS", 0.0)
        yield patch
