"""Is a file there, and is it the one that is known?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from uscdr.models.media import DELIVERIES, Access, AssetKey, KnownAsset
from uscdr.scenarios.media.survey import Held, Survey

CLOCK = 5
"""Seconds between a file's creation and the number of its first version, which the service counts apart."""


class State(StrEnum):
    """What became of one file that rows refer to."""

    PRESENT = "present"
    DELETED = "deleted"
    """Gone, and the service says that its backup is kept."""
    MISSING = "missing"
    CHANGED = "changed"
    """Not what the copy's inventory knows, or not of the size that its row tells."""
    UNPROVEN = "unproven"
    """Of the known size in another version: only its bytes can tell."""


@dataclass(frozen=True)
class Window:
    """When the damage was done, in seconds since 1970: files replaced from `since` on, before `until`."""

    since: int
    until: int

    def has(self, held: Held) -> bool:
        """Whether this file was there before it and replaced within it."""
        return not held.placeholder and 0 < held.created < self.since <= held.version < self.until


def judge(
    held: Held | None, known: KnownAsset | None, digest: str = "", *, size: int = 0, window: Window | None = None
) -> State:
    """The state by listing and inventory; `digest` is the MD5 of its bytes where somebody looked.

    Where no inventory knows the file, the `size` that its row tells is all there is (0: not even that), and the
    `window` of the damage, when the operator named one.
    """
    if held is None or held.placeholder:
        return State.MISSING if held is None else State.DELETED
    if known is None:
        changed = bool(size and held.bytes != size) or (window is not None and window.has(held))
        return State.CHANGED if changed else State.PRESENT
    if held.bytes != known.bytes:
        return State.CHANGED
    seen = held.etag or digest
    if seen and known.md5:
        return State.PRESENT if seen == known.md5 else State.CHANGED
    if known.version and held.version == known.version:
        return State.PRESENT
    return State.UNPROVEN


def states(
    survey: Survey,
    known: Mapping[AssetKey, KnownAsset],
    digests: Mapping[tuple[AssetKey, int], str],
    window: Window | None = None,
) -> dict[AssetKey, State]:
    """The state of every file that rows refer to. `digests` is by key and version."""
    return {
        key: judge(
            held,
            known.get(key),
            digests.get((key, held.version if held else 0), ""),
            size=wanted.bytes,
            window=window,
        )
        for key, wanted in survey.wanted.items()
        for held in (survey.held.get(key),)
    }


def misopened(survey: Survey, known: Mapping[AssetKey, KnownAsset]) -> dict[AssetKey, Access]:
    """Files that are there and that others may have than the copy's inventory knows: who should."""
    return {
        key: wanted.access
        for key, wanted in known.items()
        if key in survey.wanted
        and wanted.access is not None
        and (held := survey.held.get(key)) is not None
        and not held.placeholder
        and held.access is not None
        and held.access != wanted.access
    }


def laid_open(survey: Survey, known: Mapping[AssetKey, KnownAsset]) -> list[AssetKey]:
    """Files that rows or the inventory want restricted, of which anybody can have one of the same name.

    One that the inventory knows open, too, was so before.
    """
    return [key for key in survey.wanted if _lies_open(key, survey, known)]


def _lies_open(key: AssetKey, survey: Survey, known: Mapping[AssetKey, KnownAsset]) -> bool:
    twin = key.model_copy(update={"delivery": "upload"})
    held, copied = survey.held.get(twin), known.get(twin)
    if held is None or held.placeholder or (copied is not None and copied.access is not None):
        return False
    return key.delivery != "upload" or any(
        (one := known.get(key.model_copy(update={"delivery": delivery}))) is not None and one.access is not None
        for delivery in DELIVERIES
        if delivery != "upload"
    )


def replaced_since_stored(
    survey: Survey,
    known: Mapping[AssetKey, KnownAsset],
    judged: Mapping[AssetKey, State],
    ours: Sequence[tuple[float, float]] = (),
) -> int:
    """How many files were replaced after they were stored, and nothing tells whether rightly.

    What a recovery put back itself, in one of the intervals `ours`, was judged then.
    """
    return sum(
        1
        for key in survey.wanted
        if key not in known
        and judged.get(key) is State.PRESENT
        and (held := survey.held.get(key)) is not None
        and _replaced(held)
        and not any(int(begun) <= held.version <= ended + CLOCK for begun, ended in ours)
    )


def _replaced(held: Held) -> bool:
    # A version is the second of the upload; the two clocks are the service's own.
    return not held.placeholder and held.created > 0 and held.version > held.created + CLOCK
