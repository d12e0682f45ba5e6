"""What the platform says of itself. Times are aware UTC datetimes, sizes are bytes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field, SecretStr

from uscdr.models.base import Fact


class Account(Fact):
    """The account behind the token."""

    email: str


class App(Fact):
    """One application."""

    id: str
    name: str
    maintenance: bool
    stack: str = ""
    region: str = ""
    owner_email: str = ""
    web_url: str | None = None
    released_at: datetime | None = None


class ProcessType(Fact):
    """One line of the formation: how many dynos of which process type and size."""

    type: str
    quantity: int
    size: str = ""
    command: str = ""


class Dyno(Fact):
    """One running, starting or crashed dyno. `state` is as the platform spells it: `up`, `crashed`."""

    id: str
    name: str
    type: str
    state: str
    size: str = ""
    command: str = ""
    release_version: int | None = None
    created_at: datetime | None = None


class OneOffResult(Fact):
    """The end of an attached one-off dyno.

    `exit_status` is None when the connection ended without the exit mark: the outcome is unknown.
    `output` may hold personal data: it is never journalled or shown whole, and hidden in repr.
    """

    name: str
    exit_status: int | None
    output: str = Field(default="", repr=False)


class Release(Fact):
    """One release. `status` is `succeeded`, `failed`, `pending` or `expired`."""

    id: str
    version: int
    status: str
    description: str = ""
    current: bool = False
    created_at: datetime | None = None
    user_email: str = ""
    slug_id: str | None = None
    eligible_for_rollback: bool = False


class AddOn(Fact):
    """One add-on. `app_name` is the owning app, which need not be the app that uses it."""

    id: str
    name: str
    state: str
    plan: str
    app_id: str = ""
    app_name: str = ""
    config_vars: tuple[str, ...] = ()


class Attachment(Fact):
    """An add-on as one app sees it: `name` is `DATABASE`, its config variable `DATABASE_URL`."""

    name: str
    app_name: str
    addon_id: str
    addon_name: str
    owner_app_id: str = ""
    owner_app_name: str = ""
    plan: str = ""
    config_vars: tuple[str, ...] = ()


class DatabaseInfo(Fact):
    """The data API's description of a database, in its own words: label -> values, in order."""

    addon_id: str
    facts: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def value(self, label: str) -> str:
        """The first value under `label`, or an empty string."""
        return next((values[0] for name, values in self.facts if name == label and values), "")


class TransferKind(StrEnum):
    """What a transfer is, from its end points."""

    MANUAL_BACKUP = "manual backup"
    SCHEDULED_BACKUP = "scheduled backup"
    RESTORE = "restore"
    COPY = "copy"


class TransferState(StrEnum):
    """How far a transfer got. Only COMPLETED is success."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class Transfer(Fact):
    """A backup, restore or copy. `name` is `b001`, `a002`, `r003`, `c004`; `num` is its number."""

    id: str
    num: int
    name: str
    kind: TransferKind
    state: TransferState
    created_at: datetime
    from_name: str = ""
    to_name: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    warnings: int = 0
    processed_bytes: int = 0
    source_bytes: int = 0
    num_keep: int | None = None
    expired: bool = False
    """The platform has dropped the stored file (deleted or purged)."""
    logs: tuple[str, ...] = Field(default=(), repr=False)
    stored_at: SecretStr | None = None
    """Where the platform keeps a backup; goes into a restore request and nowhere else."""

    @property
    def is_backup(self) -> bool:
        """Whether this transfer produced a backup file."""
        return self.kind in (TransferKind.MANUAL_BACKUP, TransferKind.SCHEDULED_BACKUP)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in (TransferState.COMPLETED, TransferState.FAILED, TransferState.CANCELED)


class Schedule(Fact):
    """One daily backup schedule; `hour` in `timezone`."""

    id: str
    name: str
    hour: int
    timezone: str
    retain_weeks: int | None = None
    retain_months: int | None = None


class SignedUrl(Fact):
    """A link that lets its holder download all patients' data until it expires."""

    url: SecretStr
    expires_at: datetime | None = None


class ServiceColor(Fact):
    """One line of a provider's status page: `green`, `yellow`, `red`."""

    system: str
    status: str


class StatusReport(Fact):
    """A provider's status page now."""

    systems: tuple[ServiceColor, ...] = ()
    incidents: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether every system is green; False also when nothing was listed."""
        return bool(self.systems) and all(s.status == "green" for s in self.systems)


class Download(Fact):
    """A finished download: size in bytes and SHA-256 in hex."""

    size: int
    sha256: str
