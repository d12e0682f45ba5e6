"""What the platform drops for the next capture, and whether that may be."""

from __future__ import annotations

from dataclasses import dataclass

from uscdr.scenarios.backups.inventory import Inventory
from uscdr.scenarios.deps import Deps
from uscdr.vault.backups.eviction import eviction


@dataclass(frozen=True)
class Dropped:
    """The backup's name, empty when none goes; and why it must not go, empty when it may."""

    name: str = ""
    refused: str = ""
    remark: str = ""
    """What should be known of one that may go."""


def dropped(deps: Deps, known: Inventory) -> Dropped:
    """The newest proven backup must not go, nor one of which that is not known, unless it was asked for (`--evict`)."""
    goes = eviction(known.entries)
    if goes is None:
        return Dropped()
    name, limit = goes.entry.name, f"the platform keeps {goes.kept} manual backups"
    if deps.request.evict:
        return Dropped(name, remark=f"{limit} (--evict)")
    if known.vault is None:
        return Dropped(name, f"{limit} and would drop {name}; whether that is the newest proven one is not known, "
                       "since the vault cannot be read. Mend that, or pass --evict")  # fmt: skip
    if goes.newest_proven:
        return Dropped(name, f"{limit} and would drop {name}, the newest proven backup anywhere, of which there is no "
                       f"copy. Copy it first (uscdr backup pull --backup {name}), or pass --evict")  # fmt: skip
    return Dropped(name, remark=f"{limit}; it is the last proven one there" if goes.last_proven_here else limit)
