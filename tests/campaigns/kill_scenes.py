"""Recoveries of applications, media and infrastructure that are cut off at any moment, and resumed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from .kill import Cut, cut_off, cuts, resume
from .product import Product, journal_lines
from .scenes import AppScene, InfraScene, MediaScene, Scene, build_kit
from .stand import Stand
from .tally import Tally

_FEWEST = 10
"""Records of a run that ended at once: boundaries are drawn below the number of a whole one."""


def application(stand: Stand) -> Scene:
    """A bad release."""
    return AppScene(stand)


def media(stand: Stand) -> Scene:
    """Deleted files, with a kit for those that the service has no backup of."""
    return MediaScene(stand, *build_kit(stand))


def infrastructure(stand: Stand) -> Scene:
    """Everything gone but a kit; the stand's own application is gone for good afterwards."""
    return InfraScene(stand, *build_kit(stand))


def run(stand: Stand, tally: Tally, *, make: Callable[[Stand], Scene], count: int, seed: int) -> None:
    """Measure an uninterrupted run, then cut `count` others."""
    scene, chance = make(stand), random.Random(seed)
    begun = time.monotonic()
    records = max(_FEWEST, one_case(scene, tally, ()))
    duration = time.monotonic() - begun
    for plan in cuts(count, duration, chance, records=records):
        if not tally.goes_on():
            break
        one_case(scene, tally, plan)


def one_case(scene: Scene, tally: Tally, plan: tuple[Cut, ...]) -> int:
    """Break, recover, cut off, resume, compare with the truth; how many records the newest journal has."""
    stand, name = scene.stand, "+".join(cut.name for cut in plan) or "uninterrupted"
    wrong = scene.damage()
    phrase, mark, bare = scene.phrase(), stand.mark(), stand.case(f"kill-{scene.name}")
    product = Product(bare.state, {**bare.env, **scene.env})
    command = [*scene.command, "--confirm", phrase]
    for cut in plan:
        wrong += cut_off(product, product.start(*command), cut)
        command = ["runs", "resume"]
    wrong += resume(product, phrase, scene.command) if plan else product.run(*command).complaints(0)
    records = journal_lines(product.state)
    wrong += scene.complaints()
    tally.case(name, wrong=wrong, doubles=scene.doubles(stand.writes(mark)))
    tally.leak(name, stand.done_with(product))
    if wrong:
        scene.mend()
    return records
