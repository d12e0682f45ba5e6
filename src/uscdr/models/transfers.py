"""Backups, restores and copies on the platform; the only judgement of a backup's usability, owner and age."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from uscdr.models.base import CLOCKS, Fact, Moment, elapsed
from uscdr.words import moment, plural

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from uscdr.models.heroku import Attachment


class DatabaseEnd(Fact):
    """A database as one end of a transfer. Unknown fields are empty; never a credential."""

    label: str = ""
    """The attachment's name when the transfer began: `DATABASE`. Another database may have that name now."""
    host: str = ""
    name: str = ""
    """Inside its server. A follower or fork may have the name of its leader, on another host."""


class DatabaseInfo(Fact):
    """The data API's description of a database: label -> values, in order."""

    addon_id: str
    facts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    address: DatabaseEnd = Field(default_factory=DatabaseEnd)
    """Server and name of the database; no label."""

    def value(self, label: str) -> str:
        """The first value under `label`, or an empty string."""
        return next((values[0] for name, values in self.facts if name == label and values), "")

    @property
    def server_version(self) -> str:
        """PostgreSQL's version, such as `17.2`; empty when unknown."""
        return self.value("PG Version")


class TransferKind(StrEnum):
    """The kind of a transfer, from its endpoints."""

    MANUAL_BACKUP = "manual backup"
    SCHEDULED_BACKUP = "scheduled backup"
    RESTORE = "restore"
    COPY = "copy"


class TransferState(StrEnum):
    """The state of a transfer.

    Only COMPLETED is a success; only FAILED and CANCELED are certain failures. UNTOLD has ended, but the platform does
    not say whether it succeeded.
    """

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    UNTOLD = "ended, success unknown"


class Whose(StrEnum):
    """The database of a transfer, relative to the requested add-on. Only OURS counts as its own."""

    OURS = "this database"
    OTHER = "another database"
    UNKNOWN = "an unknown database"


class Transfer(Fact):
    """A backup, restore or copy. `name` is `b001`, `a002`, `r003`, `c004`; `num` is its number.

    This class alone judges whether a backup can be used, why not, and how old it is.
    """

    id: str
    num: int
    name: str
    kind: TransferKind
    state: TransferState
    created_at: Moment
    databases: tuple[DatabaseEnd, ...] = ()
    """The ends that are databases: one of a backup or restore, two of a copy."""
    whose: Whose = Whose.UNKNOWN
    started_at: Moment | None = None
    finished_at: Moment | None = None
    warnings: int = 0
    processed_bytes: int = 0
    source_bytes: int = 0
    num_keep: int | None = None
    expired: bool = False
    """The platform has deleted the stored file (deleted or purged)."""
    logs: tuple[str, ...] = Field(default=(), repr=False)
    stored_at: SecretStr | None = None
    """The backup's storage address; used only in a restore request."""
    taken_from: SecretStr | None = None
    """Of a restore: the address that it reads."""

    @property
    def is_backup(self) -> bool:
        """Whether this transfer produced a backup file."""
        return self.kind in (TransferKind.MANUAL_BACKUP, TransferKind.SCHEDULED_BACKUP)

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.state not in (TransferState.PENDING, TransferState.RUNNING)

    @property
    def whole(self) -> bool:
        """Whether the whole database was stored; the platform may have deleted the file since."""
        return self.is_backup and self.state is TransferState.COMPLETED and self.processed_bytes > 0

    def reads(self, backup: Transfer) -> bool | None:
        """Whether this restore reads that backup, by the storage address, else by the size. None when unknown."""
        if self.taken_from is not None and backup.stored_at is not None:
            ours, theirs = (urlsplit(one.get_secret_value()).path for one in (backup.stored_at, self.taken_from))
            return ours == theirs
        if self.source_bytes and backup.processed_bytes:
            return self.source_bytes == backup.processed_bytes
        return None

    @property
    def taken_at(self) -> datetime:
        """The time of a backup's snapshot. Later writes are not in it."""
        return self.started_at or self.created_at

    def age(self, at: datetime) -> float:
        """Seconds from `taken_at` to `at`; 0 for one that is dated later."""
        return elapsed(self.taken_at, at)

    @property
    def unusable(self) -> str:
        """Why a backup cannot be restored, even by name; empty when it can.

        Warnings, a future date and a missing end time are only `remarks`.
        """
        if self.whose is Whose.OTHER:
            return self._of_another
        if self.expired:
            return "expired (the platform has deleted the file)"
        if self.state is not TransferState.COMPLETED:
            return self.state.value if self.ended else f"not finished ({self.state.value})"
        return "" if self.processed_bytes else "empty"

    @property
    def unfit(self) -> str:
        """Why a backup is used only when given by name, and never counts otherwise; empty for a good one."""
        return self._of_another if self.whose is Whose.UNKNOWN else self.unusable

    @property
    def _of_another(self) -> str:
        labels = ", ".join(end.label for end in self.databases if end.label)
        return f"of {self.whose.value}" + (f" ({labels})" if labels else "")

    def remarks(self, at: datetime) -> tuple[str, ...]:
        """Remarks on a usable backup."""
        unknown = self._of_another if self.whose is Whose.UNKNOWN else ""
        return tuple(filter(None, (unknown, warned(self.warnings), ahead(self.taken_at, at))))

    def answers_to(self, ref: str) -> bool:
        """Whether `ref` is its name or its id."""
        return ref.lower() in (self.name, self.id)

    def seen_from(self, addon: Attachment, address: DatabaseEnd) -> Transfer:
        """The same, with `whose`; `address` is that of the add-on's database, empty when unknown."""
        ends = [_whose(end, addon, address) for end in self.databases]
        told = next((one for one in (Whose.OURS, Whose.UNKNOWN, Whose.OTHER) if one in ends), Whose.UNKNOWN)
        return self.model_copy(update={"whose": told})


def _whose(end: DatabaseEnd, addon: Attachment, address: DatabaseEnd) -> Whose:
    """By the database's address, which a promotion does not change; by its label if the address is unknown."""
    if end.name and address.name:
        if end.name != address.name:
            return Whose.OTHER
        if end.host == address.host:
            return Whose.OURS
    labels = {addon.name, addon.addon_name, *(name.removesuffix("_URL") for name in addon.config_vars)}
    return Whose.OURS if end.label in labels - {""} else Whose.UNKNOWN


DAMAGED = "taken from damaged data"


class Transfers(tuple[Transfer, ...]):
    """The transfers of one database, or of several databases of one application, oldest first."""

    __slots__ = ()

    def usable(self, damaged: Collection[str]) -> tuple[Transfer, ...]:
        """The reliable backups among them, in the same order; `damaged`: ids of backups of damaged data."""
        return tuple(one for one in self if one.is_backup and not one.unfit and one.id not in damaged)

    def under_way(self, app: str) -> str:
        """What blocks a further transfer of this database, and the way out, in words; empty when nothing does.

        One of an unknown database may be of this one. `app` is the owning app.
        """
        running = next((one for one in self if not one.ended and one.whose is not Whose.OTHER), None)
        if running is None:
            return ""
        return (
            f"{running.name} ({running.kind.value}, {running.state.value} since {moment(running.taken_at)}) has not "
            f"finished. Wait for its end, or cancel it: heroku pg:backups:cancel {running.name} --app {app}"
        )

    def pushed_out(self) -> tuple[Transfer, int] | None:
        """The manual backup that the platform deletes for the next one, and how many it keeps; None below the limit.

        The limit is for each application, so backups of its other databases count.
        """
        manual = [
            one for one in self if one.kind is TransferKind.MANUAL_BACKUP and one.ended and not one.expired
        ]  # fmt: skip
        kept = next((one.num_keep for one in reversed(manual) if one.num_keep), None)
        return (manual[0], kept) if kept is not None and len(manual) >= kept else None


def warned(warnings: int) -> str:
    """The remark on a backup's warnings; empty without any."""
    return f"finished with {plural(warnings, 'warning')}" if warnings else ""


def ahead(taken_at: datetime, at: datetime) -> str:
    """The remark on a backup dated after `at`; empty within the tolerance for clocks."""
    if elapsed(at, taken_at) <= CLOCKS:
        return ""
    return f"dated in the future ({moment(taken_at)}): the platform's clock and this machine's differ"
