"""Is a file there, and is it the one that is known?"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from uscdr.models.media import (
    DELIVERIES,
    Access,
    Asset,
    AssetKey,
    FileReferences,
    Kind,
    KnownAsset,
    NameReading,
    StoredReference,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from uscdr.scenarios.config import MediaSettings

# What the cloud holds and what the database wants of it, kept small: a tuple a file.


class ListedAsset(NamedTuple):
    """One asset as a listing tells it. `created` is in seconds since the epoch, 0 when unknown."""

    bytes: int
    version: int
    placeholder: bool
    created: float
    etag: str
    format: str
    tags: tuple[str, ...]
    context: Mapping[str, str]
    access: Access | None = None
    """None where the service did not tell who may have it."""

    @classmethod
    def of(cls, asset: Asset) -> ListedAsset:
        """The small form of an asset."""
        created = asset.created_at.timestamp() if asset.created_at else 0.0
        return cls(
            asset.bytes, asset.version, asset.placeholder, created, asset.etag, asset.format, asset.tags, asset.context,
            asset.access,
        )  # fmt: skip


class ReferencedFile(NamedTuple):
    """One file that rows refer to: from where, and what the newest of them tells; 0 when unknown.

    `written` is in seconds since the epoch, `bytes` the size.
    """

    places: tuple[str, ...]
    written: float
    bytes: int


@dataclass
class MediaSurvey:
    """Both sides of one moment."""

    held: dict[AssetKey, ListedAsset] = field(default_factory=dict)
    wanted: dict[AssetKey, ReferencedFile] = field(default_factory=dict)
    rows: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)
    """Rows whose file lies with somebody else, by column."""
    unreadable: tuple[str, ...] = ()
    """Columns that could not be read, and why, in words."""
    odd_times: Mapping[str, int] = field(default_factory=dict)
    """By table the rows whose time cannot be."""
    unread: Counter[str] = field(default_factory=Counter)
    """Rows whose name of a file is not understood, by column; columns that hold none count 0."""
    absolute: int = 0
    """Rows that name the cloud itself."""
    absent: tuple[str, ...] = ()
    taken: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> float:
        """Seconds since it was taken."""
        return time.monotonic() - self.taken

    def note(self, asset: Asset) -> None:
        """What the service said of one asset after a write; who may have it stays as it was where it did not say."""
        before, after = self.held.get(asset.key), ListedAsset.of(asset)
        self.held[asset.key] = after if after.access or before is None else after._replace(access=before.access)

    def orphans(self) -> Iterable[AssetKey]:
        """Files that no row refers to."""
        return (key for key, asset in self.held.items() if not asset.placeholder and key not in self.wanted)

    def resolve(
        self,
        references: FileReferences,
        settings: MediaSettings,
        *,
        clouds: frozenset[str],
        known: Mapping[AssetKey, KnownAsset],
    ) -> None:
        """Fill in what the rows want, by what the cloud and the copies call it."""
        kinds: dict[str, Kind] = {one.column: one.resource_type for one in settings.references}
        for row in references.found:
            self.rows += 1
            column = row.source
            found = NameReading.of(row.value, kinds.get(column, "by_extension"), prefix=settings.prefix, clouds=clouds)
            key = _choose(found, self.held, known)
            if key is None:
                (self.elsewhere if found.where == "elsewhere" else self.unread)[column] += 1
                continue
            self.absolute += row.names_cloud
            self._want(key, row)
        self.absent = references.absent
        self.unread.update(dict.fromkeys(references.unread, 0))
        self.unreadable = tuple(one.words("read") for one in references.unreadable)
        self.odd_times = references.odd_times

    def _want(self, key: AssetKey, row: StoredReference) -> None:
        before = self.wanted.get(key, ReferencedFile((), 0.0, 0))
        written = row.created_at.timestamp() if row.created_at else 0.0
        told = row.bytes if row.bytes and written >= before.written else before.bytes
        self.wanted[key] = ReferencedFile((*before.places, row.place), max(before.written, written), told)

    def states(
        self,
        known: Mapping[AssetKey, KnownAsset],
        digests: Mapping[tuple[AssetKey, int], str],
        window: Window | None = None,
    ) -> dict[AssetKey, FileState]:
        """The state of every file that rows refer to. `digests` is by key and version."""
        return {
            key: FileState.of(
                held,
                known.get(key),
                digests.get((key, held.version if held else 0), ""),
                size=wanted.bytes,
                window=window,
            )
            for key, wanted in self.wanted.items()
            for held in (self.held.get(key),)
        }

    def misopened(self, known: Mapping[AssetKey, KnownAsset]) -> dict[AssetKey, Access]:
        """Files that are there and that others may have than the copy's inventory knows: who should."""
        return {
            key: wanted.access
            for key, wanted in known.items()
            if key in self.wanted
            and wanted.access is not None
            and (held := self.held.get(key)) is not None
            and not held.placeholder
            and held.access is not None
            and held.access != wanted.access
        }

    def laid_open(self, known: Mapping[AssetKey, KnownAsset]) -> list[AssetKey]:
        """Files that rows or the inventory want restricted, of which anybody can have one of the same name.

        One that the inventory knows open, too, was so before.
        """
        return [key for key in self.wanted if self._lies_open(key, known)]

    def _lies_open(self, key: AssetKey, known: Mapping[AssetKey, KnownAsset]) -> bool:
        twin = key.model_copy(update={"delivery": "upload"})
        held, copied = self.held.get(twin), known.get(twin)
        if held is None or held.placeholder or (copied is not None and copied.access is not None):
            return False
        return key.delivery != "upload" or any(
            (one := known.get(key.model_copy(update={"delivery": delivery}))) is not None and one.access is not None
            for delivery in DELIVERIES
            if delivery != "upload"
        )

    def replaced_since_stored(
        self,
        known: Mapping[AssetKey, KnownAsset],
        judged: Mapping[AssetKey, FileState],
        ours: Sequence[tuple[float, float]] = (),
    ) -> int:
        """How many files were replaced after they were stored, and nothing tells whether rightly.

        What a recovery put back itself, in one of the intervals `ours`, was judged then.
        """
        return sum(
            1
            for key in self.wanted
            if key not in known
            and judged.get(key) is FileState.PRESENT
            and (held := self.held.get(key)) is not None
            and _replaced(held)
            and not any(int(begun) <= held.version <= ended + CLOCK for begun, ended in ours)
        )


def _choose(
    found: NameReading, held: Mapping[AssetKey, ListedAsset], known: Mapping[AssetKey, KnownAsset]
) -> AssetKey | None:
    """The likeliest that is there, or was; None when nobody knows it and it need not be here."""
    for names in (found.names, found.others):
        there = [name for name in names if name in held]
        present = [name for name in there if not held[name].placeholder]
        copied = [name for name in names if name in known]
        for key in present or copied or there:
            return key
    return found.names[0] if found.where == "here" else None


CLOCK = 5
"""Seconds between a file's creation and the number of its first version, which the service counts apart."""


class FileState(StrEnum):
    """What became of one file that rows refer to."""

    PRESENT = "present"
    DELETED = "deleted"
    """Gone, and the service says that its backup is kept."""
    MISSING = "missing"
    CHANGED = "changed"
    """Not what the copy's inventory knows, or not of the size that its row tells."""
    UNPROVEN = "unproven"
    """Of the known size in another version: only its bytes can tell."""

    @classmethod
    def of(
        cls,
        held: ListedAsset | None,
        known: KnownAsset | None,
        digest: str = "",
        *,
        size: int = 0,
        window: Window | None = None,
    ) -> FileState:
        """The state by listing and inventory; `digest` is the MD5 of its bytes where somebody looked.

        Where no inventory knows the file, the `size` that its row tells is all there is (0: not even that), and the
        `window` of the damage, when the operator named one.
        """
        if held is None or held.placeholder:
            return cls.MISSING if held is None else cls.DELETED
        if known is None:
            changed = bool(size and held.bytes != size) or (window is not None and window.has(held))
            return cls.CHANGED if changed else cls.PRESENT
        if held.bytes != known.bytes:
            return cls.CHANGED
        seen = held.etag or digest
        if seen and known.md5:
            return cls.PRESENT if seen == known.md5 else cls.CHANGED
        if known.version and held.version == known.version:
            return cls.PRESENT
        return cls.UNPROVEN


@dataclass(frozen=True)
class Window:
    """When the damage was done, in seconds since 1970: files replaced from `since` on, before `until`."""

    since: int
    until: int

    def has(self, held: ListedAsset) -> bool:
        """Whether this file was there before it and replaced within it."""
        return not held.placeholder and 0 < held.created < self.since <= held.version < self.until


def _replaced(held: ListedAsset) -> bool:
    # A version is the second of the upload; the two clocks are the service's own.
    return not held.placeholder and held.created > 0 and held.version > held.created + CLOCK
