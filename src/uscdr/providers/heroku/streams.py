"""Following the output of a build or a release phase: text that grows, taken up again where it was cut.

The address is the permission: no token goes with it. What was read is passed on and kept nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx

from uscdr.errors import Interrupted, ProviderError
from uscdr.providers.exchange import describe, is_untrusted
from uscdr.providers.heroku.client import HerokuClient
from uscdr.providers.heroku.errors import PROVIDER
from uscdr.providers.http import is_private, open_client
from uscdr.providers.refusal import may_pass
from uscdr.words import duration

IDLE_SECONDS = 900.0
"""Without a byte for so long, it is given up; the platform ends a build after a quarter of an hour of work."""
GLANCE_SECONDS = 3.0
"""A silent connection is left and taken up again so often, so that a stop is heeded and a dead one noticed."""
LONGEST_LINE = 16 * 1024


@dataclass
class Reader:
    """How far the output was read, in bytes, and the line that is not whole yet."""

    on_line: Callable[[str], None]
    position: int = 0
    rest: bytes = field(default=b"", repr=False)
    heard: float = field(default_factory=time.monotonic)

    def take(self, chunk: bytes) -> None:
        """Pass whole lines on; a line without end is passed on in pieces."""
        self.position += len(chunk)
        self.heard = time.monotonic()
        *whole, self.rest = (self.rest + chunk).split(b"\n")
        for line in whole:
            self._tell(line)
        while len(self.rest) > LONGEST_LINE:
            self._tell(self.rest[:LONGEST_LINE])
            self.rest = self.rest[LONGEST_LINE:]

    def end(self) -> None:
        """Pass on a last line that has no line end."""
        if self.rest:
            self._tell(self.rest)
        self.rest = b""

    def _tell(self, line: bytes) -> None:
        self.on_line(line.removesuffix(b"\r").decode("utf-8", "replace"))


def follow(client: HerokuClient, url: str, on_line: Callable[[str], None], *, idle: float = IDLE_SECONDS) -> None:
    """`GET` of an `output_stream_url` until it ends, `Range: bytes=N-` after a cut.

    `ProviderError` when it stays unreachable, or says nothing for `idle` seconds; `Interrupted` when stopped.
    """
    if not is_private(url):
        raise _failed("the stream would travel in clear text", retryable=False)
    reader = Reader(on_line)
    with open_client(url, provider=PROVIDER, verify=client.verify, read_only=True, record=client.record) as http:
        while not client.patience.call(lambda: _some(client, http, url, reader), writes=False):
            if time.monotonic() - reader.heard > idle:
                raise _failed(f"nothing came for {duration(idle)}", retryable=False)
    reader.end()


def _some(client: HerokuClient, http: httpx.Client, url: str, reader: Reader) -> bool:
    """Read on; whether the stream has ended. A cut that brought nothing new raises a retryable error."""
    before = reader.position
    try:
        with http.stream("GET", url, headers=_headers(before), timeout=_patient()) as response:
            if _is_over(response, before):
                return True
            for chunk in _after(response, before):
                reader.take(chunk)
                _heed_stop(client)
    except httpx.ReadTimeout:
        _heed_stop(client)
        return False
    except httpx.HTTPError as error:
        _heed_stop(client)
        if reader.position > before:
            return False
        raise _failed(describe(error), retryable=not is_untrusted(error)) from None
    return True


def _headers(position: int) -> dict[str, str]:
    # Compressed bytes could not be counted.
    headers = {"Accept": "text/plain", "Accept-Encoding": "identity"}
    return headers | {"Range": f"bytes={position}-"} if position else headers


def _patient() -> httpx.Timeout:
    return httpx.Timeout(10.0, read=GLANCE_SECONDS)


def _is_over(response: httpx.Response, position: int) -> bool:
    """Whether there is nothing after `position`; anything but the text raises."""
    status = response.status_code
    if position and status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        return True
    if status in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        return False
    # Not found: the address is told before the first line is there.
    passing = status == httpx.codes.NOT_FOUND or may_pass(status)
    raise _failed(f"the stream answered {status}", retryable=passing)


def _after(response: httpx.Response, position: int) -> Iterator[bytes]:
    """The bytes after `position`; an answer that ignores the range begins again at the first."""
    skip = 0 if response.status_code == httpx.codes.PARTIAL_CONTENT else position
    for chunk in response.iter_raw():
        yield chunk[skip:]
        skip = max(0, skip - len(chunk))


def _heed_stop(client: HerokuClient) -> None:
    if client.patience.stop.is_set():
        raise Interrupted("Interrupted while following the output; what it reports goes on at the platform.")


def _failed(why: str, *, retryable: bool) -> ProviderError:
    return ProviderError(
        f"{PROVIDER} did not give the output.",
        provider=PROVIDER,
        why=f"Output stream: {why}.",
        next_action="Look at the build or release itself; its output is in the dashboard, under Activity.",
        retryable=retryable,
    )
