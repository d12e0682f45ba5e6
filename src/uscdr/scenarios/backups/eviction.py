"""What the platform drops for the next capture, and whether that may be."""

from __future__ import annotations

from dataclasses import dataclass

from uscdr.scenarios.backups.inventory import Inventory
from uscdr.scenarios.deps import Deps
from uscdr.vault.backups.eviction import Eviction, eviction
from uscdr.words import plural


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
    name, limit = goes.entry.name, f"The platform keeps {plural(goes.kept, 'manual backup')}"
    would = f"{limit} and would drop {name}"
    if known.vault is None and not deps.request.evict:
        return Dropped(name, f"{would}; whether that is the newest proven one is not known, since the vault cannot be "
                       "read. Fix that, or pass --evict")  # fmt: skip
    if goes.newest_proven and not deps.request.evict:
        return Dropped(name, f"{would}, the newest proven backup anywhere, of which there is no copy. "
                       f"Copy it first (uscdr backup pull --backup {name}), or pass --evict")  # fmt: skip
    return Dropped(name, remark=f"{limit}, and drops {name} for the new one{_worth(goes)}")


def _worth(goes: Eviction) -> str:
    if goes.newest_proven:
        return ": THE NEWEST PROVEN BACKUP ANYWHERE (--evict)"
    proof = ": the last proven one that it holds. Prove the new one: uscdr backup prove"
    return proof if goes.last_proven_here else ""
