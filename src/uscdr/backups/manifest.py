"""The parts of a backup copy. Sizes are bytes, times aware UTC datetimes, digests SHA-256 in hex.

backups/<id>/objects/<SHA-256 of the ciphertext>.age   the dump
backups/<id>/identity.age                              only with a passphrase: the key, encrypted by it
backups/<id>/card.json                                 plain: no secrets, no personal data
backups/<id>/manifest.json.age                         written last: without it the copy is incomplete
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from pydantic import ValidationError

from uscdr.errors import BadInput, CheckFailed
from uscdr.models.base import Count, Fact, Moment

if TYPE_CHECKING:
    from uscdr.models.transfers import Transfer
    from uscdr.store.store import Store

FORMAT = 1
BACKUPS = "backups"
MANIFEST, CARD, IDENTITY = "manifest.json.age", "card.json", "identity.age"
STAMP = "%Y%m%dT%H%M%SZ"
LARGEST = 1 << 20
"""Bytes; uscdr writes no larger document."""


class Document(Fact):
    """A small document in a store. Errors never show the content of a damaged one."""

    format: int

    @classmethod
    def read(cls, store: Store, name: str) -> Self:
        """Read it from `store`. Raises CheckFailed if it is missing or damaged, BadInput for another format."""
        with store.open(name) as file:
            return cls.parse(file.read(LARGEST), name)

    @classmethod
    def parse(cls, data: bytes, name: str) -> Self:
        """Raises CheckFailed for a damaged document, BadInput for another format."""
        try:
            document = json.loads(data)
            found = document.get("format") if isinstance(document, dict) else None
            if found not in (None, FORMAT):
                raise BadInput(
                    f"{name} has format {found}; this uscdr reads {FORMAT}.", next_action="Use a newer uscdr."
                )
            return cls.model_validate_json(data)
        except (ValidationError, ValueError, RecursionError):
            raise CheckFailed(
                f"{name} is damaged: this version of uscdr cannot parse it.",
                next_action="Use another copy: uscdr backup list",
            ) from None


class BackupOrigin(Fact):
    """The platform's backup that was copied; `taken_at` is the time of its data."""

    app: str
    addon_id: str = ""
    """The database add-on's id; empty in a copy of an earlier version."""
    transfer_id: str
    name: str
    kind: str
    created_at: Moment
    taken_at: Moment
    finished_at: Moment | None
    warnings: Count
    processed_bytes: Count
    server_version: str
    """The server version that the platform reports; empty if it reports none."""

    @classmethod
    def of(cls, transfer: Transfer, app: str, addon_id: str, server_version: str) -> BackupOrigin:
        """The facts of a finished backup of `app` that its copy stores."""
        return cls(
            app=app,
            addon_id=addon_id,
            transfer_id=transfer.id,
            name=transfer.name,
            kind=transfer.kind.value,
            created_at=transfer.created_at,
            taken_at=transfer.taken_at,
            finished_at=transfer.finished_at,
            warnings=transfer.warnings,
            processed_bytes=transfer.processed_bytes,
            server_version=server_version,
        )

    def new_copy_id(self, now: datetime | None = None) -> str:
        """An id that sorts by creation time, e.g. `20261123T031500Z-usc-pis-b012-4f2a9c`."""
        text = f"{self.app}-{self.name}"
        safe = "".join(char if char.isascii() and (char.isalnum() or char == "-") else "-" for char in text)
        return f"{now or datetime.now(UTC):{STAMP}}-{safe}-{secrets.token_hex(3)}"


class Sealing(Fact):
    """Digests and sizes of the dump before and after encryption."""

    path: str
    """The object's name in the store."""
    sha256: str
    size: Count
    plain_sha256: str
    plain_size: Count


class CopyManifest(Document):
    """The encrypted description of the copy."""

    id: str
    made_at: Moment
    target: str
    origin: BackupOrigin
    dump: Sealing


class CopyCard(Document):
    """The part of the description that is readable without a key."""

    id: str
    made_at: Moment
    uscdr: str
    origin: BackupOrigin
    dump: Sealing
    recipients: tuple[str, ...]
    """Fingerprints of the recipients' public keys."""
    passphrase: bool
    """Whether a passphrase can also decrypt the copy."""
    manifest_sha256: str
    manifest_size: Count


def inside(copy: str, name: str) -> str:
    """The store's name for a part of a copy."""
    return f"{BACKUPS}/{copy}/{name}"
