"""What the steps of `recover app` find out and do. No secret, no patient's value, no log line."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from uscdr.models.base import Fact
from uscdr.models.provision import Lack


class ReleaseLine(Fact):
    """One release: its version, what it was for, and how it ended."""

    id: str
    version: int
    status: str
    description: str
    created_at: datetime | None
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
    log: tuple[str, ...] = ()
    """Known error codes of the log, explained."""
    missing_config: tuple[str, ...] = ()
    database: str = ""
    database_answers: bool = False
    commit: str = ""
    """What is deployed, as far as the platform says."""
    pending: tuple[str, ...] | None = None
    """Migrations of the deployed code that the database lacks; None when it is not known."""
    ref_pending: tuple[str, ...] | None = None
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
        return bool(self.asked) and not (self.failing or self.missing_config or self.crashed or self.pending)


class Remedy(Fact):
    """What is to be done, and why: decided once, confirmed by the operator."""

    what: Literal["none", "rollback", "migrate", "redeploy", "impossible"]
    why: str
    to: ReleaseLine | None = None
    undone: tuple[str, ...] = ()
    """Releases after the one that is returned to: deploys and config changes that a rollback undoes."""
    ahead: tuple[str, ...] = ()
    """Migrations that the database has and the code returned to has not: a rollback does not undo them."""
    ahead_known: bool = False


class RolledBack(Fact):
    """The release that took an earlier one's place."""

    version: int
    to: int
    web: str
    """States of the web dynos afterwards."""


class DataProbed(Fact):
    """The live database answered: its tables, counted."""

    tables: int
    rows: int
    migrations: int
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """Tables that cannot be counted, and why, in words."""


class Redeployed(Fact):
    """A finished build and the release that runs it."""

    build: str
    commit: str
    version: int | None


class StaticSeen(Fact):
    """Static files that the first page names, and those of them that are not served."""

    named: int
    missing: tuple[str, ...]
