"""Downloads from a signed address. The address itself grants access, so no message contains it."""

from __future__ import annotations

import errno
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from uscdr.errors import Interrupted, MachineError, ProviderError
from uscdr.files import arriving
from uscdr.providers.http.client import is_private
from uscdr.providers.http.exchange import NetworkFailure
from uscdr.words import whole

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from uscdr.providers.ports.progress import Progress

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class DownloadOrigin:
    """The provider, what to do after a failure, and the error for a status other than 200."""

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
        """A failure of the download."""
        return kind(
            message, provider=self.provider, why=why, next_action=self.next_action, status=status, retryable=retryable
        )

    def broken(self, message: str, error: httpx.HTTPError) -> ProviderError:
        """A failure of the network."""
        failure = NetworkFailure(error)
        return self.fault(message, why=f"{failure.words.capitalize()}.", retryable=not failure.is_untrusted)

    @contextmanager
    def open(self, client: httpx.Client, url: str, stop: threading.Event) -> Iterator[Body]:
        """GET the address once. Raises ProviderError when it is not https, refused or unreachable."""
        if not is_private(url):
            raise self.fault("The download address is not https; uscdr does not download unencrypted.")
        try:
            request = client.build_request("GET", url, headers={"Accept-Encoding": "identity"})
            response = client.send(request, stream=True)
        except (httpx.InvalidURL, UnicodeError):
            raise self.fault("The download address is malformed.") from None
        except httpx.HTTPError as error:
            raise self.broken("The storage did not answer the download request.", error) from None
        try:
            if response.status_code != httpx.codes.OK:
                raise self.refused(response.status_code)
            yield Body(response, self, stop)
        finally:
            response.close()


class Body:
    """The body of an answer. `size` in bytes is the announced length; memory use does not depend on it."""

    def __init__(self, response: httpx.Response, origin: DownloadOrigin, stop: threading.Event) -> None:
        self.size = whole(response.headers.get("Content-Length"))
        self._response = response
        self._origin = origin
        self._stop = stop

    def chunks(self, progress: Progress | None = None) -> Iterator[bytes]:
        """The chunks as they arrive; `progress` is called for each when the next is requested.

        Raises `ProviderError` (also for a short body), and `Interrupted` when stopped.
        """
        received = 0
        try:
            for chunk in self._response.iter_raw(_CHUNK):
                if self._stop.is_set():
                    action = "Nothing was kept. Run the command again."
                    raise Interrupted("Interrupted during the download.", next_action=action)
                received += len(chunk)
                yield chunk
                if progress is not None:
                    progress(received, self.size)
        except httpx.HTTPError as error:
            raise self._origin.broken(f"The connection broke after {received} bytes of the download.", error) from None
        if self.size is not None and received != self.size:
            raise self._origin.fault(f"The download ended after {received} of {self.size} bytes.", retryable=True)


# Writes a stream to a private file: hashed while writing, and named only when complete.


@dataclass(frozen=True)
class WrittenFile:
    """Size in bytes and SHA-256 in hex."""

    size: int
    sha256: str


def require_new(destination: Path, *, shown: str) -> None:
    """Raise `MachineError`, which names the file `shown`, when the file exists."""
    if destination.exists():
        raise MachineError(f"{shown} already exists.", next_action="Move it or choose another name.")


def write(chunks: Iterable[bytes], destination: Path, *, shown: str) -> WrittenFile:
    """Write `chunks` to `destination` (0600, replaced if it exists); no partial file is left.

    Raises `MachineError`, which names the file `shown`: a file name can identify a patient.
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
    """Turns an OSError of the disk into `MachineError`."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        # `from None`: the cause names the file.
        raise MachineError(
            f"{shown} could not be written.",
            why=f"{error.strerror or type(error).__name__}.",
            next_action="Free disk space or choose another disk." if full else "Choose a directory you may write to.",
        ) from None
