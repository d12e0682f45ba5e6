"""Downloading what stands at an address that is a permission in itself: no message repeats the address."""

from __future__ import annotations

import errno
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from uscdr.digits import whole
from uscdr.errors import Interrupted, MachineError, ProviderError
from uscdr.files import arriving
from uscdr.providers.http.client import is_private
from uscdr.providers.http.exchange import describe, is_untrusted

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from uscdr.providers.ports.progress import Progress

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class DownloadOrigin:
    """Whose storage it is, what to do after a fault, and the error for a status that is not 200."""

    provider: str
    next_action: str
    refused: Callable[[int], ProviderError]

    def fault(
        self,
        message: str,
        *,
        why: str = "",
        status: int | None = None,
        retryable: bool = False,
        kind: type[ProviderError] = ProviderError,
    ) -> ProviderError:
        """Something that is wrong with the download."""
        return kind(
            message, provider=self.provider, why=why, next_action=self.next_action, status=status, retryable=retryable
        )

    def broken(self, message: str, error: httpx.HTTPError) -> ProviderError:
        """A failure of the network."""
        return self.fault(message, why=f"{describe(error).capitalize()}.", retryable=not is_untrusted(error))


class Body:
    """What an answer holds. `size` in bytes is what was announced; memory use does not depend on it."""

    def __init__(self, response: httpx.Response, origin: DownloadOrigin, stop: threading.Event) -> None:
        self.size = whole(response.headers.get("Content-Length"))
        self._response = response
        self._origin = origin
        self._stop = stop

    def chunks(self, progress: Progress | None = None) -> Iterator[bytes]:
        """As they come; `progress` hears of one when the next is asked for.

        Raises `ProviderError` (for a short body, too), and `Interrupted` when stopped.
        """
        received = 0
        try:
            for chunk in self._response.iter_raw(_CHUNK):
                if self._stop.is_set():
                    action = "Nothing was kept; start it again."
                    raise Interrupted("Interrupted during the download.", next_action=action)
                received += len(chunk)
                yield chunk
                if progress is not None:
                    progress(received, self.size)
        except httpx.HTTPError as error:
            raise self._origin.broken(f"The download broke off after {received} bytes.", error) from None
        if self.size is not None and received != self.size:
            raise self._origin.fault(f"The download ended after {received} of {self.size} bytes.", retryable=True)


@contextmanager
def opened(client: httpx.Client, url: str, origin: DownloadOrigin, stop: threading.Event) -> Iterator[Body]:
    """GET the address once. Raises ProviderError when it is in clear text, refused or unreachable."""
    if not is_private(url):
        raise origin.fault("The download's address is not https, and it must not travel in clear text.")
    try:
        request = client.build_request("GET", url, headers={"Accept-Encoding": "identity"})
        response = client.send(request, stream=True)
    except (httpx.InvalidURL, UnicodeError):
        raise origin.fault("The download's address is none that can be asked.") from None
    except httpx.HTTPError as error:
        raise origin.broken("The download broke off before it began: the storage did not answer.", error) from None
    try:
        if response.status_code != httpx.codes.OK:
            raise origin.refused(response.status_code)
        yield Body(response, origin, stop)
    finally:
        response.close()


# Writing a stream to a private file: hashed on the way, and named only when it is whole.


@dataclass(frozen=True)
class WrittenFile:
    """Size in bytes and SHA-256 in hex."""

    size: int
    sha256: str


def require_new(destination: Path, *, shown: str) -> None:
    """Raise `MachineError`, which calls the file `shown`, when there is something already."""
    if destination.exists():
        raise MachineError(f"{shown} exists already.", next_action="Move it away or choose another name.")


def write(chunks: Iterable[bytes], destination: Path, *, shown: str) -> WrittenFile:
    """Write `chunks` to `destination` (0600, replaced if it is there); no partial file is left.

    Raises `MachineError`, which calls the file `shown`: a file's name can say whose it is.
    """
    digest, size = hashlib.sha256(), 0
    with disk_faults(shown), arriving(destination) as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
    return WrittenFile(size, digest.hexdigest())


@contextmanager
def disk_faults(shown: str) -> Iterator[None]:
    """What the disk refuses within, as `MachineError`."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        # `from None`: the cause names the file.
        raise MachineError(
            f"{shown} could not be written.",
            why=f"{error.strerror or 'unknown cause'}.",
            next_action="Free some space or choose another disk." if full else "Choose a directory you may write to.",
        ) from None
