"""Downloading a backup: streamed to a private temporary file, checked on the way, and only then given its name."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import httpx

from uscdr.errors import Interrupted, MachineError, ProviderError
from uscdr.models.heroku import Download, SignedUrl
from uscdr.providers.exchange import describe, is_untrusted
from uscdr.providers.heroku.client import HerokuClient
from uscdr.providers.heroku.errors import PROVIDER
from uscdr.providers.http import is_private, open_client
from uscdr.providers.ports.progress import Progress

MAGIC = b"PGDMP"
"""How a dump in PostgreSQL's custom format begins."""
_CHUNK = 256 * 1024
_FRESH_LINK = "Ask for a fresh link and download again; a link is good for an hour at most."


def fetch(link: SignedUrl, destination: Path, progress: Progress, client: HerokuClient) -> Download:
    """Download `link` to `destination`, which must not exist. Memory use does not depend on the size."""
    url = link.url.get_secret_value()
    if not is_private(url):
        raise _bad("The download link is not https, and a backup must not travel in clear text.")
    if destination.exists():
        raise MachineError(f"{destination} exists already.", next_action="Move it away or choose another name.")
    base = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    with (
        # Opened without the token: the link alone is the permission.
        open_client(base, provider=PROVIDER, verify=client.verify, read_only=True) as http,
        _new_file(destination) as file,
    ):
        return _copy(_body(http, url, client), file, progress)


@contextmanager
def _new_file(destination: Path) -> Iterator[BinaryIO]:
    """A 0600 file that takes the name `destination` when the block ends well, and is removed otherwise."""
    part = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}.part")
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
        raise _unwritable(destination, error) from error


def _body(http: httpx.Client, url: str, client: HerokuClient) -> Iterator[tuple[bytes, int | None]]:
    """The chunks of the body, each with the announced size in bytes; every fault of the wire as our error."""
    received = 0
    try:
        with http.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            _accept(response)
            size = _announced(response)
            for chunk in response.iter_raw(_CHUNK):
                if client.patience.stop.is_set():
                    raise Interrupted(
                        "Interrupted during the download.", next_action="Nothing was kept; start it again."
                    )
                received += len(chunk)
                yield chunk, size
    except httpx.HTTPError as error:
        raise _broken_off(error, received) from None
    if size is not None and received != size:
        raise _bad(f"The download ended after {received} of {size} bytes.", retryable=True)


def _copy(body: Iterator[tuple[bytes, int | None]], file: BinaryIO, progress: Progress) -> Download:
    digest, done, start = hashlib.sha256(), 0, b""
    for chunk, size in body:
        if len(start) < len(MAGIC):
            start += chunk[:512]
            _check_start(start)
        digest.update(chunk)
        file.write(chunk)
        done += len(chunk)
        progress(done, size)
    _check_start(start, whole=True)
    return Download(size=done, sha256=digest.hexdigest())


def _check_start(start: bytes, *, whole: bool = False) -> None:
    """Refuse as soon as it cannot be a dump: an error page must not be read to its end."""
    if start.startswith(MAGIC) or (not whole and MAGIC.startswith(start)):
        return
    looks = start.lstrip().lower()
    if not start:
        why = "The body is empty."
    elif looks.startswith((b"<!doctype html", b"<html")):
        why = "It looks like a web page."
    elif looks.startswith(b"<"):
        why = "It looks like XML, as storage answers for an expired link."
    else:
        why = f"A dump begins with {MAGIC.decode()}; this does not."
    raise _bad("What was downloaded is not a PostgreSQL dump.", why=why)


def _accept(response: httpx.Response) -> None:
    status = response.status_code
    if status == httpx.codes.OK:
        return
    if status in (httpx.codes.FORBIDDEN, httpx.codes.UNAUTHORIZED, httpx.codes.GONE):
        raise _bad("The download link has expired.", why=f"Storage answered {status}.", status=status)
    if status == httpx.codes.NOT_FOUND:
        why = "Storage answered 404: the platform may have dropped this backup."
        raise _bad("The backup's file is not there.", why=why, status=status)
    retryable = httpx.codes.is_server_error(status) or status == httpx.codes.TOO_MANY_REQUESTS
    raise _bad(
        "The backup could not be downloaded.", why=f"Storage answered {status}.", status=status, retryable=retryable
    )


def _announced(response: httpx.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _broken_off(error: httpx.HTTPError, received: int) -> ProviderError:
    return _bad(
        f"The download broke off after {received} bytes.",
        why=f"{describe(error).capitalize()}.",
        retryable=not is_untrusted(error),
    )


def _bad(message: str, *, why: str = "", status: int | None = None, retryable: bool = False) -> ProviderError:
    return ProviderError(
        message, provider=PROVIDER, why=why, next_action=_FRESH_LINK, status=status, retryable=retryable
    )


def _unwritable(destination: Path, error: OSError) -> MachineError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return MachineError(
        f"{destination} could not be written.",
        why=f"{error.strerror or 'unknown cause'}.",
        next_action="Free some space or choose another disk." if full else "Choose a directory that can be written.",
    )
