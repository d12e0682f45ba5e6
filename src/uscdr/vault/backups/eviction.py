"""Which backup the platform drops when one more is captured, and what is lost with it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uscdr.models.transfers import pushed_out
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
    out = pushed_out([one.transfer for one in found if one.transfer])
    if out is None:
        return None
    goes, kept = next(one for one in found if one.transfer is out[0]), out[1]
    proven = [one for one in found if one.proven]
    return Eviction(
        entry=goes,
        kept=kept,
        last_proven_here=goes.proven and not [one for one in proven if one.on_platform and one is not goes],
        newest_proven=goes.proven and goes is proven[-1] and not goes.copies,
    )
