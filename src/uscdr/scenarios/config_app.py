"""The application in scenarios.yaml: its code, its tables and variables, and what a new one is made of."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from uscdr.models.base import Destination, Fact
from uscdr.models.data_settings import CanaryColumn, ColumnText, TableText, service_of
from uscdr.scenarios.config_targets import Address, AppName

if TYPE_CHECKING:
    from collections.abc import Collection


class Source(Fact):
    """Where the application's code is."""

    git: Annotated[str, Destination()]
    ref: str = "main"
    status_url: Annotated[Address | None, Destination()] = None
    """The host's status page (of the Statuspage kind); for GitHub it is known."""


class DangerousMigration(Fact):
    """A migration that must not run by itself on a restored database."""

    name: str
    """`app.migration`, e.g. `patients.0008_drop_unlinked`; a trailing `*` matches any ending."""
    why: str


class WriteCheck(Fact):
    """A management command that saves rows as the application does and rolls back; exit 0 when all could be saved."""

    command: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,60}$")]
    optional: bool = False
    """Whether an application may lack the command: then saving is reported as not checked, which is not a failure."""


def _bare_command(value: object) -> object:
    """A name alone is short for a command that the application must have."""
    return {"command": value} if isinstance(value, str) else value


def _is_plain(manage: str) -> bool:
    """Whether it runs a `manage.py` of the slug and nothing else: the platform's shell reads it, among all secrets."""
    return re.fullmatch(r"python[0-9.]* (?:[A-Za-z0-9_-]+/){0,9}manage\.py", manage) is not None


class ApplicationConfig(Fact):
    """The application under recovery."""

    name: str
    manage: Annotated[str, Destination(_is_plain)] = "python backend/manage.py"
    source: Source | None = None
    formation: dict[str, Annotated[int, Field(ge=0, le=100)]] = Field(default_factory=lambda: {"web": 1})
    """What normally runs; used only when the platform shows nothing running and no journal remembers."""
    expected_tables: tuple[TableText, ...] = ()
    """Tables of the schema `public`, or `schema.table`."""
    volatile_tables: tuple[TableText, ...] = ()
    """Written without a person's action (sessions, queues): restored and compared, but not in the blast radius."""
    written_by_release: tuple[TableText, ...] = ()
    """Every release rewrites their rows: other content, in no fewer rows, is its work."""
    freshness: tuple[ColumnText, ...] = ()
    """`table.column` or `schema.table.column` whose newest value tells when data was last written."""
    dangerous_migrations: tuple[DangerousMigration, ...] = ()
    write_check: Annotated[WriteCheck | None, BeforeValidator(_bare_command, WriteCheck | str | None)] = None
    """Run in a one-off dyno at the end of a recovery: what only reads cannot see that nothing can be saved."""

    def danger_in(self, pending: Collection[str]) -> str:
        """The first of these migrations that must not run unattended, and why; empty when all may."""
        rules = self.dangerous_migrations
        found = (f"{name} is pending and listed as dangerous: {rule.why}" for rule in rules for name in pending
                 if fnmatchcase(name, rule.name))  # fmt: skip
        return next(found, "")


class ConfigManifest(Fact):
    """Which config variables must exist, be escrowed, and be derived from a new application."""

    required: tuple[str, ...] = ()
    escrow: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()


# What a new application is made of when the old one is lost: `recovery:` in scenarios.yaml.


_PLAN = re.compile(r"[a-z0-9][a-z0-9-]*(?::[a-z0-9][a-z0-9.-]*)?")


def _plan(text: str) -> str:
    """`service:plan`. Raises ValueError."""
    if not _PLAN.fullmatch(text):
        raise ValueError(f"{text!r} is not an add-on; write service:plan")
    return text


_AddonPlan = Annotated[str, AfterValidator(_plan)]


def _are_the_platforms(names: tuple[str, ...]) -> bool:
    """Whether all are the platform's own: nobody else's code runs or keeps data."""
    return all(re.fullmatch(r"heroku[/-][a-z0-9-]+(?::[a-z0-9.-]+)?", name) for name in names)


class Recovery(Fact):
    """How `recover infra` builds the new application. What the old app or the kit says comes before these defaults."""

    app: AppName = "usc-pis-recovery"
    buildpacks: Annotated[tuple[str, ...], Destination(_are_the_platforms)] = ("heroku/nodejs", "heroku/python")
    """Used when neither the old app nor the kit says."""
    addons: Annotated[tuple[_AddonPlan, ...], Destination(_are_the_platforms)] = (
        "heroku-postgresql:essential-0",
        "heroku-redis:mini",
    )
    """Plans to order when the old plan is no longer sold, by service."""
    mail_variables: tuple[str, ...] = ("GMAIL_CLIENT_ID", "GMAIL_CLIENT_SECRET", "GMAIL_REFRESH_TOKEN")
    """Withheld from the new application until the switch: with live mail values it would write to real patients."""
    address_variables: tuple[str, ...] = ("SITE_URL", "FRONTEND_URL")
    """Variables that hold the application's own address."""
    allowed_hosts_variable: str = "ALLOWED_HOSTS"
    """The variable that lists the host names that it answers to."""
    encryption_key_variable: str = "PGP_ENCRYPTION_KEY"
    """The variable without which encrypted columns cannot be read."""
    canaries: tuple[CanaryColumn, ...] = ()
    """Encrypted columns of which a sample must be readable with the key."""
    singletons: tuple[str, ...] = ("beat",)
    """Process types of which there must be exactly one."""
    backup_hour: Annotated[int, Field(ge=0, le=23)] = 2
    backup_timezone: str = "Asia/Manila"

    @property
    def services(self) -> tuple[str, ...]:
        """The services that are ordered: those of the configured plans."""
        return tuple(dict.fromkeys(service_of(plan) for plan in self.addons))
