"""What steps find out and do: journalled, reported, and handed to later steps. No secret, no patient's value."""

from __future__ import annotations

from pydantic import AliasChoices, AwareDatetime, Field

from uscdr.backups.proofs import CanaryVerdict
from uscdr.models.base import Fact, Moment
from uscdr.models.heroku import ServiceColor
from uscdr.models.migrations import MigrationsVerdict
from uscdr.models.postgres import InvariantResult, LeftOut, TableDigest, Unread

TAKEN_AT = AliasChoices("taken_at", "created_at")
"""Journals of earlier versions have the second."""


class StatusSeen(Fact):
    """The platform's status page; `known` is False when it could not be read."""

    known: bool
    systems: tuple[ServiceColor, ...] = ()
    incidents: tuple[str, ...] = ()
    others: dict[str, str] = Field(default_factory=dict)
    """Other providers -> what their pages say."""


class Sharing(Fact):
    """Who else uses a database; `known` is False when the platform did not say."""

    known: bool = True
    why: str = ""
    """Why it is not known."""
    apps: tuple[str, ...] = ()
    """Other applications, and as what they see it: `billing (as CLINIC)`."""
    names: tuple[str, ...] = ()
    """Further names under which the application itself has it."""
    untouched: tuple[str, ...] = ()
    """The application's other databases: `ANALYTICS (postgresql-flat-1)`."""

    @property
    def others(self) -> str:
        """Who else is hit when the database is overwritten, in words; empty when nobody is."""
        words = [f"{one}: its data are overwritten too, and its dynos are NOT stopped" for one in self.apps]
        words += [] if self.known else [f"whether other applications use it is NOT known ({self.why})"]
        return "; ".join(words)

    def words(self) -> tuple[str, ...]:
        """Everything, in a few sentences."""
        shared = (f"used by others: {self.others}",) if self.others else ()
        also = (f"the same database under other names: {', '.join(self.names)}",) if self.names else ()
        left = (f"NOT touched, whatever is wrong with them: {', '.join(self.untouched)}",) if self.untouched else ()
        return (*shared, *also, *left)


class DatabaseSeen(Fact):
    """The damaged database as it stands."""

    addon_id: str
    addon: str
    owner_app: str
    plan: str
    status: str
    reachable: bool
    why: str = ""
    size: int = 0
    rows: dict[str, int] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    invariants: tuple[InvariantResult, ...] = ()
    newest: dict[str, str | None] = Field(default_factory=dict)
    sharing: Sharing = Field(default_factory=Sharing)
    unread: tuple[Unread, ...] = ()
    """Tables that could not be counted; `rows` has the others."""
    odd_times: tuple[str, ...] = ()
    """What is wrong with the columns that tell the newest write, in words."""


class BackupLine(Fact):
    """One backup the platform holds."""

    name: str
    kind: str
    state: str
    created_at: Moment
    taken_at: Moment | None = None
    """The moment that it stands for, and that its age is counted from; None in a journal of an earlier version."""
    finished_at: Moment | None
    age_seconds: float
    bytes: int
    warnings: int
    expired: bool
    unfit: str = ""
    """Why it is not one to restore from; empty when it is."""


class BackupsSeen(Fact):
    """All backups, oldest first, and the schedules in words."""

    backups: tuple[BackupLine, ...]
    schedules: tuple[str, ...]


class MachineSeen(Fact):
    """The operator's machine: tools, and bytes free in the place with the least room, against what is needed."""

    tools: str = ""
    place: str
    free: int
    needed: int


class Quiet(Fact):
    """No release and no build is under way; the newest release's version."""

    release: int | None


class MaintenanceSet(Fact):
    """Maintenance mode now, and before."""

    enabled: bool
    was: bool


class ProcessesStopped(Fact):
    """The formation before it was stopped, and the dynos that were stopped."""

    formation: dict[str, int]
    stopped: tuple[str, ...] = ()


class SessionsEnded(Fact):
    """How many other sessions were ended, and how many of other roles remain."""

    ended: int
    left: int = 0


class Captured(Fact):
    """A finished backup of the database."""

    id: str
    num: int
    name: str
    bytes: int
    warnings: int = 0
    line: BackupLine | None = None
    """As lists show it; older journals have none."""


class SafetyCapture(Captured):
    """The damaged state, kept."""


class BeforeCapture(Captured):
    """The state before migrations."""


class FreshCapture(Captured):
    """The recovered state."""


class ChosenBackup(Fact):
    """The backup that will be restored, and what its age means."""

    backup: str
    transfer_id: str
    num: int
    taken_at: Moment = Field(validation_alias=TAKEN_AT)
    """The moment that it stands for; every age and every objective is counted from it."""
    finished_at: Moment | None
    age_seconds: float
    rpo_met: bool
    bytes: int
    passed_over: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What should be known of it although it can be used, such as warnings."""
    damaged: bool = False
    """Whether it was taken of a damaged state: put back as it was, because the operator named it."""
    damage_since: str = ""
    """When the damage came, as far as the backups tell; empty when none was passed over for it."""


class Proof(Fact):
    """The backup was restored here and satisfied the invariants; stamped with the dump's SHA-256."""

    backup: str
    transfer_id: str
    sha256: str
    bytes: int
    rows: int
    tables: tuple[TableDigest, ...]
    invariants: tuple[InvariantResult, ...]
    migrations: int
    extensions: tuple[str, ...]
    newest: dict[str, str | None]
    seconds: float
    grade: str = ""
    """How good it is in the words of `backup prove`; empty in journals of older versions."""
    missing: tuple[str, ...] = ()
    """Expected tables that it does not have."""
    keyless: tuple[str, ...] = ()
    """Expected tables without a primary key."""
    left_out: tuple[LeftOut, ...] = ()
    """What of the backup was not restored on this machine, and so is not proven; no row is among it."""
    code: MigrationsVerdict = Field(default_factory=MigrationsVerdict.uncompared)
    """The backup against the code that is deployed."""
    key: CanaryVerdict = Field(default_factory=CanaryVerdict.untried)
    """What the application's key made of the encrypted columns."""
    key_trouble: str = ""
    """For a key that opens nothing: what is known of the one that did, and the way back to it."""


class LedgerLine(Fact):
    """One table, live against backup.

    `lost`: rows that only the live side has, and the restore loses (`ranges`: their keys);
    `damaged`: rows that only the backup has, and the restore brings back.
    """

    table: str
    now: int | None
    backup: int | None
    lost: int | None
    damaged: int | None
    ranges: tuple[str, ...] = ()
    changed: int = 0
    """Rows under the same key with other content: overwritten by the restore."""
    volatile: bool = False
    unseen: int = 0
    """Rows that an earlier state had, later than the backup, and neither side has: lost, whatever is restored."""
    unread: str = ""
    """Why the live table cannot be compared, in words; then `lost` and `damaged` are not known."""


class LossLedger(Fact):
    """What the restore will lose and bring back. Totals leave volatile tables out."""

    tables: tuple[LedgerLine, ...]
    rows_now: int | None
    now_at_least: bool = False
    """Whether `rows_now` is a lower bound: not every table can be counted."""
    rows_backup: int
    rows_lost: int | None
    """None when nothing at all is known."""
    readable: bool
    at_least: bool = False
    """Whether `rows_lost` is a lower bound: what the damage took of the newest rows, nobody can count."""
    last_write: AwareDatetime | None = None
    """The newest time in the columns of `app.freshness`, before the restore."""
    undated: tuple[str, ...] = ()
    """Tables that lose rows of which `last_write` tells nothing: no column of theirs is in `freshness`."""


class Restored(Fact):
    """The finished restore."""

    id: str
    name: str
    backup: str
    sha256: str
    left_out: tuple[LeftOut, ...] = ()
    """What of the dump is not in the database."""
    after: int | None = None
    """Of a restore by the platform: the highest number of a transfer before it."""


class Compared(Fact):
    """Tables of the live database against the proven backup, by count and content digest."""

    matching: int
    tables: int
    rows: int
    differing: tuple[str, ...]
    unread: tuple[str, ...] = ()
    """Tables that cannot be read after the restore, and why, in words."""
    hidden: tuple[str, ...] = ()
    """Tables that row-level security keeps from us, as the backup has it: not compared, in words."""
    beside: tuple[str, ...] = ()
    """Further restores of this database that ran since: the data were compared after all of them."""


class Withdrawn(Fact):
    """Access that was withdrawn again; `left`: things that the operator wanted left as the backup has them."""

    changed: int
    left: int = 0
    words: str = ""
    shut: tuple[str, ...] = ()
    """Accounts that are shut out because a role or a login could not be set again."""
    reset: tuple[str, ...] = ()
    """Accounts that nobody can sign in to until the password is reset."""


class Migrated(Fact):
    """Migrations that were pending after the restore, and were applied."""

    applied: tuple[str, ...]


class VerifiedData(Fact):
    """The live data after the restore."""

    tables_matching: int
    tables: int
    rows: int
    invariants_held: int
    invariants: int
    results: tuple[InvariantResult, ...]
    unasked: tuple[str, ...] = ()
    """Invariants that cannot be asked, as row-level security keeps a table from us."""
    late: tuple[str, ...] = ()
    """Restores of this database that ran after the data were compared."""


class ProcessesStarted(Fact):
    """Process types that run again."""

    running: dict[str, int]


class ApplicationChecked(Fact):
    """The application's answers to its checks."""

    at: Moment
    """When it was seen to work: the end of the downtime."""
    passed: int
    failed: int
    not_known: int
    worst: tuple[str, ...] = ()
    """`name: evidence` of what did not pass, the gravest first."""
    held_back: tuple[str, ...] = ()
    """`name: evidence` of what was not checked because somebody limits requests; none of `worst`."""
    left_open: tuple[str, ...] = ()
    """What was left undone on purpose, in words."""
    fallen: tuple[str, ...] = ()
    """Dynos that do not stay up, in words."""


class ManualAnswer(Fact):
    """What a person answered to an instruction."""

    instruction: str
    answer: str
