"""What a copy of a backup consists of. Sizes are bytes, times aware UTC datetimes, digests SHA-256 in hex.

backups/<id>/objects/<SHA-256 of the ciphertext>.age   the dump
backups/<id>/identity.age                              only with a passphrase: the key, locked by it
backups/<id>/card.json                                 plain: no secret, nothing of a person
backups/<id>/manifest.json.age                         written last: without it there is no copy
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from uscdr.errors import BadInput, CheckFailed
from uscdr.models.base import Count, Fact, Moment

if TYPE_CHECKING:
    from uscdr.models.transfers import Transfer
    from uscdr.store.store import Store

FORMAT = 1
BACKUPS = "backups"
MANIFEST, CARD, IDENTITY = "manifest.json.age", "card.json", "identity.age"
STAMP = "%Y%m%dT%H%M%SZ"


class BackupOrigin(Fact):
    """The platform's backup that was copied; `taken_at` is the moment that it stands for."""

    app: str
    addon_id: str = ""
    """Whose database it is of; empty in a copy that an earlier version made."""
    transfer_id: str
    name: str
    kind: str
    created_at: Moment
    taken_at: Moment
    finished_at: Moment | None
    warnings: Count
    processed_bytes: Count
    server_version: str
    """As the platform tells it; empty when it does not."""

    @classmethod
    def of(cls, transfer: Transfer, app: str, addon_id: str, server_version: str) -> BackupOrigin:
        """The facts of a finished backup of `app` that are kept with its copy."""
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
        """An id that sorts by when the copy was made, e.g. `20261123T031500Z-usc-pis-b012-4f2a9c`."""
        text = f"{self.app}-{self.name}"
        safe = "".join(char if char.isascii() and (char.isalnum() or char == "-") else "-" for char in text)
        return f"{now or datetime.now(UTC):{STAMP}}-{safe}-{secrets.token_hex(3)}"


class Sealing(Fact):
    """The dump on both sides of its encryption."""

    path: str
    """Its name in the store."""
    sha256: str
    size: Count
    plain_sha256: str
    plain_size: Count


class CopyManifest(Fact):
    """The copy's own account of itself, encrypted like the dump."""

    format: int
    id: str
    made_at: Moment
    target: str
    origin: BackupOrigin
    dump: Sealing


class CopyCard(Fact):
    """What is known of a copy without a key."""

    format: int
    id: str
    made_at: Moment
    uscdr: str
    origin: BackupOrigin
    dump: Sealing
    recipients: tuple[str, ...]
    """Fingerprints of the public keys that it was encrypted to."""
    passphrase: bool
    """Whether a passphrase opens it, too."""
    manifest_sha256: str
    manifest_size: Count


def inside(copy: str, name: str) -> str:
    """The name in the store of a copy's part."""
    return f"{BACKUPS}/{copy}/{name}"


# Small documents in a store, read without repeating what a damaged one holds.


M = TypeVar("M", bound=BaseModel)
LARGEST = 1 << 20
"""Bytes; what is longer is none of ours."""


def read(store: Store, name: str) -> bytes:
    """At most a megabyte of `name`. Raises CheckFailed when it is missing."""
    with store.open(name) as file:
        return file.read(LARGEST)


def parse(model: type[M], data: bytes, name: str, known_format: int) -> M:
    """Raises CheckFailed for a damaged document, BadInput for one of another format; neither repeats its text."""
    try:
        document = json.loads(data)
        found = document.get("format") if isinstance(document, dict) else None
        if found not in (None, known_format):
            raise BadInput(
                f"{name} has format {found}; this uscdr reads {known_format}.", next_action="Use a newer uscdr."
            )
        return model.model_validate_json(data)
    except (ValidationError, ValueError, RecursionError):
        raise CheckFailed(
            f"{name} is damaged: it is not what this uscdr understands.",
            next_action="Use another copy: uscdr backup list",
        ) from None
