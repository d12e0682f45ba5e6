"""Compare stored files with the database's references: is a file there, and is it the known one?"""

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

# What the cloud has and what the database refers to, kept small: one tuple for each file.


class ListedAsset(NamedTuple):
    """One asset of a listing. `created` is in seconds since the epoch, 0 when unknown."""

    bytes: int
    version: int
    placeholder: bool
    created: float
    etag: str
    format: str
    tags: tuple[str, ...]
    context: Mapping[str, str]
    access: Access | None = None
    """None when the service did not say who has access."""

    @classmethod
    def of(cls, asset: Asset) -> ListedAsset:
        """The small form of an asset."""
        created = asset.created_at.timestamp() if asset.created_at else 0.0
        return cls(
            asset.bytes, asset.version, asset.placeholder, created, asset.etag, asset.format, asset.tags, asset.context,
            asset.access,
        )  # fmt: skip


class ReferencedFile(NamedTuple):
    """One file that rows refer to: their places, and what the newest of them says; 0 when unknown.

    `written` is in seconds since the epoch, `bytes` the size.
    """

    places: tuple[str, ...]
    written: float
    bytes: int


@dataclass
class MediaSurvey:
    """The cloud's files and the database's references at one moment."""

    held: dict[AssetKey, ListedAsset] = field(default_factory=dict)
    wanted: dict[AssetKey, ReferencedFile] = field(default_factory=dict)
    rows: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)
    """Rows whose file is stored with another service, by column."""
    unreadable: tuple[str, ...] = ()
    """Columns that could not be read, and why, in words."""
    odd_times: Mapping[str, int] = field(default_factory=dict)
    """By table, rows with an impossible time."""
    unread: Counter[str] = field(default_factory=Counter)
    """Rows with an unreadable file name, by column; columns without file names count 0."""
    absolute: int = 0
    """Rows that name the cloud itself."""
    absent: tuple[str, ...] = ()
    taken: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> float:
        """Seconds since it was taken."""
        return time.monotonic() - self.taken

    def note(self, asset: Asset) -> None:
        """Take in the service's answer about one asset after a write; its access stays if the answer does not say."""
        before, after = self.held.get(asset.key), ListedAsset.of(asset)
        self.held[asset.key] = after if after.access or before is None else after._replace(access=before.access)

    def tell_access(self, told: Mapping[AssetKey, Access]) -> None:
        """Take in who has access to the listed files, where the listing did not say it."""
        for key, access in told.items():
            held = self.held.get(key)
            if held is not None and held.access is None:
                self.held[key] = held._replace(access=access)

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
        """Add the files that the rows refer to, by the names that the cloud and the copies use."""
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
            key: FileState.of(None, None)
            if held is None
            else FileState.of(
                held, known.get(key), digests.get((key, held.version), ""), size=wanted.bytes, window=window
            )
            for key, wanted in self.wanted.items()
            for held in (self.held.get(key),)
        }

    def misopened(self, known: Mapping[AssetKey, KnownAsset]) -> dict[AssetKey, Access]:
        """Files whose access differs from the copy's inventory, with the access that they should have."""
        return {
            key: copied.access
            for key in self.wanted
            if (copied := known.get(key)) is not None
            and copied.access is not None
            and (held := self.held.get(key)) is not None
            and not held.placeholder
            and held.access is not None
            and held.access != copied.access
        }

    def laid_open(self, known: Mapping[AssetKey, KnownAsset]) -> list[AssetKey]:
        """Files that should be restricted but have a public twin of the same name.

        A twin that is public in the inventory too was public before.
        """
        return [key for key in self.wanted if self._lies_open(key, known)]

    def _lies_open(self, key: AssetKey, known: Mapping[AssetKey, KnownAsset]) -> bool:
        twin = key.by("upload")
        held, copied = self.held.get(twin), known.get(twin)
        if held is None or held.placeholder or (copied is not None and copied.access is not None):
            return False
        return key.delivery != "upload" or any(
            (one := known.get(key.by(delivery))) is not None and one.access is not None
            for delivery in DELIVERIES
            if delivery != "upload"
        )

    def replaced_since_stored(
        self,
        known: Mapping[AssetKey, KnownAsset],
        judged: Mapping[AssetKey, FileState],
        ours: Sequence[tuple[float, float]] = (),
    ) -> int:
        """How many files were replaced after they were stored, with no evidence whether that was right.

        Files that a recovery itself restored, in one of the intervals `ours`, were judged then.
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
    """The likeliest key that is, or was, there; None when it is unknown and need not be in this cloud."""
    key = _known(found.names, held, known) or _known(found.others, held, known)
    return found.names[0] if key is None and found.where == "here" else key


def _known(
    names: Sequence[AssetKey], held: Mapping[AssetKey, ListedAsset], known: Mapping[AssetKey, KnownAsset]
) -> AssetKey | None:
    """The first that is there; else the first of which there is a copy; else the first that was deleted."""
    there = [name for name in names if name in held]
    present = [name for name in there if not held[name].placeholder]
    copied = [name for name in names if name in known]
    return next(iter(present or copied or there), None)


CLOCK = 5
"""Seconds between a file's creation and its first version, which the service takes from two clocks."""


class FileState(StrEnum):
    """The state of one file that rows refer to."""

    PRESENT = "present"
    DELETED = "deleted"
    """Deleted, and the service says that it keeps a backup."""
    MISSING = "missing"
    CHANGED = "changed"
    """Not the file of the copy's inventory, or not of the size in its row."""
    UNPROVEN = "unproven"
    """Of the known size but another version: only its bytes can decide."""

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
        """The state by listing and inventory; `digest` is the MD5 of its bytes, if they were read.

        For a file without inventory only the `size` in its row (0: unknown) and the `window` of the damage, if the
        operator named one, can decide.
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
    """The time of the damage, in seconds since 1970: files replaced from `since` on, before `until`."""

    since: int
    until: int

    def has(self, held: ListedAsset) -> bool:
        """Whether this file existed before the window and was replaced within it."""
        return not held.placeholder and 0 < held.created < self.since <= held.version < self.until


def _replaced(held: ListedAsset) -> bool:
    # A version is the second of the upload; both clocks are the service's.
    return not held.placeholder and held.created > 0 and held.version > held.created + CLOCK
