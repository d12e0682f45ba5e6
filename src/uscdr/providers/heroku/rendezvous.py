"""The raw TLS connection to an attached dyno.

The client sends the secret of `rendezvous://host:port/secret` and a line end; the server answers a banner line,
then everything the terminal prints, and closes when the process has ended.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterator
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.errors import Interrupted, ProviderError
from uscdr.leave import ANYHOW, Leave
from uscdr.providers.heroku.errors import PROVIDER

BANNER = b"rendezvous"
_CONNECT_SECONDS = 10.0
_LOOK_UP_SECONDS = 0.5
"""How often a silent connection looks at the deadline and the stop token."""
_CHUNK = 65536


class TimeLimitReached(Exception):
    """The deadline passed before the process ended."""


class Deadline:
    """A point in time, `seconds` from now on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; `TimeLimitReached` when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeLimitReached
        return left


def connect(url: SecretStr, verify: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    """Open the TLS connection; the secret is not sent yet, so that this may be repeated.

    Raises `ProviderError` with `sent=False`.
    """
    host, port = _address(url)
    limit = min(_CONNECT_SECONDS, deadline.left())
    try:
        plain = socket.create_connection((host, port), timeout=limit)
    except OSError as error:
        raise _unreachable(error.strerror or "no connection within the time limit", retryable=True) from None
    _keep_alive(plain)
    try:
        return verify.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        why = f"the certificate was not accepted ({error.verify_message})"
        raise _unreachable(why, retryable=False) from None
    except OSError:
        plain.close()
        raise _unreachable("the TLS connection failed", retryable=True) from None


def _keep_alive(plain: socket.socket) -> None:
    """A long silent command must neither lose its connection to a router nor wait for one that is dead."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10)):
        if hasattr(socket, option):
            plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)


def stream(
    connection: ssl.SSLSocket, url: SecretStr, deadline: Deadline, stop: threading.Event, leave: Leave = ANYHOW
) -> Generator[bytes, None, None]:
    """Say the secret, pass the banner by, and give what the process prints until the connection ends.

    A connection that breaks ends the stream like one that closes: the exit mark tells the two apart.
    """
    connection.settimeout(_LOOK_UP_SECONDS)
    try:
        with leave.sending():  # the command runs once the secret is there
            connection.sendall(_secret(url) + b"\r\n")
        received = _received(connection, deadline, stop)
        yield _after_banner(received)
        yield from received
    except OSError:
        return


def _received(connection: ssl.SSLSocket, deadline: Deadline, stop: threading.Event) -> Iterator[bytes]:
    while True:
        deadline.left()
        if stop.is_set():
            raise Interrupted("Interrupted while a one-off dyno was running.")
        try:
            chunk = connection.recv(_CHUNK)
        except TimeoutError:
            continue
        if not chunk:
            return
        yield chunk


def _after_banner(received: Iterator[bytes]) -> bytes:
    """What came with the banner after its line; all of it when there was no banner."""
    start = b""
    for chunk in received:
        start += chunk
        line, end, rest = start.partition(b"\n")
        if not BANNER.startswith(line.rstrip(b"\r")[: len(BANNER)]):
            return start
        if end:
            return rest
    return b""


def _address(url: SecretStr) -> tuple[str, int]:
    try:
        parts = urlsplit(url.get_secret_value())
        host, port = parts.hostname, parts.port or 5000
    except ValueError:
        raise _unreachable("the address is not readable", retryable=False) from None
    if parts.scheme != "rendezvous" or not host:
        raise _unreachable("the app runs in a private space, which is not supported", retryable=False)
    return host, port


def _secret(url: SecretStr) -> bytes:
    parts = urlsplit(url.get_secret_value())
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.path.removeprefix('/')}{query}".encode()


def _unreachable(why: str, *, retryable: bool) -> ProviderError:
    return ProviderError(
        "The one-off dyno's terminal could not be reached.",
        provider=PROVIDER,
        why=f"Rendezvous: {why}.",
        next_action="Check that this network lets TLS out to port 5000, and `ca_file` if it inspects TLS.",
        retryable=retryable,
        sent=False,
    )
