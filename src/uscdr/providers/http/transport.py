"""Opens HTTP clients. Each request passes these layers: refuse writes, limit the wait, record, check origin, ask.

A dry run is safe by construction: nothing above `_ReadOnlyTransport` can send a write.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx
from typing_extensions import override

from uscdr import __version__
from uscdr.errors import ProviderError, WriteRefused
from uscdr.providers.http.outages import Outages, answer_seconds, wait_for_dns
from uscdr.settings import is_loopback_host
from uscdr.write_guard import ANYHOW, SHORT, WriteGuard

if TYPE_CHECKING:
    from ssl import SSLContext

Record = Callable[[str, str, bool], None]
"""Called for every request just before it is sent: method, path without query, whether it writes."""

READING_POSTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("POST", re.compile(r"/actions/addon-attachments/resolve")),
    ("POST", re.compile(r"/client/v11/apps/[^/]+/transfers/[^/]+/actions/public-url")),
    ("POST", re.compile(r"/apps/[^/]+/log-sessions")),
)
"""The POSTs that change nothing, by method and whole path."""


def _only_reads(method: str, path: str) -> bool:
    """Whether a request changes nothing at the provider. `path` is as sent, still percent-encoded."""
    if method in ("GET", "HEAD"):
        return True
    return any(method == known and pattern.fullmatch(path) for known, pattern in READING_POSTS)


def _sent_path(request: httpx.Request) -> str:
    """The path as sent, without the query, which may contain a signature."""
    return request.url.raw_path.partition(b"?")[0].decode("ascii")


_BOUNDARY = "uscdr-empty-form"
EMPTY_FORM, EMPTY_FORM_TYPE = f"--{_BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={_BOUNDARY}"
"""A multipart form without fields, and its content type."""


class _Around(httpx.BaseTransport):
    """Wraps another transport, and closes it too."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    @override
    def close(self) -> None:
        self._inner.close()


class _ReadOnlyTransport(_Around):
    """Refuses every request that could write, before a connection is opened.

    `empty_posts` are paths to which an empty form (`{}` or EMPTY_FORM) may be sent: the application refuses it, and the
    check wants that refusal.
    """

    def __init__(self, inner: httpx.BaseTransport, *, provider: str, empty_posts: frozenset[str] = frozenset()) -> None:
        super().__init__(inner)
        self._provider = provider
        self._empty_posts = empty_posts

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = _sent_path(request)
        if not _only_reads(request.method, path) and not self._is_empty_form(request, path):
            message = f"This run only reads: uscdr did not send {request.method} {path}."
            raise WriteRefused(message, provider=self._provider)
        return self._inner.handle_request(request)

    def _is_empty_form(self, request: httpx.Request, path: str) -> bool:
        return request.method == "POST" and path in self._empty_posts and request.read() in (b"{}", EMPTY_FORM)


class GivenUp(httpx.ConnectError):
    """Nothing was sent: the host stayed silent for the longest time that this command waits."""


class KnowingTransport(_Around):
    """In a read-only command, waits for a host only as long as the command's remaining limit allows.

    `direct`: without a proxy, which would resolve the host name.
    """

    def __init__(self, inner: httpx.BaseTransport, *, direct: bool) -> None:
        super().__init__(inner)
        self._direct = direct

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        outages = Outages.known()
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
                wait_for_dns(host, seconds)
            except TimeoutError as error:
                raise httpx.ConnectTimeout(str(error)) from None


class _RecordingTransport(_Around):
    """Calls `record` for each request before it is sent."""

    def __init__(self, inner: httpx.BaseTransport, record: Record) -> None:
        super().__init__(inner)
        self._record = record

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = _sent_path(request)
        self._record(request.method, path, not _only_reads(request.method, path))
        return self._inner.handle_request(request)


CREDENTIALS = ("Authorization", "Cookie")


class _BoundTransport(_Around):
    """Refuses to send credentials to another address, even if an answer or a caller names one."""

    def __init__(self, inner: httpx.BaseTransport, base_url: str, *, provider: str) -> None:
        super().__init__(inner)
        self._origin = _origin(httpx.URL(base_url))
        self._provider = provider

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if _origin(request.url) != self._origin and any(name in request.headers for name in CREDENTIALS):
            raise ProviderError(
                f"uscdr did not send a request with credentials to {request.url.host}.",
                provider=self._provider,
                why=f"These credentials are only for {self._origin[1]}.",
                next_action="Check the addresses in the target, and find out where this one comes from.",
                sent=False,
            )
        return self._inner.handle_request(request)


class _AskingTransport(_Around):
    """Asks for permission to write once the connection is open, before the request's first byte and before its body."""

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
    """Follows the sending of one request, by the HTTP library's trace events."""

    def __init__(self, leave: WriteGuard, request: httpx.Request, stack: ExitStack) -> None:
        self._leave = leave
        self._stack = stack
        length = request.headers.get("Content-Length", "")
        self._is_short = "Transfer-Encoding" not in request.headers and int(length or 0) <= SHORT

    def __call__(self, moment: str, _: object) -> None:
        if moment.endswith((_HEAD, _BODY)):
            is_head = moment.endswith(_HEAD)
            if self._is_short or is_head:
                self._stack.enter_context(self._leave.sending(more=not is_head))
            else:
                self._leave(more=not is_head)
        elif _SENT in moment:
            self._stack.pop_all().close()


_HEAD, _BODY, _SENT = ".send_request_headers.started", ".send_request_body.started", ".send_request_"
"""The HTTP library's event names right before sending, and the prefix of all its sending events."""


# Clients on these transports, with time limits and verified certificates.


USER_AGENT = f"uscdr/{__version__}"
TIMEOUT = httpx.Timeout(connect=10.0, read=30.0, write=30.0, pool=10.0)
"""Seconds of silence; a read that times out is retried."""
WRITE_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=10.0)
"""As long as the official client waits: after a timed-out write, the caller must check its effect."""
UNDER_WAY = 30
"""Seconds that sent data may stay unacknowledged; then the connection is dropped."""


def _unconfirmed_at_most(seconds: int) -> list[tuple[int, int, int]]:
    """Socket options that drop a connection without acknowledgements for that long; empty where unsupported."""
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return []
    return [(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)]


def proxy_for(url: str) -> str | None:
    """The environment's proxy for `url` (HTTPS_PROXY and the like), except for NO_PROXY and this machine."""
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


def is_loopback(url: str) -> bool:
    """Whether `url` stays on this machine."""
    return is_loopback_host(urlsplit(url).hostname or "")


def open_client(
    base_url: str,
    *,
    provider: str,
    verify: SSLContext,
    read_only: bool,
    record: Record | None = None,
    headers: Mapping[str, str] | None = None,
    for_writes: bool = False,
    empty_posts: frozenset[str] = frozenset(),
    leave: WriteGuard = ANYHOW,
) -> httpx.Client:
    """A client for one base URL; redirects are not followed, and credentials go to no other address.

    With `for_writes` each request has its own connection and more time: a reused connection that the server has closed
    would look like a lost answer. `leave` is asked before each writing request.
    """
    dropped = _unconfirmed_at_most(UNDER_WAY) if for_writes else None
    transport: httpx.BaseTransport = LimitedTransport(
        verify=verify, keeps=not for_writes, proxy=proxy_for(base_url), socket_options=dropped
    )
    transport = _AskingTransport(transport, leave)
    transport = _BoundTransport(transport, base_url, provider=provider)
    if record is not None:
        transport = _RecordingTransport(transport, record)
    transport = KnowingTransport(transport, direct=proxy_for(base_url) is None)
    if read_only:
        transport = _ReadOnlyTransport(transport, provider=provider, empty_posts=empty_posts)
    return httpx.Client(
        base_url=base_url,
        transport=transport,
        timeout=WRITE_TIMEOUT if for_writes else TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": USER_AGENT, **(headers or {})},
    )


# The total time of an answer, even if it trickles in: the libraries only limit each silence.


class LimitedTransport(httpx.HTTPTransport):
    """The real transport.

    The headers must arrive within `answer_seconds` of the request's last byte. Each request has its own connection,
    unless `keeps` is set.
    """

    def __init__(
        self, *, verify: SSLContext, proxy: str | None, keeps: bool = True,
        socket_options: list[tuple[int, int, int]] | None = None,
    ) -> None:  # fmt: skip
        limits = httpx.Limits(max_keepalive_connections=None if keeps else 0)
        super().__init__(verify=verify, limits=limits, proxy=proxy, trust_env=False, socket_options=socket_options)
        self._heads = _Heads()
        # httpx has no public way to set a transport's sockets.
        self._pool._network_backend = _Backend(self._pool._network_backend, self._heads)  # noqa: SLF001

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._heads.awaited = True
        try:
            return super().handle_request(request)
        finally:
            self._heads.awaited = False


class _Heads(threading.local):
    """Whether this thread waits for the headers of an answer."""

    awaited = False


class _Stream(httpcore.NetworkStream):
    """A connection that knows when its answer began."""

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
                raise httpcore.ReadTimeout("the answer did not begin")
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
    """Ends the connection `seconds` from now, unless `cancel` is called before.

    For readers without a total limit. A reader may take this for the end of the answer: `require_time_left` tells them
    apart.
    """

    def __init__(self, seconds: float, connection: socket.socket) -> None:
        self._connection = connection
        self._over = False
        _CUTS.add(self, seconds)

    def cancel(self) -> None:
        """Leave the connection as it is."""
        _CUTS.drop(self)

    def require_time_left(self) -> None:
        """Raises TimeoutError when it was ended."""
        if self._over:
            raise TimeoutError

    def end(self) -> None:
        """End it now."""
        self._over = True
        # On the socket itself: unwrapping TLS would pull the layer away from the reader.
        with suppress(OSError, ValueError), socket.socket(fileno=socket.dup(self._connection.fileno())) as other:
            other.shutdown(socket.SHUT_RDWR)


class _Cuts:
    """The pending ones. One thread watches them all while there are any: a thread for each request would cost more."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._due: dict[Cut, float] = {}
        self._wakes = 0.0
        self._thread: threading.Thread | None = None

    def add(self, cut: Cut, seconds: float) -> None:
        """End it in so many seconds."""
        with self._change:
            due = self._due[cut] = time.monotonic() + seconds
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()
            elif due < self._wakes:
                self._change.notify()

    def drop(self, cut: Cut) -> None:
        """It is not needed any more."""
        with self._change:
            self._due.pop(cut, None)

    def _watch(self) -> None:
        while True:
            with self._change:
                now = time.monotonic()
                over = [cut for cut, due in self._due.items() if due <= now]
                for cut in over:
                    del self._due[cut]
                if not over:
                    self._wakes = min(self._due.values(), default=now + _IDLE)
                    self._change.wait(self._wakes - now)
                    if not self._due and time.monotonic() >= self._wakes:
                        self._thread = None
                        return
            for cut in over:
                cut.end()


_IDLE = 5.0
"""Seconds after which the thread ends when nothing is pending."""
_CUTS = _Cuts()
