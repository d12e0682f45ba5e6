"""Putting a file back under exactly its id. A large one goes in chunks, so that memory does not depend on its size.

Source: Upload API reference, `upload`, and "Chunked asset upload" (`Content-Range`, `X-Unique-Upload-Id`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from uscdr.errors import Interrupted, MachineError
from uscdr.models.media import Access, AccessRule, Asset, AssetKey
from uscdr.providers.cloudinary.client import CloudinaryClient, Part
from uscdr.providers.cloudinary.decode import asset
from uscdr.providers.json_fields import ShapeError, record
from uscdr.reading import opened

CHUNK = 6_000_000
"""Bytes; the service wants at least 5 MB in every chunk but the last."""


def put_back(client: CloudinaryClient, key: AssetKey, file: Path, like: Asset | None) -> Asset:
    """Upload `file` as `key`; the asset as the service has it then. `MachineError` when the file cannot be read."""
    answered: Asset | None = None
    for part in _parts(key, file, like):
        if client.patience.stop.is_set():
            raise Interrupted("Interrupted before a file was stored whole.", next_action="uscdr runs resume")
        answered = client.send(part, _stored if part.last else _partly)
    if answered is None:
        raise MachineError("A file that was to be uploaded is empty.", next_action="Look at the kit or folder.")
    return answered


def options(key: AssetKey, like: Asset | None) -> dict[str, object]:
    """What makes the service keep the id as it is and drop what the CDN holds."""
    exact: dict[str, object] = {
        "public_id": key.public_id,
        "type": key.delivery,
        "overwrite": True,
        "invalidate": True,
        "unique_filename": False,
        "use_filename": False,
    }
    if like is None:
        return exact
    described: dict[str, object] = {
        "tags": list(like.tags),
        "context": dict(like.context),
        "metadata": dict(like.metadata),
        "asset_folder": like.asset_folder,
        "display_name": like.display_name,
    }
    if like.access is not None:
        described |= access_options(like.access)
    return exact | {name: value for name, value in described.items() if value}


def access_options(access: Access) -> dict[str, object]:
    """Who may have it, as the service takes it; rules outrank the older mode."""
    if access.rules:
        return {"access_control": [_rule(rule) for rule in access.rules]}
    return {"access_mode": access.mode}


def _rule(rule: AccessRule) -> dict[str, str]:
    return {name: value for name, value in rule.model_dump().items() if value}


def _parts(key: AssetKey, file: Path, like: Asset | None) -> Iterator[Part]:
    try:
        size = file.stat().st_size
        with opened(file) as source:
            upload, first = secrets.token_hex(10), 0
            while content := source.read(CHUNK):
                last = first + len(content) - 1
                yield Part(
                    segments=(key.resource_type, "upload"),
                    options=options(key, like),
                    file_name=PurePosixPath(key.public_id).name or "file",
                    content=content,
                    headers={}
                    if size <= CHUNK
                    else {"Content-Range": f"bytes {first}-{last}/{size}", "X-Unique-Upload-Id": upload},
                    last=last + 1 >= size,
                )
                first = last + 1
    except OSError as error:
        raise MachineError(
            "A file that was to be uploaded cannot be read.",
            why=f"{error.strerror or 'unknown cause'}.",
            next_action="Look at the kit or folder, then: uscdr runs resume.",
        ) from None


def _stored(body: object) -> Asset:
    # Without rules the answer leaves the field out.
    return asset({"access_control": None, **record(body)})


def _partly(body: object) -> None:
    """A chunk that others follow answers `done: false` and need not describe an asset yet."""
    if not isinstance(body, dict):
        raise ShapeError("an object was expected")
