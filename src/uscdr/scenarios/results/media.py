"""Results of the steps of `recover media`. Counts, places of rows and digests: never a file's name."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from uscdr.models.base import Fact, Moment
from uscdr.models.media import Quota
from uscdr.models.probes import ServiceColor
from uscdr.scenarios.media.repair import Effort


class Skew(Fact):
    """The newest row against the newest file; None where there is no evidence."""

    newest_reference: AwareDatetime | None = None
    newest_asset: Moment | None = None
    missing_after_newest_asset: int = 0
    """Files missing whose rows are newer than every file: the media are older than the database."""
    orphans_after_newest_reference: int = 0
    """Files without a row, newer than every row: the database is older than the media."""

    @property
    def seconds(self) -> float | None:
        """How much newer the newest row is than the newest file; negative when it is older."""
        if self.newest_reference is None or self.newest_asset is None:
            return None
        return (self.newest_reference - self.newest_asset).total_seconds()


class MediaSeen(Fact):
    """The media service and the files that the database refers to, as they were found."""

    cloud: str
    another: bool = False
    """Whether this is another cloud than the configured one."""
    systems: tuple[ServiceColor, ...] = ()
    incidents: tuple[str, ...] = ()
    plan: str = ""
    storage_bytes: int = 0
    allowance: Quota | None = None
    assets: dict[str, int] = Field(default_factory=dict)
    """Existing files, by resource type."""
    placeholders: int = 0
    copies: str = ""
    """The kit or folder with copies, if any."""
    rows: int = 0
    files: int = 0
    """Distinct files that rows refer to."""
    present: int = 0
    deleted: int = 0
    missing: int = 0
    changed: int = 0
    unproven: int = 0
    misopened: int = 0
    """Existing files whose access differs from the copy's inventory."""
    opened: int = 0
    """Of those, files that were restricted and are public now."""
    untold: int = 0
    """Files whose access the service does not say."""
    restricted: int = 0
    """Files with restricted access."""
    replaced: int = 0
    """Files without a known original that were replaced after they were first stored."""
    orphans: int = 0
    elsewhere: int = 0
    elsewhere_in: dict[str, int] = Field(default_factory=dict)
    """Rows whose file is stored with another service, by column."""
    odd_times: dict[str, int] = Field(default_factory=dict)
    """By table, rows that name files and have an impossible time."""
    unreadable: tuple[str, ...] = ()
    """Columns of the database that could not be read, and why, in words."""
    unread: dict[str, int] = Field(default_factory=dict)
    """Rows with an unreadable file name, by column; 0 for a column of a type without names."""
    absolute: int = 0
    absent: tuple[str, ...] = ()
    """Configured columns that the database does not have."""
    skew: Skew = Field(default_factory=Skew)


class MediaPlanned(Fact):
    """What will be restored, from where, and what is not available."""

    from_backup: int
    asked: int = 0
    """Of those, files that the service does not list as deleted: its backup may not have them."""
    from_copies: int
    access: int = 0
    """Files whose access is corrected."""
    unguarded: int = 0
    """Files that are uploaded as public, because neither copy nor service says who had access."""
    lost: int
    unavailable: tuple[str, ...] = ()
    """For the clinic: the rows whose file is not available, `table.column #key (digest of the file's id)`."""
    effort: Effort


class MediaUploaded(Fact):
    """Files restored from a copy; `damaged`: copies that differ from their digest.

    `access`: files whose access was corrected.
    """

    uploaded: int
    access: int = 0
    bytes: int = 0
    damaged: int = 0


class MediaSettingsSet(Fact):
    """Config vars that were set, by name, and the release that followed."""

    changed: tuple[str, ...] = ()
    release: int | None = None


class MediaDecided(Fact):
    """What the operator agreed to."""

    cloud: str
    files: int
