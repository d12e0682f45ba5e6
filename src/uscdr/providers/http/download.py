"""Downloads from a signed address. The address itself grants access, so no message contains it."""

from __future__ import annotations

import errno
import hashlib
import re
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Protocol

import httpx

from uscdr.errors import Interrupted, MachineError, ProviderError
from uscdr.files import arriving
from uscdr.providers.http.client import is_private
from uscdr.providers.http.exchange import NetworkFailure
from uscdr.spent import WATCH
from uscdr.words import size, whole

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from uscdr.providers.ports.progress import Progress

CUT = "The download was cut at "
"""How the message of a download begins that ended before its end."""
_OF_A_PART = (httpx.codes.PARTIAL_CONTENT, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE)


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

    def cut(self, received: int, total: int | None, error: httpx.HTTPError | None = None) -> ProviderError:
        """A body that ended too early, after `received` bytes of `total`."""
        message = f"{CUT}{size(received)}{f' of {size(total)}' if total is not None else ''}."
        return self.broken(message, error) if error is not None else self.fault(message, retryable=True)

    @contextmanager
    def open(
        self, client: httpx.Client, url: str, stop: threading.Event, part: Mapping[str, str] | None = None
    ) -> Iterator[Body]:  # fmt: skip
        """GET the address once. Raises ProviderError when it is not https, refused or unreachable.

        `part` are the headers that request a part of the file: the body may then have status 206 or 416.
        """
        if not is_private(url):
            raise self.fault("The download address is not https; uscdr does not download unencrypted.")
        try:
            request = client.build_request("GET", url, headers={"Accept-Encoding": "identity", **(part or {})})
            with WATCH.provider():
                response = client.send(request, stream=True)
        except (httpx.InvalidURL, UnicodeError):
            raise self.fault("The download address is malformed.") from None
        except httpx.HTTPError as error:
            raise self.broken("The storage did not answer the download request.", error) from None
        try:
            wanted = response.status_code == httpx.codes.OK or (part and response.status_code in _OF_A_PART)
            if not wanted:
                raise self.refused(response.status_code)
            yield Body(response, self, stop)
        finally:
            response.close()


class Body:
    """The body of an answer. `size` in bytes is the announced length; memory use does not depend on it."""

    def __init__(self, response: httpx.Response, origin: DownloadOrigin, stop: threading.Event) -> None:
        self.size = whole(response.headers.get("Content-Length"))
        self.status = response.status_code
        self.headers = response.headers
        self._response = response
        self._origin = origin
        self._stop = stop

    def _arriving(self) -> Iterator[bytes]:
        """The bytes as they arrive. Raises httpx.HTTPError."""
        # Without a chunk size: the library would withhold, and lose, the bytes before a cut.
        chunks = self._response.iter_raw()
        first = next(chunks, b"")
        yield first
        line = _line_of(self._response) if (self.size or 0) >= _LARGE else None
        # By now the library holds none of the body, and its length says where it ends.
        yield from chunks if line is None else _from_line(line, (self.size or 0) - len(first))

    def chunks(self, progress: Progress | None = None, *, after: int = 0) -> Iterator[bytes]:
        """The chunks as they arrive; `progress` is called for each when the next is requested.

        `after` counts the bytes that earlier answers gave. Raises `ProviderError` (also for a short body), and
        `Interrupted` when stopped.
        """
        received, total = after, None if self.size is None else after + self.size
        try:
            for chunk in WATCH.arriving(self._arriving()):
                if self._stop.is_set():
                    action = "Nothing was kept. Run the command again."
                    raise Interrupted("Interrupted during the download.", next_action=action)
                received += len(chunk)
                yield chunk
                if progress is not None:
                    progress(received, total)
        except httpx.HTTPError as error:
            raise self._origin.cut(received, total, error) from None
        if total is not None and received != total:
            raise self._origin.cut(received, total)


# A large body is read from its connection: the HTTP library takes it apart in records of 16 KiB, which costs more
# than their decryption. Such a connection is not used for another request.


_LARGE = 8 << 20
"""Bytes of a body from which that is worth a connection."""
_PIECE, _GATHERING = 1 << 16, 0.1
"""Bytes of a chunk, and the seconds after which a smaller one is passed on."""


def _line_of(response: httpx.Response) -> socket.socket | None:
    """The connection that carries the body as it is; None for another transport, coding, or TLS within TLS."""
    stream = response.extensions.get("network_stream")
    if stream is None or "Transfer-Encoding" in response.headers:
        return None
    if isinstance(stream.get_extra_info("ssl_object"), ssl.SSLObject):
        return None  # its socket is the outer connection
    found = stream.get_extra_info("socket")
    return found if isinstance(found, socket.socket) else None


def _from_line(line: socket.socket, left: int) -> Iterator[bytes]:
    """The next `left` bytes, fewer at the end of the connection. Raises httpx.HTTPError after what arrived."""
    space = memoryview(bytearray(_PIECE))
    while left:
        filled, until = 0, monotonic() + _GATHERING
        wanted, got, failure = min(left, _PIECE), 1, None
        while got and filled < wanted and monotonic() < until:
            try:
                got = line.recv_into(space[filled:wanted])
            except OSError as error:
                got, failure = 0, error
            filled += got
        if filled:
            yield bytes(space[:filled])
        if failure is not None:
            kind = httpx.ReadTimeout if isinstance(failure, TimeoutError) else httpx.ReadError
            raise kind(str(failure)) from failure
        if not got:
            return
        left -= filled


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


# A download over several requests: after a cut it goes on where it broke off, or starts anew where storage cannot.


_PART = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_START = 512
"""Bytes from which the kind of a file is known."""


@dataclass
class DownloadPosition:
    """How much of one and the same file has arrived, in bytes, and how the rest is requested."""

    origin: DownloadOrigin
    received: int = 0
    _total: int | None = None
    """The file's size in bytes, where storage told it."""
    _tag: str = ""
    """The strong entity tag: two answers with it have the same bytes (RFC 9110, 8.8.1). Empty: start anew."""

    @property
    def rest(self) -> dict[str, str]:
        """The headers that request the missing part; none if only the whole file can be requested."""
        if not (self.received and self._tag):
            return {}
        # If-Range: storage sends the whole file if it is another one by now.
        return {"Range": f"bytes={self.received}-", "If-Range": self._tag}

    def begin(self, body: Body) -> None:
        """Start at the first byte of this body."""
        tag = body.headers.get("ETag", "")
        self._tag = tag if tag.startswith('"') else ""
        self.received, self._total = 0, body.size

    def require_fitting(self, body: Body) -> None:
        """Raises ProviderError, after which the next request is for the whole file, for a body that does not fit."""
        found = _PART.fullmatch(body.headers.get("Content-Range", ""))
        first, last, total = map(int, found.groups()) if found else (-1, -1, -1)
        same_file = body.headers.get("ETag", self._tag) == self._tag and self._total in (None, total)
        if body.status == httpx.codes.PARTIAL_CONTENT and same_file and (first, last + 1) == (self.received, total):
            return
        self._tag = ""
        raise self.origin.fault("Storage did not send the missing part of the file.", retryable=True)

    def require_end(self) -> None:
        """Raises ProviderError if bytes are missing."""
        if self._total not in (None, self.received):
            raise self.origin.cut(self.received, self._total)


class _StartCheck(Protocol):
    def __call__(self, start: bytes, *, whole: bool) -> None:
        """Raises ProviderError for a file that cannot begin so; `whole`: there are no more bytes."""


@dataclass
class PartialFile:
    """A file that is being downloaded; hashed while it is written. Each `fetch` is one request.

    `check` is called with the first bytes, at most 512, as they arrive and at the end.
    """

    file: BinaryIO
    origin: DownloadOrigin
    check: _StartCheck
    _at: DownloadPosition = field(init=False)
    _start: bytes = b""
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _heard: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        self._at = DownloadPosition(self.origin)

    @property
    def done(self) -> WrittenFile:
        """Size and digest of what has arrived."""
        return WrittenFile(self._at.received, self._digest.hexdigest())

    def idle(self) -> float:
        """Seconds since the last byte arrived, or since the beginning."""
        return monotonic() - self._heard

    def fetch(self, client: httpx.Client, url: str, progress: Progress, stop: threading.Event) -> None:
        """Request what is missing; returns when the file is whole.

        Raises ProviderError, which is retryable when another `fetch` may go on; OSError of the disk; Interrupted.
        """
        part = self._at.rest
        with self.origin.open(client, url, stop, part) as body:
            if part and body.status != httpx.codes.OK:
                self._at.require_fitting(body)
            else:
                self._begin(body)
            for chunk in body.chunks(progress, after=self._at.received):
                self._take(chunk)
        self._at.require_end()
        self.check(self._start, whole=True)

    def _begin(self, body: Body) -> None:
        """Start at the first byte, whatever there was."""
        if self._at.received:
            self.file.seek(0)
            self.file.truncate()
        self._at.begin(body)
        self._start, self._digest = b"", hashlib.sha256()

    def _take(self, chunk: bytes) -> None:
        if len(self._start) < _START:
            self._start = (self._start + chunk)[:_START]
            self.check(self._start, whole=False)
        self._digest.update(chunk)
        self.file.write(chunk)
        self._at.received += len(chunk)
        self._heard = monotonic()
