"""Every media original: list it, download it unless the store has the same version, encrypt and store it."""

from __future__ import annotations

import hashlib
import io
import re
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from uscdr.errors import ProviderError
from uscdr.kit.collect.sources import Gaps, Gathering, present
from uscdr.kit.content import MediaEntry, MediaInventory, MediaNote, Shelved
from uscdr.kit.manifest import MEDIA, KitPart
from uscdr.models.media import RESOURCE_TYPES, Access, Asset, AssetKey
from uscdr.store.store import digest_of
from uscdr.threads import MOST, run_all
from uscdr.words import plural, size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uscdr.kit.writer import KitWriter
    from uscdr.providers.ports.media import Media

# Media originals, shared between kits: a later kit downloads only new files.


_NOTE = re.compile(
    rf"{MEDIA}/(?P<which>(?P<asset>[0-9a-f]{{64}})\.(?P<sha256>[0-9a-f]{{64}}))\.(?P<note>[0-9a-f]{{64}})\.note\.age"
)


@dataclass
class _KitMedia:
    """The media in a store that are encrypted to the same recipients."""

    writer: KitWriter
    cloud: str
    _notes: dict[str, list[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._notes = {}
        for name in self.writer.store.names(MEDIA):
            if match := _NOTE.fullmatch(name):
                self._notes.setdefault(match["asset"], []).append(name)

    def find(self, asset: Asset) -> Shelved | None:
        """The intact original of exactly this version, None if it must be downloaded."""
        for name in self._notes.get(self._which(asset), ()) if asset.version and asset.bytes else ():
            if (found := self._intact(name)) is not None:
                return found
        return None

    def add(self, asset: Asset, file: Path, note: MediaNote) -> Shelved:
        """Encrypt and store an original, then its note, which makes it valid."""
        with file.open("rb") as source:
            staged, sealed = self.writer.stage(source, "a media file")
        which = f"{self._which(asset)}.{sealed.sha256}"
        self.writer.store.create(f"{MEDIA}/{which}.age", staged)
        staged, noted = self.writer.stage(io.BytesIO(note.model_dump_json().encode()), "a media file's note")
        name = f"{MEDIA}/{which}.{noted.sha256}.note.age"
        self.writer.store.create(name, staged)
        return Shelved(
            path=f"{MEDIA}/{which}.age", sha256=sealed.sha256, size=sealed.size,
            note_path=name, note_sha256=noted.sha256, note_size=noted.size,
        )  # fmt: skip

    def _which(self, asset: Asset) -> str:
        """A digest of asset, version and recipients, which reveals none of them."""
        facts = (self.cloud, str(asset.key), str(asset.version), str(asset.bytes))
        readers = sorted(recipient.fingerprint for recipient in self.writer.to)
        return hashlib.sha256("\0".join((*facts, *readers)).encode()).hexdigest()

    def _intact(self, note: str) -> Shelved | None:
        match, store = _NOTE.fullmatch(note), self.writer.store
        path = f"{MEDIA}/{match['which']}.age" if match else ""
        if match is None or store.size(path) is None:
            return None
        sha256, size = digest_of(store, path)
        noted, note_size = digest_of(store, note)
        if (sha256, noted) != (match["sha256"], match["note"]):
            return None
        return Shelved(path=path, sha256=sha256, size=size, note_path=note, note_sha256=noted, note_size=note_size)


MOST_FAILURES = 20
"""Consecutive failed downloads after which the service counts as down."""
GAPS_SHOWN = 5
MOST_ASKED = 100
"""The most calls for facts that the listing lacks, out of an hourly rate limit."""


@dataclass
class _Count:
    """Progress over all workers."""

    total: int
    done: int = 0
    in_a_row: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, failed: bool) -> int:
        """Count one file; returns the number of processed files."""
        with self.turn:
            self.done += 1
            self.in_a_row = self.in_a_row + 1 if failed else 0
            return self.done


@dataclass(frozen=True)
class _Outcome:
    entry: MediaEntry
    fetched: bool = False
    failure: str = ""


def collect_media(gathering: Gathering) -> tuple[KitPart, tuple[MediaEntry, ...]]:
    """Raises ProviderError if the cloud cannot be listed, Unavailable if none is configured."""
    media = present(gathering.sources.media)
    listed = [asset for kind in RESOURCE_TYPES for page in media.list_assets(kind) for asset in page]
    gathering.check()
    listed = _with_access(gathering, media, listed)
    shelf, count = _KitMedia(gathering.writer, media.cloud), _Count(sum(asset.present for asset in listed))
    gathering.tell.say(plural(count.total, "media file"))
    tasks = [_task(gathering, shelf, count, asset) for asset in listed]
    outcomes = run_all(tasks, workers=MOST, stop=gathering.stop)
    entries = tuple(outcome.entry for outcome in outcomes)
    inventory = MediaInventory(cloud=media.cloud, entries=entries)
    gathering.writer.add_bytes("media", "media.json", inventory.model_dump_json().encode())
    return _part(outcomes), entries


def _with_access(gathering: Gathering, media: Media, listed: list[Asset]) -> list[Asset]:
    """The assets with their access rights, which a listing may lack: one call each, at most MOST_ASKED calls."""
    untold = [asset for asset in listed if asset.present and asset.access is None][:MOST_ASKED]
    told: dict[AssetKey, Access] = {}
    for asset in untold:
        gathering.check()
        try:
            found = media.details(asset.key).asset.access
        except ProviderError:
            break
        if found is not None:
            told[asset.key] = found
    return [one.model_copy(update={"access": told[one.key]}) if one.key in told else one for one in listed]


def _part(outcomes: list[_Outcome]) -> KitPart:
    gaps, stored = Gaps(), [outcome.entry for outcome in outcomes if outcome.entry.stored is not None]
    failures = [outcome for outcome in outcomes if outcome.failure]
    for outcome in failures[:GAPS_SHOWN]:
        gaps.note(_nameless(outcome.entry.asset), outcome.failure)
    if len(failures) > GAPS_SHOWN:
        gaps.note(f"{len(failures) - GAPS_SHOWN:,} more media files", "Their downloads also failed.")
    untold = [outcome.entry.asset for outcome in outcomes if _is_untold(outcome.entry.asset)]
    if untold:
        some = ", ".join(_nameless(asset) for asset in untold[:GAPS_SHOWN])
        others = " and others" if len(untold) > GAPS_SHOWN else ""
        gaps.note(
            f"access rights of {plural(len(untold), 'media file')} ({some}{others})",
            "The service did not report them. Files restored from this kit would be public.",
        )
    restricted = sum(entry.asset.restricted for entry in stored)
    deleted = sum(not outcome.entry.asset.present for outcome in outcomes)
    lost = f", {deleted} deleted ones without a file" if deleted else ""  # only the service's own backup has them
    fetched, stored_bytes = sum(outcome.fetched for outcome in outcomes), sum(entry.asset.bytes for entry in stored)
    kept = f", {restricted} restricted" if restricted else ""
    summary = f"{plural(len(stored), 'file')}, {size(stored_bytes)} ({fetched:,} downloaded now){kept}{lost}"
    return gaps.part("media", summary).model_copy(update={"taken_at": datetime.now(UTC)})


def _is_untold(asset: Asset) -> bool:
    """A file whose delivery type is not `upload` is restricted in any case."""
    return asset.present and asset.key.delivery == "upload" and asset.access is None


def _nameless(asset: Asset) -> str:
    """A digest of the file's name, which may be a person's; gaps are shown on screens."""
    digest = hashlib.sha256(asset.key.public_id.encode()).hexdigest()[:12]
    return f"{asset.key.resource_type} file {digest}"


def _task(gathering: Gathering, shelf: _KitMedia, count: _Count, asset: Asset) -> Callable[[], _Outcome]:
    def work() -> _Outcome:
        if not asset.present:
            return _Outcome(MediaEntry(asset=asset))
        gathering.check()
        outcome = _one(gathering, shelf, count, asset)
        done = count.add(failed=bool(outcome.failure))
        gathering.tell.progress("media", done, count.total, "files")
        return outcome

    return work


def _one(gathering: Gathering, shelf: _KitMedia, count: _Count, asset: Asset) -> _Outcome:
    kept = shelf.find(asset)
    if kept is not None:
        return _Outcome(MediaEntry(asset=asset, stored=kept))
    if count.in_a_row >= MOST_FAILURES:
        return _Outcome(
            MediaEntry(asset=asset), failure="uscdr did not try it: too many downloads in a row had failed."
        )
    try:
        stored, note = _fetch(gathering, shelf, present(gathering.sources.media), asset)
    except ProviderError as error:
        return _Outcome(MediaEntry(asset=asset), failure=error.reason)
    return _Outcome(MediaEntry(asset=asset, stored=stored, note=note), fetched=True)


def _fetch(gathering: Gathering, shelf: _KitMedia, media: Media, asset: Asset) -> tuple[Shelved, MediaNote]:
    plain = gathering.work / secrets.token_hex(16)
    try:
        got = media.download(asset, plain)
        if asset.bytes and got.size != asset.bytes:
            raise ProviderError(
                f"The download has {got.size:,} bytes, the service lists {asset.bytes:,}.",
                provider="media",
                why="The file may have changed during the download.",
            )
        if asset.etag and got.md5 != asset.etag:
            raise ProviderError("The MD5 of the download differs from the service's list.", provider="media")
        note = MediaNote(bytes=got.size, md5=got.md5, sha256=got.sha256)
        return shelf.add(asset, plain, note), note
    finally:
        plain.unlink(missing_ok=True)
