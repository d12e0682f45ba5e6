"""Read a kit: returns no data before its checksums are verified."""

from __future__ import annotations

import io
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from uscdr.errors import BadInput, CheckFailed, MachineError
from uscdr.kit.content import (
    AppFacts,
    ConfigVars,
    DnsFacts,
    DumpFacts,
    MediaEntry,
    MediaInventory,
    MediaNote,
    Shelved,
    SourceFacts,
    size_of,
)
from uscdr.kit.manifest import CARD, KITS, MANIFEST, Card, Manifest, StoredObject, card_hint, foreign, parsed
from uscdr.models.media import AssetKey, KnownAsset
from uscdr.store.directory import new_private_file
from uscdr.store.encryption import Identity, Sealed, Watch, WrongIdentity, unseal
from uscdr.store.store import ObjectLost, Store, digest_of
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

M = TypeVar("M", bound=BaseModel)
_SAID: Mapping[str, str] = {
    "format": "the format", "uscdr": "the version of uscdr", "recipients": "the recipients",
    "complete": "its completeness", "parts": "its parts", "dump": "the proof of the dump",
    "rpo": "the objective", "public_keys": "the public keys", "objects": "the number of objects",
    "bytes": "their size",
}  # fmt: skip
"""Fields that card and manifest share, in words."""


@dataclass(frozen=True)
class _SealedName:
    """The object to decrypt and its expected digests: None if unknown."""

    path: str
    sha256: str | None
    plain_sha256: str | None = None


class KitReader:
    """One kit, opened with an identity. `work` is a private directory for decrypted files.

    Only the encrypted manifest says which kit this is and how old it is; it must match the requested kit. The card must
    not belong to another kit. A missing card, or another difference, is one of the `doubts`, and `card` is then the
    card that the manifest describes.

    `watch` receives the number of plain bytes processed; an exception from it stops the reading.

    Raises, from every method: CheckFailed (missing or damaged, naming the object), WrongIdentity, BadInput (a kit of
    another format), MachineError (this machine's disk).
    """

    def __init__(
        self, store: Store, kit: str, keys: Sequence[Identity], work: Path, watch: Watch | None = None
    ) -> None:
        self._store = store
        self._keys = keys
        self._work = work
        self._watch = watch
        self._media: dict[AssetKey, MediaEntry] | None = None
        self.kit = kit
        self._hint, self._lost = card_hint(store, kit)
        self.manifest, self._sealed = self._own_manifest(self._hint)
        if self._hint is not None:
            _require_same_place(self._hint, self.manifest)

    def _own_manifest(self, hint: Card | None) -> tuple[Manifest, str]:
        """The manifest and the SHA-256 of its stored bytes. Raises CheckFailed for the manifest of another kit."""
        name, target = f"{KITS}/{self.kit}/{MANIFEST}", io.BytesIO()
        sealed = self._decrypt(_SealedName(name, hint.manifest_sha256 if hint else None), target)
        manifest = parsed(Manifest, target.getvalue(), name)
        if manifest.kit != self.kit:
            raise foreign(name, f"it is the manifest of {manifest.kit}")
        inside = tuple(one.path for one in manifest.objects)
        if not all(path.startswith(f"{KITS}/{self.kit}/") for path in inside) or _twice(manifest):
            raise ObjectLost.damaged(name, "it lists objects of another kit, or one name twice")
        return manifest, sealed.sha256

    @property
    def card_read(self) -> bool:
        """Whether the kit has a readable card."""
        return self._hint is not None

    @cached_property
    def card(self) -> Card:
        """The card that belongs to the manifest."""
        return self.manifest.as_card(self._size(), self._sealed, self._hint.sums_sha256 if self._hint else "")

    @cached_property
    def doubts(self) -> tuple[ObjectLost, ...]:
        """A missing card, or its differences from the manifest."""
        return _compared(self._hint, self.card) if self._hint else self._lost

    def _size(self) -> tuple[int, int]:
        """The number of objects and their bytes; from the card if the inventory is unreadable."""
        try:
            return size_of(self.manifest.objects, tuple(self._entries().values()))
        except CheckFailed:
            hint = self._hint
            return (hint.objects, hint.bytes) if hint else size_of(self.manifest.objects, ())

    @property
    def name(self) -> str:
        """The kit's name for people."""
        return f"kit {self.kit}"

    def app(self) -> AppFacts | None:
        """The application; None if the kit lacks it (likewise below)."""
        return self._part(AppFacts, "app.json")

    def config(self) -> ConfigVars | None:
        """Every configuration variable."""
        return self._part(ConfigVars, "config.json")

    def dns(self) -> DnsFacts | None:
        """The hostnames' records."""
        return self._part(DnsFacts, "dns.json")

    def dump(self) -> DumpFacts | None:
        """Facts about the dump."""
        return self._part(DumpFacts, "database.json")

    def source(self) -> SourceFacts | None:
        """The deployed commit."""
        return self._part(SourceFacts, "source.json")

    def media(self) -> MediaInventory | None:
        """Every asset, including those without an original."""
        return self._part(MediaInventory, "media.json")

    def find(self, name: str) -> StoredObject | None:
        """An object by its plain name: `database.dump`."""
        return next((one for one in self.manifest.objects if one.name == name), None)

    @contextmanager
    def open_object(self, name: str) -> Iterator[Path]:
        """A decrypted 0600 file, removed afterwards. Raises BadInput if the kit has no such object."""
        found = self.find(name)
        if found is None:
            raise BadInput(f"The kit {self.kit} has no {name}.", next_action="See: uscdr kit check --identity FILE")
        with self._plain_file(_SealedName(found.path, found.sha256, found.plain_sha256)) as path:
            yield path

    def inventory(self) -> Mapping[AssetKey, KnownAsset]:
        """Every asset whose original is in the kit."""
        return {key: self._known(entry) for key, entry in self._entries().items() if entry.stored is not None}

    @contextmanager
    def open(self, key: AssetKey) -> Iterator[Path]:
        """The original of one asset as a decrypted 0600 file, removed afterwards."""
        entry = self._entries().get(key)
        if entry is None or entry.stored is None:
            raise BadInput(f"The kit {self.kit} has no such media file.", next_action="See: uscdr kit check")
        expected = _SealedName(entry.stored.path, entry.stored.sha256, self.note(entry).sha256)
        with self._plain_file(expected) as path:
            yield path

    def note(self, entry: MediaEntry) -> MediaNote:
        """The digests of an original; from the stored note if this kit did not download the file."""
        if entry.note is not None:
            return entry.note
        if entry.stored is None:
            raise BadInput(f"The kit {self.kit} has no original of this media file.")
        data = self._bytes(_SealedName(entry.stored.note_path, entry.stored.note_sha256))
        return parsed(MediaNote, data, entry.stored.note_path)

    def verify(self, one: StoredObject) -> Sealed:
        """Verify one object completely: ciphertext, decryption, plain digest. Keeps nothing."""
        return self._verify(_SealedName(one.path, one.sha256, one.plain_sha256))

    def verify_original(self, entry: MediaEntry, stored: Shelved) -> Sealed:
        """Verify the original of an asset in the same way."""
        return self._verify(_SealedName(stored.path, stored.sha256, self.note(entry).sha256))

    def _verify(self, wanted: _SealedName) -> Sealed:
        with Path(os.devnull).open("wb") as nowhere:
            return self._decrypt(wanted, nowhere)

    @property
    def contents(self) -> dict[str, Any]:
        """Facts beyond the manifest: the `commit` of the code; of the `media` files, the number in the kit and of all.

        Empty if an object with these facts is damaged.
        """
        try:
            source, inventory = self.source(), self.media()
        except CheckFailed:
            return {}
        present = [entry for entry in inventory.entries if entry.asset.present] if inventory else []
        stored = sum(entry.stored is not None for entry in present)
        return {"commit": source.commit if source else None, "media": (stored, len(present)) if inventory else None}

    def _entries(self) -> dict[AssetKey, MediaEntry]:
        if self._media is None:
            inventory = self.media()
            self._media = {entry.asset.key: entry for entry in inventory.entries} if inventory else {}
        return self._media

    def _known(self, entry: MediaEntry) -> KnownAsset:
        note, asset = self.note(entry), entry.asset
        return KnownAsset(
            bytes=note.bytes, digest=note.md5, file=bool(note.sha256), version=asset.version, format=asset.format,
            tags=asset.tags, context=asset.context, asset_folder=asset.asset_folder, display_name=asset.display_name,
            metadata=asset.metadata, access=asset.access,
        )  # fmt: skip

    def _part(self, model: type[M], name: str) -> M | None:
        found = self.find(name)
        if found is None:
            return None
        data = self._bytes(_SealedName(found.path, found.sha256, found.plain_sha256))
        return parsed(model, data, found.path)

    def _bytes(self, wanted: _SealedName) -> bytes:
        target = io.BytesIO()
        self._decrypt(wanted, target)
        return target.getvalue()

    @contextmanager
    def _plain_file(self, wanted: _SealedName) -> Iterator[Path]:
        path = self._work / secrets.token_hex(16)
        try:
            with new_private_file(path) as target:
                self._decrypt(wanted, target)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _decrypt(self, wanted: _SealedName, target: IO[bytes]) -> Sealed:
        """Decrypt in one pass; the output is valid only if this returns: the digests are verified at the end."""
        try:
            with self._store.open(wanted.path) as source:
                done = _naming(wanted.path, lambda: unseal(source, target, self._keys, self._watch))
        except WrongIdentity:
            # a damaged beginning looks like another key
            if wanted.sha256 not in (None, digest_of(self._store, wanted.path)[0]):
                raise ObjectLost.damaged(wanted.path, "its SHA-256 is not the one that the kit names") from None
            raise
        if wanted.sha256 not in (None, done.sha256):
            raise ObjectLost.damaged(wanted.path, "its SHA-256 is not the one that the kit names")
        if wanted.plain_sha256 not in (None, done.plain_sha256):
            raise ObjectLost.damaged(wanted.path, "its plain SHA-256 differs from the kit's list")
        return done


def _twice(manifest: Manifest) -> bool:
    objects, parts = [one.name for one in manifest.objects], [one.name for one in manifest.parts]
    return len(set(objects)) < len(objects) or len(set(parts)) < len(parts)


def _require_same_place(hint: Card, own: Manifest) -> None:
    """Raises ObjectLost if the card names another application: the kit may have been chosen by it."""
    if (hint.app, hint.target, hint.identity) != (own.app, own.target, own.identity):
        name = f"{KITS}/{own.kit}/{CARD}"
        raise foreign(name, f"it says {hint.app} ({hint.target}), the encrypted manifest {own.app} ({own.target})")


def _compared(hint: Card, own: Card) -> tuple[ObjectLost, ...]:
    """The differences of the card from the manifest."""
    name = f"{KITS}/{own.kit}/{CARD}"
    words = [words for field, words in _SAID.items() if getattr(hint, field) != getattr(own, field)]
    if hint.created_at != own.created_at:
        words.insert(0, f"made {moment(hint.created_at)}, the encrypted manifest says {moment(own.created_at)}")
    if not words:
        return ()
    return (foreign(name, f"it differs from the manifest ({'; '.join(words)})"),)


def _naming(path: str, work: Callable[[], Sealed]) -> Sealed:
    """Do `work`; an error in it names the object."""
    try:
        return work()
    except CheckFailed as error:
        raise ObjectLost.damaged(path, error.why or error.message) from None
    except OSError as error:
        raise MachineError(
            f"This machine could not decrypt {path}.", why=error.strerror or type(error).__name__
        ) from error
