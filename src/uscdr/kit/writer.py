"""Write a kit: objects named by the SHA-256 of their ciphertext, created once; the manifest makes the kit valid."""

from __future__ import annotations

import io
import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from uscdr.files import disk_errors
from uscdr.kit.card import Checksums, Printing
from uscdr.kit.content import MediaEntry, size_of
from uscdr.kit.manifest import (
    CARD,
    CARD_PAGE,
    CARD_TEXT,
    KITS,
    MANIFEST,
    SUMS,
    Card,
    Manifest,
    ObjectKind,
    StoredObject,
)
from uscdr.store.directory import new_private_file
from uscdr.store.encryption import Recipient, Sealed, Watch, seal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from uscdr.store.store import Store


_AGAIN = (
    "Free disk space or name another store (--to STORE), and build again. Media in the store are not downloaded again."
)


@dataclass
class KitWriter:
    """One kit during its build. `staging` is the store's private directory for ciphertext."""

    store: Store
    to: Sequence[Recipient]
    staging: Path
    kit: str
    objects: list[StoredObject] = field(default_factory=list)

    @classmethod
    def begin(cls, store: Store, to: Sequence[Recipient], staging: Path, app: str) -> KitWriter:
        """A new kit of `app`. Its id sorts by time, e.g. `20261123T031500Z-usc-pis-4f2a9c`."""
        name = "".join(char if char.isascii() and (char.isalnum() or char == "-") else "-" for char in app)
        return cls(store, to, staging, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}-{os.urandom(3).hex()}")

    def add_bytes(self, kind: ObjectKind, name: str, data: bytes) -> StoredObject:
        """Encrypt `data` in memory and store it."""
        return self._add(kind, name, io.BytesIO(data), None)

    def add_file(self, kind: ObjectKind, name: str, file: Path, watch: Watch | None = None) -> StoredObject:
        """Encrypt a file of any size and store it. Raises MachineError if it cannot be read or stored."""
        with disk_errors(f"uscdr cannot read {name} again.", ""), file.open("rb") as source:
            return self._add(kind, name, source, watch)

    def _add(self, kind: ObjectKind, name: str, source: IO[bytes], watch: Watch | None) -> StoredObject:
        staged, sealed = self.stage(source, name, watch)
        path = f"{KITS}/{self.kit}/objects/{sealed.sha256}.age"
        self.store.create(path, staged)
        stored = StoredObject(
            kind=kind, name=name, path=path, sha256=sealed.sha256, size=sealed.size,
            plain_sha256=sealed.plain_sha256, plain_size=sealed.plain_size,
        )  # fmt: skip
        self.objects.append(stored)
        return stored

    def stage(self, source: IO[bytes], what: str, watch: Watch | None = None) -> tuple[Path, Sealed]:
        """Encrypt into a new file of the staging directory. Raises MachineError naming `what`."""
        staged = self.staging / secrets.token_hex(16)
        refused = f"uscdr could not write {what} to {self.store.place}."
        with disk_errors(refused, _AGAIN), new_private_file(staged) as target:
            sealed = seal(source, target, self.to, watch)
        return staged, sealed

    def finish(self, manifest: Manifest, media: Sequence[MediaEntry]) -> Card:
        """Write the checksums, the card, and finally the manifest, which makes the kit valid."""
        staged, sealed = self.stage(io.BytesIO(manifest.model_dump_json().encode()), "the manifest")
        sums = Checksums.of(self.kit, self._listed(media) | {f"{KITS}/{self.kit}/{MANIFEST}": sealed.sha256})
        card = manifest.as_card(size_of(self.objects, media), sealed.sha256, sums.sha256)
        printing = Printing(card, self.store.place)
        self._plain(SUMS, sums.data)
        self._plain(CARD, card.model_dump_json(indent=1).encode() + b"\n")
        self._plain(CARD_TEXT, printing.text().encode())
        self._plain(CARD_PAGE, printing.page().encode())
        self.store.create(f"{KITS}/{self.kit}/{MANIFEST}", staged)
        return card

    def _listed(self, media: Sequence[MediaEntry]) -> dict[str, str]:
        listed = {one.path: one.sha256 for one in self.objects}
        for entry in media:
            if entry.stored is not None:
                listed[entry.stored.path] = entry.stored.sha256
                listed[entry.stored.note_path] = entry.stored.note_sha256
        return listed

    def _plain(self, name: str, data: bytes) -> None:
        """Store an unencrypted file."""
        staged = self.staging / secrets.token_hex(16)
        refused = f"uscdr could not write {name} to {self.store.place}."
        with disk_errors(refused, _AGAIN), new_private_file(staged) as file:
            file.write(data)
        self.store.create(f"{KITS}/{self.kit}/{name}", staged)
