"""How a kit is checked: a sound object is read once, a few at a time, and the check ends when it is told to."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import pytest
from typing_extensions import override

from kit_world import Workshop
from uscdr.errors import Interrupted
from uscdr.kit.check import Examination
from uscdr.store.directory import LocalStore


class Counting(LocalStore):
    """Counts how often each object is opened, and how many at once."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened = Counter[str]()
        self.threads = set[int]()

    @override
    def open(self, name: str) -> BinaryIO:
        self.opened[name] += 1
        self.threads.add(threading.get_ident())
        return super().open(name)


def examined(shop: Workshop, store: Counting, kit: str, *, opened: bool = True) -> Examination:
    return Examination.of(store, kit, shop.keys if opened else (), shop.work, lambda done, total: None)


def test_with_a_key_what_is_sound_is_read_once(shop: Workshop) -> None:
    built, store = shop.build(), Counting(shop.root / "vault")
    found = examined(shop, store, built.card.kit)
    assert found.sound
    assert found.checked == len([path for path in shop.files() if path.suffix == ".age"])
    dump = next(one.path for one in built.manifest.objects if one.name == "database.dump")
    source = next(one.path for one in built.manifest.objects if one.name == "source.tar.gz")
    originals = [name for name in store.opened if name.startswith("media/") and ".note." not in name]
    assert originals
    assert {store.opened[name] for name in (dump, source, *originals)} == {1}


def test_the_sizes_are_the_same_with_and_without_a_key(shop: Workshop) -> None:
    built = shop.build()
    kit = built.card.kit
    with_key, without = (examined(shop, Counting(shop.root / "vault"), kit, opened=one) for one in (True, False))
    assert (with_key.checked, with_key.bytes) == (without.checked, without.bytes)
    assert with_key.bytes > 0


def test_a_few_objects_are_looked_at_at_once(shop: Workshop) -> None:
    built, store = shop.build(), Counting(shop.root / "vault")
    examined(shop, store, built.card.kit)
    assert 1 < len(store.threads) <= 5
    assert not [one for one in threading.enumerate() if one.name.startswith("ThreadPool")]


@pytest.mark.parametrize("opened", [True, False])
def test_what_the_step_raises_ends_the_check(shop: Workshop, opened: bool) -> None:
    built, store, steps = shop.build(), Counting(shop.root / "vault"), list[int]()

    def step(done: int, total: int) -> None:
        steps.append(total)
        if done > 2:
            raise Interrupted("Interrupted.")

    with pytest.raises(Interrupted):
        Examination.of(store, built.card.kit, shop.keys if opened else (), shop.work, step)
    assert len(steps) < steps[0]
    assert not [one for one in threading.enumerate() if one.name.startswith(("ThreadPool", "blocks"))]
