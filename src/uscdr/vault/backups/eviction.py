"""Which backup the platform drops when one more is captured, and what is lost with it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uscdr.models.heroku import Transfer, TransferKind
from uscdr.vault.backups.catalog import Entry


@dataclass(frozen=True)
class Eviction:
    """The manual backup that goes. `kept`: how many of them the platform keeps."""

    entry: Entry
    kept: int
    last_proven_here: bool
    """Whether no other backup that the platform holds is proven."""
    newest_proven: bool
    """Whether it is the newest proven backup anywhere, and no copy of it is in the vault."""


def eviction(found: Sequence[Entry]) -> Eviction | None:
    """What the next capture pushes out; None when the platform has room."""
    manual = [one for one in found if one.transfer and _counts(one.transfer)]
    kept = next((one.transfer.num_keep for one in reversed(manual) if one.transfer and one.transfer.num_keep), None)
    if kept is None or len(manual) < kept:
        return None
    goes = manual[0]
    proven = [one for one in found if one.proven]
    return Eviction(
        entry=goes,
        kept=kept,
        last_proven_here=goes.proven and not [one for one in proven if one.on_platform and one is not goes],
        newest_proven=goes.proven and goes is proven[-1] and not goes.copies,
    )


def _counts(transfer: Transfer) -> bool:
    return transfer.kind is TransferKind.MANUAL_BACKUP and transfer.ended and not transfer.expired
