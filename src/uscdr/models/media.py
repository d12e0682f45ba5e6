"""The content of a media service. Times are aware UTC datetimes, sizes are bytes, digests lower-case hex."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import Field, SecretStr
from typing_extensions import override

from uscdr.models.base import Fact, Moment
from uscdr.models.data_settings import ColumnName, ResourceType, TableName
from uscdr.models.postgres import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

RESOURCE_TYPES: tuple[ResourceType, ...] = ("image", "raw", "video")
Delivery = Literal["upload", "private", "authenticated"]
DELIVERIES: tuple[Delivery, ...] = ("upload", "private", "authenticated")
"""How an asset is delivered: to anybody, or only with a signed address (for `private`: the original)."""
CLOUD, KEY, SECRET = "CLOUDINARY_CLOUD_NAME", "CLOUDINARY_API_KEY", "CLOUDINARY_API_SECRET"
"""The application's variables for its media account."""


class AssetKey(Fact):
    """The key of an asset in a cloud: raw ids include the extension, image and video ids do not."""

    resource_type: ResourceType
    public_id: str
    delivery: Delivery = "upload"

    # Tables of all files are kept by this key: pydantic's own comparison costs ten times as much.
    @override
    def __hash__(self) -> int:
        return hash(self.public_id)  # a text knows its hash, and few files share an id

    @override
    def __eq__(self, other: object) -> bool:
        return self.__class__ is other.__class__ and self.__dict__ == other.__dict__

    def __str__(self) -> str:
        return f"{self.resource_type}/{self.delivery}/{self.public_id}"

    def by(self, delivery: Delivery) -> AssetKey:
        """The same id by another delivery type."""
        return AssetKey(resource_type=self.resource_type, public_id=self.public_id, delivery=delivery)

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that identify a file without its name."""
        import hashlib

        return hashlib.sha256(str(self).encode()).hexdigest()[:8]


class AccessRule(Fact):
    """One rule of an asset's access control: who, from when, to when. Times in the service's format."""

    access_type: str
    start: str = ""
    end: str = ""


class Access(Fact):
    """The access to an asset beside its delivery type: anybody, or only with a token."""

    mode: str = "public"
    rules: tuple[AccessRule, ...] = ()

    @property
    def restricted(self) -> bool:
        """Whether the address alone may not be enough."""
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
    """Deleted, but its backup is kept: an entry without a file, which never counts as present."""
    created_at: Moment | None = None
    url: str = ""
    """Where the original is delivered (https unless the target says otherwise)."""
    tags: tuple[str, ...] = ()
    context: dict[str, str] = Field(default_factory=dict)
    asset_folder: str | None = None
    display_name: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    access: Access | None = None
    """None when the call does not return it."""

    @property
    def restricted(self) -> bool:
        """Whether the service must refuse a request without a signature or token."""
        return self.key.delivery != "upload" or (self.access is not None and self.access.restricted)

    @property
    def present(self) -> bool:
        """Whether the entry has a file."""
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


class RestoredAsset(Fact):
    """One item of a batch restore: the asset now, or why it was not restored."""

    key: AssetKey
    asset: Asset | None = None
    error: str = ""


class Quota(Fact):
    """The Admin API calls left in the current hour, by the last answer."""

    limit: int
    remaining: int
    resets_at: Moment


class MediaUsage(Fact):
    """The account's plan and usage."""

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
    """The description of an asset in a copy: enough to compare with the original and to upload it again.

    `bytes` and `digest` are of the original file.
    """

    bytes: int
    digest: str | Callable[[], str]
    """Its MD5, or what reads it from the copy when it is first needed."""
    file: bool = False
    """Whether the copy has the file, not only the description."""
    version: int = 0
    format: str = ""
    tags: tuple[str, ...] = ()
    context: dict[str, str] = Field(default_factory=dict)
    asset_folder: str | None = None
    display_name: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    access: Access | None = None
    """None when the copy lacks it."""

    @cached_property
    def md5(self) -> str:
        """The service's `etag`. Raises MachineError when it cannot be read."""
        return self.digest if isinstance(self.digest, str) else self.digest()


class StoredReference(Fact):
    """One name or address of a file from a row. `value` may contain a person's name: it is never shown."""

    table: str
    column: str
    key: str
    value: str = Field(repr=False)
    created_at: Moment | None = None
    odd_time: bool = False
    """The row has an impossible time (in the future, before the year 1): then `created_at` is None."""
    bytes: int | None = None

    @property
    def source(self) -> str:
        """The column, as a `ReferenceColumn` names it."""
        return _column(self.table, self.column)

    @property
    def place(self) -> str:
        """`table.column #key`, for messages."""
        return f"{self.source} #{self.key}"

    @property
    def names_cloud(self) -> bool:
        """Whether it also names the cloud, so that it is wrong after a move to another cloud."""
        return _is_address(self.value.strip())


@lru_cache(maxsize=64)
def _column(table: str, column: str) -> str:
    """One name for all rows of a column."""
    return str(ColumnName(TableName.parse(table), column))


class FileReferences(Fact):
    """Every reference, and the requested columns that do not exist."""

    found: tuple[StoredReference, ...] = Field(default=(), repr=False)
    absent: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """Existing columns whose type has no names: `table.column (integer)`."""
    unreadable: tuple[Unread, ...] = ()
    """Existing columns that could not be read: their files are unknown."""

    @property
    def odd_times(self) -> dict[str, int]:
        """By table, the rows with files and an impossible time."""
        rows = {(one.table, one.key) for one in self.found if one.odd_time}
        return dict(Counter(table for table, _ in rows))


# Parses file addresses of a media service: every kind of delivery, signed or not, and signed downloads.


_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//\S", re.ASCII)
_DELIVERED = re.compile(
    r"(?P<before>(?:/[^/]+)*)/(?P<type>image|raw|video)/(?P<delivery>upload|private|authenticated)/(?P<rest>.+)"
)
_NAMED = re.compile(
    r"(?P<before>(?:/[^/]+)*)/(?P<name>images|private_images|authenticated_images|files|videos)/(?P<rest>.+)"
)
_NAMES = {
    "images": ("image", "upload"),
    "private_images": ("image", "private"),
    "authenticated_images": ("image", "authenticated"),
    "files": ("raw", "upload"),
    "videos": ("video", "upload"),
}
"""The replacements for types in an address with an SEO suffix."""
_DOWNLOAD = re.compile(r"/v1_1/(?P<cloud>[^/]+)/(?P<type>image|raw|video)/download")
_SIGNATURE = re.compile(r"s--[A-Za-z0-9_-]{8,32}--")
_VERSION = re.compile(r"v\d+")
_TRANSFORMATION = re.compile(r"(?:\$?[a-z]{1,3}_|\$[A-Za-z0-9]+_|if_|t_|fl_)[^/]*")
_SERVICE = re.compile(r"(?:res(?:-\d+)?|api(?:-[a-z]+)?)\.cloudinary\.com|(?P<cloud>.+)-res\.cloudinary\.com")


@dataclass(frozen=True)
class _MediaAddress:
    """A parsed address.

    `ids`: possible public ids, the likeliest first; empty when unknown. `ours`: it names one of our clouds. `exact`:
    the id is given literally, not as a part of a path. `path` is as given, empty for another cloud.
    """

    ours: bool
    path: str
    ids: tuple[str, ...] = ()
    resource_type: str = ""
    delivery: str = ""
    exact: bool = False


FOREIGN = _MediaAddress(ours=False, path="")
"""Of another cloud."""
UNREADABLE = _MediaAddress(ours=True, path="")
"""Its owner is unknown."""


def _is_address(value: str) -> bool:
    """Whether it has a host."""
    return _ADDRESS.match(value) is not None


def _address_of(value: str, clouds: frozenset[str]) -> _MediaAddress:
    """Parse an address. One of another cloud is not ours and has no id."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return UNREADABLE
    path = unquote(parts.path)
    if (found := _DOWNLOAD.fullmatch(path)) is not None:
        return _downloaded(parts, found, clouds)
    delivered, named = _DELIVERED.fullmatch(path), _NAMED.fullmatch(path)
    match = delivered or named
    if match is None:
        return _MediaAddress(_names_cloud(parts, path, clouds), parts.path)
    cloud = _cloud(parts, match["before"])
    if cloud is not None and cloud not in clouds:
        return FOREIGN
    if delivered is not None:
        kind, delivery, ids = delivered["type"], delivered["delivery"], _splits(delivered["rest"])
    else:
        kind, delivery = _NAMES[match["name"]]
        ids = tuple(one.rpartition("/")[0] or one for one in _splits(match["rest"]))
    return _MediaAddress(cloud in clouds, parts.path, ids, kind, delivery)


def _splits(rest: str) -> tuple[str, ...]:
    """The possible public ids in the rest of a path, after signature, transformations and version.

    A folder may look like a transformation or a version, so longer parts of the path are possible ids too.
    """
    segments = [segment for segment in rest.split("/") if segment]
    if len(segments) > 1 and _SIGNATURE.fullmatch(segments[0]):
        segments = segments[1:]
    starts, versioned = [0], 0
    for place, segment in enumerate(segments[:-1], 1):
        if _VERSION.fullmatch(segment):
            versioned = place
            break
        if not _TRANSFORMATION.fullmatch(segment):
            break
        starts.append(place)
    ordered = ([versioned] if versioned else []) + sorted(starts, reverse=True)
    return tuple("/".join(segments[start:]) for start in ordered)


def _downloaded(parts: SplitResult, found: re.Match[str], clouds: frozenset[str]) -> _MediaAddress:
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if found["cloud"] not in clouds:
        return FOREIGN
    delivery = query.get("type", "upload")
    ids = (query["public_id"],) if query.get("public_id") and delivery in DELIVERIES else ()
    return _MediaAddress(
        ours=True, path=parts.path, ids=ids, resource_type=found["type"], delivery=delivery, exact=True
    )


def _cloud(parts: SplitResult, before: str) -> str | None:
    """The named cloud: before the types, or in the host name; None without one."""
    if before:
        return before.rpartition("/")[2]
    service = _SERVICE.fullmatch(parts.hostname or "")
    return service["cloud"] if service else None


def _names_cloud(parts: SplitResult, path: str, clouds: frozenset[str]) -> bool:
    service = _SERVICE.fullmatch(parts.hostname or "")
    if service is None:
        return False
    return service["cloud"] in clouds or any(segment in clouds for segment in path.split("/"))


# Maps a stored name to the service's file ids.


IMAGES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp"})
_VIDEOS = frozenset({".mp4", ".mov", ".webm", ".avi", ".mkv", ".mp3", ".wav"})
_PATH = re.compile(r"(?P<type>image|raw|video)/(?P<delivery>upload|private|authenticated)/(?P<rest>[^#]+)(?:#.*)?")
"""The format of the service's own model field: types, version, id and format, and perhaps a signature."""
MEDIA = "media/"
"""Django's default address of files: a name may start with it even without a storage prefix."""
_LONGEST = 1000
_NO_NAME = re.compile(r"[\x00-\x1f\x7f]|^data:|^[\[{]")
Kind = ResourceType | Literal["by_extension"]
Where = Literal["here", "elsewhere", "not understood"]


@dataclass(frozen=True)
class NameReading:
    """The meaning of a stored name.

    `names`: the file's possible ids, the likeliest first; `others`: more ids, if none of those exists. `where` applies
    when no id is known: the file is missing `here`, is stored elsewhere, or is unknown.
    """

    where: Where
    names: tuple[AssetKey, ...] = ()
    more: Callable[[], tuple[AssetKey, ...]] = tuple
    """Makes the others: few names need them, and they are many."""

    @cached_property
    def others(self) -> tuple[AssetKey, ...]:
        """More ids, the likeliest first."""
        return self.more()

    @classmethod
    def of(cls, value: str, kind: Kind, *, prefix: str, clouds: frozenset[str]) -> NameReading:
        """A row has a name (with or without the storage's prefix) or a delivery address, of one of `clouds` or another.

        An image's id has no extension even if the name has one; a raw file's id includes it.
        """
        value = value.strip()
        if not value or len(value) > _LONGEST or _NO_NAME.search(value):
            return NameReading("not understood")
        if _is_address(value):
            return _of_address(value, kind, prefix, clouds)
        if (found := _PATH.fullmatch(value.lstrip("/"))) is not None:
            return _of_rest("here", found["type"], found["delivery"], _splits(found["rest"]))
        return _of_name(value.lstrip("/"), kind, prefix)


def _of_address(value: str, kind: Kind, prefix: str, clouds: frozenset[str]) -> NameReading:
    found = _address_of(value, clouds)
    if found.ids:
        # Without a cloud, as on the account's own host: ours if we know the file.
        where: Where = "here" if found.ours else "not understood"
        exact = _of_rest(where, found.resource_type, found.delivery, found.ids)
        return exact if not found.exact else NameReading(where, exact.names[-1:], lambda: exact.names[:-1])
    if found.ours:
        return NameReading("not understood")
    _, inside, rest = unquote(found.path).partition(f"/{prefix or MEDIA}")
    # The application's own address of a file, with the storage's name.
    names = _of_name(prefix + rest, kind, prefix) if inside else NameReading("elsewhere")
    return NameReading("elsewhere", (), lambda: (*names.names, *names.others))


def _of_rest(where: Where, kind: str, delivery: str, ids: tuple[str, ...]) -> NameReading:
    """The first of several ids is the likeliest."""
    by, of = cast("Delivery", delivery), cast("ResourceType", kind)  # the patterns know no other words
    ways = [tuple(key.by(by) for key in _forms(one, of)) for one in dict.fromkeys(ids)]
    first, *more = ways
    return NameReading(where, first, lambda: tuple(key for way in more for key in way))


def _of_name(name: str, kind: Kind, prefix: str) -> NameReading:
    public_id = name if name.startswith(prefix) else prefix + name
    first = tuple(_by_kind(public_id, kind))
    return NameReading("here", first, partial(_other_names, name, kind, prefix, first))


def _other_names(name: str, kind: Kind, prefix: str, first: tuple[AssetKey, ...]) -> tuple[AssetKey, ...]:
    public_id = name if name.startswith(prefix) else prefix + name
    versioned = re.fullmatch(r"v\d+/(.+)", name)
    last = versioned[1] if versioned else name
    bare = dict.fromkeys((public_id, name, MEDIA + name, name.removeprefix(MEDIA), unquote(public_id), last))
    open_ones = [key for one in bare for key in (*_by_kind(one, kind), *_by_kind(one, "video"))]
    others = dict.fromkeys(key.by(delivery) for delivery in DELIVERIES for key in (*first, *open_ones))
    return tuple(key for key in others if key not in first)


def _by_kind(public_id: str, kind: Kind) -> Iterator[AssetKey]:
    if kind != "by_extension":
        yield from _forms(public_id, kind)
        return
    suffix = suffix_of(public_id).lower()
    # A file without an extension came from the image storage; any other non-image is raw.
    order: tuple[ResourceType, ...] = ("image", "raw") if suffix in IMAGES or not suffix else ("raw", "image")
    for one in (*order, "video") if suffix in _VIDEOS else order:
        yield from _forms(public_id, one)


def _forms(public_id: str, kind: ResourceType) -> tuple[AssetKey, ...]:
    whole = AssetKey(resource_type=kind, public_id=public_id)
    suffix = suffix_of(public_id)
    if kind == "raw" or not suffix:
        return (whole,)
    return (AssetKey(resource_type=kind, public_id=public_id.removesuffix(suffix)), whole)


def suffix_of(name: str) -> str:
    """The extension with its dot, as `PurePosixPath.suffix` says it, at a tenth of its cost."""
    base = name.rpartition("/")[2]
    if base in ("", "."):
        return PurePosixPath(name).suffix
    dot = base.rfind(".")
    return base[dot:] if 0 < dot < len(base) - 1 else ""
