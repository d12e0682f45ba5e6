"""Downloading an original to a private file, with the service's own digest of it and ours."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx

from uscdr.errors import CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.models.media import MediaDownload
from uscdr.providers import download, private_file
from uscdr.providers.cloudinary.errors import CREDENTIALS, PROVIDER, RATE_LIMITED
from uscdr.providers.ports.media import Delivered
from uscdr.providers.ports.progress import Progress
from uscdr.providers.refusal import may_pass

_AGAIN = "Run the command again; if it stays so, look at the asset in the console."
_SHOWN = "The file to download to"
"""Its name can be a patient's."""


def fetch(
    client: httpx.Client, url: str, destination: Path, progress: Progress | None, stop: threading.Event
) -> MediaDownload:
    """Download `url` once to `destination`, which must not exist."""
    private_file.require_new(destination, shown=_SHOWN)
    # The service's own digest is MD5; SHA-256 is ours.
    md5 = hashlib.md5(usedforsecurity=False)
    with download.opened(client, url, DELIVERY, stop) as body:
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
        raise DELIVERY.fault("The file's delivery address is none that can be asked.") from None
    except httpx.HTTPError as error:
        raise DELIVERY.broken("Delivery did not answer.", error) from None
    if status == httpx.codes.NOT_FOUND:
        return "missing"
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return "withheld"
    if status != httpx.codes.OK:
        raise _refused(status)
    return "delivered"


def _refused(status: int) -> ProviderError:
    why = f"Delivery answered {status}."
    if status == httpx.codes.NOT_FOUND:
        return NotFound("The file is not delivered.", provider=PROVIDER, why=why, status=status, next_action=_AGAIN)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        message = "Delivery wants a permission that this address does not carry."
        return CredentialsRefused(message, provider=PROVIDER, why=why, status=status, next_action=CREDENTIALS)
    if status in RATE_LIMITED:
        return RateLimited("Delivery refused for its rate.", provider=PROVIDER, why=why, status=status)
    return DELIVERY.fault("The file could not be downloaded.", why=why, status=status, retryable=may_pass(status))


DELIVERY = download.Origin(PROVIDER, _AGAIN, _refused)
