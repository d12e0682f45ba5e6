"""Removing copies: a copy's manifest goes first, so that no manifest ever names what is gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from uscdr.models.transfers import Whose
from uscdr.vault.backups.catalog import Entry, Shelf
from uscdr.vault.backups.manifest import BACKUPS, CARD, MANIFEST, CopyCard, inside
from uscdr.vault.backups.retention import Held, Retention, removable
from uscdr.vault.store import Store, StoreRetains
from uscdr.words import moment

LEFTOVER_AFTER = timedelta(days=1)
"""An unfinished copy that is younger may be under way, here or on another machine."""


VERSIONS_STAY = (
    "the bucket keeps what is removed as older versions until its retention and lifecycle rules let them go; "
    "no room is freed before"
)


@dataclass(frozen=True)
class Pruning:
    """What would go, and why the rest stays."""

    copies: tuple[CopyCard, ...]
    leftovers: tuple[str, ...]
    kept: int
    proven: CopyCard | None
    """The newest proven copy; without one nothing goes."""
    stays: str = ""
    """What the store itself keeps of a removed copy; empty: nothing."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all that would go."""
        return (*(card.id for card in self.copies), *self.leftovers)

    @property
    def bytes(self) -> int:
        """Of the encrypted dumps that would go."""
        return sum(card.dump.size for card in self.copies)

    @property
    def facts(self) -> dict[str, str]:
        """For the person who decides."""
        oldest = min((card.origin.taken_at for card in self.copies), default=None)
        return {
            "copies to remove": f"{len(self.copies)} of {len(self.copies) + self.kept}",
            "oldest of them": moment(oldest) if oldest else "none",
            "bytes": f"{self.bytes:,}",
            "newest proven copy, which stays": self.proven.id if self.proven else "none",
            "leftovers of pulls that were cut off": str(len(self.leftovers)),
            **({"what the store keeps": self.stays} if self.stays else {}),
        }

    @property
    def phrase(self) -> str:
        """What is typed: number of copies, the oldest, bytes; so it cannot be pasted from history."""
        oldest = min((card.origin.taken_at for card in self.copies), default=None)
        back = f" back to {oldest:%Y-%m-%dT%H:%M}" if oldest else ""
        leftovers = f" and {len(self.leftovers)} leftovers" if self.leftovers else ""
        return (
            f"remove {len(self.copies)} of {len(self.copies) + self.kept} copies{back}, {self.bytes} bytes{leftovers}"
        )


def plan(found: Sequence[Entry], there: Shelf, rule: Retention, now: datetime) -> Pruning:
    """Decide for all copies of one application, each of its databases by itself; leftovers are of whichever.

    Copies of one database say nothing of another's: neither which of them to keep, nor that some may go.
    """
    cards = {card.id: card for entry in found for card in entry.copies}
    databases: dict[str, list[Held]] = {}
    for entry in found:
        for card in entry.copies:
            database = "" if entry.whose is Whose.OURS else card.origin.addon_id
            databases.setdefault(database, []).append(Held(card.id, card.origin.taken_at, entry.shown_good))
    going = (cards[one.id] for held in databases.values() for one in removable(held, rule))
    gone = sorted(going, key=lambda card: (card.origin.taken_at, card.id))
    proven = [card for entry in found for card in entry.copies if entry.proven]
    return Pruning(
        copies=tuple(gone),
        leftovers=tuple(copy for copy, written in there.unfinished.items() if now - written > LEFTOVER_AFTER),
        kept=len(cards) - len(gone),
        proven=max(proven, key=lambda card: (card.origin.taken_at, card.id), default=None),
    )


def what_stays(store: Store, copies: Iterable[str]) -> str:
    """What is left in the store of copies that are removed, in words; empty: nothing. At most two requests."""
    names = next((found for copy in copies if (found := store.names(f"{BACKUPS}/{copy}"))), ())
    keeps = store.keeps_versions(names[0]) if names else False
    if keeps is None:
        return "the store does not tell whether it keeps what is removed (versions, soft delete)"
    return VERSIONS_STAY if keeps else ""


def carry_out(store: Store, copies: Iterable[str]) -> tuple[str, ...]:
    """Remove these copies; cut off anywhere, the rest of one is a leftover, which a later call removes.

    Returns those that the store's own retention holds, whole or in part.
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
