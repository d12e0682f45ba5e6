"""The decrypted contents of a kit. Times are aware UTC datetimes, sizes bytes, TTLs seconds, digests hex."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from uscdr.models.base import Count, Fact, Moment, RevealableSecret
from uscdr.models.data_settings import CanaryColumn
from uscdr.models.dns import RecordSet
from uscdr.models.heroku import AddOn, App, Attachment, Belongings, Domain, LogDrain, ProcessType, Release, Schedule
from uscdr.models.media import Asset
from uscdr.models.migrations import CodeMigrations, Lack
from uscdr.models.postgres import Extension, InvariantResult, Migration, TableDigest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from uscdr.kit.manifest import StoredObject


class AppFacts(Fact):
    """The application as the platform runs it: the model for a new application."""

    app: App
    account: str
    formation: tuple[ProcessType, ...]
    addons: tuple[AddOn, ...]
    attachments: tuple[Attachment, ...]
    release: Release | None
    """The current release: version and slug."""
    commit: str
    """The commit of the running slug; empty if no build names it."""
    buildpacks: tuple[str, ...] = ()
    domains: tuple[Domain, ...] = ()
    collaborators: tuple[str, ...] = ()
    log_drains: tuple[LogDrain, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    belongings: Belongings | None = None
    """None in kits of older versions."""

    @property
    def hostnames(self) -> tuple[str, ...]:
        """The app's own hostnames, without the platform's."""
        return tuple(domain.hostname for domain in self.domains if domain.kind != "heroku")

    def not_kept(self) -> tuple[tuple[str, str], ...]:
        """The belongings that a kit does not keep, each with the reason."""
        named = [(one, one.found(self)) for one in OWNED if one.not_kept]
        missing = [(f"{kind.title} ({', '.join(names)})", kind.not_kept) for kind, names in named if names]
        return (*missing, *_not_asked(self))

    def by_hand(self) -> tuple[str, ...]:
        """The belongings that a recovery does not restore, each with its manual step, in words."""
        named = [(one, one.found(self)) for one in OWNED if one.by_hand]
        told = [f"{kind.title} ({', '.join(names)}): {kind.by_hand}" for kind, names in named if names]
        return (*told, *(f"{what}: UNKNOWN ({why})" for what, why in _not_asked(self)))


class ConfigVars(Fact):
    """Every configuration variable. Values are masked unless the serialisation context is REVEAL."""

    values: dict[str, RevealableSecret]


class HostRecords(Fact):
    """The records of one hostname, from every authoritative server and from the provider's zone.

    `wildcard` is a wildcard's answer for it, not a record of its own. `led`: whether it pointed to the application;
    None if unknown, and in kits of older versions.
    """

    hostname: str
    authoritative: tuple[RecordSet, ...]
    at_provider: tuple[RecordSet, ...] = ()
    wildcard: tuple[RecordSet, ...] = ()
    led: bool | None = None


class DnsFacts(Fact):
    """All hostnames' records."""

    hosts: tuple[HostRecords, ...]


class DumpFacts(Fact):
    """The database dump and the findings of its restore on the building machine."""

    backup: str
    transfer_id: str
    kind: str
    taken_at: Moment
    warnings: int
    bytes: int
    sha256: str
    database: str
    plan: str
    server_version: str
    """The server version that the platform reports; empty if it reports none."""
    restored: bool = False
    tables: tuple[TableDigest, ...] = ()
    invariants: tuple[InvariantResult, ...] = ()
    newest: dict[str, str | None] = Field(default_factory=dict)
    migrations: tuple[Migration, ...] = ()
    extensions: tuple[Extension, ...] = ()
    canaries: tuple[CanaryColumn, ...] = ()
    """Columns on which a rebuilt application's key can be tried."""


class SourceFacts(CodeMigrations):
    """The deployed commit, and its tarball if it was available."""

    commit: str
    sha256: str = ""
    bytes: int = 0
    files: int = 0
    procfile: dict[str, str] = Field(default_factory=dict)
    replaces: dict[str, tuple[str, ...]] | None = None
    """As `CodeMigrations`; kits of older versions do not have it."""
    lacks: tuple[Lack, ...] = ()
    """Paths whose content is not in the tarball; unknown in kits of older versions."""


class Shelved(Fact):
    """The names of an asset's encrypted original and of the note with its digests."""

    path: str
    sha256: str
    size: Count
    note_path: str
    note_sha256: str
    note_size: Count


class MediaNote(Fact):
    """Digests of an original, encrypted beside it, so that a later kit need not download the file again."""

    bytes: Count
    md5: str
    sha256: str


class MediaEntry(Fact):
    """One asset as the service listed it, with its original if it was available."""

    asset: Asset
    stored: Shelved | None = None
    note: MediaNote | None = None
    """Known if this kit downloaded the file; otherwise it is in the stored note."""


class MediaInventory(Fact):
    """Every asset of the cloud."""

    cloud: str
    entries: tuple[MediaEntry, ...]


def size_of(objects: Sequence[StoredObject], media: Sequence[MediaEntry]) -> tuple[int, int]:
    """Number and bytes of all objects that a kit needs, each counted once."""
    sizes = {one.path: one.size for one in objects}
    for stored in (entry.stored for entry in media):
        if stored is not None:
            sizes[stored.path] = stored.size
            sizes[stored.note_path] = stored.note_size
    return len(sizes), sum(sizes.values())


# The list of everything that an application can own: the part that a kit keeps, and the part that a recovery restores.


SCHEDULER = "scheduler"
GRANTED = ("standard", "premium", "private", "shield")
"""Database plans that can have additional credentials."""


@dataclass(frozen=True)
class _Kind:
    """One kind of belonging. `found` returns the names of those that an application has."""

    title: str
    found: Callable[[AppFacts], tuple[str, ...]]
    not_kept: str = ""
    """Why a kit does not keep all of it; empty if it does."""
    by_hand: str = ""
    """The manual step to recreate it; empty if a recovery restores it."""


def _belonging(pick: Callable[[Belongings], tuple[str, ...]]) -> Callable[[AppFacts], tuple[str, ...]]:
    return lambda facts: pick(facts.belongings) if facts.belongings else ()


def _services(facts: AppFacts, service: str) -> tuple[str, ...]:
    return tuple(one.name for one in facts.addons if one.plan.partition(":")[0] == service)


def _granted(facts: AppFacts) -> tuple[str, ...]:
    databases = [one for one in facts.addons if one.plan.startswith("heroku-postgresql:")]
    return tuple(one.name for one in databases if one.plan.partition(":")[2].startswith(GRANTED))


def _one(name: str) -> tuple[str, ...]:
    return (name,) if name else ()


OWNED: tuple[_Kind, ...] = (
    _Kind("region", lambda facts: _one(facts.app.region)),
    _Kind("stack", lambda facts: _one(facts.app.stack)),
    _Kind("process types with number and size", lambda facts: tuple(one.type for one in facts.formation)),
    _Kind("buildpacks", lambda facts: facts.buildpacks),
    _Kind("hostnames", lambda facts: facts.hostnames),
    _Kind("collaborators", lambda facts: facts.collaborators),
    _Kind("log drains", lambda facts: tuple(one.host for one in facts.log_drains if not one.addon)),
    _Kind("backup schedules", lambda facts: tuple(one.name for one in facts.schedules)),
    _Kind(
        "Scheduler jobs",
        lambda facts: _services(facts, SCHEDULER),
        not_kept="No API lists them. Copy them from the add-on's page: heroku addons:open scheduler",
        by_hand="recreate them on the add-on's page: heroku addons:open scheduler",
    ),
    _Kind(
        "features",
        _belonging(lambda held: held.features),
        by_hand="turn them on: heroku features:enable NAME, or heroku labs:enable NAME",
    ),
    _Kind(
        "webhooks",
        _belonging(lambda held: held.webhooks),
        not_kept="The platform does not return their URLs and secrets. The kit has the hosts.",
        by_hand="add them: heroku webhooks:add",
    ),
    _Kind(
        "pipeline",
        _belonging(lambda held: _one(held.pipeline)),
        by_hand="add the new application: heroku pipelines:add; review apps follow the pipeline",
    ),
    _Kind(
        "uploaded certificates",
        _belonging(lambda held: held.certificates),
        not_kept="The platform does not return private keys. Keep them where you created them.",
        by_hand="upload them with their keys: heroku certs:add",
    ),
    _Kind(
        "team",
        _belonging(lambda held: _one(held.team)),
        by_hand="transfer the new application, and set its members' rights: heroku apps:transfer",
    ),
    _Kind(
        "private space",
        _belonging(lambda held: _one(held.space)),
        by_hand="the new application runs outside of it; if it must run inside, create it there by hand",
    ),
    _Kind(
        "additional credentials of the database",
        _granted,
        not_kept="A dump does not contain their passwords and grants.",
        by_hand="check whether there were any, and create them again: heroku pg:credentials",
    ),
)


def _not_asked(facts: AppFacts) -> tuple[tuple[str, str], ...]:
    if facts.belongings is None:
        return (("features, webhooks, pipeline, certificates, team", "an older version of uscdr built this kit"),)
    return tuple(facts.belongings.unknown.items())
