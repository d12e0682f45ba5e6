"""What a media service holds. Times are aware UTC datetimes, sizes are bytes, digests lower-case hex."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field, SecretStr

from uscdr.models.base import Fact, Moment
from uscdr.models.postgres import Unread
from uscdr.models.table_names import ColumnName, ColumnText, TableName

ResourceType = Literal["image", "raw", "video"]
RESOURCE_TYPES: tuple[ResourceType, ...] = ("image", "raw", "video")
Delivery = Literal["upload", "private", "authenticated"]
DELIVERIES: tuple[Delivery, ...] = ("upload", "private", "authenticated")
"""How an asset is delivered: to anybody, or to who shows a signed address (the original, for `private`)."""
CLOUD, KEY, SECRET = "CLOUDINARY_CLOUD_NAME", "CLOUDINARY_API_KEY", "CLOUDINARY_API_SECRET"
"""The variables of the application that hold its account."""


class AssetKey(Fact):
    """What names an asset in a cloud: raw ids include the extension, image and video ids do not."""

    resource_type: ResourceType
    public_id: str
    delivery: Delivery = "upload"

    def __str__(self) -> str:
        return f"{self.resource_type}/{self.delivery}/{self.public_id}"


class AccessRule(Fact):
    """One rule of an asset's access control: who, and from when to when. Times as the service writes them."""

    access_type: str
    start: str = ""
    end: str = ""


class Access(Fact):
    """Who may have an asset beside what its delivery type says: anybody, or who shows a token."""

    mode: str = "public"
    rules: tuple[AccessRule, ...] = ()

    @property
    def restricted(self) -> bool:
        """Whether an address alone may be not enough."""
        return self.mode != "public" or bool(self.rules)

    def __str__(self) -> str:
        if self.rules:
            return "access control: " + ", ".join(
                " ".join(filter(None, (rule.access_type, rule.start, rule.end and f"to {rule.end}")))
                for rule in self.rules
            )
        return self.mode


class Asset(Fact):
    """One asset as the service lists it. `etag` is the MD5 of the original, where the call tells it."""

    key: AssetKey
    asset_id: str = ""
    format: str = ""
    version: int = 0
    bytes: int = 0
    etag: str = ""
    placeholder: bool = False
    """Deleted, but its backup is kept: a row without a file, never to be counted as present."""
    created_at: Moment | None = None
    url: str = ""
    """Where the original is delivered (https unless the target says otherwise)."""
    tags: tuple[str, ...] = ()
    context: dict[str, str] = Field(default_factory=dict)
    asset_folder: str | None = None
    display_name: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    access: Access | None = None
    """None where the call does not tell it."""

    @property
    def restricted(self) -> bool:
        """Whether somebody without a signature or token is to be refused."""
        return self.key.delivery != "upload" or (self.access is not None and self.access.restricted)

    @property
    def present(self) -> bool:
        """Whether there is a file behind the row."""
        return not self.placeholder


class AssetVersion(Fact):
    """One version in the service's own backup, newest last."""

    version_id: str
    version: int = 0
    bytes: int = 0
    created_at: Moment | None = None
    restorable: bool = True


class AssetDetails(Fact):
    """One asset with the versions in the service's own backup."""

    asset: Asset
    versions: tuple[AssetVersion, ...] = ()


class Restored(Fact):
    """One item of a batch restore: the asset as it is now, or why it did not come back."""

    key: AssetKey
    asset: Asset | None = None
    error: str = ""


class Quota(Fact):
    """How many Admin API calls are left in the current hour, as the last answer told."""

    limit: int
    remaining: int
    resets_at: Moment


class MediaUsage(Fact):
    """The account's plan and what it holds."""

    plan: str
    objects: int
    storage_bytes: int
    quota: Quota | None = None


class MediaDownload(Fact):
    """A finished download: size, MD5 (the service's own digest) and SHA-256."""

    size: int
    md5: str
    sha256: str


class MediaAccount(Fact):
    """A cloud and the credentials for it."""

    cloud: str
    api_key: str
    api_secret: SecretStr


class KnownAsset(Fact):
    """What a copy kept elsewhere says of an asset: enough to compare the original with, and to put it back.

    `md5` is what the service calls `etag`; `bytes`, `md5` and `sha256` are of the original file.
    """

    bytes: int
    md5: str
    sha256: str = ""
    """Empty when the copy holds only the description, not the file."""
    version: int = 0
    format: str = ""
    tags: tuple[str, ...] = ()
    context: dict[str, str] = Field(default_factory=dict)
    asset_folder: str | None = None
    display_name: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    access: Access | None = None
    """None where the copy does not know it."""


class ReferenceColumn(Fact):
    """A column that names stored files: `table.column`, or `schema.table.column`.

    A text column holds names. A JSON column is searched for addresses and paths of files; nothing else is read.
    """

    column: ColumnText
    resource_type: ResourceType | Literal["by_extension"] = "by_extension"
    """What the column's storage makes of a name; `by_extension` looks at the name, as one storage for all does."""
    written: str = "created_at"
    """The column of the same table that tells when the row was written."""
    size: str = "file_size"
    """The column of the same table that tells the file's size in bytes, where there is one (names only, not JSON)."""


class StoredReference(Fact):
    """One name or address of a file as a row holds it. `value` may hold a person's name: it is never shown."""

    table: str
    column: str
    key: str
    value: str = Field(repr=False)
    created_at: Moment | None = None
    odd_time: bool = False
    """The row has a time, which cannot be (in the future, before the year 1): then `created_at` is not known."""
    bytes: int | None = None

    @property
    def source(self) -> str:
        """The column, as a `ReferenceColumn` names it."""
        return str(ColumnName(TableName.parse(self.table), self.column))

    @property
    def place(self) -> str:
        """`table.column #key`, for people."""
        return f"{self.source} #{self.key}"


class FileReferences(Fact):
    """Every reference there is, and the columns that were asked for and do not exist."""

    found: tuple[StoredReference, ...] = Field(default=(), repr=False)
    absent: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """Columns that are there and whose type holds no names: `table.column (integer)`."""
    unreadable: tuple[Unread, ...] = ()
    """Columns that are there and could not be read: which files they name is not known."""

    @property
    def odd_times(self) -> dict[str, int]:
        """By table the rows that name files and whose time cannot be."""
        rows = {(one.table, one.key) for one in self.found if one.odd_time}
        return dict(Counter(table for table, _ in rows))
