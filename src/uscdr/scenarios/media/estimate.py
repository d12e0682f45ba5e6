"""How many calls and how long, said before anything starts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from uscdr.models.base import Fact
from uscdr.models.media import AssetKey, KnownAsset, Quota
from uscdr.providers.ports.media import PAGE, RESTORE_BATCH
from uscdr.scenarios.media.repair import Repairs, by_kind
from uscdr.words import HOUR

WORKERS = 4
CALL_SECONDS, BATCH_SECONDS, FILE_SECONDS = 0.5, 5.0, 0.6
BYTES_A_SECOND = 2_000_000.0
"""Assumed where nothing was measured: an ordinary office line, and the service at an ordinary hour."""


class Effort(Fact):
    """What is still to be done: Admin API calls, files and bytes to upload, and seconds in all."""

    calls: int
    uploads: int
    upload_bytes: int
    wait_seconds: float
    """Of it, waiting for the hourly allowance."""
    seconds: float


def effort(
    repairs: Repairs,
    copies: Mapping[AssetKey, KnownAsset],
    *,
    listed: Sequence[int],
    searched: Sequence[int],
    quota: Quota | None,
    now: datetime,
) -> Effort:
    """`listed`, files by resource and delivery type, and `searched`, by resource type, have to be shown once more."""
    batches = _batches(repairs.restore) + _batches(tuple(repairs.versions))
    looks = pages(listed) + pages(searched)
    calls = batches + looks
    size = sum(copies[key].bytes for key in repairs.upload)
    wait = waiting(calls, quota, now)
    transfer = max(len(repairs.upload) * FILE_SECONDS / WORKERS, size / BYTES_A_SECOND)
    seconds = looks * CALL_SECONDS + math.ceil(batches / WORKERS) * BATCH_SECONDS + transfer + wait
    return Effort(
        calls=calls, uploads=len(repairs.upload), upload_bytes=size, wait_seconds=wait, seconds=round(seconds, 1)
    )


def pages(listed: Sequence[int]) -> int:
    """Calls of a whole listing; a type without a file costs one too."""
    return sum(max(1, math.ceil(number / PAGE)) for number in listed)


def waiting(calls: int, quota: Quota | None, now: datetime) -> float:
    """Seconds of waiting until so many calls were allowed: to the end of this hour, then an hour for each allowance."""
    if quota is None or calls <= quota.remaining:
        return 0.0
    hours = math.ceil((calls - quota.remaining) / max(1, quota.limit)) - 1
    return max(0.0, (quota.resets_at - now).total_seconds()) + hours * HOUR


def _batches(keys: Sequence[AssetKey]) -> int:
    return sum(math.ceil(len(alike) / RESTORE_BATCH) for alike in by_kind(keys).values())
