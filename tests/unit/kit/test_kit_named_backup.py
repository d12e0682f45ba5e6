"""A backup that was named is the one that is kept, or there is no kit: never another, never silently none."""

from __future__ import annotations

import pytest

from kit_world import Workshop
from uscdr.errors import BadInput
from uscdr.kit.find import KitLine


@pytest.mark.parametrize("name", ["b999", "r001"])
def test_one_that_there_is_not_ends_the_build(shop: Workshop, name: str) -> None:
    with pytest.raises(BadInput, match=f"no complete backup “{name}”") as refused:
        shop.build(backup=name)
    assert "uscdr backup list" in refused.value.next_action
    assert KitLine.all(shop.store) == ()


def test_one_that_there_is_gets_kept(shop: Workshop) -> None:
    there = next(one.name for one in shop.world.transfers if one.is_backup)
    assert shop.build(backup=there).manifest.part("dump").state == "complete"
