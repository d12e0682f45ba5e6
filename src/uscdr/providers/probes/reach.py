"""How far this machine gets on its way to a host: name, connection, certificate, and the host's clock."""

from __future__ import annotations

import email.utils
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import httpx

from uscdr.providers.http.client import trust
from uscdr.providers.http.exchange import NetworkFailure
from uscdr.providers.http.outages import wait_for_dns
from uscdr.providers.http.transport import open_client, proxy_for

if TYPE_CHECKING:
    from pathlib import Path

_SILENCE = 5.0
"""Seconds."""


@dataclass(frozen=True)
class HostReach:
    """What stopped a request to the host, in `words`; empty when an answer came, whatever its status.

    `ahead`: seconds that the host's clock is ahead of this machine's; None when the answer did not say.
    """

    host: str
    stopped: Literal["", "name", "connection", "certificate"] = ""
    words: str = ""
    ahead: float | None = None


def reach(url: str, ca_file: Path | None) -> HostReach:
    """Ask for the headers of `url`, without credentials. Raises ConfigError for an unreadable `ca_file`."""
    host = urlsplit(url).hostname or ""
    verify = trust(ca_file)
    try:
        if proxy_for(url) is None:  # else the proxy resolves the name
            wait_for_dns(host, _SILENCE)
        with open_client(url, provider=host, verify=verify, read_only=True) as client:
            client.timeout = httpx.Timeout(_SILENCE)
            with client.stream("HEAD", "/") as response:
                return HostReach(host, ahead=_ahead(response.headers.get("Date", "")))
    except TimeoutError as error:
        return HostReach(host, "name", str(error.strerror))
    except httpx.HTTPError as error:
        return _stopped(host, NetworkFailure(error))


def resolves(host: str) -> bool:
    """Whether the host's name has an address."""
    try:
        wait_for_dns(host, _SILENCE)
        return bool(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False


def _stopped(host: str, failure: NetworkFailure) -> HostReach:
    causes = tuple(failure.causes())
    if any(isinstance(one, socket.gaierror) for one in causes):
        return HostReach(host, "name", failure.words)
    if any(isinstance(one, ssl.SSLError) for one in causes):
        return HostReach(host, "certificate", failure.words)
    return HostReach(host, "connection", failure.words)


def _ahead(date: str) -> float | None:
    try:
        there = email.utils.parsedate_to_datetime(date)
        return (there.replace(tzinfo=there.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
