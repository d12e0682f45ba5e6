"""How many cases each campaign takes: one table. Fewer than all are drawn, by the seed that is printed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
EVERY = 1_000_000
"""As many as there are."""


@dataclass(frozen=True)
class Size:
    """Cases of one campaign at each scale, and after how many minutes a sample draws no more."""

    what: str
    sample: int
    middle: int
    full: int
    minutes: float = float("inf")


SIZES = {
    "kill": Size("runs cut short", 3, 20, 300, 0.75),
    "kill-writes": Size("of each write, cut between request and answer", 1, 20, 100, 1),
    "faults": Size("faults at the provider's calls", 6, 60, 1500, 0.75),
    "wire": Size("faults on the wire, in all scenarios", 4, 60, 500, 0.75),
    "input": Size("mutated configurations; of the bad commands three times as many", 4, 40, 2000, 0.75),
    "dry-run": Size("commands that read, on each of three databases", 1, EVERY, EVERY),
    "breaks": Size("kinds of damage", 2, EVERY, EVERY),
    "leaks": Size("recoveries with canaries: as many of the database, of the others, and drills", 1, EVERY, EVERY),
    "lockout": Size("looks ten minutes apart, of a night", 2, 12, 54),
    "backups": Size("kinds of bad backups", 2, EVERY, EVERY),
    "dumps": Size("damaged dumps", 60, 60, 1200, 0.75),
    "journal": Size("torn or flipped journals", 6, 24, 400),
    "locks": Size("races of holders; with the real program a fifth of that", 8, 40, 200, 0.75),
    "kill-app": Size("runs cut short", 3, 20, 300, 0.75),
    "kill-media": Size("runs cut short; a third as many killed during uploads, at least two", 3, 20, 300, 0.75),
    "kill-infra": Size("runs cut short", 1, 20, 300, 0.75),
    "other-app": Size("kinds of damage", 1, EVERY, EVERY),
    "bad-dumps": Size("backups that are wrong", 4, 30, EVERY, 0.75),
    "hostile-dumps": Size("dumps that try something, each proven in every way, by two users", 1, 6, EVERY, 0.75),
    "leftovers": Size("commands killed, with or without guard and server, each with the next one", 5, 20, 77, 0.7),
    "mutants": Size("mutated configurations, journals, kits, state files and command lines", 100, 400, 2000, 0.5),
    "config": Size("ways of a hostile configuration, each with every command", 12, 120, EVERY, 0.6),
    "notices": Size("notices of an incident, killed, refused, cut or slow", 6, 40, 200, 0.75),
    "streams": Size("streams and sessions", 8, 30, EVERY, 0.67),
    "suite": Size("of the suite's own tables, each whole", 1, EVERY, EVERY),
    "good-dumps": Size("good dumps of odd make", 8, 60, EVERY, 1),
}
SCALES = ("sample", "middle", "full")
"""`sample`: at most 12 minutes on two cores, for every change. `middle`: half an hour. `full`: a night."""


def count(campaign: str, scale: str) -> int:
    """How many cases."""
    size = SIZES[campaign]
    return {"sample": size.sample, "middle": size.middle, "full": size.full}[scale]


def limit(campaign: str, scale: str) -> float:
    """Seconds after which no more are drawn."""
    return 60 * SIZES[campaign].minutes * {"sample": 1, "middle": 3}.get(scale, float("inf"))


def drawn(items: Iterable[T], number: int, seed: int) -> list[T]:
    """So many of them, in their own order; all when there are no more."""
    known: Sequence[T] = list(items)
    if len(known) <= number:
        return list(known)
    chosen = sorted(random.Random(seed).sample(range(len(known)), number))
    return [known[index] for index in chosen]
