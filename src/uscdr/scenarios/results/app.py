"""Results of the steps of `recover app`. No secret, no patient's value, no log line."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from uscdr.models.base import Fact, Moment
from uscdr.models.migrations import Lack, MigrationsVerdict


class ReleaseLine(Fact):
    """One release: its version, what it was for, and how it ended."""

    id: str
    version: int
    status: str
    description: str
    created_at: Moment | None
    slug_id: str | None
    can_return: bool
    """Whether the platform can roll back to it."""


class AppSeen(Fact):
    """The application as it was found."""

    maintenance: bool
    releases: tuple[ReleaseLine, ...]
    """Newest first."""
    current: int | None
    """The version that runs."""
    dynos: dict[str, str] = Field(default_factory=dict)
    """Name -> state."""
    failing: dict[str, str] = Field(default_factory=dict)
    """Checks that did not pass -> evidence; empty when all passed or none could run."""
    asked: int = 0
    """How many checks ran; 0 in maintenance mode."""
    stopped: str = ""
    """Process types that should run and do not, and the command that starts them; empty when there are none."""
    log: tuple[str, ...] = ()
    """Known error codes of the log, explained."""
    missing_config: tuple[str, ...] = ()
    unreadable: str = ""
    """Why the application's key does not decrypt its data; empty when it does, or when that is unknown."""
    database: str = ""
    database_answers: bool = False
    commit: str = ""
    """The deployed commit; empty when the platform does not say."""
    code: MigrationsVerdict = Field(default_factory=MigrationsVerdict.uncompared)
    """The database against the deployed code."""
    ref_code: MigrationsVerdict = Field(default_factory=MigrationsVerdict.uncompared)
    """The database against the code that a redeploy would deploy."""
    ref: str = ""
    ref_commit: str = ""
    """What a redeploy would deploy."""
    source: str = ""
    ref_lacks: tuple[Lack, ...] = ()
    """What a build from its archive would lack: submodules, pointers to other stores."""
    media: str = ""
    domain: str = ""

    @property
    def crashed(self) -> tuple[str, ...]:
        """Dynos that do not run."""
        return tuple(name for name, state in self.dynos.items() if state == "crashed")

    @property
    def healthy(self) -> bool:
        """Whether every check passed and nothing is crashed or missing; False when no check ran."""
        return bool(self.asked) and not (self.failing or self.missing_config or self.crashed or self.code.problems)


class Remedy(Fact):
    """The remedy and its reason: decided once, confirmed by the operator."""

    what: Literal["none", "rollback", "migrate", "redeploy", "impossible"]
    why: str
    to: ReleaseLine | None = None
    undone: tuple[str, ...] = ()
    """Releases after the target of the rollback: deploys and config changes that it undoes."""
    code: MigrationsVerdict = Field(default_factory=MigrationsVerdict.uncompared)
    """The database against the code that will run after it: a rollback undoes no migration."""


class TriedDry(Fact):
    """The trial of the pending migrations, while users could still work."""

    tried: tuple[str, ...]
    """Migrations whose SQL the deployed code could write."""
    not_tried: tuple[str, ...] = ()
    """Migrations that run their own Python code."""
    backup: str = ""
    """The backup whose restored copy their SQL was tried on; empty when there was none."""
    ran: tuple[str, ...] = ()
    """Migrations whose SQL succeeded there."""
    untried: tuple[str, ...] = ()
    """`app.name (why)` of the others, or why there is no copy."""


class DataProbed(Fact):
    """The tables of the live database, counted."""

    tables: int
    rows: int
    migrations: int
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """Tables that cannot be counted, and why, in words."""
    hidden: tuple[str, ...] = ()
    """Tables that row-level security hides: not counted, in words."""


class Redeployed(Fact):
    """A finished build and the release that runs it."""

    build: str
    commit: str
    version: int | None


class MediaVerified(Fact):
    """Every reference checked again, a sample fetched and hashed, some delivered."""

    files: int
    present: int
    absent: int
    changed: int
    sampled: int
    hashed: int
    """Of the sample, files compared with a known digest; the rest by size."""
    wrong: int
    delivered: int
    undelivered: int
    misopened: int = 0
    """Files whose access differs from the copy's inventory."""
    unreadable: tuple[str, ...] = ()
    """Columns of the database that could not be read, and why, in words."""
    unread: dict[str, int] = Field(default_factory=dict)
    """As in `results.media.MediaSeen`."""
    laid_open: int = 0
    """Restricted files with a public file of the same name."""
    places: tuple[str, ...] = ()
    """Rows whose file is not what it should be, as in `MediaPlanned.unavailable`."""
