"""Whether the media service has the files of the database: checks a sample that changes every day.

Shows only numbers: file names may contain patients' names.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeVar

from pydantic import Field
from typing_extensions import override

from uscdr.checks.check import CheckSpec, Provider
from uscdr.checks.verdict import Finding, Measures
from uscdr.errors import CredentialsRefused, NotFound
from uscdr.models.base import Duration
from uscdr.providers.ports.media import LOOKUP_BATCH, Media
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from uscdr.checks.context import CheckContext, Expected
    from uscdr.models.media import Asset, AssetDetails, AssetKey, FileReferences, Kind, Quota
    from uscdr.threads import Ahead

LOOKS = 6
"""Calls for the sample, all at once, out of an hourly rate limit; a downloaded file needs one more for its digest."""
MOST_MISSING = 10
"""Missing files that are searched by less likely names: at most nine more calls."""
KEPT_PART = 10
"""A check leaves one in this many calls of the rate limit to a recovery and the application."""
LARGEST = 10 * 1024 * 1024
"""The largest file in bytes that is downloaded."""
NEWEST_PART = 4
"""One in this many of the sample is a newest file."""
CLOCKS = 5
"""The largest difference in seconds between the service's two clocks."""
MD5 = re.compile(r"[0-9a-f]{32}")
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class MediaCheck(CheckSpec):
    """The cloud, the application's credentials for it, and a sample of the files."""

    kind: Literal["media"]
    sample: Annotated[int, Field(ge=1)] = 40
    """The number of files to look up."""
    bytes: Annotated[int, Field(ge=0)] = 3
    """The number of these files to download and compare."""
    timeout: Duration = 60.0

    provider: ClassVar[Provider] = "media"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        from uscdr.threads import Ahead

        if context.media is None:
            return Finding("not checked", "the target has no media service")
        wrong = _wrong_config(context)
        if wrong:
            return Finding("fail", wrong)
        columns = context.expected.references
        # The longest part. Its answer counts only if the service accepts the credentials.
        referred = Ahead(lambda: context.database().file_references(columns)) if columns else None
        media = context.media()
        try:
            media.ping()
        except CredentialsRefused:
            return Finding("fail", "the media service refused the application's credentials")
        scarce = _scarce(media.quota, self)
        return Finding.beyond_limit(scarce) if scarce else _sampled(name, self, context, media, referred)


@dataclass(frozen=True)
class _File:
    """The possible names of one file, the most likely first; the time of its newest row, and the row's size.

    0 bytes: the row has no size.
    """

    names: tuple[AssetKey, ...]
    others: tuple[AssetKey, ...] = ()
    """Further possible names if the file has none of these."""
    written: datetime = LONG_AGO
    bytes: int = 0

    @property
    def place(self) -> str:
        """A sort key that does not depend on time."""
        return sha256(str(self.names[0]).encode()).hexdigest()


def _sampled(
    name: str, spec: MediaCheck, context: CheckContext, media: Media, referred: Ahead[FileReferences] | None
) -> Finding:
    if referred is None:
        return Finding("inconclusive", "the service answers; no column with file names is configured")
    found = referred.result()
    files, unread = _files_of(found, context.expected)
    if not files:
        return _no_file(found, context.before(name)).as_far_as_read(found.unreadable, "read")
    sample = _affordable(_turn(files, spec.sample, context.now()))
    counts = _Counts(len(files), len(sample), len(found.absent), unread + len(found.unread))
    return _looked_at(media, sample, spec, counts, context.work).as_far_as_read(found.unreadable, "read")


def _scarce(quota: Quota | None, spec: MediaCheck) -> str:
    """Why the check leaves the rest of the rate limit to a recovery and the application; empty if it need not."""
    most = LOOKS + MOST_MISSING + 2 * spec.bytes  # what was foreseen, and what is there instead
    if quota is None or quota.remaining - most >= quota.limit // KEPT_PART:
        return ""
    left = f"{quota.remaining:,} of {quota.limit:,} calls of the media service's rate limit are left"
    return f"{left} until {moment(quota.resets_at)}; the check needs up to {most:,}, and keeps the rest for a recovery"


@dataclass(frozen=True)
class _Counts:
    files: int
    sampled: int
    absent: int
    unread: int = 0

    @property
    def words(self) -> str:
        """The numbers of checked and unchecked files."""
        return self.looked_up + self.left

    @property
    def looked_up(self) -> str:
        """The number of checked files."""
        return f"{self.sampled:,} of {self.files:,} files looked up"

    @property
    def left(self) -> str:
        """The unchecked files, as the end of a sentence."""
        missing = f"; {self.absent:,} configured columns do not exist in the database" if self.absent else ""
        unread = f"; {self.unread:,} stored file names have an unknown format" if self.unread else ""
        return missing + unread


def _looked_at(media: Media, sample: Sequence[_File], spec: MediaCheck, counts: _Counts, work: Path | None) -> Finding:
    told = _foreseen(media, sample, spec.bytes)
    held = _held(media, sample)
    there = [(one, asset) for one in sample if (asset := _present(one, held)) is not None]
    missing = len(sample) - len(there)
    resized = sum(one.bytes not in (0, asset.bytes) for one, asset in there)
    words = (
        (missing, "missing"),
        (resized, "not of the size in their rows"),
        (sum(_lies_open(one, held) for one in sample), "restricted, but public under the same name"),
    )
    problems = [f"{number:,} of {len(sample):,} sampled files are {what}" for number, what in words if number]
    if problems:
        return Finding("fail", "; ".join((*problems, counts.words)))
    return _downloaded(_Details(media, told), [asset for _, asset in there], spec, counts, work)


def _downloaded(
    service: _Details, there: Sequence[Asset], spec: MediaCheck, counts: _Counts, work: Path | None
) -> Finding:
    chosen = _chosen([asset for asset in there if asset.bytes <= LARGEST], spec.bytes)
    compared, wrong, withheld = _compare(service, chosen, work)
    if wrong:
        return Finding(
            "fail", f"{wrong:,} of {compared:,} downloaded files differ from the service's list; {counts.words}"
        )
    if withheld:
        why = "are unrestricted, but the service refuses them to users"
        return Finding("fail", f"{withheld:,} of {compared:,} downloaded files {why}; {counts.words}")
    replaced = sum(map(_replaced, there))
    told = f"; {replaced:,} were replaced after they were stored" if replaced else ""
    words = f"{counts.looked_up}, all there; {compared:,} downloaded and equal{told}{counts.left}"
    return Finding("pass", words, {"files": counts.files})


def _chosen(small: Sequence[T], number: int) -> list[T]:
    """The files to download: the newest, with which a sample begins, and the last ones, which change daily."""
    return [*small[:1], *small[len(small) - max(0, min(number, len(small)) - 1) :]] if number else []


@dataclass(frozen=True)
class _Details:
    """The service, and the answers about the files that are likely to be downloaded, asked for ahead."""

    media: Media
    foreseen: Mapping[AssetKey, Ahead[AssetDetails]]

    def of(self, key: AssetKey) -> Asset:
        """The asset with its digest and access rights. Raises NotFound."""
        ahead = self.foreseen.get(key)
        return (ahead.result() if ahead is not None else self.media.details(key)).asset


def _foreseen(media: Media, sample: Sequence[_File], number: int) -> dict[AssetKey, Ahead[AssetDetails]]:
    """Begun while the sample is looked up: if every file is there with its likeliest name, these are downloaded."""
    from uscdr.threads import Ahead

    keys = [one.names[0] for one in _chosen([one for one in sample if one.bytes <= LARGEST], number)]
    return {key: Ahead(partial(media.details, key)) for key in keys}


def _replaced(asset: Asset) -> bool:
    """Whether the file was replaced: a version is the second of its upload; both clocks are the service's."""
    return asset.created_at is not None and asset.version > asset.created_at.timestamp() + CLOCKS


def _wrong_config(context: CheckContext) -> str:
    from uscdr.models.media import CLOUD, KEY, SECRET

    missing = [one for one in (CLOUD, KEY, SECRET) if not context.facts.variable(one)]
    if missing:
        return f"not set: {', '.join(missing)}"
    if context.facts.variable(CLOUD) != context.expected.cloud:
        return f"{CLOUD} names another cloud than the target, {context.expected.cloud}"
    return ""


def _no_file(found: FileReferences, before: Measures) -> Finding:
    elsewhere = f"; {len(found.found):,} rows name files outside of the cloud" if found.found else ""
    then = before.get("files")
    if isinstance(then, int) and then:
        return Finding("fail", f"no row refers to a file of the cloud, the baseline has {then:,}{elsewhere}")
    return Finding("inconclusive", f"the service answers; no row refers to a file of the cloud{elsewhere}")


def _files_of(found: FileReferences, expected: Expected) -> tuple[list[_File], int]:
    """Each file of the cloud that rows name, once, newest first; and the number of names in an unknown format."""
    from uscdr.models.media import NameReading

    kinds: dict[str, Kind] = {one.column: one.resource_type for one in expected.references}
    files: dict[tuple[AssetKey, ...], _File] = {}
    unread = 0
    for row in found.found:
        kind = kinds.get(row.source, "by_extension")
        meant = NameReading.of(row.value, kind, prefix=expected.media_prefix, clouds=frozenset({expected.cloud}))
        unread += meant.where == "not understood"
        if meant.where != "here":
            continue
        names = meant.names
        here = _File(names, meant.others, _aware(row.created_at), row.bytes or 0)
        before = files.get(names, _File(names))
        files[names] = here if here.written >= before.written else before
    return sorted(files.values(), key=lambda one: (one.written, one.place), reverse=True), unread


def _aware(moment: datetime | None) -> datetime:
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else LONG_AGO


def _turn(files: Sequence[_File], number: int, now: datetime) -> list[_File]:
    """The newest files, and other files up to the number; these change daily until all were checked."""
    newest = list(files[: max(1, number // NEWEST_PART)])
    others = sorted(files[len(newest) :], key=lambda one: one.place)
    size = min(number - len(newest), len(others))
    first = now.toordinal() * size % len(others) if others else 0
    return newest + [others[(first + step) % len(others)] for step in range(size)]


def _affordable(files: Sequence[_File]) -> list[_File]:
    """The first files that can be looked up with LOOKS calls."""
    kept: list[_File] = []
    numbers: Counter[tuple[str, str]] = Counter()
    for one in files:
        more = numbers + Counter((key.resource_type, key.delivery) for key in (*one.names, *_twins(one)))
        if sum(-(-number // LOOKUP_BATCH) for number in more.values()) <= LOOKS:
            kept.append(one)
            numbers = more
    return kept


def _held(media: Media, files: Sequence[_File]) -> Mapping[AssetKey, Asset]:
    """The existing files; missing ones are also searched by their other names, a few at a time."""
    held = _look_up(media, dict.fromkeys(key for one in files for key in (*one.names, *_twins(one))))
    missing = [one for one in files if _present(one, held) is None]
    return held | _look_up(media, dict.fromkeys(key for one in missing[:MOST_MISSING] for key in one.others))


def _twins(one: _File) -> tuple[AssetKey, ...]:
    """The public assets under the names of a file that must be restricted."""
    return tuple(key.model_copy(update={"delivery": "upload"}) for key in one.names if key.delivery != "upload")


def _lies_open(one: _File, held: Mapping[AssetKey, Asset]) -> bool:
    return any(key in held and held[key].present for key in _twins(one))


def _look_up(media: Media, keys: Mapping[AssetKey, None]) -> dict[AssetKey, Asset]:
    from uscdr.threads import side_by_side

    held: dict[AssetKey, Asset] = {}
    for found in side_by_side([partial(media.look_up, batch) for batch in _batches(keys)], workers=LOOKS):
        held |= found
    return held


def _batches(keys: Mapping[AssetKey, None]) -> Iterator[list[AssetKey]]:
    """Up to LOOKUP_BATCH keys of one kind per call."""
    kinds: dict[tuple[str, str], list[AssetKey]] = {}
    for key in keys:
        kinds.setdefault((key.resource_type, key.delivery), []).append(key)
    for alike in kinds.values():
        for first in range(0, len(alike), LOOKUP_BATCH):
            yield alike[first : first + LOOKUP_BATCH]


def _present(one: _File, held: Mapping[AssetKey, Asset]) -> Asset | None:
    return next((held[key] for key in (*one.names, *one.others) if key in held and held[key].present), None)


def _compare(service: _Details, assets: Sequence[Asset], work: Path | None) -> tuple[int, int, int]:
    """The numbers of downloaded files, of files that differ from the service's list, and of files refused to users."""
    from uscdr.threads import side_by_side

    with tempfile.TemporaryDirectory(prefix="uscdr-", dir=work) as place:  # 0700
        looks = [partial(_judged, service, asset, Path(place) / str(number)) for number, asset in enumerate(assets)]
        found = side_by_side(looks, workers=LOOKS)
    return len(found), sum(not same for same, _ in found), sum(withheld for _, withheld in found)


def _judged(service: _Details, asset: Asset, destination: Path) -> tuple[bool, bool]:
    """Whether the file is as the service lists it, and whether it is and the service refuses it to users."""
    from uscdr.threads import Ahead

    told = _told(service, asset)
    if told is None:
        return False, False
    withheld = Ahead(partial(_withheld, service.media, told))  # counts only of a file that is as listed
    same = _same(service.media, told, destination)
    return same, same and withheld.result()


def _told(service: _Details, asset: Asset) -> Asset | None:
    """The asset with its digest and access rights, which a listing lacks."""
    try:
        return asset if asset.etag and asset.access else service.of(asset.key)
    except NotFound:
        return None


def _withheld(media: Media, told: Asset) -> bool:
    """Whether the service refuses the file's URL to a user; a download may be signed, a user's request is not."""
    if told.restricted or told.access is None:
        return False
    return media.delivered(media.delivery_url(told.key, format=told.format)) == "withheld"


def _same(media: Media, told: Asset, destination: Path) -> bool:
    try:
        got = media.download(told, destination)
    except NotFound:
        return False
    finally:
        destination.unlink(missing_ok=True)
    # A file uploaded in parts may have another kind of digest; its size still counts.
    return got.size == told.bytes and (got.md5 == told.etag or not MD5.fullmatch(told.etag))
