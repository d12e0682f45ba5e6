"""A machine that makes kits, on a disk whose fsync costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit_world import Workshop


@pytest.fixture
def shop(quick: Path) -> Workshop:
    return Workshop(quick)
