"""Every backup that the platform and the vault have now. An unreadable vault is a finding, not an error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Literal

from uscdr.backups import catalog
from uscdr.backups.catalog import BackupEntry, Scope, StoredCopies
from uscdr.backups.proofs import ProofDocument, Proofs, demands_digest
from uscdr.backups.rpo import Point, Rhythm, RpoState
from uscdr.errors import CheckFailed, MachineError
from uscdr.models.base import Fact
from uscdr.models.transfers import Transfer, Transfers, Whose
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uscdr.models.heroku import Attachment, Schedule
    from uscdr.scenarios.adapters import Adapters
    from uscdr.store.store import Store


@dataclass(frozen=True)
class _Vault:
    """A store's copies and proofs."""

    store: Store
    shelf: StoredCopies
    proofs: Proofs


@dataclass(frozen=True)
class Inventory:
    """The backups at one moment, oldest first. `vault` is None when it could not be read; `why` says the reason."""

    attachment: Attachment
    transfers: tuple[Transfer, ...]
    schedules: tuple[Schedule, ...]
    place: str
    vault: _Vault | None
    why: str
    entries: tuple[BackupEntry, ...]

    @property
    def owner(self) -> str:
        """The application that the platform lists the backups under."""
        return self.attachment.owner_app_name

    @property
    def running(self) -> str:
        """The transfer that runs on this database, in words; empty when there is none."""
        return Transfers(self.transfers).under_way(self.owner)

    @property
    def failed(self) -> tuple[Transfer, ...]:
        """Backups of this database that failed after the newest good one, oldest first."""
        ours = [one for one in self.transfers if one.is_backup and one.ended and one.whose is Whose.OURS]
        good = max((one.num for one in ours if one.whole), default=0)
        return tuple(one for one in ours if one.num > good)

    @property
    def newest(self) -> BackupEntry | None:
        """The newest backup that could be restored from now."""
        return catalog.newest(self.entries)

    @property
    def proven(self) -> tuple[BackupEntry, ...]:
        """Backups that a restore has shown to be good, oldest first."""
        return tuple(one for one in self.entries if one.proven)

    @classmethod
    def take(cls, deps: Adapters) -> Inventory:
        """Read platform and vault. Raises ProviderError, BadInput for an invalid store."""
        deps.describe_app()
        attachment = deps.attachment()
        transfers = deps.backups.transfers(attachment)
        store = deps.vault.store()
        vault, why = _read(store)
        return cls(
            attachment=attachment,
            transfers=transfers,
            schedules=deps.backups.schedules(attachment.addon_id),
            place=store.place,
            vault=vault,
            why=why,
            entries=scope(deps, attachment).entries(
                transfers, vault.shelf.copies if vault else (), vault.proofs if vault else None
            ),
        )

    def entry(self, transfer_id: str) -> BackupEntry | None:
        """The backup with this id at the platform."""
        return next((one for one in self.entries if one.transfer_id == transfer_id), None)

    def rpo(self, deps: Adapters, at: datetime) -> RpoState:
        """The objective at the moment `at`. Without a readable vault nothing off the platform counts."""
        proofs = self.vault.proofs if self.vault else None
        found = made(self.entries, proofs, scope(deps, self.attachment), at)
        return RpoState.of(found, self.schedules, at, deps.config.objectives.rpo)


def _read(store: Store) -> tuple[_Vault | None, str]:
    try:
        return _Vault(store, catalog.StoredCopies.of(store), Proofs(store)), ""
    except (MachineError, CheckFailed) as error:
        return None, f"{error.message} {error.why}".strip()


def copies_alone(deps: Adapters, there: StoredCopies) -> tuple[BackupEntry, ...]:
    """The copies in `there`, one entry a backup, oldest first; the platform is not asked."""
    return scope(deps, None).entries((), there.copies, Proofs(deps.vault.store()))


def scope(deps: Adapters, attachment: Attachment | None) -> Scope:
    """Whose backups are listed; `attachment` is None when the platform could not be asked."""

    @cache
    def key() -> str:
        from uscdr.scenarios.backup_questions import encryption_key

        return encryption_key(deps.config, deps.platform, deps.app, deps.kit).fingerprint if attachment else ""

    demands = demands_digest(deps.config.invariants)
    return Scope(deps.app, attachment.addon_id if attachment else "", deps.memory.damaged, key, demands)


# The recovery point objective, by what platform and vault hold now: one line for each part.


REMEMBERED = timedelta(days=9)
"""How far back a proof stands for a backup that retention removed: a week and two days."""


class ObjectivePart(Fact):
    """One part of the objective: whether it holds, the arithmetic, and what to do when it does not."""

    name: str
    verdict: Literal["pass", "fail", "not checked"]
    evidence: str
    fix: str = ""

    @classmethod
    def all_of(cls, seen: RpoState, cron: str) -> tuple[ObjectivePart, ...]:
        """What `RpoState.met` is made of; `cron` is the line that makes backups often enough."""
        return (_schedule(seen), _proven(seen), _often(seen, cron))


def made(entries: Sequence[BackupEntry], proofs: Proofs | None, of: Scope, at: datetime) -> tuple[Point, ...]:
    """Every backup that was certainly made, even if only its proof is left."""
    left = proofs.since(at - REMEMBERED) if proofs else ()
    return (*_points(entries), *_forgotten(entries, left, of))


def _points(entries: Sequence[BackupEntry]) -> tuple[Point, ...]:
    """Every backup that was complete, dropped ones too: they show how often backups were made."""
    return tuple(_point(one) for one in entries if one.once_whole and not one.damaged_state)


def _point(entry: BackupEntry) -> Point:
    return Point(
        name=entry.name, taken_at=entry.taken_at, ready_at=entry.finished_at, there=not entry.unfit,
        off_platform=bool(entry.copies), proven=entry.proven,
    )  # fmt: skip


def _forgotten(entries: Sequence[BackupEntry], proofs: Sequence[ProofDocument], of: Scope) -> Iterator[Point]:
    """Backups with only a proof left: without them, backups that retention removed would look like a gap."""
    listed = {one.transfer_id for one in entries}
    for proof in proofs:
        if of.owns(proof) and proof.transfer_id not in listed:
            listed.add(proof.transfer_id)
            yield Point(
                name=proof.backup, taken_at=proof.taken_at, ready_at=None, there=False, off_platform=False, proven=False
            )


def _schedule(seen: RpoState) -> ObjectivePart:
    words = ", ".join(seen.schedules) or "the platform schedules no backup"
    return ObjectivePart(
        name="backups are scheduled",
        verdict="pass" if seen.schedules else "fail",
        evidence=words,
        fix="" if seen.schedules else "Schedule them: uscdr backup schedule --apply",
    )


def _proven(seen: RpoState) -> ObjectivePart:
    limit = f"objective {duration(seen.objective)}"
    good = seen.proven_age is not None and seen.proven_age <= seen.objective
    newest = "none" if seen.proven_age is None else f"{seen.proven}, {duration(seen.proven_age)} old"
    return ObjectivePart(
        name="newest proven copy off the platform",
        verdict="pass" if good else "fail",
        evidence=f"{newest}, {limit}",
        fix="" if good else "Copy and prove one: uscdr backup pull, then uscdr backup prove",
    )


def _often(seen: RpoState, cron: str) -> ObjectivePart:
    limit = f"objective {duration(seen.objective)}"
    good = seen.worst is not None and seen.worst <= seen.objective
    return ObjectivePart(
        name="backups come often enough",
        verdict="pass" if good else "fail",
        evidence=f"{'; '.join(_rhythms(seen)) or 'how often is not known'}; {limit}",
        fix="" if good else f"Add to `crontab -e`: {cron}",
    )


def _rhythms(seen: RpoState) -> Iterator[str]:
    if seen.day_gap is not None:
        yield _sum("at most", seen.day_gap, seen.capture) + " as seen in the last 24 h"
    if seen.schedule_gap is not None:
        yield _sum(f"{', '.join(seen.schedules)}:", seen.schedule_gap, seen.capture)


def _sum(what: str, gap: float, capture: float) -> str:
    return f"{what} {duration(gap)} between two + {duration(capture)} for one = up to {duration(gap + capture)}"


def cron_for(deps: Adapters) -> str:
    """The crontab line that makes, copies and proves backups often enough."""
    place, config = deps.vault, deps.config
    return Rhythm.even(config.vault.every, config.objectives.rpo).cron_line(place.target, place.to)
