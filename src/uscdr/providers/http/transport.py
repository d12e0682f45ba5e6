"""What each request passes on its way out: a refusal of writes, patience, a record, its origin, and leave to be sent.

Dry run is safe by construction: what is behind `ReadOnlyTransport` cannot send a write, whatever the code above asks.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
from typing_extensions import override

from uscdr.errors import ProviderError, WriteRefused
from uscdr.providers.http.outages import answer_seconds, known, resolved
from uscdr.write_guard import SHORT, WriteGuard

if TYPE_CHECKING:
    from ssl import SSLContext

Record = Callable[[str, str, bool], None]
"""Told of every request just before it is sent: method, path without query, whether it writes."""

READING_POSTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("POST", re.compile(r"/actions/addon-attachments/resolve")),
    ("POST", re.compile(r"/client/v11/apps/[^/]+/transfers/[^/]+/actions/public-url")),
    ("POST", re.compile(r"/apps/[^/]+/log-sessions")),
)
"""The POSTs that change nothing, each named by method and whole path."""


def _only_reads(method: str, path: str) -> bool:
    """Whether a request changes nothing at the provider. `path` is as sent, still percent-encoded."""
    if method in ("GET", "HEAD"):
        return True
    return any(method == known and pattern.fullmatch(path) for known, pattern in READING_POSTS)


def _sent_path(request: httpx.Request) -> str:
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
        path = _sent_path(request)
        if not _only_reads(request.method, path) and not self._is_empty_form(request, path):
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
        path = _sent_path(request)
        self._record(request.method, path, not _only_reads(request.method, path))
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

    def __init__(self, inner: httpx.BaseTransport, leave: WriteGuard) -> None:
        super().__init__(inner)
        self._leave = leave

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if _only_reads(request.method, _sent_path(request)):
            return self._inner.handle_request(request)
        with ExitStack() as stack:
            request.extensions = {**request.extensions, "trace": _Departure(self._leave, request, stack)}
            return self._inner.handle_request(request)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


class _Departure:
    """Follows one request out of the house, by what the HTTP library tells of it."""

    def __init__(self, leave: WriteGuard, request: httpx.Request, stack: ExitStack) -> None:
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


# How long an answer may take in all, however it trickles in: the libraries limit each silence, and no more.


class LimitedTransport(httpx.HTTPTransport):
    """The real transport. From its request's last byte on, the head of an answer has `answer_seconds`.

    Unless it `keeps` connections, each request has one of its own.
    """

    def __init__(
        self, *, verify: SSLContext, proxy: str | None, keeps: bool = True,
        socket_options: list[tuple[int, int, int]] | None = None,
    ) -> None:  # fmt: skip
        limits = httpx.Limits(max_keepalive_connections=None if keeps else 0)
        super().__init__(verify=verify, limits=limits, proxy=proxy, trust_env=False, socket_options=socket_options)
        self._heads = _Heads()
        # There is no public way to give a transport its sockets.
        self._pool._network_backend = _Backend(self._pool._network_backend, self._heads)  # noqa: SLF001

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._heads.awaited = True
        try:
            return super().handle_request(request)
        finally:
            self._heads.awaited = False


class _Heads(threading.local):
    """Whether this thread waits for the head of an answer."""

    awaited = False


class _Stream(httpcore.NetworkStream):
    """A connection that knows since when it has been answering."""

    def __init__(self, inner: httpcore.NetworkStream, heads: _Heads) -> None:
        self._inner = inner
        self._heads = heads
        self._end: float | None = None

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._heads.awaited:
            if self._end is None:
                self._end = time.monotonic() + answer_seconds()
            elif time.monotonic() > self._end:
                raise httpcore.ReadTimeout("the answer does not begin")
        return self._inner.read(max_bytes, timeout)

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._end = None
        self._inner.write(buffer, timeout)

    @override
    def close(self) -> None:
        self._inner.close()

    @override
    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout), self._heads)

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens such connections."""

    def __init__(self, inner: httpcore.NetworkBackend, heads: _Heads) -> None:
        self._inner = inner
        self._heads = heads

    @override
    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options), self._heads)

    @override
    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class Cut:
    """Whoever reads from the connection finds it ended `seconds` from now, unless `cancel` is called before.

    For readers that take no limit in all. One may take the end for that of the answer: `require_time_left` tells.
    """

    def __init__(self, seconds: float, connection: socket.socket) -> None:
        self._connection = connection
        self._over = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Leave the connection as it is."""
        self._timer.cancel()

    def require_time_left(self) -> None:
        """Raises TimeoutError when it was ended."""
        if self._over:
            raise TimeoutError

    def _end(self) -> None:
        self._over = True
        # Not by the TLS layer, which would take itself away from under the reader.
        with suppress(OSError, ValueError), socket.socket(fileno=socket.dup(self._connection.fileno())) as other:
            other.shutdown(socket.SHUT_RDWR)
