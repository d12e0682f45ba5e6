"""Downloading an original: streamed to a private temporary file, hashed on the way, and only then given its name."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx

from uscdr.errors import CredentialsRefused, Interrupted, MachineError, NotFound, ProviderError, RateLimited
from uscdr.models.media import MediaDownload
from uscdr.providers.cloudinary.errors import CREDENTIALS, PROVIDER, RATE_LIMITED
from uscdr.providers.exchange import describe, is_untrusted
from uscdr.providers.http import is_private
from uscdr.providers.ports.progress import Progress

_PIECE = 128 * 1024
_AGAIN = "Run the command again; if it stays so, look at the asset in the console."


def fetch(
    client: httpx.Client, url: str, destination: Path, progress: Progress | None, stop: threading.Event
) -> MediaDownload:
    """Download `url` once to `destination`, which must not exist. Memory use does not depend on the size."""
    if not is_private(url):
        raise _bad("The delivery address is not https, and patients' files must not travel in clear text.")
    if destination.exists():
        raise MachineError("A file to download to exists already.", next_action="Choose an empty directory.")
    with _new_file(destination) as file:
        return _copy(client, url, file, progress, stop)


def delivered(client: httpx.Client, url: str) -> bool:
    """`HEAD` on a delivery address: True for 200, False for 404, anything else raises."""
    try:
        status = client.head(url).status_code
    except httpx.HTTPError as error:
        raise _broken(error, 0) from None
    if status == httpx.codes.NOT_FOUND:
        return False
    if status != httpx.codes.OK:
        raise _refused(status)
    return True


@contextmanager
def _new_file(destination: Path) -> Iterator[BinaryIO]:
    """A 0600 file that takes the name `destination` when the block ends well, and is removed otherwise."""
    part = destination.with_name(f".{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(destination)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise MachineError(
            "A downloaded file could not be written.",
            why=f"{error.strerror or 'unknown cause'}.",
            next_action="Free some space or choose another disk." if full else "Choose a directory to write to.",
        ) from None


def _copy(
    client: httpx.Client, url: str, file: BinaryIO, progress: Progress | None, stop: threading.Event
) -> MediaDownload:
    # The service's own digest is MD5; SHA-256 is ours.
    md5, sha256, done = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    for piece, size in _body(client, url):
        if stop.is_set():
            raise Interrupted("Interrupted during a download.", next_action="Nothing was kept; start it again.")
        md5.update(piece)
        sha256.update(piece)
        file.write(piece)
        done += len(piece)
        if progress is not None:
            progress(done, size)
    return MediaDownload(size=done, md5=md5.hexdigest(), sha256=sha256.hexdigest())


def _body(client: httpx.Client, url: str) -> Iterator[tuple[bytes, int | None]]:
    received = 0
    try:
        with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            if response.status_code != httpx.codes.OK:
                raise _refused(response.status_code)
            announced = response.headers.get("Content-Length", "")
            size = int(announced) if announced.isdigit() else None
            for piece in response.iter_raw(_PIECE):
                received += len(piece)
                yield piece, size
    except httpx.HTTPError as error:
        raise _broken(error, received) from None
    if size is not None and received != size:
        raise _bad(f"The download ended after {received} of {size} bytes.", retryable=True)


def _refused(status: int) -> ProviderError:
    why = f"Delivery answered {status}."
    if status == httpx.codes.NOT_FOUND:
        return NotFound("The file is not delivered.", provider=PROVIDER, why=why, status=status, next_action=_AGAIN)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        message = "Delivery wants a permission that this address does not carry."
        return CredentialsRefused(message, provider=PROVIDER, why=why, status=status, next_action=CREDENTIALS)
    if status in RATE_LIMITED:
        return RateLimited("Delivery refused for its rate.", provider=PROVIDER, why=why, status=status)
    return _bad("The file could not be downloaded.", why=why, status=status,
                retryable=httpx.codes.is_server_error(status))  # fmt: skip


def _broken(error: httpx.HTTPError, received: int) -> ProviderError:
    return _bad(
        f"The download broke off after {received} bytes.",
        why=f"{describe(error).capitalize()}.",
        retryable=not is_untrusted(error),
    )


def _bad(message: str, *, why: str = "", status: int | None = None, retryable: bool = False) -> ProviderError:
    return ProviderError(message, provider=PROVIDER, why=why, next_action=_AGAIN, status=status, retryable=retryable)
