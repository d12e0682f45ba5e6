"""What the cloud holds and what the database wants of it, kept small: a tuple a file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from uscdr.models.media import Access, Asset, AssetKey, FileReferences, KnownAsset, StoredReference
from uscdr.models.media_names import Kind, candidates, is_absolute
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
    elsewhere: int = 0
    """Rows whose file lies with somebody else."""
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
        kind = kinds.get(f"{row.table}.{row.column}", "by_extension")
        names = candidates(row.value, kind, prefix=settings.prefix, clouds=clouds)
        if not names:
            survey.elsewhere += 1
            continue
        survey.absolute += is_absolute(row.value)
        _want(survey, _choose(names, survey.held, known), row)
    survey.absent = references.absent


def _choose(
    names: tuple[AssetKey, ...], held: Mapping[AssetKey, Held], known: Mapping[AssetKey, KnownAsset]
) -> AssetKey:
    there = [name for name in names if name in held]
    present = [name for name in there if not held[name].placeholder]
    copied = [name for name in names if name in known]
    return next(iter(present or copied or there or names))


def _want(survey: Survey, key: AssetKey, row: StoredReference) -> None:
    before = survey.wanted.get(key, Wanted((), 0.0, 0))
    written = row.created_at.timestamp() if row.created_at else 0.0
    told = row.bytes if row.bytes and written >= before.written else before.bytes
    survey.wanted[key] = Wanted((*before.places, row.place), max(before.written, written), told)
