"""Find data that a backup lacks and an earlier state of the same database had: signs of a backup after the damage.

A clinic adds rows and seldom removes any. A main table that is missing, empty or much smaller than before is damage.
A smaller loss is a doubt: it is shown, and does not exclude the backup.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from uscdr.words import moment, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

SHRINK = 0.05
"""The share of its rows that a table may lose without a remark."""
DAMAGE, FEWEST = 0.2, 5
"""Users do not delete such a large share and so many rows. The loss of half of a table always counts."""
HALF = 0.5
CLOSE = timedelta(days=2)
"""Between states that are this close, a table cannot double naturally."""
DOUBLED, MANY = 1.9, 10


@dataclass(frozen=True)
class DatabaseState:
    """A database at one moment: exact rows of the counted tables, newest times by column."""

    name: str
    """Its name for people: `b001`, `the baseline`."""
    at: datetime
    rows: Mapping[str, int]
    newest: Mapping[str, str | None] = field(default_factory=dict)
    counts_for: timedelta = timedelta.max
    """How long later states are compared with it: over months tables may shrink legitimately."""

    def lacks(self, before: DatabaseState, main: Collection[str], volatile: Collection[str]) -> Signs:
        """The losses since `before`. `main`: tables in which a loss is damage, not only a doubt."""
        damage: list[str] = []
        doubts: list[str] = []
        for table, words, grave in (*_shrunk(self, before, volatile), *_swollen(self, before, main, volatile)):
            (damage if grave and table in main else doubts).append(words)
        doubts += _backwards(self, before)
        since = f" since {before.name} ({moment(before.at)})"
        return Signs(tuple(one + since for one in damage), tuple(one + since for one in doubts))


@dataclass(frozen=True)
class Earlier:
    """Earlier states of the same database: the baseline, and proofs of its backups; oldest first."""

    states: tuple[DatabaseState, ...] = ()
    keys: tuple[tuple[str, datetime, str], ...] = ()
    """Name, time, and fingerprint of the key that decrypted the encrypted columns."""


@dataclass(frozen=True)
class Signs:
    """Signs against a backup, in words: `damage` excludes it, `doubts` are only shown."""

    damage: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def _shrunk(now: DatabaseState, before: DatabaseState, volatile: Collection[str]) -> Iterator[tuple[str, str, bool]]:
    for table, had in sorted(before.rows.items()):
        if table in volatile or not had:
            continue
        if table not in now.rows:
            yield table, f"{table} ({plural(had, 'row')}) is missing", True
            continue
        has, held = now.rows[table], plural(had, "row")
        lost = had - has
        share = lost / had
        if share > SHRINK:
            words = f"{table} is empty; it had {held}" if not has else f"{table} has {has:,} of {held}"
            yield table, words, not has or share > HALF or (share >= DAMAGE and lost >= FEWEST)


def _swollen(
    now: DatabaseState, before: DatabaseState, main: Collection[str], volatile: Collection[str]
) -> Iterator[tuple[str, str, bool]]:
    """Rows that were loaded twice: several tables doubled within a day or two."""
    if now.at - before.at > CLOSE:
        return
    grown = [
        (table, had, now.rows[table])
        for table, had in sorted(before.rows.items())
        if table in main and table not in volatile and now.rows.get(table, 0) - had >= MANY
        and now.rows[table] >= had * DOUBLED
    ]  # fmt: skip
    for table, had, has in grown:
        yield table, f"{table} has grown from {had:,} to {plural(has, 'row')}", len(grown) > 1


def _backwards(now: DatabaseState, before: DatabaseState) -> Iterator[str]:
    """Columns whose newest time is earlier than before: the newest rows were removed."""
    for column, then in sorted(before.newest.items()):
        here = now.newest.get(column)
        if then and here and here < then:
            yield f"the newest {column} is earlier than before"
