"""Uploads a file under its exact id. A large file is sent in chunks, so that memory does not depend on its size.

Source: Upload API reference, `upload`, and "Chunked asset upload" (`Content-Range`, `X-Unique-Upload-Id`).
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import httpx

from uscdr.errors import CredentialsRefused, Interrupted, MachineError, NotFound, ProviderError, RateLimited
from uscdr.files import opened
from uscdr.models.media import Access, AccessRule, Asset, AssetKey, MediaDownload
from uscdr.providers.cloudinary.client import CloudinaryClient, UploadPart
from uscdr.providers.cloudinary.decode import CREDENTIALS, PROVIDER, RATE_LIMITED, asset
from uscdr.providers.http import download
from uscdr.providers.http import download as private_file
from uscdr.providers.http.json import JsonObject, ShapeError
from uscdr.providers.http.refusal import may_pass

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from uscdr.providers.ports.media import Delivered
    from uscdr.providers.ports.progress import Progress

CHUNK = 6_000_000
"""Bytes; Cloudinary requires at least 5 MB in every chunk but the last."""


def put_back(client: CloudinaryClient, key: AssetKey, file: Path, like: Asset | None) -> Asset:
    """Upload `file` as `key`; returns the resulting asset. Raises `MachineError` when the file cannot be read."""
    answered: Asset | None = None
    for part in _parts(key, file, like):
        if client.patience.stop.is_set():
            raise Interrupted("Interrupted during the upload of a file.", next_action="uscdr runs resume")
        answered = client.send(part, _stored if part.last else _partly)
    if answered is None:
        raise MachineError("uscdr did not upload an empty file.", next_action="Check the kit or folder.")
    return answered


def _options(key: AssetKey, like: Asset | None) -> dict[str, object]:
    """Parameters that keep the id unchanged and clear the CDN."""
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
    """The access, in the API's format; rules take precedence over the older mode."""
    if access.rules:
        return {"access_control": [_rule(rule) for rule in access.rules]}
    return {"access_mode": access.mode}


def _rule(rule: AccessRule) -> dict[str, str]:
    return {name: value for name, value in rule.model_dump().items() if value}


def _parts(key: AssetKey, file: Path, like: Asset | None) -> Iterator[UploadPart]:
    try:
        size = file.stat().st_size
        with opened(file) as source:
            upload, first = secrets.token_hex(10), 0
            while content := source.read(CHUNK):
                last = first + len(content) - 1
                yield UploadPart(
                    segments=(key.resource_type, "upload"),
                    options=_options(key, like),
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
            "uscdr cannot read a file to upload.",
            why=f"{error.strerror or type(error).__name__}.",
            next_action="Check the kit or folder, then: uscdr runs resume",
        ) from None


def _stored(body: object) -> Asset:
    # Without rules the answer omits the field.
    return asset({"access_control": None, **JsonObject.of(body)})


def _partly(body: object) -> None:
    """Every chunk but the last gets `done: false`, perhaps without an asset."""
    if not isinstance(body, dict):
        raise ShapeError("expected an object")


# Downloads an original to a private file, and computes Cloudinary's digest and ours.


_AGAIN = "Run the command again. If it fails again, check the asset in the console."
_SHOWN = "The file to download to"
"""Its name may be a patient's."""


def fetch(
    client: httpx.Client, url: str, destination: Path, progress: Progress | None, stop: threading.Event
) -> MediaDownload:
    """Download `url` once to `destination`, which must not exist."""
    private_file.require_new(destination, shown=_SHOWN)
    # Cloudinary's digest is MD5; ours is SHA-256.
    md5 = hashlib.md5(usedforsecurity=False)
    with DELIVERY.open(client, url, stop) as body:
        done = private_file.write(_digested(body.chunks(progress), md5), destination, shown=_SHOWN)
    return MediaDownload(size=done.size, md5=md5.hexdigest(), sha256=done.sha256)


def _digested(chunks: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def delivered(client: httpx.Client, url: str) -> Delivered:
    """`HEAD` on a delivery address: 200, 404, or 401 and 403; anything else raises."""
    try:
        status = client.head(url).status_code
    except (httpx.InvalidURL, UnicodeError):
        raise DELIVERY.fault("The file's delivery address is malformed.") from None
    except httpx.HTTPError as error:
        raise DELIVERY.broken("Cloudinary's delivery host did not answer.", error) from None
    if status == httpx.codes.NOT_FOUND:
        return "missing"
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return "withheld"
    if status != httpx.codes.OK:
        raise _refused(status)
    return "delivered"


def _refused(status: int) -> ProviderError:
    why = f"Cloudinary's delivery host answered {status}."
    if status == httpx.codes.NOT_FOUND:
        return NotFound(
            "Cloudinary does not deliver the file.", provider=PROVIDER, why=why, status=status, next_action=_AGAIN
        )
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        message = "Cloudinary delivers the file only to a signed address."
        return CredentialsRefused(message, provider=PROVIDER, why=why, status=status, next_action=CREDENTIALS)
    if status in RATE_LIMITED:
        return RateLimited(
            "Cloudinary's delivery host refused: too many requests.", provider=PROVIDER, why=why, status=status
        )
    return DELIVERY.fault("uscdr could not download the file.", why=why, status=status, retryable=may_pass(status))


DELIVERY = download.DownloadOrigin(PROVIDER, _AGAIN, _refused)
