"""Where each file is restored from: the service's own backup, a copy kept elsewhere, or nowhere."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from uscdr.models.base import Fact
from uscdr.providers.ports.media import PAGE, RESTORE_BATCH
from uscdr.scenarios.media.compare import FileState, Window
from uscdr.threads import FIRST
from uscdr.words import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from uscdr.models.media import Access, AssetDetails, AssetKey, AssetVersion, KnownAsset, Quota
    from uscdr.providers.ports.media import Media
    from uscdr.scenarios.media.compare import MediaSurvey


T = TypeVar("T")


@dataclass(frozen=True)
class Repairs:
    """The repairs, by file."""

    restore: tuple[AssetKey, ...] = ()
    """From the service's backup, the latest version."""
    versions: Mapping[AssetKey, str] = field(default_factory=dict)
    """From the service's backup, this version id."""
    upload: tuple[AssetKey, ...] = ()
    lost: tuple[AssetKey, ...] = ()
    """Files with neither a backup nor a copy."""

    @property
    def from_backup(self) -> int:
        """How many files the service itself restores."""
        return len(self.restore) + len(self.versions)

    def effort(
        self,
        copies: Mapping[AssetKey, KnownAsset],
        *,
        listed: Sequence[int],
        searched: Sequence[int],
        quota: Quota | None,
        now: datetime,
    ) -> Effort:
        """`listed` (files by resource and delivery type) and `searched` (by resource type) have to be listed again."""
        batches = _batches(self.restore) + _batches(tuple(self.versions))
        looks = _pages(listed) + _pages(searched)
        calls = batches + looks
        size = sum(copies[key].bytes for key in self.upload)
        wait = _waiting(calls, quota, now)
        transfer = max(len(self.upload) * FILE_SECONDS / FIRST, size / BYTES_A_SECOND)
        seconds = looks * CALL_SECONDS + math.ceil(batches / FIRST) * BATCH_SECONDS + transfer + wait
        return Effort(
            calls=calls, uploads=len(self.upload), upload_bytes=size, wait_seconds=wait, seconds=round(seconds, 1)
        )


def _plan(
    states: Mapping[AssetKey, FileState],
    copies: Mapping[AssetKey, KnownAsset],
    details: Mapping[AssetKey, AssetDetails],
    *,
    own_backup: bool,
    sizes: Mapping[AssetKey, int],
    refused: frozenset[AssetKey] = frozenset(),
    window: Window | None = None,
) -> Repairs:
    """Decide for every file. `own_backup` is False for another cloud, which has no backups of ours.

    `sizes`: the sizes in rows, for files without inventory. `refused`: files that the service's backup did not restore
    when it was asked.
    """
    bad = {key: state for key, state in states.items() if state not in (FileState.PRESENT, FileState.UNPROVEN)}
    # A service that lists no deleted file may still have them: ask it for files that have no copy.
    hidden = own_backup and FileState.DELETED not in bad.values()
    restore: list[AssetKey] = []
    versions: dict[AssetKey, str] = {}
    upload: list[AssetKey] = []
    lost: list[AssetKey] = []
    for key, state in bad.items():
        asked = own_backup and key not in refused
        version = (
            _before_the_change(details.get(key), copies.get(key), sizes.get(key, 0), window)
            if asked and state is FileState.CHANGED
            else None
        )
        if version is not None:
            versions[key] = version.version_id
        elif asked and (
            state is FileState.DELETED or (state is FileState.MISSING and hidden and not has_file(copies, key))
        ):
            restore.append(key)
        else:
            (upload if has_file(copies, key) else lost).append(key)
    return Repairs(tuple(restore), versions, tuple(upload), tuple(lost))


def has_file(copies: Mapping[AssetKey, KnownAsset], key: AssetKey) -> bool:
    """Whether the copy has the bytes, not only the description."""
    known = copies.get(key)
    return known is not None and known.file


def _before_the_change(
    details: AssetDetails | None, known: KnownAsset | None, size: int = 0, window: Window | None = None
) -> AssetVersion | None:
    """The version in the inventory; else, without a file to upload, the newest version that is not newer.

    Without inventory: the newest version before the `window` of the damage or, without a window, of the `size` in its
    row. None when there is none, or when the present file is as good.
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
    if known.file or not older or older[-1].bytes == details.asset.bytes:
        return None
    return older[-1]


def undecided(states: Mapping[AssetKey, FileState], details: Mapping[AssetKey, AssetDetails]) -> list[AssetKey]:
    """Changed files whose versions must be read, with one call each."""
    return [key for key, state in states.items() if state is FileState.CHANGED and key not in details]


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Slices of up to `size`."""
    return (items[first : first + size] for first in range(0, len(items), size))


def by_kind(keys: Sequence[AssetKey]) -> dict[tuple[str, str], list[AssetKey]]:
    """Keys by resource and delivery type: one restore call takes only one of each."""
    kinds: dict[tuple[str, str], list[AssetKey]] = {}
    for key in keys:
        kinds.setdefault((key.resource_type, key.delivery), []).append(key)
    return kinds


# What one process has seen of the media, shared by a run's steps, never written down: names are personal data.


@dataclass
class MediaCache:
    """Empty in a new process: a resumed run looks again."""

    target: Media | None = None
    """The cloud of this run, once it is open."""
    copies: Mapping[AssetKey, KnownAsset] | None = None
    """The inventory of the kit or folder, once it is read; empty when there is none."""
    survey: MediaSurvey | None = None
    details: dict[AssetKey, AssetDetails] = field(default_factory=dict)
    digests: dict[tuple[AssetKey, int], str] = field(default_factory=dict)
    """MD5 of fetched bytes, by key and version."""
    sizes: dict[AssetKey, int] = field(default_factory=dict)
    """Number of fetched bytes, by key."""
    refused: set[AssetKey] = field(default_factory=set)
    """Files that the service's backup did not restore when asked."""
    window: Window | None = None
    """The time of the damage, if the operator gave it."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def states(self) -> dict[AssetKey, FileState]:
        """The present state of every file that rows refer to."""
        return {} if self.survey is None else self.survey.states(self.copies or {}, self.digests, self.window)

    def misopened(self) -> dict[AssetKey, Access]:
        """Files whose access differs from the copy, with the access that they should have."""
        return {} if self.survey is None else self.survey.misopened(self.copies or {})

    def repairs(self, *, own_backup: bool) -> Repairs:
        """The repairs, by the present states."""
        return _plan(
            self.states(),
            self.copies or {},
            self.details,
            own_backup=own_backup,
            sizes={key: one.bytes for key, one in self.survey.wanted.items()} if self.survey else {},
            refused=frozenset(self.refused),
            window=self.window,
        )

    def forget(self) -> None:
        """Forget what was seen of the cloud, after an answer was lost."""
        self.survey = None
        self.details.clear()


# How many calls and how long, announced before anything starts.


CALL_SECONDS, BATCH_SECONDS, FILE_SECONDS = 0.5, 5.0, 0.6
BYTES_A_SECOND = 2_000_000.0
"""An assumption without a measurement: an ordinary office line and an ordinary hour."""


class Effort(Fact):
    """The remaining work: Admin API calls, files and bytes to upload, and seconds in all."""

    calls: int
    uploads: int
    upload_bytes: int
    wait_seconds: float
    """Of `seconds`, the wait for the hourly allowance."""
    seconds: float


def _pages(listed: Sequence[int]) -> int:
    """Calls of a whole listing; a type without files costs one too."""
    return sum(max(1, math.ceil(number / PAGE)) for number in listed)


def _waiting(calls: int, quota: Quota | None, now: datetime) -> float:
    """Seconds until so many calls are allowed: to the end of this hour, then an hour for each allowance."""
    if quota is None or calls <= quota.remaining:
        return 0.0
    hours = math.ceil((calls - quota.remaining) / max(1, quota.limit)) - 1
    return max(0.0, (quota.resets_at - now).total_seconds()) + hours * HOUR


def _batches(keys: Sequence[AssetKey]) -> int:
    return sum(math.ceil(len(alike) / RESTORE_BATCH) for alike in by_kind(keys).values())


# Management commands that would make a loss of media worse, with the reason.


FORBIDDEN: Mapping[str, str] = {
    "restore_campaign_images": (
        "It does the opposite of its name: it clears every image reference whose file cannot be reached just then. "
        "Run while media are missing, it erases the references that say what must be restored."
    ),
    "deleteorphanedmedia": (
        "It deletes every file that no row refers to: after the restore of an older dump those are all files newer "
        "than the dump. Not before database and media are reconciled."
    ),
    "deleteredundantstatic": (
        "It deletes files of the media service by this machine's static files. Nothing is deleted during a recovery."
    ),
    "migrate_to_cloudinary": (
        "It reads local files, which a dyno lacks, deletes each one that it uploaded, assigns other public ids and "
        "leaves the rows as they are, so that every link stays broken. Use: uscdr recover media --from DIR"
    ),
}
ORPHANS_STAY = "Files without a reference are never deleted: they may belong to rows that are not restored yet."


def refusal(command: str) -> str | None:
    """Why a one-off command must not be run now, or None."""
    words = set(re.findall(r"[a-z_]+", command.lower()))
    return next((f"`{name}` is refused. {why}" for name, why in FORBIDDEN.items() if name in words), None)
