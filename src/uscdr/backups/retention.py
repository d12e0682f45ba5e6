"""Retention: keeps copies for a number of days, weeks and months, and always a proven one. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from uscdr.backups.manifest import BACKUPS, CARD, MANIFEST, CopyCard, inside
from uscdr.models.transfers import Transfers, Whose
from uscdr.store.store import Store, StoreRetains
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from uscdr.backups.catalog import BackupEntry, StoredCopies
    from uscdr.models.data_settings import Retention


@dataclass(frozen=True)
class _KeptCopy:
    """A copy as retention sees it. `proven`: it is complete, and a proof has shown that it restores."""

    id: str
    taken_at: datetime
    proven: bool


def _removable(held: Sequence[_KeptCopy], rule: Retention) -> tuple[_KeptCopy, ...]:
    """The copies to remove, oldest first: not kept by the rule, and older than a proven copy that stays.

    Without a proven copy, remove none.
    """
    proven = [one for one in held if one.proven]
    if not proven:
        return ()
    newest = max(proven, key=_order)
    kept = _wanted(held, rule)
    gone = [one for one in held if one.id not in kept and _order(one) < _order(newest)]
    return tuple(sorted(gone, key=_order))


def _wanted(held: Sequence[_KeptCopy], rule: Retention) -> frozenset[str]:
    """The ids that the rule keeps: a proven copy of each period if there is one, else the newest."""
    kept: set[str] = set()
    for period, count in ((_day, rule.daily), (_week, rule.weekly), (_month, rule.monthly)):
        best: dict[tuple[int, ...], _KeptCopy] = {}
        for one in sorted(held, key=lambda one: (one.proven, _order(one))):
            best[period(one.taken_at)] = one
        latest = sorted(best, reverse=True)[:count]
        kept |= {best[key].id for key in latest}
    return frozenset(kept)


def _order(one: _KeptCopy) -> tuple[datetime, str]:
    return one.taken_at, one.id


def _day(at: datetime) -> tuple[int, ...]:
    return tuple(at.astimezone(UTC).timetuple()[:3])


def _week(at: datetime) -> tuple[int, ...]:
    return tuple(at.astimezone(UTC).isocalendar()[:2])


def _month(at: datetime) -> tuple[int, ...]:
    return tuple(at.astimezone(UTC).timetuple()[:2])


# Which backup the platform drops at the next capture, and what is lost with it. Pure functions.


@dataclass(frozen=True)
class Eviction:
    """The manual backup that the platform drops. `kept`: the number of manual backups that it keeps."""

    entry: BackupEntry
    kept: int
    last_proven_here: bool
    """Whether the platform has no other proven backup."""
    newest_proven: bool
    """Whether it is the newest proven backup anywhere, and the vault has no copy of it."""

    @classmethod
    def next(cls, found: Sequence[BackupEntry]) -> Eviction | None:
        """The backup that the next capture drops; None if the platform has room."""
        out = Transfers([one.transfer for one in found if one.transfer]).pushed_out()
        if out is None:
            return None
        goes, kept = next(one for one in found if one.transfer is out[0]), out[1]
        proven = [one for one in found if one.proven]
        return cls(
            entry=goes,
            kept=kept,
            last_proven_here=goes.proven and not [one for one in proven if one.on_platform and one is not goes],
            newest_proven=goes.proven and goes is proven[-1] and not goes.copies,
        )


# Removes copies: the manifest first, so that no manifest names a missing object.


LEFTOVER_AFTER = timedelta(days=1)
"""A younger incomplete copy may be in progress, here or on another machine."""


VERSIONS_STAY = (
    "the bucket keeps removed objects as older versions until its retention and lifecycle rules delete them; "
    "until then no space is freed"
)


@dataclass(frozen=True)
class Pruning:
    """The copies to remove, and the reason why others stay."""

    copies: tuple[CopyCard, ...]
    leftovers: tuple[str, ...]
    kept: int
    proven: CopyCard | None
    """The newest proven copy; without one, nothing is removed."""
    stays: str = ""
    """What the store itself keeps of a removed copy; empty: nothing."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all copies and leftovers to remove."""
        return (*(card.id for card in self.copies), *self.leftovers)

    @property
    def bytes(self) -> int:
        """Total size of the encrypted dumps to remove."""
        return sum(card.dump.size for card in self.copies)

    @property
    def facts(self) -> dict[str, str]:
        """Facts for the operator's decision."""
        oldest = min((card.origin.taken_at for card in self.copies), default=None)
        return {
            "copies to remove": f"{len(self.copies):,} of {len(self.copies) + self.kept:,}",
            "oldest copy to remove": moment(oldest) if oldest else "none",
            "bytes": f"{self.bytes:,}",
            "newest proven copy, which stays": self.proven.id if self.proven else "none",
            "leftovers of incomplete pulls": f"{len(self.leftovers):,}",
            **({"what the store keeps": self.stays} if self.stays else {}),
        }

    @property
    def phrase(self) -> str:
        """The phrase to type: the number of copies, and the bytes, so that it cannot come from the shell's history."""
        copies = f"remove {len(self.copies)} of {len(self.copies) + self.kept}"
        return f"{copies}, {self.bytes} bytes" if self.copies else f"remove {len(self.leftovers)} left over"

    @classmethod
    def of(cls, found: Sequence[BackupEntry], there: StoredCopies, rule: Retention, now: datetime) -> Pruning:
        """Plan the removal for all copies of one application, for each database separately; leftovers of any database.

        Copies of one database never justify keeping or removing copies of another.
        """
        cards = {card.id: card for entry in found for card in entry.copies}
        databases: dict[str, list[_KeptCopy]] = {}
        for entry in found:
            for card in entry.copies:
                database = "" if entry.whose is Whose.OURS else card.origin.addon_id
                databases.setdefault(database, []).append(_KeptCopy(card.id, card.origin.taken_at, entry.shown_good))
        going = (cards[one.id] for held in databases.values() for one in _removable(held, rule))
        gone = sorted(going, key=lambda card: (card.origin.taken_at, card.id))
        proven = [card for entry in found for card in entry.copies if entry.proven]
        return cls(
            copies=tuple(gone),
            leftovers=tuple(copy for copy, written in there.unfinished.items() if now - written > LEFTOVER_AFTER),
            kept=len(cards) - len(gone),
            proven=max(proven, key=lambda card: (card.origin.taken_at, card.id), default=None),
        )


def what_stays(store: Store, copies: Iterable[str]) -> str:
    """What the store keeps of removed copies, in words; empty: nothing. At most two requests."""
    names = next((found for copy in copies if (found := store.names(f"{BACKUPS}/{copy}"))), ())
    keeps = store.keeps_versions(names[0]) if names else False
    if keeps is None:
        return "the store does not say whether it keeps removed objects (versions, soft delete)"
    return VERSIONS_STAY if keeps else ""


def carry_out(store: Store, copies: Iterable[str]) -> tuple[str, ...]:
    """Remove these copies. If it stops early, a later call removes the rest as a leftover.

    Returns the copies that the store's own retention protects, fully or in part.
    """
    return tuple(copy for copy in copies if not _removed(store, copy))


def _removed(store: Store, copy: str) -> bool:
    card = inside(copy, CARD)
    try:
        store.delete(inside(copy, MANIFEST))
        for name in store.names(f"{BACKUPS}/{copy}"):
            if name != card:
                store.delete(name)
        store.delete(card)
    except StoreRetains:
        return False
    return True
