"""What each request passes on its way out: a refusal of writes, patience, a record, its origin, and leave to be sent.

Dry run is safe by construction: what is behind `ReadOnlyTransport` cannot send a write, whatever the code above asks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import ExitStack

import httpx
from typing_extensions import override

from uscdr.errors import ProviderError, WriteRefused
from uscdr.leave import SHORT, Leave
from uscdr.providers.outages import known, resolved

Record = Callable[[str, str, bool], None]
"""Told of every request just before it is sent: method, path without query, whether it writes."""

READING_POSTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("POST", re.compile(r"/actions/addon-attachments/resolve")),
    ("POST", re.compile(r"/client/v11/apps/[^/]+/transfers/[^/]+/actions/public-url")),
    ("POST", re.compile(r"/apps/[^/]+/log-sessions")),
)
"""The POSTs that change nothing, each named by method and whole path."""


def only_reads(method: str, path: str) -> bool:
    """Whether a request changes nothing at the provider. `path` is as sent, still percent-encoded."""
    if method in ("GET", "HEAD"):
        return True
    return any(method == known and pattern.fullmatch(path) for known, pattern in READING_POSTS)


def sent_path(request: httpx.Request) -> str:
    """The path as it goes over the wire, without the query: a query may hold a signature."""
    return request.url.raw_path.partition(b"?")[0].decode("ascii")


_BOUNDARY = "uscdr-empty-form"
EMPTY_FORM, EMPTY_FORM_TYPE = f"--{_BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={_BOUNDARY}"
"""A multipart form without a field, and the type that says so."""


class Around(httpx.BaseTransport):
    """Stands around another transport, which is closed with it."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    @override
    def close(self) -> None:
        self._inner.close()


class ReadOnlyTransport(Around):
    """Refuses every request that could write, before a connection is opened.

    `empty_posts` are paths that may be sent an empty form, `{}` or EMPTY_FORM: it is refused there, and shows that
    it would be.
    """

    def __init__(self, inner: httpx.BaseTransport, *, provider: str, empty_posts: frozenset[str] = frozenset()) -> None:
        super().__init__(inner)
        self._provider = provider
        self._empty_posts = empty_posts

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = sent_path(request)
        if not only_reads(request.method, path) and not self._is_empty_form(request, path):
            message = f"This run only reads: {request.method} {path} was refused and not sent."
            raise WriteRefused(message, provider=self._provider)
        return self._inner.handle_request(request)

    def _is_empty_form(self, request: httpx.Request, path: str) -> bool:
        return request.method == "POST" and path in self._empty_posts and request.read() in (b"{}", EMPTY_FORM)


class GivenUp(httpx.ConnectError):
    """Nothing was sent: the host has kept silent for as long as this command waits for it."""


class KnowingTransport(Around):
    """Waits for a host no longer than what is left of the patience of a command that only looks, if it is one.

    `direct`: no proxy is between, which would resolve the host's name.
    """

    def __init__(self, inner: httpx.BaseTransport, *, direct: bool) -> None:
        super().__init__(inner)
        self._direct = direct

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        outages = known()
        if outages is None:
            return self._inner.handle_request(request)
        place = request.url.netloc.decode("ascii")
        left, begun = outages.left(place), time.monotonic()
        if left <= 0:
            raise GivenUp("given up", request=request)
        limits = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {name: min(value or left, left) for name, value in limits.items()}
        try:
            self._find(request.url.host, left)
            response = self._inner.handle_request(request)
        except httpx.TransportError:
            outages.silent(place, begun)
            raise
        outages.answered(place)
        return response

    def _find(self, host: str, seconds: float) -> None:
        if self._direct:
            try:
                resolved(host, seconds)
            except TimeoutError as error:
                raise httpx.ConnectTimeout(str(error)) from None


class RecordingTransport(Around):
    """Tells `record` of each request that is about to be sent."""

    def __init__(self, inner: httpx.BaseTransport, record: Record) -> None:
        super().__init__(inner)
        self._record = record

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = sent_path(request)
        self._record(request.method, path, not only_reads(request.method, path))
        return self._inner.handle_request(request)


CREDENTIALS = ("Authorization", "Cookie")


class BoundTransport(Around):
    """Credentials stay with the address that they are for, whatever an answer or a caller names as the next one."""

    def __init__(self, inner: httpx.BaseTransport, base_url: str, *, provider: str) -> None:
        super().__init__(inner)
        self._origin = _origin(httpx.URL(base_url))
        self._provider = provider

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if _origin(request.url) != self._origin and any(name in request.headers for name in CREDENTIALS):
            raise ProviderError(
                f"A request with credentials was on its way to {request.url.host}, and was not sent.",
                provider=self._provider,
                why=f"They are for {self._origin[1]} alone.",
                next_action="Find out who names that address.",
                sent=False,
            )
        return self._inner.handle_request(request)


class AskingTransport(Around):
    """Asks for leave once the connection of a request that writes stands, before its first byte and its body."""

    def __init__(self, inner: httpx.BaseTransport, leave: Leave) -> None:
        super().__init__(inner)
        self._leave = leave

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if only_reads(request.method, sent_path(request)):
            return self._inner.handle_request(request)
        with ExitStack() as stack:
            request.extensions = {**request.extensions, "trace": _Departure(self._leave, request, stack)}
            return self._inner.handle_request(request)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


class _Departure:
    """Follows one request out of the house, by what the HTTP library tells of it."""

    def __init__(self, leave: Leave, request: httpx.Request, stack: ExitStack) -> None:
        self._leave = leave
        self._stack = stack
        length = request.headers.get("Content-Length", "")
        self._is_short = "Transfer-Encoding" not in request.headers and int(length or 0) <= SHORT

    def __call__(self, moment: str, _: object) -> None:
        if moment.endswith((_HEAD, _BODY)):
            if self._is_short or moment.endswith(_HEAD):
                self._stack.enter_context(self._leave.sending())
            else:
                self._leave()
        elif _SENT in moment:
            self._stack.pop_all().close()


_HEAD, _BODY, _SENT = ".send_request_headers.started", ".send_request_body.started", ".send_request_"
"""How the HTTP library calls the moments right before bytes go out, and begins all that it tells of sending."""
