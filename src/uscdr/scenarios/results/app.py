"""What the steps of `recover app` find out and do. No secret, no patient's value, no log line."""

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
    """Whether the platform would roll back to it."""


class AppSeen(Fact):
    """The application as it stands."""

    maintenance: bool
    releases: tuple[ReleaseLine, ...]
    """Newest first."""
    current: int | None
    """The version that runs."""
    dynos: dict[str, str] = Field(default_factory=dict)
    """Name -> state."""
    failing: dict[str, str] = Field(default_factory=dict)
    """Checks that did not pass -> evidence; empty when all passed or none could be asked."""
    asked: int = 0
    """How many checks were asked; 0 in maintenance mode."""
    stopped: str = ""
    """Process types that run nowhere and should, and the command that starts them; empty when there are none."""
    log: tuple[str, ...] = ()
    """Known error codes of the log, explained."""
    missing_config: tuple[str, ...] = ()
    unreadable: str = ""
    """Why the application's key does not read what is encrypted; empty when it does, or when nobody knows."""
    database: str = ""
    database_answers: bool = False
    commit: str = ""
    """What is deployed, as far as the platform says."""
    code: MigrationsVerdict = Field(default_factory=MigrationsVerdict.uncompared)
    """The database against the deployed code."""
    ref_code: MigrationsVerdict = Field(default_factory=MigrationsVerdict.uncompared)
    """The same for what a redeploy would deploy."""
    ref: str = ""
    ref_commit: str = ""
    """What a redeploy would deploy."""
    source: str = ""
    ref_lacks: tuple[Lack, ...] = ()
    """What a build from its archive would not get: submodules, pointers to other stores."""
    media: str = ""
    domain: str = ""

    @property
    def crashed(self) -> tuple[str, ...]:
        """Dynos that do not run."""
        return tuple(name for name, state in self.dynos.items() if state == "crashed")

    @property
    def healthy(self) -> bool:
        """Whether everything that was asked was answered as it should be; nothing asked is not healthy."""
        return bool(self.asked) and not (self.failing or self.missing_config or self.crashed or self.code.problems)


class Remedy(Fact):
    """What is to be done, and why: decided once, confirmed by the operator."""

    what: Literal["none", "rollback", "migrate", "redeploy", "impossible"]
    why: str
    to: ReleaseLine | None = None
    undone: tuple[str, ...] = ()
    """Releases after the one that is returned to: deploys and config changes that a rollback undoes."""
    code: MigrationsVerdict = Field(default_factory=MigrationsVerdict.uncompared)
    """The database against the code that will run then: a rollback undoes no migration."""


class RolledBack(Fact):
    """The release that took an earlier one's place."""

    version: int
    to: int
    dynos: str
    """Which dynos ran it afterwards, or what came down."""


class TriedDry(Fact):
    """What was tried of the pending migrations while users could still work."""

    tried: tuple[str, ...]
    """Migrations whose SQL the deployed code could write."""
    not_tried: tuple[str, ...] = ()
    """Those that run Python of their own."""
    backup: str = ""
    """On whose restored copy their SQL was tried; empty when on none."""
    ran: tuple[str, ...] = ()
    """Those whose SQL ran there."""
    untried: tuple[str, ...] = ()
    """`app.name (why)` of what did not, or why there is no copy."""


class AppSettled(Fact):
    """The recovered application against its database, and whether it can save."""

    code: MigrationsVerdict
    saving: Literal["pass", "fail", "not checked", "not known"]
    """`not checked`: there is no command for it; `not known`: there is one, and its end was not seen."""
    words: str = ""
    """What the command said of what cannot be saved, or why it was not asked."""
    failing: dict[str, str] = Field(default_factory=dict)
    """Checks of the application that do not pass -> evidence; asked only when something else is wrong."""


class DataProbed(Fact):
    """The live database answered: its tables, counted."""

    tables: int
    rows: int
    migrations: int
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """Tables that cannot be counted, and why, in words."""
    hidden: tuple[str, ...] = ()
    """Tables that row-level security keeps from us: not counted, in words."""


class Redeployed(Fact):
    """A finished build and the release that runs it."""

    build: str
    commit: str
    version: int | None


class StaticSeen(Fact):
    """Static files that the first page names, and those of them that are not served."""

    named: int
    missing: tuple[str, ...]
