"""scenarios.yaml as typed models."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PrivateAttr, SkipValidation, ValidationInfo, field_validator

from uscdr.checks.check import Check, CheckSpec
from uscdr.lazily import later
from uscdr.models.base import Destination, Duration, Fact
from uscdr.models.data_settings import AccessTables, Invariant, ReferenceColumn, Retention
from uscdr.models.placeholders import reaches_nobody
from uscdr.scenarios.config_app import ApplicationConfig, ConfigManifest, Recovery
from uscdr.scenarios.config_targets import Address, TargetConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uscdr.scenarios.config_document import BusinessImpact, DocumentControl
    from uscdr.scenarios.config_exercises import Exercise, Supply
    from uscdr.scenarios.config_incident import Communication, IncidentSettings
    from uscdr.scenarios.config_masking import MaskingSettings
    from uscdr.scenarios.config_page import MaintenancePage
else:
    BusinessImpact = later("uscdr.scenarios.config_document:BusinessImpact")
    DocumentControl = later("uscdr.scenarios.config_document:DocumentControl")
    Exercise = later("uscdr.scenarios.config_exercises:Exercise")
    Supply = later("uscdr.scenarios.config_exercises:Supply")
    Communication = later("uscdr.scenarios.config_incident:Communication")
    IncidentSettings = later("uscdr.scenarios.config_incident:IncidentSettings")
    MaskingSettings = later("uscdr.scenarios.config_masking:MaskingSettings")
    MaintenancePage = later("uscdr.scenarios.config_page:MaintenancePage")


def _is_directory(place: str | None) -> bool:
    """Whether a store is a directory on this machine, which gets no credentials."""
    return place is None or "://" not in place


def _public(recipients: tuple[str, ...]) -> tuple[str, ...]:
    """Only public keys; a private one is refused without being repeated. Raises ValueError."""
    if not all(one.strip().lower().startswith(("age1", "ssh-")) for one in recipients):
        raise ValueError("a recipient is a public key: age1… or ssh-…")
    return recipients


_Recipients = Annotated[tuple[str, ...], AfterValidator(_public), Destination()]


# The section `kit` of scenarios.yaml: where escape kits go, and who can open them.


class KitSettings(Fact):
    """`to`: a bucket (`s3://…`) or a directory, best not on this machine. `recipients`: age or SSH public keys."""

    to: Annotated[str | None, Destination(_is_directory)] = None
    recipients: _Recipients = ()


# Which columns name stored files, and how: `media:` in scenarios.yaml.


class MediaSettings(Fact):
    """How the application names its files with the media service."""

    prefix: str = "media/"
    """What the storage puts before a name to make a public id."""
    tag: str = "media"
    """The tag that the storage gives every file; a file put back without it would be taken for an orphan."""
    references: tuple[ReferenceColumn, ...] = ()


# The section `vault` of scenarios.yaml: where copies of backups go, who can open them, how often, for how long.


EVERY = 3.5 * 3600


class VaultSettings(Fact):
    """`to`: a directory or object store; default: where kits go. `recipients`: default: those of the kit."""

    to: Annotated[str | None, Destination(_is_directory)] = None
    recipients: _Recipients = ()
    every: Annotated[Duration, Field(ge=300, le=86400)] = EVERY
    """How often a backup is captured, copied and proven."""
    retention: Retention = Field(default_factory=Retention)


def _bounded(invariant: Invariant) -> Invariant:
    """The invariant, if it can fail at all. Raises ValueError."""
    numbers = [bound for bound in (invariant.minimum, invariant.maximum) if bound is not None]
    if not all(math.isfinite(bound) for bound in numbers):
        raise ValueError("minimum and maximum must be finite numbers")
    if invariant.equals is None and not numbers:
        raise ValueError("an invariant needs equals, minimum or maximum; without one of them it cannot fail")
    return invariant


class Objectives(Fact):
    """The promise: at most so much data lost, at most so long down."""

    rpo: Duration
    rto: Duration


class Contact(Fact):
    """Whom to call."""

    role: str
    name: str = ""
    how: str = ""

    @property
    def is_placeholder(self) -> bool:
        """Whether it has no name or no way to reach it, and so reaches nobody."""
        return reaches_nobody(self.name, self.how)


_PROVIDERS = re.compile(r"(?:[a-z0-9-]+\.)*(?:heroku|cloudinary|djangoproject|github)\.com")


def _is_of_a_provider(url: str | None) -> bool:
    """Whether the page is the documentation or the console of a provider: no other host learns of a request."""
    parts = urlsplit(url or "")
    return parts.scheme == "https" and _PROVIDERS.fullmatch(parts.hostname or "") is not None


class ReferenceLink(Fact):
    """A page to read, or a tool that watches the system: at an address, by a command, or only named so far."""

    title: Annotated[str, Field(min_length=1)]
    kind: Literal["documentation", "monitoring"] = "documentation"
    url: Annotated[Address | None, Destination(_is_of_a_provider)] = None
    """Opened by `uscdr runbook --online`."""
    command: str = ""
    note: str = ""
    """What is known of it, such as that the page does not exist."""


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
"""The scenarios that a command runs: nobody could start one of another name."""


def _known_scenario(name: str) -> str:
    """The name, if a command runs it. Raises ValueError."""
    if name not in SCENARIOS:
        raise ValueError(f"`{name}` is not known here; allowed: {', '.join(SCENARIOS)}")
    return name


ListName = Literal["db", "app", "integration"]
CHECK_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){0,8}")
"""Needs no quoting on a command line."""


_DATA = ("decrypt", "invariants", "foreign_keys", "sequences")
TOUCHED: Mapping[str, tuple[str, ...]] = {
    "db": (*_DATA, "dynos", "release"),
    "app": ("decrypt", "dynos", "release"),
    "infra": (*_DATA, "dynos", "release", "config", "addons"),
}
"""By scenario: kinds of checks whose subject it touches. `verify` would look right after it: so it looks itself."""


SANDBOX = "sandbox"


def _target_name(name: str) -> str:
    """A name that is not taken. Raises ValueError."""
    if name == SANDBOX:
        raise ValueError(f"`{SANDBOX}` is built in: give the target another name")
    return name


TargetName = Annotated[str, AfterValidator(_target_name)]


LATER: Mapping[str, tuple[str, ...]] = {
    "impact": (),
    "exercises": (),
    "supplies": ("exercises",),
    "document": ("exercises",),
    "communication": (),
    "incident": (),
    "masking": (),
}
"""Sections that are validated when one is first used, if the file is loaded so; each with those it is compared with."""
LATER_DESTINATIONS: Mapping[str, frozenset[str]] = {"communication": frozenset({"channels"})}
"""By such a section: its fields that have a `Destination` in them. One with such a field is validated at once."""


class Config(Fact):
    """The whole file."""

    version: Literal[1]
    objectives: Objectives
    app: ApplicationConfig
    targets: Annotated[dict[TargetName, TargetConfig], Field(min_length=1)]
    contacts: tuple[Contact, ...] = ()
    impact: BusinessImpact | None = None
    """What an outage concerns."""
    exercises: tuple[Exercise, ...] = ()
    """The calendar of tests and reviews."""
    supplies: tuple[Supply, ...] = ()
    """What must be at hand in an emergency."""
    document: DocumentControl | None = None
    links: tuple[ReferenceLink, ...] = ()
    communication: Communication = Field(default_factory=Communication)
    incident: IncidentSettings = Field(default_factory=IncidentSettings)
    config: ConfigManifest = Field(default_factory=ConfigManifest)
    access: AccessTables | None = None
    """Where the application keeps who has access."""
    recovery: Recovery = Field(default_factory=Recovery)
    kit: KitSettings = Field(default_factory=KitSettings)
    vault: VaultSettings = Field(default_factory=VaultSettings)
    media: MediaSettings = Field(default_factory=MediaSettings)
    maintenance_page: MaintenancePage | None = None
    """Where notices for users are shown; None: the platform's own bare page."""
    masking: MaskingSettings = Field(default_factory=MaskingSettings)
    invariants: tuple[Annotated[Invariant, AfterValidator(_bounded)], ...] = ()
    checks: SkipValidation[Mapping[str, CheckSpec]] = Field(default_factory=dict)
    """By name. The loader validates them when one is first used."""
    checklists: dict[ListName, Checklist] = Field(default_factory=dict)
    after_recovery: tuple[str, ...] = ()
    """Checks at the end of a recovery, and at the start of `recover app`; none that needs a person or writes."""
    scenarios: Annotated[Mapping[Annotated[str, AfterValidator(_known_scenario)], Scenario], Field(min_length=1)]
    """The loader validates a scenario's steps when it is first used."""
    _read: Callable[[str], object] | None = PrivateAttr(default=None)

    @field_validator("exercises")
    @classmethod
    def _named_once(cls, exercises: tuple[Exercise, ...]) -> tuple[Exercise, ...]:
        from uscdr.scenarios.config_exercises import require_unique

        require_unique(one.name for one in exercises)
        return exercises

    @field_validator("supplies")
    @classmethod
    def _named_as_no_exercise(cls, supplies: tuple[Supply, ...], info: ValidationInfo) -> tuple[Supply, ...]:
        from uscdr.scenarios.config_exercises import require_unique

        require_unique((one.name for one in supplies), (one.name for one in info.data.get("exercises", ())))
        return supplies

    @field_validator("document")
    @classmethod
    def _reviewed_by_records(cls, document: DocumentControl | None, info: ValidationInfo) -> DocumentControl | None:
        known = {one.name for one in info.data.get("exercises", ()) if one.done_by == "record"}
        for name in document.reviews if document and "exercises" in info.data else ():
            if name not in known:
                raise ValueError(f"`reviews` names {name!r}, which is no exercise with `done_by: record`")
        return document

    def without(self, sections: Iterable[str], read: Callable[[str], object]) -> Config:
        """The same without these sections of LATER. `read` gives each when it is first used, or raises ConfigError."""
        found = self.model_copy()
        for name in sections:
            del found.__dict__[name]
        found._read = read  # noqa: SLF001 - of this class
        return found

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """A section that was left out; all others are found without this."""
            if name not in LATER or self._read is None:
                return super().__getattr__(name)
            self.__dict__[name] = value = self._read(name)
            return value

    def anchored(self, directory: Path) -> Config:
        """The same with absolute paths of certificates and code, so that the working directory does not choose them."""
        source = self.app.source
        if source is not None and not _REMOTE.match(source.git):
            source = source.model_copy(update={"git": str(directory / Path(source.git).expanduser())})
        targets = {
            name: one.model_copy(update={"ca_file": str(directory / Path(one.ca_file).expanduser())})
            if one.ca_file
            else one
            for name, one in self.targets.items()
        }
        app = self.app.model_copy(update={"source": source})
        return self.model_copy(update={"app": app, "targets": targets})

    def check(self, name: str) -> Check:
        """One check of scenarios.yaml, to be run."""
        return Check(name, self.checks[name], self.checks[name].kind)

    def recovery_checks(self, scenario: str = "") -> tuple[Check, ...]:
        """Those of `after_recovery`, in its order; then those of `verify` on what the scenario touched."""
        touched = (name for name, spec in self.checks.items() if spec.kind in TOUCHED.get(scenario, ()))
        return tuple(self.check(name) for name in dict.fromkeys((*self.after_recovery, *touched)))

    def application_checks(self) -> tuple[Check, ...]:
        """Those of `after_recovery` that the application itself answers, as often as a recovery likes.

        What is wrong with its release or its config shows in them; a missing backup schedule or a name server says
        nothing of either. What the application counts, such as an empty login, is sent once, at the end.
        """
        return tuple(
            one for one in self.recovery_checks() if one.spec.provider == "application" and not one.spec.counted
        )

    def key_checks(self) -> tuple[Check, ...]:
        """Those that try the application's key on what it encrypted: its pages are answered without it."""
        return tuple(self.check(name) for name, spec in self.checks.items() if spec.kind == "decrypt")


_REMOTE = re.compile(r"[\w.+-]+://|[\w.-]+@[\w.-]+:")
"""How a repository's address starts that is not a path."""
