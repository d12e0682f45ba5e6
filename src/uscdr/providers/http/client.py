"""Opens HTTP clients: with time limits, verified certificates, and a transport that can refuse writes.

A dry run is safe by construction: a client opened `read_only` cannot send a write (`transport`).
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Required, Self, TypedDict, Unpack
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from uscdr import __version__
from uscdr.errors import BadInput, ConfigError, CredentialsRefused
from uscdr.files import opened
from uscdr.models.base import CLOCKS
from uscdr.providers.http.exchange import HttpCall, Reply, exchange, http_date
from uscdr.providers.http.retry import OnWait, RetryingCaller, RetryPolicy
from uscdr.providers.http.transport import (
    AskingTransport,
    BoundTransport,
    KnowingTransport,
    LimitedTransport,
    ReadOnlyTransport,
    Record,
    RecordingTransport,
)
from uscdr.settings import is_loopback_host
from uscdr.write_guard import ANYHOW, WriteGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pydantic import SecretStr

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


def trust(ca_file: Path | None = None) -> ssl.SSLContext:
    """Verify against the system's roots, the bundled ones and `ca_file` (PEM), all together.

    Raises `ConfigError` when `ca_file` cannot be read as certificates.
    """
    # The bundled roots first: a slim container has no system roots.
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    if ca_file is not None:
        try:
            with opened(ca_file):  # reading a named pipe would block
                context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"uscdr cannot read {ca_file} as PEM certificates.",
                why=error.strerror or "it is not a certificate file",
                next_action="Correct `ca_file` of the target, or remove it.",
            ) from error
    return context


def proxy_for(url: str) -> str | None:
    """The environment's proxy for `url` (HTTPS_PROXY and the like), except for NO_PROXY and this machine."""
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


def is_loopback(url: str) -> bool:
    """Whether `url` stays on this machine."""
    return is_loopback_host(urlsplit(url).hostname or "")


def is_private(url: str) -> bool:
    """Whether nobody can read the traffic: https, or http on this machine. False for a malformed address."""
    try:
        stays = is_loopback(url)
    except ValueError:
        return False
    return url.startswith("https://") or (url.startswith("http://") and stays)


def require_private(url: str, what: str) -> str:
    """Return `url` when it is https, or http on this machine; `ConfigError` otherwise."""
    if is_private(url):
        return url
    raise ConfigError(
        f"{what} must be an https address (http only on this machine).",
        why="Credentials and patient data would be sent unencrypted.",
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
    """One path segment, percent-encoded.

    Raises `BadInput` for an empty or dotted one, which would name something else.
    """
    if value.strip(".") == "" or value != value.strip():
        raise BadInput(f"{value!r} is not a valid name or id.", next_action="Check the name.")
    return quote(value, safe="")


# Shared by API clients: wiring, connections with a bearer token, and the check of credentials.


CREDENTIAL = re.compile(r"[!-~]+")
"""The characters of a token, key or secret."""


class ClientOptions(TypedDict, total=False):
    """Keyword arguments of every client; `ca_file` (PEM) is trusted in addition to the usual authorities."""

    ca_file: Path | None
    read_only: Required[bool]
    stop: threading.Event | None
    on_wait: OnWait | None
    on_clock: Callable[[float], None] | None
    record: Record | None
    leave: WriteGuard
    policy: RetryPolicy | None
    sleep: Callable[[float], None] | None


def patience(wiring: ClientOptions) -> RetryingCaller:
    """How the client waits between attempts."""
    return RetryingCaller(
        policy=wiring.get("policy"),
        stop=wiring.get("stop"),
        on_wait=wiring.get("on_wait"),
        sleep=wiring.get("sleep"),
    )


class BearerClient:
    """Connections to one provider's addresses, opened on first use.

    Thread-safe; `close()` it, or use it as a context manager. Raises `CredentialsRefused` for a malformed token, and
    `ConfigError` for an unreadable `ca_file`.
    """

    def __init__(self, provider: str, token: SecretStr, how_to_get_one: str, **wiring: Unpack[ClientOptions]) -> None:
        require_credentials(
            f"{provider} token", token.get_secret_value(), provider=provider, next_action=how_to_get_one
        )
        self._provider = provider
        self.token = token
        self.verify = trust(wiring.get("ca_file"))
        self.read_only = wiring["read_only"]
        self.record = wiring.get("record")
        """Called for every request; connections to other hosts for the same call share it."""
        self.leave = wiring.get("leave", ANYHOW)
        """Asked before each writing request, also on those connections."""
        self.patience = patience(wiring)
        self._on_clock = wiring.get("on_clock")
        """Called once with the seconds that the provider's clock is ahead of this machine's, if they matter."""
        self.ahead: float | None = None
        """Seconds that the provider's clock is ahead of this machine's, by its last answer; None if unknown."""
        self._clients: dict[tuple[str, bool], httpx.Client] = {}
        self._opening = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def exchange(self, base_url: str, call: HttpCall) -> Reply:
        """Send one request once, with the token; errors as in `exchange`."""
        reply = exchange(self._client(base_url, for_writes=call.writes), call, provider=self._provider)
        there = http_date(reply.headers.get("Date", ""))
        if there is not None:
            self._compare_clocks((there - datetime.now(UTC)).total_seconds())
        return reply

    def _compare_clocks(self, ahead: float) -> None:
        first, self.ahead = self.ahead is None or abs(self.ahead) <= CLOCKS, ahead
        if first and abs(ahead) > CLOCKS and self._on_clock is not None:
            self._on_clock(ahead)

    def _client(self, base_url: str, *, for_writes: bool) -> httpx.Client:
        key = (base_url, for_writes)
        with self._opening:
            if key not in self._clients:
                self._clients[key] = open_client(
                    base_url,
                    provider=self._provider,
                    verify=self.verify,
                    read_only=self.read_only,
                    record=self.record,
                    headers={"Authorization": f"Bearer {self.token.get_secret_value()}"},
                    for_writes=for_writes,
                    leave=self.leave,
                )
            return self._clients[key]


def require_credentials(what: str, *values: str, provider: str, next_action: str) -> None:
    """Raise `CredentialsRefused` when one of `values` is empty or has invalid characters."""
    if not all(CREDENTIAL.fullmatch(value) for value in values):
        raise CredentialsRefused(
            f"The {what} is empty or contains invalid characters.",
            provider=provider,
            next_action=next_action,
            sent=False,
        )
