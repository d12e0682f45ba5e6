"""Copy one backup into the vault: from the signed link through encryption, with no plain text on this machine."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uscdr.backups import catalog
from uscdr.backups import retention as pruning
from uscdr.backups.copy import CopyOrder, IncomingDump, Keyring
from uscdr.backups.manifest import BackupOrigin, CopyCard
from uscdr.backups.retention import Eviction, Pruning
from uscdr.clock import system_time
from uscdr.errors import ProviderError
from uscdr.scenarios.backup_inventory import Inventory, copies_alone
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uscdr.backups.catalog import StoredCopies
    from uscdr.engine.step import Reporter
    from uscdr.models.heroku import Attachment
    from uscdr.models.transfers import Transfer
    from uscdr.scenarios.adapters import Adapters

TELL_EVERY = 4 << 20
"""Bytes between two progress messages."""
PAUSE = 1.0
"""Seconds before an interrupted download starts again."""


def copy_for(copies: Sequence[CopyCard], keys: Keyring) -> CopyCard | None:
    """The copy that everybody named can open; of a passphrase only its existence is compared."""
    readers = {one.fingerprint for one in keys.recipients}
    fitting = (one for one in copies if readers <= set(one.recipients))
    return next((one for one in fitting if keys.passphrase is None or one.passphrase), None)


def copies_of(deps: Adapters, transfer_id: str) -> tuple[CopyCard, ...]:
    """Whole copies of this backup, the newest first."""
    cards = catalog.StoredCopies.of(deps.vault.store()).copies
    mine = [one for one in cards if (one.origin.app, one.origin.transfer_id) == (deps.app, transfer_id)]
    return tuple(sorted(mine, key=lambda one: one.made_at, reverse=True))


def copy(
    deps: Adapters, attachment: Attachment, transfer: Transfer, keys: Keyring, tell: Reporter
) -> tuple[CopyCard, bool]:  # fmt: skip
    """Fetch and encrypt it, unless another writer just did: the copy, and whether it was fetched here.

    The manifest is written last, so an interrupted upload is not a copy.

    Raises CheckFailed for an incomplete dump, LockHeld while somebody else writes; ProviderError,
    MachineError, OutcomeUnknown, Interrupted.
    """
    vault, told = deps.vault, 0

    def watch(done: int) -> None:
        nonlocal told
        deps.stop.check()
        if done - told >= TELL_EVERY:
            told = done
            tell.progress(f"copying {transfer.name}", done, transfer.processed_bytes or None, "B")

    def again(error: ProviderError) -> None:
        nonlocal told
        told = 0
        tell.warn(f"{error.message} Trying again.")
        deps.stop.pause(PAUSE)

    @contextmanager
    def open_dump() -> Iterator[IncomingDump]:
        with vault.download(lambda: deps.backups.public_url(attachment.owner_app_name, transfer.num)) as stream:
            yield stream

    order = CopyOrder(_origin(deps, attachment, transfer), vault.target, watch, again, deps.work)
    with vault.turn(f"copying {transfer.name} of {deps.app}", tell.progress):
        there = copy_for(copies_of(deps, transfer.id), keys)
        return (there, False) if there else (order.pull(open_dump, vault.store(), keys), True)


def _origin(deps: Adapters, attachment: Attachment, transfer: Transfer) -> BackupOrigin:
    """With the server's version, where it can be read; the copy is valid without it."""
    try:
        version = deps.backups.database_info(attachment.addon_id).server_version
    except ProviderError:
        version = ""
    return BackupOrigin.of(transfer, deps.app, attachment.addon_id, version)


# What the platform drops for the next capture, and whether that is allowed.


@dataclass(frozen=True)
class Dropped:
    """The name of the dropped backup, empty when none is dropped; `refused` says why that is not allowed."""

    name: str = ""
    refused: str = ""
    remark: str = ""
    """What to know about a backup that is dropped."""

    @classmethod
    def by_next_capture(cls, deps: Adapters, known: Inventory) -> Dropped:
        """The newest proven backup must not go, nor one that may be it, unless `--evict` was given."""
        goes = Eviction.next(known.entries)
        if goes is None:
            return cls()
        name, limit = goes.entry.name, f"The platform keeps {plural(goes.kept, 'manual backup')}"
        would = f"{limit} and would drop {name}"
        if known.vault is None and not deps.request.evict:
            return cls(name, f"{would}; whether that is the newest proven one is not known, since the vault cannot be "
                           "read. Fix that, or pass --evict")  # fmt: skip
        if goes.newest_proven and not deps.request.evict:
            return cls(name, f"{would}, the newest proven backup anywhere, of which there is no copy. "
                           f"Copy it first (uscdr backup pull --backup {name}), or pass --evict")  # fmt: skip
        return cls(name, remark=f"{limit}, and drops {name} for the new one{_worth(goes)}")


def _worth(goes: Eviction) -> str:
    if goes.newest_proven:
        return ": THE NEWEST PROVEN BACKUP ANYWHERE (--evict)"
    proof = ": the last proven backup on the platform. Prove the new one: uscdr backup prove"
    return proof if goes.last_proven_here else ""


# Which copies retention would remove now: what `backup prune` shows, and what its step removes.


def prunable(deps: Adapters, there: StoredCopies) -> Pruning:
    """Of the copies in `there`. The platform is not asked."""
    planned = pruning.Pruning.of(copies_alone(deps, there), there, deps.config.vault.retention, system_time())
    return replace(planned, stays=pruning.what_stays(deps.vault.store(), planned.ids))
