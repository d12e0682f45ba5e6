"""What every API client shares: trusted certificates, private addresses, credentials, and bearer connections."""

from __future__ import annotations

import re
import ssl
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Required, Self, TypedDict, Unpack
from urllib.parse import quote

import certifi
from typing_extensions import override

from uscdr.errors import BadInput, ConfigError, CredentialsRefused
from uscdr.files import opened
from uscdr.models.base import CLOCKS
from uscdr.providers.http.retry import OnWait, RetryingCaller, RetryPolicy
from uscdr.providers.http.transport import Record, is_loopback, open_client
from uscdr.write_guard import ANYHOW, WriteGuard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx
    from pydantic import SecretStr

    from uscdr.providers.http.exchange import HttpCall, Reply


def trust(ca_file: Path | None = None) -> ssl.SSLContext:
    """Verify against the system's roots, the bundled ones and `ca_file` (PEM), all together.

    Raises `ConfigError` when `ca_file` cannot be read as certificates.
    """
    context = _LazyRoots(ssl.PROTOCOL_TLS_CLIENT)
    if sys.version_info >= (3, 13):  # as Python's default context
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
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


class _LazyRoots(ssl.SSLContext):
    """Loads the roots, which takes time, with the first connection: http on this machine needs none.

    Connections that are opened at the same time load them once.
    """

    _loaded = False
    _loading = threading.Lock()

    @override
    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        self._load()
        return super().wrap_socket(*args, **options)

    @override
    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        self._load()
        return super().wrap_bio(*args, **options)

    def _load(self) -> None:
        with self._loading:
            if not self._loaded:
                self.load_verify_locations(certifi.where())  # a slim container has no system roots
                self.load_default_certs()
                self._loaded = True


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


def segment(value: str) -> str:
    """One path segment, percent-encoded.

    Raises `BadInput` for an empty or dotted one, which would name something else.
    """
    if value.strip(".") == "" or value != value.strip():
        raise BadInput(f"{value!r} is not a valid name or id.", next_action="Check the name.")
    return quote(value, safe="")


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
        policy=wiring.get("policy"), stop=wiring.get("stop"), on_wait=wiring.get("on_wait"), sleep=wiring.get("sleep")
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
        """Send one request once, with the token; errors as in `HttpCall.send`."""
        reply = call.send(self._client(base_url, for_writes=call.writes), provider=self._provider)
        there = reply.time("Date")
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
