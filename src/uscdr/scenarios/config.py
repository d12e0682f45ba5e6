"""scenarios.yaml as typed models."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SkipValidation, field_validator

from uscdr.backups.retention import Retention
from uscdr.checks.check import CheckSpec
from uscdr.models.access import AccessTables
from uscdr.models.base import Destination, Duration, Fact, is_directory
from uscdr.models.media import ReferenceColumn
from uscdr.models.postgres import CanaryColumn, Invariant
from uscdr.models.postgres_names import ColumnText, TableText
from uscdr.scenarios.config_targets import Address, AppName, TargetConfig

# The section `kit` of scenarios.yaml: where escape kits go, and who can open them.


class KitSettings(Fact):
    """`to`: a bucket (`s3://…`) or a directory, best not on this machine. `recipients`: age or SSH public keys."""

    to: Annotated[str | None, Destination(is_directory)] = None
    recipients: Annotated[tuple[str, ...], Destination()] = ()

    @field_validator("recipients")
    @classmethod
    def _public(cls, recipients: tuple[str, ...]) -> tuple[str, ...]:
        """Only public keys; a private one is refused without being repeated."""
        if not all(one.strip().lower().startswith(("age1", "ssh-")) for one in recipients):
            raise ValueError("a recipient is a public key: age1… or ssh-…")
        return recipients


# Which columns name stored files, and how: `media:` in scenarios.yaml.


class MediaSettings(Fact):
    """How the application names its files with the media service."""

    prefix: str = "media/"
    """What the storage puts before a name to make a public id."""
    tag: str = "media"
    """The tag that the storage gives every file; a file put back without it would be taken for an orphan."""
    references: tuple[ReferenceColumn, ...] = ()


# What a new place is made of when the old one is lost: `recovery:` in scenarios.yaml.


PLAN = re.compile(r"[a-z0-9][a-z0-9-]*(?::[a-z0-9][a-z0-9.-]*)?")


def _plan(text: str) -> str:
    """`service:plan`. Raises ValueError."""
    if not PLAN.fullmatch(text):
        raise ValueError(f"{text!r} is no add-on; write service:plan")
    return text


AddonPlan = Annotated[str, AfterValidator(_plan)]


def _are_the_platforms(names: tuple[str, ...]) -> bool:
    """Whether nobody else's code runs, or keeps data, because of them."""
    return all(re.fullmatch(r"heroku[/-][a-z0-9-]+(?::[a-z0-9.-]+)?", name) for name in names)


class Recovery(Fact):
    """How `recover infra` builds the new place. What the old app or the kit knows comes before these defaults."""

    app: AppName = "usc-pis-recovery"
    buildpacks: Annotated[tuple[str, ...], Destination(_are_the_platforms)] = ("heroku/nodejs", "heroku/python")
    """Used when neither the old app nor the kit says."""
    addons: Annotated[tuple[AddonPlan, ...], Destination(_are_the_platforms)] = (
        "heroku-postgresql:essential-0",
        "heroku-redis:mini",
    )
    """Plans to order when the old plan is not sold any more, by service."""
    mail_variables: tuple[str, ...] = ("GMAIL_CLIENT_ID", "GMAIL_CLIENT_SECRET", "GMAIL_REFRESH_TOKEN")
    """Withheld from the copy until the switch: a copy with live mail values writes to real patients."""
    address_variables: tuple[str, ...] = ("SITE_URL", "FRONTEND_URL")
    """Variables that hold the application's own address."""
    allowed_hosts_variable: str = "ALLOWED_HOSTS"
    """The variable that lists the names it answers to."""
    encryption_key_variable: str = "PGP_ENCRYPTION_KEY"
    """The variable without which encrypted columns cannot be read."""
    canaries: tuple[CanaryColumn, ...] = ()
    """Encrypted columns of which a sample must be readable with the key."""
    singletons: tuple[str, ...] = ("beat",)
    """Process types of which there must be exactly one."""
    backup_hour: Annotated[int, Field(ge=0, le=23)] = 2
    backup_timezone: str = "Asia/Manila"


# The section `vault` of scenarios.yaml: where copies of backups go, who can open them, how often, for how long.


EVERY = 3.5 * 3600


class VaultSettings(Fact):
    """`to`: a directory or object store; without it the kits' place. `recipients`: without them those of the kit."""

    to: Annotated[str | None, Destination(is_directory)] = None
    recipients: Annotated[tuple[str, ...], Destination()] = ()
    every: Annotated[Duration, Field(ge=300, le=86400)] = EVERY
    """How often a backup is captured, copied and proven."""
    retention: Retention = Field(default_factory=Retention)

    @field_validator("recipients")
    @classmethod
    def _public(cls, recipients: tuple[str, ...]) -> tuple[str, ...]:
        """As of a kit: public keys only; a private one is refused without being repeated."""
        if not all(one.strip().lower().startswith(("age1", "ssh-")) for one in recipients):
            raise ValueError("a recipient is a public key: age1… or ssh-…")
        return recipients


def bounded(invariant: Invariant) -> Invariant:
    """The invariant, if it can fail at all. Raises ValueError."""
    numbers = [bound for bound in (invariant.minimum, invariant.maximum) if bound is not None]
    if not all(math.isfinite(bound) for bound in numbers):
        raise ValueError("minimum and maximum must be finite numbers")
    if invariant.equals is None and not numbers:
        raise ValueError("an invariant needs equals, minimum or maximum; without them it could not fail")
    return invariant


class Objectives(Fact):
    """What was promised: at most so much data lost, at most so long down."""

    rpo: Duration
    rto: Duration


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
    """Whether an application may lack the command: that saving was not checked is then said, and is no failure."""


def _bare_command(value: object) -> object:
    """The name alone is short for a command that the application has."""
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
    """Written without a person's doing (sessions, queues): restored and compared, but not in the blast radius."""
    written_by_release: tuple[TableText, ...] = ()
    """Their rows are written anew by every release: other content there, in no fewer rows, is its work."""
    freshness: tuple[ColumnText, ...] = ()
    """`table.column` or `schema.table.column` whose newest value tells when data was last written."""
    dangerous_migrations: tuple[DangerousMigration, ...] = ()
    write_check: Annotated[WriteCheck | None, BeforeValidator(_bare_command, WriteCheck | str | None)] = None
    """Run in a one-off dyno at the end of a recovery: what only reads cannot see that nothing can be saved."""


class Contact(Fact):
    """Whom to call."""

    role: str
    name: str = ""
    how: str = ""


class ConfigManifest(Fact):
    """Which configuration variables there must be, be escrowed, and be derived from a new place."""

    required: tuple[str, ...] = ()
    escrow: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()


class ChecklistItem(Fact):
    """One line of the runbook's checklists and the checks that stand for it."""

    item: str
    checks: Annotated[tuple[str, ...], Field(min_length=1)]


class Checklist(Fact):
    """One of the runbook's three lists."""

    title: str
    items: Annotated[tuple[ChecklistItem, ...], Field(min_length=1)]


class StepEntry(Fact):
    """One step of a scenario: which, with which parameters, in which phase."""

    use: str
    id: str | None = None
    title: str | None = None
    phase: str | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class Scenario(Fact):
    """One scenario: phases with budgets, steps in order, what to do afterwards."""

    title: str
    budget: dict[str, Duration]
    steps: Annotated[tuple[StepEntry, ...], Field(min_length=1)]
    follow_up: tuple[str, ...] = ()
    """For people, after a recovery that was carried to its end."""
    if_it_fails: tuple[str, ...] = ()
    """For people, after one that changed something and was not."""


SCENARIOS = ("db", "app", "media", "infra", "dns", "backups")
"""The scenarios that a command runs: any other name would be a plan that nobody can start."""


def known_scenario(name: str) -> str:
    """The name, if a command runs it. Raises ValueError."""
    if name not in SCENARIOS:
        raise ValueError(f"`{name}` is not known here; allowed: {', '.join(SCENARIOS)}")
    return name


ListName = Literal["db", "app", "integration"]
CHECK_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){0,8}")
"""Needs no quoting on a command line."""


SANDBOX = "sandbox"


def _target_name(name: str) -> str:
    """A name that is not taken. Raises ValueError."""
    if name == SANDBOX:
        raise ValueError(f"`{SANDBOX}` is built in: give the target another name")
    return name


TargetName = Annotated[str, AfterValidator(_target_name)]


class Config(Fact):
    """The whole file."""

    version: Literal[1]
    objectives: Objectives
    app: ApplicationConfig
    targets: Annotated[dict[TargetName, TargetConfig], Field(min_length=1)]
    contacts: tuple[Contact, ...] = ()
    config: ConfigManifest = Field(default_factory=ConfigManifest)
    access: AccessTables | None = None
    """Where the application keeps who may get in."""
    recovery: Recovery = Field(default_factory=Recovery)
    kit: KitSettings = Field(default_factory=KitSettings)
    vault: VaultSettings = Field(default_factory=VaultSettings)
    media: MediaSettings = Field(default_factory=MediaSettings)
    invariants: tuple[Annotated[Invariant, AfterValidator(bounded)], ...] = ()
    checks: SkipValidation[Mapping[str, CheckSpec]] = Field(default_factory=dict)
    """By name. In a file that was loaded they are validated when one is first asked for."""
    checklists: dict[ListName, Checklist] = Field(default_factory=dict)
    after_recovery: tuple[str, ...] = ()
    """Checks that a recovery ends with, and those of the application begins with: any that need neither a person
    nor writes."""
    scenarios: Annotated[Mapping[Annotated[str, AfterValidator(known_scenario)], Scenario], Field(min_length=1)]
    """In a file that was loaded a scenario's steps are validated when it is first asked for."""


_REMOTE = re.compile(r"[\w.+-]+://|[\w.-]+@[\w.-]+:")
"""How an address of a repository begins that is no path."""


def anchored(config: Config, directory: Path) -> Config:
    """The same with whole paths of certificates and code: where a command is given does not choose them."""
    source = config.app.source
    if source is not None and not _REMOTE.match(source.git):
        source = source.model_copy(update={"git": str(directory / Path(source.git).expanduser())})
    targets = {
        name: one.model_copy(update={"ca_file": str(directory / Path(one.ca_file).expanduser())})
        if one.ca_file
        else one
        for name, one in config.targets.items()
    }
    app = config.app.model_copy(update={"source": source})
    return config.model_copy(update={"app": app, "targets": targets})
