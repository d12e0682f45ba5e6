"""What clients of HTTP APIs share: their wiring, connections with a bearer token, what credentials look like."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Required, Self, TypedDict, Unpack

import httpx
from pydantic import SecretStr

from uscdr.errors import CredentialsRefused
from uscdr.leave import ANYHOW, Leave
from uscdr.models.duration import CLOCKS
from uscdr.providers.exchange import Call, Reply, exchange
from uscdr.providers.headers import http_date
from uscdr.providers.http import open_client, trust
from uscdr.providers.retry import OnWait, Patience, RetryPolicy
from uscdr.providers.transports import Record

CREDENTIAL = re.compile(r"[!-~]+")
"""What a token, key or secret may consist of."""


class Wiring(TypedDict, total=False):
    """What every client may be given, by keyword; `ca_file` (PEM) is trusted beside the usual authorities."""

    ca_file: Path | None
    read_only: Required[bool]
    stop: threading.Event | None
    on_wait: OnWait | None
    on_clock: Callable[[float], None] | None
    record: Record | None
    leave: Leave
    policy: RetryPolicy | None
    sleep: Callable[[float], None] | None


def patience(wiring: Wiring) -> Patience:
    """How such a client waits."""
    return Patience(
        policy=wiring.get("policy"),
        stop=wiring.get("stop"),
        on_wait=wiring.get("on_wait"),
        sleep=wiring.get("sleep"),
    )


class BearerClient:
    """Connections to one provider's addresses, opened when first used.

    Thread-safe; `close()` it, or use it as a context.

    Raises `CredentialsRefused` for a token that cannot be one, and `ConfigError` for an unreadable `ca_file`.
    """

    def __init__(self, provider: str, token: SecretStr, how_to_get_one: str, **wiring: Unpack[Wiring]) -> None:
        require_credentials(
            f"{provider} token", token.get_secret_value(), provider=provider, next_action=how_to_get_one
        )
        self._provider = provider
        self.token = token
        self.verify = trust(wiring.get("ca_file"))
        self.read_only = wiring["read_only"]
        self.record = wiring.get("record")
        """Told of every request; connections of other hosts that serve a call share it."""
        self.leave = wiring.get("leave", ANYHOW)
        """Asked before each request that writes, on those connections, too."""
        self.patience = patience(wiring)
        self._on_clock = wiring.get("on_clock")
        """Told once by how many seconds the provider's clock is ahead of this machine's, when that matters."""
        self.ahead: float | None = None
        """Seconds by which the provider's clock is ahead of this machine's, by its last answer; None when none told."""
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

    def exchange(self, base_url: str, call: Call) -> Reply:
        """Send one request once, with the token; errors as of `exchange`."""
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
    """Raise `CredentialsRefused` when one of `values` is empty or holds what no credential does."""
    if not all(CREDENTIAL.fullmatch(value) for value in values):
        raise CredentialsRefused(
            f"The {what} is empty or holds characters that none may have.",
            provider=provider,
            next_action=next_action,
            sent=False,
        )
