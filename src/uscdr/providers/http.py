"""The one way to open an HTTP client: time limits, verified certificates, and a transport that refuses writes.

Dry run is safe by construction: a client opened `read_only` cannot send a write, whatever the code above asks.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from uscdr import __version__
from uscdr.errors import BadInput, ConfigError, ProviderError, WriteRefused
from uscdr.leave import ANYHOW, SHORT, Leave
from uscdr.providers.outages import known, resolved
from uscdr.reading import opened
from uscdr.settings import is_loopback_host

USER_AGENT = f"uscdr/{__version__}"
TIMEOUT = httpx.Timeout(connect=10.0, read=30.0, write=30.0, pool=10.0)
"""Seconds of silence; a read that is given up is asked again."""
WRITE_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=10.0)
"""As long as the official client waits: a write that is given up has to be looked for."""
UNDER_WAY = 30
"""Seconds for which a machine goes on sending what the other end does not confirm: then the connection is dropped."""

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


class ReadOnlyTransport(httpx.BaseTransport):
    """Refuses every request that could write, before a connection is opened.

    `empty_posts` are paths that may be sent an empty form, `{}` or EMPTY_FORM: it is refused there, and shows that
    it would be.
    """

    def __init__(self, inner: httpx.BaseTransport, *, provider: str, empty_posts: frozenset[str] = frozenset()) -> None:
        self._inner = inner
        self._provider = provider
        self._empty_posts = empty_posts

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a read on; raise `WriteRefused` for anything else."""
        path = sent_path(request)
        if not only_reads(request.method, path) and not self._is_empty_form(request, path):
            message = f"This run only reads: {request.method} {path} was refused and not sent."
            raise WriteRefused(message, provider=self._provider)
        return self._inner.handle_request(request)

    def _is_empty_form(self, request: httpx.Request, path: str) -> bool:
        return request.method == "POST" and path in self._empty_posts and request.read() in (b"{}", EMPTY_FORM)

    def close(self) -> None:
        """Close the real transport."""
        self._inner.close()


class GivenUp(httpx.ConnectError):
    """Nothing was sent: the host has kept silent for as long as this command waits for it."""


class KnowingTransport(httpx.BaseTransport):
    """Waits for a host no longer than what is left of the patience of a command that only looks, if it is one.

    `direct`: no proxy is between, which would resolve the host's name.
    """

    def __init__(self, inner: httpx.BaseTransport, *, direct: bool) -> None:
        self._inner = inner
        self._direct = direct

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on, unless the host is given up."""
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

    def close(self) -> None:
        """Close the real transport."""
        self._inner.close()


class RecordingTransport(httpx.BaseTransport):
    """Tells `record` of each request that is about to be sent."""

    def __init__(self, inner: httpx.BaseTransport, record: Record) -> None:
        self._inner = inner
        self._record = record

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Record, then send."""
        path = sent_path(request)
        self._record(request.method, path, not only_reads(request.method, path))
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the real transport."""
        self._inner.close()


CREDENTIALS = ("Authorization", "Cookie")


class BoundTransport(httpx.BaseTransport):
    """Credentials stay with the address that they are for, whatever an answer or a caller names as the next one."""

    def __init__(self, inner: httpx.BaseTransport, base_url: str, *, provider: str) -> None:
        self._inner = inner
        self._origin = _origin(httpx.URL(base_url))
        self._provider = provider

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send; raise ProviderError for credentials that would go elsewhere."""
        if _origin(request.url) != self._origin and any(name in request.headers for name in CREDENTIALS):
            raise ProviderError(
                f"A request with credentials was on its way to {request.url.host}, and was not sent.",
                provider=self._provider,
                why=f"They are for {self._origin[1]} alone.",
                next_action="Find out who names that address.",
                sent=False,
            )
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the real transport."""
        self._inner.close()


class AskingTransport(httpx.BaseTransport):
    """Asks for leave once the connection of a request that writes stands, before its first byte and its body."""

    def __init__(self, inner: httpx.BaseTransport, leave: Leave) -> None:
        self._inner = inner
        self._leave = leave

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send; raises what forbids it."""
        if only_reads(request.method, sent_path(request)):
            return self._inner.handle_request(request)
        with ExitStack() as stack:
            request.extensions = {**request.extensions, "trace": _Departure(self._leave, request, stack)}
            return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the real transport."""
        self._inner.close()


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


def unconfirmed_at_most(seconds: int) -> list[tuple[int, int, int]]:
    """Socket options that drop a connection whose other end confirms nothing for so long; none where there are none."""
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return []
    return [(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)]


def trust(ca_file: Path | None = None) -> ssl.SSLContext:
    """Verify against the system's roots, the bundled ones and `ca_file` (PEM), all together.

    Raises `ConfigError` when `ca_file` cannot be read as certificates.
    """
    # The bundled roots first: a slim container has none of its own.
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    if ca_file is not None:
        try:
            with opened(ca_file):  # a pipe of that name would be waited for
                context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{ca_file} cannot be read as PEM certificates.",
                why=error.strerror or "not a certificate file",
                next_action="Correct `ca_file` of the target, or remove it.",
            ) from error
    return context


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url` (HTTPS_PROXY and its kin), minus NO_PROXY and this machine."""
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


def is_loopback(url: str) -> bool:
    """Whether `url` stays on this machine."""
    return is_loopback_host(urlsplit(url).hostname or "")


def is_private(url: str) -> bool:
    """Whether nobody on the way can read along: https, or http that stays on this machine."""
    return url.startswith("https://") or (url.startswith("http://") and is_loopback(url))


def require_private(url: str, what: str) -> str:
    """Return `url` when it is https, or http on this machine; `ConfigError` otherwise."""
    if is_private(url):
        return url
    raise ConfigError(
        f"{what} must be an https address (http only on this machine).",
        why="Credentials and patient data would travel in clear text.",
        next_action="Correct the address in the target.",
    )


def open_client(
    base_url: str,
    *,
    provider: str,
    verify: ssl.SSLContext,
    read_only: bool,
    record: Record | None = None,
    headers: Mapping[str, str] | None = None,
    for_writes: bool = False,
    empty_posts: frozenset[str] = frozenset(),
    leave: Leave = ANYHOW,
) -> httpx.Client:
    """A client for one base URL; redirects are not followed, and credentials go to no other.

    With `for_writes` each request has a connection of its own and more time: a kept connection that the
    server closed meanwhile would look like a lost answer. `leave` is asked before each request that writes.
    """
    limits = httpx.Limits(max_keepalive_connections=0 if for_writes else None)
    dropped = unconfirmed_at_most(UNDER_WAY) if for_writes else None
    transport: httpx.BaseTransport = httpx.HTTPTransport(
        verify=verify, limits=limits, proxy=proxy_for(base_url), trust_env=False, socket_options=dropped
    )
    transport = AskingTransport(transport, leave)
    transport = BoundTransport(transport, base_url, provider=provider)
    if record is not None:
        transport = RecordingTransport(transport, record)
    transport = KnowingTransport(transport, direct=proxy_for(base_url) is None)
    if read_only:
        transport = ReadOnlyTransport(transport, provider=provider, empty_posts=empty_posts)
    return httpx.Client(
        base_url=base_url,
        transport=transport,
        timeout=WRITE_TIMEOUT if for_writes else TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": USER_AGENT, **(headers or {})},
    )


def segment(value: str) -> str:
    """One path segment, percent-encoded. An empty or dotted one would address something else: `BadInput`."""
    if value.strip(".") == "" or value != value.strip():
        raise BadInput(f"{value!r} cannot be the name or id of anything.", next_action="Check the name.")
    return quote(value, safe="")
