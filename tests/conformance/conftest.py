"""What shares a sandbox or a server stays on one worker, when there is more than one."""

from __future__ import annotations

import pytest

TOGETHER = frozenset({"heroku_cli", "cloudinary"})
"""Rooms whose files share a sandbox; in the others each file has its own, or one that costs little."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        room = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(room if room in TOGETHER else item.path.stem))
