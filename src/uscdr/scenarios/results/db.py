"""Results of steps: journalled, reported, and passed to later steps. No secret, no patient's value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AliasChoices, AwareDatetime, Field

from uscdr.models.base import Fact, Moment
from uscdr.models.migrations import MigrationsVerdict
from uscdr.models.postgres import CanaryVerdict, InvariantResult, LeftOut, TableDigest, Unread
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TAKEN_AT = AliasChoices("taken_at", "created_at")
"""Journals of earlier versions use the second name."""


def broken_invariants(results: Sequence[InvariantResult]) -> list[str]:
    """Invariants that do not certainly hold, in words."""
    return [f"{r.name} ({r.seen}, expected {r.expected})" for r in results if r.holds is not True]


class Sharing(Fact):
    """Who else uses a database; `known` is False when the platform does not say."""

    known: bool = True
    why: str = ""
    """Why that is unknown."""
    apps: tuple[str, ...] = ()
    """Other applications, and their names for it: `billing (as CLINIC)`."""
    names: tuple[str, ...] = ()
    """The application's own further names for it."""
    untouched: tuple[str, ...] = ()
    """The application's other databases: `ANALYTICS (postgresql-flat-1)`."""

    @property
    def others(self) -> str:
        """Who else is affected when the database is overwritten, in words; empty when nobody is."""
        words = [f"{one}: its data are overwritten too, and its dynos are NOT stopped" for one in self.apps]
        words += [] if self.known else [f"whether other applications use it is NOT known ({self.why})"]
        return "; ".join(words)

    def words(self) -> tuple[str, ...]:
        """All of it, in a few sentences."""
        shared = (f"used by others: {self.others}",) if self.others else ()
        also = (f"the same database under other names: {', '.join(self.names)}",) if self.names else ()
        left = (f"NOT touched, whatever is wrong with them: {', '.join(self.untouched)}",) if self.untouched else ()
        return (*shared, *also, *left)


class DatabaseSeen(Fact):
    """The damaged database as it was found."""

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
    """Problems with the columns that show the newest write, in words."""


class BackupLine(Fact):
    """One backup the platform holds."""

    name: str
    kind: str
    state: str
    created_at: Moment
    taken_at: Moment | None = None
    """The moment whose data it has; its age counts from here. None in a journal of an earlier version."""
    finished_at: Moment | None
    age_seconds: float
    bytes: int
    warnings: int
    expired: bool
    unfit: str = ""
    """Why it cannot be restored; empty when it can."""


class BackupsSeen(Fact):
    """All backups, oldest first, and the schedules in words."""

    backups: tuple[BackupLine, ...]
    schedules: tuple[str, ...]


class MaintenanceSet(Fact):
    """Maintenance mode now, and before."""

    enabled: bool
    was: bool


class ProcessesStopped(Fact):
    """The formation before it was stopped, and the dynos that were stopped."""

    formation: dict[str, int]
    stopped: tuple[str, ...] = ()


class Captured(Fact):
    """A finished backup of the database."""

    id: str
    num: int
    name: str
    bytes: int
    warnings: int = 0
    line: BackupLine | None = None
    """Its line in lists; older journals have none."""


class SafetyCapture(Captured):
    """The backup of the damaged state."""


class ChosenBackup(Fact):
    """The backup that will be restored, and its age."""

    backup: str
    transfer_id: str
    num: int
    taken_at: Moment = Field(validation_alias=TAKEN_AT)
    """The moment whose data it has; ages and objectives count from here."""
    finished_at: Moment | None
    age_seconds: float
    rpo_met: bool
    bytes: int
    passed_over: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What to know of it although it can be used, such as warnings."""
    damaged: bool = False
    """Whether it has a damaged state, and is restored because the operator named it."""
    damage_since: str = ""
    """When the damage came, as far as the backups show; empty when none was passed over for damage."""


class Proof(Fact):
    """The result of restoring a backup on this machine; identified by the dump's SHA-256."""

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
    """The grade as `backup prove` says it; empty in journals of older versions."""
    missing: tuple[str, ...] = ()
    """Expected tables that it does not have."""
    keyless: tuple[str, ...] = ()
    """Expected tables without a primary key."""
    left_out: tuple[LeftOut, ...] = ()
    """Parts of the backup that were not restored here, and so are not proven; never rows."""
    code: MigrationsVerdict = Field(default_factory=MigrationsVerdict.uncompared)
    """The backup against the code that is deployed."""
    key: CanaryVerdict = Field(default_factory=CanaryVerdict.untried)
    """The trial of the application's key on the encrypted columns."""
    key_trouble: str = ""
    """For a key that decrypts nothing: what is known of the key that did, and how to restore it."""

    def unfit(self, key: str) -> str:
        """Why it must not replace the database; empty when nothing is wrong. `key`: the variable of the key."""
        if self.missing:
            return f"tables are missing: {first_of(self.missing)}"
        broken = broken_invariants(self.invariants)
        if broken:
            return f"it breaks: {first_of(broken, comma='; ')}"
        if self.keyless:
            return f"no primary key in {first_of(self.keyless)}: rows may be duplicated"
        broken_schema = (*self.code.stuck, *(f"recorded as applied, but not there: {one}" for one in self.code.lacking))
        if broken_schema:
            return f"the deployed code {self.code.against} cannot run on it: {first_of(broken_schema, comma='; ')}"
        if self.key.opens_nothing:
            where = f", {self.key.where}" if self.key.where else ""
            shut = f"{self.key.wrong:,} of {plural(self.key.sampled, 'sampled value')} stay unreadable"
            return f"{key} does not decrypt it: {shut}{where}"
        return ""


class LedgerLine(Fact):
    """One table, live against backup.

    `lost`: rows that only the live side has, and the restore loses (`ranges`: their keys);
    `damaged`: rows that only the backup has, and the restore adds again.
    """

    table: str
    now: int | None
    backup: int | None
    lost: int | None
    damaged: int | None
    ranges: tuple[str, ...] = ()
    changed: int = 0
    """Rows with the same key and other content: overwritten by the restore."""
    volatile: bool = False
    unseen: int = 0
    """Rows that a state after the backup had and neither side has: lost, whatever is restored."""
    unread: str = ""
    """Why the live table cannot be compared, in words; then `lost` and `damaged` are unknown."""

    @property
    def brought_back(self) -> str:
        """How many rows of which table the restore adds again, in words."""
        return f"{self.damaged:,} of {self.table}"


class LossLedger(Fact):
    """The rows that the restore will lose and add again. Totals exclude volatile tables."""

    tables: tuple[LedgerLine, ...]
    rows_now: int | None
    now_at_least: bool = False
    """Whether `rows_now` is a lower bound: not every table can be counted."""
    rows_backup: int
    rows_lost: int | None
    """None when it is unknown."""
    readable: bool
    at_least: bool = False
    """Whether `rows_lost` is a lower bound: nobody can count the newest rows that the damage removed."""
    last_write: AwareDatetime | None = None
    """The newest time in the columns of `app.freshness`, before the restore."""
    undated: tuple[str, ...] = ()
    """Tables that lose rows and have no column in `freshness`, so that `last_write` ignores them."""


class Restored(Fact):
    """The finished restore."""

    id: str
    name: str
    backup: str
    sha256: str
    left_out: tuple[LeftOut, ...] = ()
    """Parts of the dump that are not in the database."""
    after: int | None = None
    """For a restore by the platform: the highest number of a transfer before it."""


class Compared(Fact):
    """Tables of the live database against the proven backup, by count and content digest."""

    matching: int
    tables: int
    rows: int
    differing: tuple[str, ...]
    unread: tuple[str, ...] = ()
    """Tables that cannot be read after the restore, and why, in words."""
    hidden: tuple[str, ...] = ()
    """Tables that row-level security hides, as the backup has it: not compared, in words."""
    beside: tuple[str, ...] = ()
    """Later restores of this database: the data were compared after all of them."""


class Withdrawn(Fact):
    """Access that was withdrawn again; `left`: rows that the operator left as the backup has them."""

    changed: int
    left: int = 0
    words: str = ""
    shut: tuple[str, ...] = ()
    """Accounts that are blocked because a role or a login could not be set again."""
    reset: tuple[str, ...] = ()
    """Accounts that cannot sign in until the password is reset."""

    def tasks(self) -> Iterator[str]:
        """What a person must do, one sentence each."""
        if self.shut:
            whose = f"{plural(len(self.shut), 'account')} ({first_of(self.shut)})"
            yield f"Blocked, because a role or a login could not be set again: {whose}; set it by hand"
        if self.reset:
            whose = f"{plural(len(self.reset), 'account')} ({first_of(self.reset)})"
            yield f"Cannot sign in until the password is reset, because the newer one is lost: {whose}"


class Migrated(Fact):
    """Migrations that were pending after the restore and were applied."""

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
    """Invariants that cannot be checked, because row-level security hides a table."""
    late: tuple[str, ...] = ()
    """Restores of this database after the data were compared."""


class ApplicationChecked(Fact):
    """The application's answers to its checks."""

    at: Moment
    """When it was seen working: the end of the downtime."""
    passed: int
    failed: int
    not_known: int
    worst: tuple[str, ...] = ()
    """`name: evidence` of what did not pass, the gravest first."""
    held_back: tuple[str, ...] = ()
    """`name: evidence` of what was not checked because a provider limits requests; not in `worst`."""
    left_open: tuple[str, ...] = ()
    """What was deliberately left undone, in words."""
    fallen: tuple[str, ...] = ()
    """Dynos that do not stay up, in words."""
