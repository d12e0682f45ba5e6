"""Rights that stand in a word, and names to sign in with: what an account has now, against the backup. Pure.

A word has no order: whether ADMIN is more than STAFF, only the application knows. So every change counts, and what
holds now holds again after the restore, except where so much changed at once that it looks like damage.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from uscdr.models.base import Fact
from uscdr.words import first_of, plural

UNSHOWN = "#"
"""Begins the digest of a value that is not shown."""
WORD = "^([A-Za-z][A-Za-z0-9_-]{0,31}|-?[0-9]{1,9}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
"""What a role looks like: a short word, a number, a UUID. Anything else may be somebody's data, and is not shown."""
MASS, FEWEST = 0.2, 5
"""A change of so large a share, and of so many, is damage: nobody shuts a fifth of all people out one by one."""
ALONE = 3
"""When so many had another value and all have the same one now, one statement without its condition did it."""
MOST_KINDS = 6

V = TypeVar("V")
Value = str | None
"""A word, empty, UNSHOWN with a digest, or None where nothing stands."""


class Move(Fact):
    """What stands in one column of an account: in the backup, and now."""

    then: Value
    now: Value

    @property
    def words(self) -> str:
        """`ADMIN -> STUDENT`, or `changed`."""
        if any((value or "").startswith(UNSHOWN) for value in (self.then, self.now)):
            return "changed"
        return f"{_shown(self.then)} -> {_shown(self.now)}"


def mass(lost: Collection[object], had: int) -> bool:
    """Whether so many of `had` are damage."""
    return len(lost) >= FEWEST and len(lost) / had >= MASS


def withdrawn(pairs: Mapping[str, Move]) -> tuple[dict[str, Move], dict[str, Move]]:
    """By account, those whose value changed: one by one, and by damage."""
    changed = {key: pair for key, pair in pairs.items() if pair.then != pair.now}
    damaged: set[str] = set(changed) if mass(changed, len(pairs)) else set()
    before = Counter(pair.then for pair in pairs.values())
    for value, keys in _by(changed, lambda pair: pair.now).items():
        others = len(pairs) - before[value]
        if mass(keys, others) or len(keys) == others >= ALONE:
            damaged |= keys
    for value, keys in _by(changed, lambda pair: pair.then).items():
        if mass(keys, before[value]):
            damaged |= keys
    return (
        {key: pair for key, pair in changed.items() if key not in damaged},
        {key: changed[key] for key in sorted(damaged)},
    )


def told(column: str, moves: Mapping[str, Move]) -> Iterator[str]:
    """For a person, most first."""
    kinds = sorted(_by(moves, lambda move: move.words).items(), key=lambda kind: -len(kind[1]))
    for words, keys in islice(kinds, MOST_KINDS):
        named = first_of(in_order(keys))
        yield f"{column} {words} since the backup: {plural(len(keys), 'account')} ({named})"
    rest = sum(len(keys) for _, keys in kinds[MOST_KINDS:])
    if rest:
        yield f"{column} changed otherwise since the backup: {plural(rest, 'account')}"


def in_order(keys: Collection[str]) -> tuple[str, ...]:
    """Numbers by size."""
    return tuple(sorted(keys, key=lambda key: (len(key), key)))


def _by(moves: Mapping[str, Move], part: Callable[[Move], V]) -> dict[V, set[str]]:
    groups: defaultdict[V, set[str]] = defaultdict(set)
    for key, move in moves.items():
        groups[part(move)].add(key)
    return dict(groups)


def _shown(value: Value) -> str:
    return value or "nothing"
