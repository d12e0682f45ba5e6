"""Each kind of damage is named by a failing check, and a healthy clinic raises no false alarm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from damages import DAMAGES, Damage
from live_sandbox import start, stop
from uscdr.sandbox.boot.request import UpRequest
from verify_desk import ANSWERED, VerifyDesk


@pytest.fixture(scope="module")
def desk() -> Iterator[VerifyDesk]:
    """A clinic whose healthy state is kept as baseline and as a backup."""
    live = start(UpRequest(patients=40, keep=60))
    desk = VerifyDesk(live)
    desk.healthy = desk.backup()
    saved = desk.verify("--save-baseline", *ANSWERED)
    assert saved.code == 0, saved.amiss
    yield desk
    stop(live)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: str(damage.name))
def test_damage_is_named(desk: VerifyDesk, damage: Damage) -> None:
    damage.inflict(desk)
    try:
        seen = desk.verify(*damage.named)
    finally:
        damage.mend(desk)
    assert seen.code == 1, seen.text
    assert set(damage.named) & seen.failing.keys(), seen.amiss


def test_after_all_the_mending_nothing_is_amiss(desk: VerifyDesk) -> None:
    """Or a check would have failed for something that was left behind, and not for the damage."""
    assert desk.verify("--skip-manual").amiss == {}


def test_thirty_kinds() -> None:
    assert len({damage.name for damage in DAMAGES}) >= 30
