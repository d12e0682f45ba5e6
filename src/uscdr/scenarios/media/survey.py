"""What the cloud holds and what the database wants of it, kept small: a tuple a file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from uscdr.models.media import Access, Asset, AssetKey, FileReferences, KnownAsset, StoredReference
from uscdr.models.media_names import Kind, Reading, is_absolute, read
from uscdr.scenarios.model_media import MediaSettings


class Held(NamedTuple):
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


class Wanted(NamedTuple):
    """One file that rows refer to: from where, and what the newest of them tells; 0 when unknown.

    `written` is in seconds since the epoch, `bytes` the size.
    """

    places: tuple[str, ...]
    written: float
    bytes: int


@dataclass
class Survey:
    """Both sides of one moment."""

    held: dict[AssetKey, Held] = field(default_factory=dict)
    wanted: dict[AssetKey, Wanted] = field(default_factory=dict)
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
        before, after = self.held.get(asset.key), held(asset)
        self.held[asset.key] = after if after.access or before is None else after._replace(access=before.access)

    def orphans(self) -> Iterable[AssetKey]:
        """Files that no row refers to."""
        return (key for key, asset in self.held.items() if not asset.placeholder and key not in self.wanted)


def held(asset: Asset) -> Held:
    """The small form of an asset."""
    created = asset.created_at.timestamp() if asset.created_at else 0.0
    return Held(
        asset.bytes, asset.version, asset.placeholder, created, asset.etag, asset.format, asset.tags, asset.context,
        asset.access,
    )  # fmt: skip


def resolve(
    survey: Survey,
    references: FileReferences,
    settings: MediaSettings,
    *,
    clouds: frozenset[str],
    known: Mapping[AssetKey, KnownAsset],
) -> None:
    """Fill in what the rows want, by what the cloud and the copies call it."""
    kinds: dict[str, Kind] = {one.column: one.resource_type for one in settings.references}
    for row in references.found:
        survey.rows += 1
        column = row.source
        found = read(row.value, kinds.get(column, "by_extension"), prefix=settings.prefix, clouds=clouds)
        key = _choose(found, survey.held, known)
        if key is None:
            (survey.elsewhere if found.where == "elsewhere" else survey.unread)[column] += 1
            continue
        survey.absolute += is_absolute(row.value)
        _want(survey, key, row)
    survey.absent = references.absent
    survey.unread.update(dict.fromkeys(references.unread, 0))
    survey.unreadable = tuple(one.words("read") for one in references.unreadable)
    survey.odd_times = references.odd_times


def _choose(found: Reading, held: Mapping[AssetKey, Held], known: Mapping[AssetKey, KnownAsset]) -> AssetKey | None:
    """The likeliest that is there, or was; None when nobody knows it and it need not be here."""
    for names in (found.names, found.others):
        there = [name for name in names if name in held]
        present = [name for name in there if not held[name].placeholder]
        copied = [name for name in names if name in known]
        for key in present or copied or there:
            return key
    return found.names[0] if found.where == "here" else None


def _want(survey: Survey, key: AssetKey, row: StoredReference) -> None:
    before = survey.wanted.get(key, Wanted((), 0.0, 0))
    written = row.created_at.timestamp() if row.created_at else 0.0
    told = row.bytes if row.bytes and written >= before.written else before.bytes
    survey.wanted[key] = Wanted((*before.places, row.place), max(before.written, written), told)
