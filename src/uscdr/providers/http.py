"""The one way to open an HTTP client: time limits, verified certificates, and a transport that refuses writes.

Dry run is safe by construction: a client opened `read_only` cannot send a write (`transports`).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from uscdr import __version__
from uscdr.errors import BadInput, ConfigError
from uscdr.leave import ANYHOW, Leave
from uscdr.providers.heads import LimitedTransport
from uscdr.providers.transports import (
    AskingTransport,
    BoundTransport,
    KnowingTransport,
    ReadOnlyTransport,
    Record,
    RecordingTransport,
)
from uscdr.reading import opened
from uscdr.settings import is_loopback_host

USER_AGENT = f"uscdr/{__version__}"
TIMEOUT = httpx.Timeout(connect=10.0, read=30.0, write=30.0, pool=10.0)
"""Seconds of silence; a read that is given up is asked again."""
WRITE_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=10.0)
"""As long as the official client waits: a write that is given up has to be looked for."""
UNDER_WAY = 30
"""Seconds for which a machine goes on sending what the other end does not confirm: then the connection is dropped."""


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
    """Whether nobody on the way can read along: https, or http that stays here. What is no address is not."""
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
    dropped = unconfirmed_at_most(UNDER_WAY) if for_writes else None
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
    """One path segment, percent-encoded. An empty or dotted one would address something else: `BadInput`."""
    if value.strip(".") == "" or value != value.strip():
        raise BadInput(f"{value!r} cannot be the name or id of anything.", next_action="Check the name.")
    return quote(value, safe="")
