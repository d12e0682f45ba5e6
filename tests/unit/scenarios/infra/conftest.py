"""Fakes need no patience: what was sent is listed at once."""

from __future__ import annotations

import pytest

from uscdr.scenarios import builds
from uscdr.scenarios.steps import infra_addon, infra_after


@pytest.fixture(autouse=True, scope="package")
def hasty() -> object:
    with pytest.MonkeyPatch.context() as patch:
        for module in (builds, infra_addon, infra_after):
            patch.setattr(module, "SETTLE_SECONDS", 0.0)
        yield patch
