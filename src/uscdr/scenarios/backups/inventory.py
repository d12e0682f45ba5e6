"""Every backup, as platform and vault have them now. A vault that cannot be read is a finding, not an error."""

from __future__ import annotations

from dataclasses import dataclass

from uscdr.errors import CheckFailed, MachineError
from uscdr.models.heroku import Attachment, Schedule
from uscdr.models.transfers import Transfer, Whose, under_way
from uscdr.scenarios.backups.questions import key_of
from uscdr.scenarios.deps import Deps, VaultPlace
from uscdr.vault.backups import catalog
from uscdr.vault.backups.catalog import Entry, Scope, Shelf
from uscdr.vault.backups.proofs import Proofs, demands_digest
from uscdr.vault.store import Store


@dataclass(frozen=True)
class Vault:
    """A store that was read: its copies and proofs."""

    store: Store
    shelf: Shelf
    proofs: Proofs


@dataclass(frozen=True)
class Inventory:
    """One look. `entries` are oldest first; `vault` is None when it could not be read, and `why` says the reason."""

    attachment: Attachment
    transfers: tuple[Transfer, ...]
    schedules: tuple[Schedule, ...]
    place: str
    vault: Vault | None
    why: str
    entries: tuple[Entry, ...]

    @property
    def owner(self) -> str:
        """The application that the platform lists the backups under."""
        return self.attachment.owner_app_name

    @property
    def running(self) -> str:
        """What is under way on this database, in words; empty when nothing is."""
        return under_way(self.transfers, self.owner)

    @property
    def failed(self) -> tuple[Transfer, ...]:
        """Backups of this database that came to nothing after the newest good one, oldest first."""
        ours = [one for one in self.transfers if one.is_backup and one.ended and one.whose is Whose.OURS]
        good = max((one.num for one in ours if one.whole), default=0)
        return tuple(one for one in ours if one.num > good)

    @property
    def newest(self) -> Entry | None:
        """The newest backup that could be restored from now."""
        return next((one for one in reversed(self.entries) if not one.unfit), None)

    @property
    def proven(self) -> tuple[Entry, ...]:
        """Backups that a restore has shown to be good, oldest first."""
        return tuple(one for one in self.entries if one.proven)


def vault_of(deps: Deps) -> VaultPlace:
    """The place of copies. Raises MachineError when these parts were put together without one."""
    if deps.vault is None:
        raise MachineError("No place for copies of backups is known.", next_action="Name one: --to PLACE")
    return deps.vault


def take(deps: Deps) -> Inventory:
    """Look at platform and vault. Raises ProviderError, BadInput for a place that can be none."""
    deps.describe_app()
    attachment = deps.attachment()
    transfers = deps.backups.transfers(attachment)
    store = vault_of(deps).store()
    vault, why = _read(store)
    return Inventory(
        attachment=attachment,
        transfers=transfers,
        schedules=deps.backups.schedules(attachment.addon_id),
        place=store.place,
        vault=vault,
        why=why,
        entries=catalog.entries(
            transfers, vault.shelf.copies if vault else (), vault.proofs if vault else None, scope(deps, attachment)
        ),
    )


def _read(store: Store) -> tuple[Vault | None, str]:
    try:
        return Vault(store, catalog.shelf(store), Proofs(store)), ""
    except (MachineError, CheckFailed) as error:
        return None, f"{error.message} {error.why}".strip()


def copies_alone(deps: Deps, there: Shelf) -> tuple[Entry, ...]:
    """The copies in `there`, one entry a backup, oldest first; the platform is not asked."""
    return catalog.entries((), there.copies, Proofs(vault_of(deps).store()), scope(deps, None))


def scope(deps: Deps, attachment: Attachment | None) -> Scope:
    """Whose backups are listed; `attachment` is None when the platform could not be asked."""
    key = key_of(deps.config, deps.platform, deps.app, deps.kit).fingerprint if attachment else ""
    demands = demands_digest(deps.config.invariants)
    return Scope(deps.app, attachment.addon_id if attachment else "", deps.memory.damaged, key, demands)


def entry_of(known: Inventory, transfer_id: str) -> Entry | None:
    """The backup with this id at the platform."""
    return next((one for one in known.entries if one.transfer_id == transfer_id), None)
