"""What a copy of a backup consists of. Sizes are bytes, times aware UTC datetimes, digests SHA-256 in hex.

backups/<id>/objects/<SHA-256 of the ciphertext>.age   the dump
backups/<id>/identity.age                              only with a passphrase: the key, locked by it
backups/<id>/card.json                                 plain: no secret, nothing of a person
backups/<id>/manifest.json.age                         written last: without it there is no copy
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from uscdr.models.base import Count, Fact, Moment
from uscdr.models.transfers import Transfer

FORMAT = 1
BACKUPS = "backups"
MANIFEST, CARD, IDENTITY = "manifest.json.age", "card.json", "identity.age"
STAMP = "%Y%m%dT%H%M%SZ"


class Origin(Fact):
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
    origin: Origin
    dump: Sealing


class CopyCard(Fact):
    """What is known of a copy without a key."""

    format: int
    id: str
    made_at: Moment
    uscdr: str
    origin: Origin
    dump: Sealing
    recipients: tuple[str, ...]
    """Fingerprints of the public keys that it was encrypted to."""
    passphrase: bool
    """Whether a passphrase opens it, too."""
    manifest_sha256: str
    manifest_size: Count


def origin_of(transfer: Transfer, app: str, addon_id: str, server_version: str) -> Origin:
    """The facts of a finished backup of `app` that are kept with its copy."""
    return Origin(
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


def new_id(origin: Origin, now: datetime | None = None) -> str:
    """An id that sorts by when the copy was made, e.g. `20261123T031500Z-usc-pis-b012-4f2a9c`."""
    text = f"{origin.app}-{origin.name}"
    safe = "".join(char if char.isascii() and (char.isalnum() or char == "-") else "-" for char in text)
    return f"{now or datetime.now(UTC):{STAMP}}-{safe}-{secrets.token_hex(3)}"


def inside(copy: str, name: str) -> str:
    """The name in the store of a copy's part."""
    return f"{BACKUPS}/{copy}/{name}"
