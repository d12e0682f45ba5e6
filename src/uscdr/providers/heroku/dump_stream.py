"""A backup as a stream: from the signed link straight to whoever reads, with nothing on this machine's disk."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

from uscdr.errors import Interrupted, ProviderError
from uscdr.models.heroku import SignedUrl
from uscdr.providers.exchange import describe, is_untrusted
from uscdr.providers.heroku.errors import PROVIDER
from uscdr.providers.http import is_private, open_client

_CHUNK = 256 * 1024
_FRESH_LINK = "Ask for a fresh link and download again; a link is good for an hour at most."


class DumpStream:
    """The body of one download. Memory use does not depend on its size."""

    def __init__(self, response: httpx.Response, stop: threading.Event) -> None:
        self._chunks = response.iter_raw(_CHUNK)
        self._announced = _announced(response)
        self._stop = stop
        self._left = memoryview(b"")
        self._received = 0

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, none at the end. Raises ProviderError (a short body, too), Interrupted."""
        if not self._left:
            self._left = memoryview(self._next())
        amount = len(self._left) if size < 0 else size
        data, self._left = bytes(self._left[:amount]), self._left[amount:]
        return data

    def _next(self) -> bytes:
        if self._stop.is_set():
            raise Interrupted("Interrupted during the download.", next_action="Nothing was kept; start it again.")
        try:
            chunk = next(self._chunks, b"")
        except httpx.HTTPError as error:
            raise self._broken_off(error) from None
        self._received += len(chunk)
        if not chunk and self._announced is not None and self._received != self._announced:
            raise _bad(f"The download ended after {self._received} of {self._announced} bytes.", retryable=True)
        return chunk

    def _broken_off(self, error: httpx.HTTPError) -> ProviderError:
        why = f"{describe(error).capitalize()}."
        message = f"The download broke off after {self._received} bytes."
        return _bad(message, why=why, retryable=not is_untrusted(error))


@contextmanager
def opened(link: SignedUrl, *, verify: ssl.SSLContext, stop: threading.Event) -> Iterator[DumpStream]:
    """GET the link, without the token: the link alone is the permission.

    Raises ProviderError for a refused, expired or unreachable link; it is retryable when a fresh one may help.
    """
    url = link.url.get_secret_value()
    if not is_private(url):
        raise _bad("The download link is not https, and a backup must not travel in clear text.")
    base = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    with open_client(base, provider=PROVIDER, verify=verify, read_only=True) as http:
        request = http.build_request("GET", url, headers={"Accept-Encoding": "identity"})
        response = _translated(lambda: http.send(request, stream=True))
        try:
            _accept(response.status_code)
            yield DumpStream(response, stop)
        finally:
            response.close()


def _translated(send: Callable[[], httpx.Response]) -> httpx.Response:
    try:
        return send()
    except httpx.HTTPError as error:
        raise _bad(
            "The backup's storage did not answer.", why=f"{describe(error).capitalize()}.",
            retryable=not is_untrusted(error),
        ) from None  # fmt: skip


def _accept(status: int) -> None:
    if status == httpx.codes.OK:
        return
    if status in (httpx.codes.FORBIDDEN, httpx.codes.UNAUTHORIZED, httpx.codes.GONE):
        raise _bad("The download link has expired.", why=f"Storage answered {status}.", status=status, retryable=True)
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


def _bad(message: str, *, why: str = "", status: int | None = None, retryable: bool = False) -> ProviderError:
    return ProviderError(
        message, provider=PROVIDER, why=why, next_action=_FRESH_LINK, status=status, retryable=retryable
    )
