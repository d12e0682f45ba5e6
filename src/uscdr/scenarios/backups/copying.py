"""One backup into the vault: from the signed link through the encryption, with no plain text on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from uscdr.engine.step import Tell
from uscdr.errors import ProviderError
from uscdr.models.heroku import Attachment
from uscdr.models.transfers import Transfer
from uscdr.scenarios.backups.inventory import vault_of
from uscdr.scenarios.deps import Deps
from uscdr.vault.backups import catalog, pulling
from uscdr.vault.backups.manifest import CopyCard, Origin, origin_of
from uscdr.vault.backups.pulling import Keyring, Order, Stream

"""How the data API calls it."""
TELL_EVERY = 4 << 20
"""Bytes between two words on the screen."""
PAUSE = 1.0
"""Seconds before a download that broke off is begun anew."""


def copy_for(copies: Sequence[CopyCard], keys: Keyring) -> CopyCard | None:
    """The copy that everybody who shall be able to can open: a passphrase is not compared, only that there is one."""
    readers = {one.fingerprint for one in keys.recipients}
    fitting = (one for one in copies if readers <= set(one.recipients))
    return next((one for one in fitting if keys.passphrase is None or one.passphrase), None)


def copies_of(deps: Deps, transfer_id: str) -> tuple[CopyCard, ...]:
    """Whole copies of this backup, the newest first."""
    cards = catalog.shelf(vault_of(deps).store()).copies
    mine = [one for one in cards if (one.origin.app, one.origin.transfer_id) == (deps.app, transfer_id)]
    return tuple(sorted(mine, key=lambda one: one.made_at, reverse=True))


def copy(
    deps: Deps, attachment: Attachment, transfer: Transfer, keys: Keyring, tell: Tell
) -> tuple[CopyCard, bool]:  # fmt: skip
    """Fetch and encrypt it, unless whoever had the turn before did: the copy, and whether it was fetched here.

    The manifest comes last, so that what is cut off is no copy.

    Raises CheckFailed for what is no whole dump, LockHeld while somebody else writes; ProviderError,
    MachineError, OutcomeUnknown, Interrupted.
    """
    vault, told = vault_of(deps), 0

    def watch(done: int) -> None:
        nonlocal told
        deps.stop.check()
        if done - told >= TELL_EVERY:
            told = done
            tell.progress(f"copying {transfer.name}", done, transfer.processed_bytes or None, "B")

    def again(error: ProviderError) -> None:
        nonlocal told
        told = 0
        tell.warn(f"{error.message} It is begun anew.")
        deps.stop.pause(PAUSE)

    @contextmanager
    def open_dump() -> Iterator[Stream]:
        link = deps.backups.public_url(attachment.owner_app_name, transfer.num)
        with vault.download(link) as stream:
            yield stream

    order = Order(_origin(deps, attachment, transfer), vault.target, watch, again, deps.work)
    with vault.turn(f"copying {transfer.name} of {deps.app}", tell.progress):
        there = copy_for(copies_of(deps, transfer.id), keys)
        return (there, False) if there else (pulling.pull(order, open_dump, vault.store(), keys), True)


def _origin(deps: Deps, attachment: Attachment, transfer: Transfer) -> Origin:
    """The server's version is good to have; without it the copy is as good."""
    try:
        version = deps.backups.database_info(attachment.addon_id).server_version
    except ProviderError:
        version = ""
    return origin_of(transfer, deps.app, attachment.addon_id, version)
