"""Downloads a backup by its signed link, as a stream or to a private file; checks that it starts like a dump."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from uscdr.errors import NotFound, ProviderError, WrongContent
from uscdr.files import arriving
from uscdr.models.heroku import Download, SignedUrl
from uscdr.providers.heroku.client import PROVIDER, HerokuClient
from uscdr.providers.http.download import DownloadOrigin, DownloadPosition, PartialFile, disk_faults, require_new
from uscdr.providers.http.refusal import may_pass
from uscdr.providers.http.transport import open_client

if TYPE_CHECKING:
    import ssl
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from uscdr.providers.http.download import Body
    from uscdr.providers.ports.progress import Progress

MAGIC = b"PGDMP"
"""The first bytes of a dump in PostgreSQL's custom format."""


def fetch(sign: Callable[[], SignedUrl], destination: Path, progress: Progress, client: HerokuClient) -> Download:
    """Download to `destination`, which must not exist. Each attempt has a link of its own: the former may have expired.

    A download that was cut goes on where it broke off, or starts anew where storage does not offer that.
    """
    shown, patience = str(destination), client.patience
    require_new(destination, shown=shown)
    with disk_faults(shown), arriving(destination) as file:
        part = PartialFile(file, STORAGE, _check_start)

        def attempt() -> None:
            link = sign()
            with _client(link, client.verify) as http:
                part.fetch(http, link.url.get_secret_value(), progress, patience.stop)

        patience.call(attempt, writes=False, idle=part.idle)
    return Download(size=part.done.size, sha256=part.done.sha256)


def _client(link: SignedUrl, verify: ssl.SSLContext) -> httpx.Client:
    """Without the token: the link itself grants access."""
    base = "{0.scheme}://{0.netloc}".format(urlsplit(link.url.get_secret_value()))
    return open_client(base, provider=PROVIDER, verify=verify, read_only=True)


def _refused(status: int) -> ProviderError:
    why = f"Storage answered {status}."
    if status in (httpx.codes.FORBIDDEN, httpx.codes.UNAUTHORIZED, httpx.codes.GONE):
        return STORAGE.fault("Heroku's download link has expired.", why=why, status=status, retryable=True)
    if status == httpx.codes.NOT_FOUND:
        why = "Storage answered 404. Heroku may have deleted this backup."
        return STORAGE.fault("The backup file does not exist.", why=why, status=status, kind=NotFound)
    return STORAGE.fault("uscdr could not download the backup.", why=why, status=status, retryable=may_pass(status))


STORAGE = DownloadOrigin(
    PROVIDER, "Run the command again: it requests a new link. A link is valid for an hour at most.", _refused
)


def _check_start(start: bytes, *, whole: bool) -> None:
    """Raises as soon as the file cannot be a dump, so that an error page is not read to its end."""
    if start.startswith(MAGIC) or (not whole and MAGIC.startswith(start)):
        return
    looks = start.lstrip().lower()
    if not start:
        why = "The body is empty."
    elif looks.startswith((b"<!doctype html", b"<html")):
        why = "It looks like a web page."
    elif looks.startswith(b"<"):
        why = "It looks like XML, which storage returns for an expired link."
    else:
        why = f"A dump starts with {MAGIC.decode()}; this does not."
    raise STORAGE.fault("The downloaded file is not a PostgreSQL dump.", why=why, kind=WrongContent)


# A backup as a stream: from the signed link to the reader, with nothing written to this machine's disk.


class _DumpStream:
    """One backup, read in pieces of any size; over several requests if its download is cut."""

    def __init__(self, sign: Callable[[], SignedUrl], verify: ssl.SSLContext, stop: threading.Event) -> None:
        self._sign = sign
        self._verify = verify
        self._stop = stop
        self._at = DownloadPosition(STORAGE)
        self._chunks: Iterator[bytes] = iter(())
        self._left = b""
        self._connection = ExitStack()

    def begin(self) -> None:
        """Request the whole backup."""
        body = self._requested({})
        self._at.begin(body)
        self._chunks = body.chunks()

    @property
    def can_resume(self) -> bool:
        """Whether storage may send what is missing."""
        return bool(self._at.rest)

    def resume(self) -> None:
        """Request what is missing, with a new link.

        Raises ProviderError; if storage sent something else, the backup can only be requested anew.
        """
        body = self._requested(self._at.rest)
        self._at.require_fitting(body)
        self._chunks = body.chunks(after=self._at.received)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, none at the end. Raises ProviderError (a short body, too), Interrupted."""
        data = self._left or self._next()
        if 0 <= size < len(data):
            data, self._left = data[:size], data[size:]
        else:
            self._left = b""
        return data

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _next(self) -> bytes:
        for chunk in self._chunks:
            if chunk:
                self._at.received += len(chunk)
                return chunk
        self._at.require_end()
        return b""

    def _requested(self, part: Mapping[str, str]) -> Body:
        self._connection.close()
        link = self._sign()
        http = self._connection.enter_context(_client(link, self._verify))
        return self._connection.enter_context(STORAGE.open(http, link.url.get_secret_value(), self._stop, part))


@contextmanager
def open_stream(
    sign: Callable[[], SignedUrl], *, verify: ssl.SSLContext, stop: threading.Event
) -> Iterator[_DumpStream]:  # fmt: skip
    """The backup as a stream; each request has a link of its own.

    Raises ProviderError for a refused, expired or unreachable link; it is retryable when a new link may help.
    """
    with closing(_DumpStream(sign, verify, stop)) as stream:
        stream.begin()
        yield stream
