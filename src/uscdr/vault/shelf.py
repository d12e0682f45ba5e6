"""Media originals, shared between kits: a later kit fetches only what is new.

A name is `media/<which asset>.<SHA-256 of the ciphertext>.age`, so that it can be found without a key and checked
without one; its note (digests of the original, encrypted) is `media/<the same>.<SHA-256 of the note>.note.age`.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from uscdr.models.media import Asset
from uscdr.vault.content import MediaNote, Shelved
from uscdr.vault.manifest import MEDIA
from uscdr.vault.store import digest_of
from uscdr.vault.writer import KitWriter

_NOTE = re.compile(
    rf"{MEDIA}/(?P<which>(?P<asset>[0-9a-f]{{64}})\.(?P<sha256>[0-9a-f]{{64}}))\.(?P<note>[0-9a-f]{{64}})\.note\.age"
)


@dataclass
class Shelf:
    """The media in a store that were encrypted to the same recipients."""

    writer: KitWriter
    cloud: str
    _notes: dict[str, list[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._notes = {}
        for name in self.writer.store.names(MEDIA):
            if match := _NOTE.fullmatch(name):
                self._notes.setdefault(match["asset"], []).append(name)

    def find(self, asset: Asset) -> Shelved | None:
        """The intact original of exactly this version, None when it must be fetched."""
        for name in self._notes.get(self._which(asset), ()) if asset.version and asset.bytes else ():
            if (found := self._intact(name)) is not None:
                return found
        return None

    def add(self, asset: Asset, file: Path, note: MediaNote) -> Shelved:
        """Encrypt and keep an original, then its note: without the note it does not count."""
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
        """Which version of which asset, for which recipients; says nothing to who does not know all of that."""
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
