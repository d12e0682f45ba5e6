"""What the steps of `recover media` find out and do. Counts, places of rows and digests: never a file's name."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from uscdr.models.base import Fact, Moment
from uscdr.models.heroku import ServiceColor
from uscdr.models.media import Quota
from uscdr.scenarios.media.repair import Effort


class Skew(Fact):
    """Database and media against each other in time; None where there is nothing to tell by."""

    newest_reference: AwareDatetime | None = None
    newest_asset: Moment | None = None
    missing_after_newest_asset: int = 0
    """Files missing whose rows are newer than every file: the media are older than the database."""
    orphans_after_newest_reference: int = 0
    """Files without a row, newer than every row: the database is older than the media."""

    @property
    def seconds(self) -> float | None:
        """How much newer the newest row is than the newest file; negative the other way round."""
        if self.newest_reference is None or self.newest_asset is None:
            return None
        return (self.newest_reference - self.newest_asset).total_seconds()


class MediaSeen(Fact):
    """The media service and the files that the database refers to, as they stand."""

    cloud: str
    another: bool = False
    """Whether this is another cloud than the configured one."""
    systems: tuple[ServiceColor, ...] = ()
    incidents: tuple[str, ...] = ()
    plan: str = ""
    storage_bytes: int = 0
    allowance: Quota | None = None
    assets: dict[str, int] = Field(default_factory=dict)
    """Files that are there, by resource type."""
    placeholders: int = 0
    copies: str = ""
    """Which kit or folder there is, if any."""
    rows: int = 0
    files: int = 0
    """Distinct files that rows refer to."""
    present: int = 0
    deleted: int = 0
    missing: int = 0
    changed: int = 0
    unproven: int = 0
    misopened: int = 0
    """Files that are there, and that others may have than the copy knows."""
    opened: int = 0
    """Of those, files that were restricted and that anybody can have now."""
    untold: int = 0
    """Files of which the service does not tell who may have them."""
    restricted: int = 0
    """Files that not everybody may have."""
    replaced: int = 0
    """Files without a known original that were replaced after they were first stored."""
    orphans: int = 0
    elsewhere: int = 0
    elsewhere_in: dict[str, int] = Field(default_factory=dict)
    """Rows whose file lies with somebody else, by column."""
    odd_times: dict[str, int] = Field(default_factory=dict)
    """By table the rows that name files and whose time cannot be."""
    unreadable: tuple[str, ...] = ()
    """Columns of the database that could not be read, and why, in words."""
    unread: dict[str, int] = Field(default_factory=dict)
    """Rows whose name of a file is not understood, by column; 0 for a column whose type holds no names."""
    absolute: int = 0
    absent: tuple[str, ...] = ()
    """Configured columns that the database has not."""
    skew: Skew = Field(default_factory=Skew)


class MediaPlanned(Fact):
    """What will be brought back, from where, and what cannot be had."""

    from_backup: int
    asked: int = 0
    """Of those, files that the service does not list as deleted: its backup is asked and may not have them."""
    from_copies: int
    access: int = 0
    """Files whose access setting is put right."""
    unguarded: int = 0
    """Files that are uploaded so that anybody may have them, since neither copy nor service tells who might."""
    lost: int
    unavailable: tuple[str, ...] = ()
    """For the clinic: the rows whose file cannot be had, `table.column #key (digest of the file's id)`."""
    effort: Effort


class MediaRestored(Fact):
    """Files that the service's own backup gave back, and those that it did not."""

    restored: int
    refused: int = 0


class MediaUploaded(Fact):
    """Files put back from a copy; `damaged` are copies that were not what their digest says.

    `access`: files whose access setting was put right.
    """

    uploaded: int
    access: int = 0
    bytes: int = 0
    damaged: int = 0


class MediaSettingsSet(Fact):
    """Config vars that were set, by name, and the release that followed."""

    changed: tuple[str, ...] = ()
    release: int | None = None


class MediaVerified(Fact):
    """Every reference looked up once more, a sample fetched and hashed, some delivered."""

    files: int
    present: int
    absent: int
    changed: int
    sampled: int
    hashed: int
    """Of the sample, those compared with a known digest; the rest by size."""
    wrong: int
    delivered: int
    undelivered: int
    misopened: int = 0
    """Files that others may have than the copy knows."""
    unreadable: tuple[str, ...] = ()
    """Columns of the database that could not be read, and why, in words."""
    unread: dict[str, int] = Field(default_factory=dict)
    """As in `MediaSeen`."""
    laid_open: int = 0
    """Restricted files of which anybody can have one of the same name."""
    places: tuple[str, ...] = ()
    """Rows whose file is not what it should be, as in `MediaPlanned.unavailable`."""


class MediaDecided(Fact):
    """What the operator agreed to."""

    cloud: str
    files: int
