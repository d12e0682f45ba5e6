"""What the parts of a kit hold, decrypted. Times are aware UTC datetimes, sizes bytes, TTLs seconds, digests hex."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, SecretStr, SerializationInfo, field_serializer

from uscdr.models.base import Count, Fact, Moment, spelled
from uscdr.models.belongings import Belongings
from uscdr.models.dns import RecordSet
from uscdr.models.heroku import AddOn, App, Attachment, ProcessType, Release, Schedule
from uscdr.models.media import Asset
from uscdr.models.migrations import CodeMigrations
from uscdr.models.postgres import Extension, InvariantResult, Migration, TableDigest
from uscdr.models.provision import Domain, Lack, LogDrain
from uscdr.vault.manifest import Size, StoredObject


class AppFacts(Fact):
    """The application as the platform runs it: what a new place must be made like."""

    app: App
    account: str
    formation: tuple[ProcessType, ...]
    addons: tuple[AddOn, ...]
    attachments: tuple[Attachment, ...]
    release: Release | None
    """The current release: version and slug."""
    commit: str
    """The commit of the slug that runs; empty when no build tells it."""
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


class ConfigVars(Fact):
    """Every configuration variable. Values show their stars unless the serialisation context is REVEAL."""

    values: dict[str, SecretStr]

    @field_serializer("values")
    def _reveal(self, values: dict[str, SecretStr], info: SerializationInfo) -> dict[str, str]:
        return {name: spelled(value, info) for name, value in values.items()}


class HostRecords(Fact):
    """The records of one hostname, as every authoritative server says, and as the provider's zone holds them.

    `wildcard` is what a wildcard answers for it, which is no record of its own. `led` tells whether it led users to
    the application; None when that could not be told, and in kits of older versions.
    """

    hostname: str
    authoritative: tuple[RecordSet, ...]
    at_provider: tuple[RecordSet, ...] = ()
    wildcard: tuple[RecordSet, ...] = ()
    led: bool | None = None


class DnsFacts(Fact):
    """All hostnames' records."""

    hosts: tuple[HostRecords, ...]


class CanaryColumns(Fact):
    """An encrypted column and the plain one beside it: a key that fits makes them equal."""

    table: str
    encrypted: str
    plain: str


class DumpFacts(Fact):
    """The database dump and what was found when it was restored on the building machine."""

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
    """As the platform tells it; empty when it does not."""
    restored: bool = False
    tables: tuple[TableDigest, ...] = ()
    invariants: tuple[InvariantResult, ...] = ()
    newest: dict[str, str | None] = Field(default_factory=dict)
    migrations: tuple[Migration, ...] = ()
    extensions: tuple[Extension, ...] = ()
    canaries: tuple[CanaryColumns, ...] = ()
    """With which a rebuilt application's key can be tried on this dump."""


class SourceFacts(CodeMigrations):
    """The deployed commit, and the tarball of it when it could be had."""

    commit: str
    sha256: str = ""
    bytes: int = 0
    files: int = 0
    procfile: dict[str, str] = Field(default_factory=dict)
    replaces: dict[str, tuple[str, ...]] | None = None
    """As `CodeMigrations`; kits of older versions do not have it."""
    lacks: tuple[Lack, ...] = ()
    """Paths whose content the tarball does not hold; kits of older versions do not tell."""


class Shelved(Fact):
    """Where an asset's encrypted original lies, and the note that holds its digests."""

    path: str
    sha256: str
    size: Count
    note_path: str
    note_sha256: str
    note_size: Count


class MediaNote(Fact):
    """Digests of an original, encrypted beside it: a later kit need not download it to know them."""

    bytes: Count
    md5: str
    sha256: str


class MediaEntry(Fact):
    """One asset as the service listed it, with its original when that could be had."""

    asset: Asset
    stored: Shelved | None = None
    note: MediaNote | None = None
    """Known when this kit downloaded it; otherwise it is in the note on the shelf."""


class MediaInventory(Fact):
    """Every asset of the cloud."""

    cloud: str
    entries: tuple[MediaEntry, ...]


def size_of(objects: Sequence[StoredObject], media: Sequence[MediaEntry]) -> Size:
    """Of all that a kit needs, each object once."""
    sizes = {one.path: one.size for one in objects}
    for stored in (entry.stored for entry in media):
        if stored is not None:
            sizes[stored.path] = stored.size
            sizes[stored.note_path] = stored.note_size
    return Size(len(sizes), sum(sizes.values()))
