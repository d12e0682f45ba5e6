"""Which file comes back from where: the service's own backup, a copy kept elsewhere, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from uscdr.models.media import AssetDetails, AssetKey, AssetVersion, KnownAsset
from uscdr.scenarios.media.compare import State, Window

T = TypeVar("T")


@dataclass(frozen=True)
class Repairs:
    """What has to be done, by file."""

    restore: tuple[AssetKey, ...] = ()
    """From the service's backup, the latest version."""
    versions: Mapping[AssetKey, str] = field(default_factory=dict)
    """From the service's backup, this version id."""
    upload: tuple[AssetKey, ...] = ()
    lost: tuple[AssetKey, ...] = ()
    """Neither backup nor copy is to be had."""

    @property
    def from_backup(self) -> int:
        """Files that the service itself brings back."""
        return len(self.restore) + len(self.versions)


def plan(
    states: Mapping[AssetKey, State],
    copies: Mapping[AssetKey, KnownAsset],
    details: Mapping[AssetKey, AssetDetails],
    *,
    own_backup: bool,
    sizes: Mapping[AssetKey, int],
    refused: frozenset[AssetKey] = frozenset(),
    window: Window | None = None,
) -> Repairs:
    """Decide for every file. `own_backup` is False for another cloud: its backup knows none of ours.

    `sizes` is what rows tell of files that no inventory knows. `refused` are those that the service's backup did
    not bring back when it was asked.
    """
    bad = {key: state for key, state in states.items() if state not in (State.PRESENT, State.UNPROVEN)}
    # A service that shows no deleted file at all may still have them: it is asked for what nobody else has.
    hidden = own_backup and State.DELETED not in bad.values()
    restore: list[AssetKey] = []
    versions: dict[AssetKey, str] = {}
    upload: list[AssetKey] = []
    lost: list[AssetKey] = []
    for key, state in bad.items():
        asked = own_backup and key not in refused
        version = (
            before_the_change(details.get(key), copies.get(key), sizes.get(key, 0), window)
            if asked and state is State.CHANGED
            else None
        )
        if version is not None:
            versions[key] = version.version_id
        elif asked and (state is State.DELETED or (state is State.MISSING and hidden and not has_file(copies, key))):
            restore.append(key)
        else:
            (upload if has_file(copies, key) else lost).append(key)
    return Repairs(tuple(restore), versions, tuple(upload), tuple(lost))


def has_file(copies: Mapping[AssetKey, KnownAsset], key: AssetKey) -> bool:
    """Whether the copy holds the bytes, not only the description."""
    known = copies.get(key)
    return known is not None and bool(known.sha256)


def before_the_change(
    details: AssetDetails | None, known: KnownAsset | None, size: int = 0, window: Window | None = None
) -> AssetVersion | None:
    """The version that the inventory knows; else, without a file to upload, the newest that is no newer than it.

    Where no inventory knows the file, the newest version before the `window` of the damage or, without one, of the
    `size` that its row tells. None when there is none, or when what is there now is already as good.
    """
    usable = [version for version in details.versions if version.restorable] if details else []
    if details is None or known is None:
        if window is not None:
            return next((v for v in reversed(usable) if v.version < window.since and size in (0, v.bytes)), None)
        return next((v for v in reversed(usable) if size and v.bytes == size), None)
    exact = [v for v in usable if v.version == known.version] or [v for v in usable if v.bytes == known.bytes]
    if exact:
        return exact[-1]
    older = [v for v in usable if known.version and v.version < known.version]
    if known.sha256 or not older or older[-1].bytes == details.asset.bytes:
        return None
    return older[-1]


def undecided(states: Mapping[AssetKey, State], details: Mapping[AssetKey, AssetDetails]) -> list[AssetKey]:
    """Changed files whose versions have to be looked at, one call each."""
    return [key for key, state in states.items() if state is State.CHANGED and key not in details]


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Slices of up to `size`."""
    return (items[first : first + size] for first in range(0, len(items), size))


def by_kind(keys: Sequence[AssetKey]) -> dict[tuple[str, str], list[AssetKey]]:
    """Keys of one resource and delivery type each: what one restore may hold."""
    kinds: dict[tuple[str, str], list[AssetKey]] = {}
    for key in keys:
        kinds.setdefault((key.resource_type, key.delivery), []).append(key)
    return kinds
