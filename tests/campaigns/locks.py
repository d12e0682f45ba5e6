"""Who may act: holders that are stopped, continued and slow, on every kind of store, and lock files that go away."""

from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path
from queue import Empty, SimpleQueue

from . import locks_machines
from .locks_race import CLOCKS, MOMENTS, STORES, Race
from .locks_race import run as race_once
from .stand import Stand
from .tally import Tally

AT_ONCE = 4
"""Races at the same time: most of one is waiting."""


def races(count: int, seed: int) -> Iterator[Race]:
    """`count` of them: every store and moment in turn, the rest by chance; one of ten on a store that is refused."""
    chance = random.Random(seed)
    fit = list(product(STORES[:-1], MOMENTS))
    chance.shuffle(fit)
    turns = cycle(fit)
    for number in range(count):
        if number % 10 == 1:
            yield Race(number, STORES[-1], "held", 0.0, takes_over=False, seed=chance.randrange(1 << 30))
            continue
        store, moment = next(turns)
        clock, takes_over = chance.choice(CLOCKS), chance.random() < 0.5
        yield Race(number, store, moment, clock, takes_over, chance.randrange(1 << 30))


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """`count` races of small processes; then the real program on the sandbox, as many cases as a fifth of it."""
    waiting: SimpleQueue[Race] = SimpleQueue()
    for race in races(count, seed):
        waiting.put(race)
    threads = [threading.Thread(target=_lane, args=(waiting, tally), daemon=True) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    locks_machines.run(stand, tally, count=max(1, count // 5), seed=seed)


def _lane(waiting: SimpleQueue[Race], tally: Tally) -> None:
    while True:
        try:
            race = waiting.get_nowait()
        except Empty:
            return
        with tempfile.TemporaryDirectory(prefix="uscdr-race-", ignore_cleanup_errors=True) as place:
            wrong, twice = race_once(race, Path(place))
        with _COUNTING:
            tally.case(race.name, wrong=wrong, doubles=twice)


_COUNTING = threading.Lock()
