"""What a backup lacks that an earlier state of the same database had: signs that it was taken after the damage.

Rows of a clinic are added, seldom removed. A main table that is gone, empty or much smaller than before is damage;
less than that is a doubt, which is told and passes nothing over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

SHRINK = 0.05
"""The share of its rows that a table may lose without a word."""
DAMAGE, FEWEST = 0.2, 5
"""So large a share, and so many rows, are no work of users any more. Half of a table always is."""
HALF = 0.5
CLOSE = timedelta(days=2)
"""States so near to each other cannot differ by a doubling that is natural."""
DOUBLED, MANY = 1.9, 10


@dataclass(frozen=True)
class DatabaseState:
    """What is known of a database at one moment: exact rows of the tables that were counted, newest times by column."""

    name: str
    """As a person knows it: `b001`, `the baseline`."""
    at: datetime
    rows: Mapping[str, int]
    newest: Mapping[str, str | None] = field(default_factory=dict)
    counts_for: timedelta = timedelta.max
    """For how long later states are held against it: tables may shrink rightly over months."""

    def lacks(self, before: DatabaseState, main: Collection[str], volatile: Collection[str]) -> Signs:
        """What it lacks of what `before` had. `main`: tables in which a loss is damage, not only a doubt."""
        damage: list[str] = []
        doubts: list[str] = []
        for table, words, grave in (*_shrunk(self, before, volatile), *_swollen(self, before, main, volatile)):
            (damage if grave and table in main else doubts).append(words)
        doubts += _backwards(self, before)
        since = f" since {before.name} ({moment(before.at)})"
        return Signs(tuple(one + since for one in damage), tuple(one + since for one in doubts))


@dataclass(frozen=True)
class Earlier:
    """What earlier looks at the same database found: the baseline, and proofs of its backups; oldest first."""

    states: tuple[DatabaseState, ...] = ()
    keys: tuple[tuple[str, datetime, str], ...] = ()
    """Each with its name, when, and the fingerprint of the key that opened the encrypted columns."""


@dataclass(frozen=True)
class Signs:
    """What speaks against a backup, in words: `damage` passes it over, `doubts` are told."""

    damage: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def _shrunk(now: DatabaseState, before: DatabaseState, volatile: Collection[str]) -> Iterator[tuple[str, str, bool]]:
    for table, had in sorted(before.rows.items()):
        if table in volatile or not had:
            continue
        if table not in now.rows:
            yield table, f"{table} ({had:,} rows) is gone", True
            continue
        has = now.rows[table]
        lost = had - has
        share = lost / had
        if share > SHRINK:
            words = f"{table} is empty, it had {had:,} rows" if not has else f"{table} has {has:,} of {had:,} rows"
            yield table, words, not has or share > HALF or (share >= DAMAGE and lost >= FEWEST)


def _swollen(
    now: DatabaseState, before: DatabaseState, main: Collection[str], volatile: Collection[str]
) -> Iterator[tuple[str, str, bool]]:
    """Rows that were loaded a second time: several tables twice as large within a day or two."""
    if now.at - before.at > CLOSE:
        return
    grown = [
        (table, had, now.rows[table])
        for table, had in sorted(before.rows.items())
        if table in main and table not in volatile and now.rows.get(table, 0) - had >= MANY
        and now.rows[table] >= had * DOUBLED
    ]  # fmt: skip
    for table, had, has in grown:
        yield table, f"{table} has grown from {had:,} to {has:,} rows", len(grown) > 1


def _backwards(now: DatabaseState, before: DatabaseState) -> Iterator[str]:
    """Newest times that were later before: the newest rows were removed."""
    for column, then in sorted(before.newest.items()):
        here = now.newest.get(column)
        if then and here and here < then:
            yield f"the newest {column} has gone back"
