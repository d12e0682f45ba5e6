"""Whether a repository's host takes connections at all: git itself waits for minutes for one that does not."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from uscdr.errors import ProviderError
from uscdr.providers.http import proxy_for
from uscdr.providers.outages import borne, known
from uscdr.providers.source.complaints import PROVIDER

CONNECT_SECONDS = 10.0
PORTS = {"https": 443, "http": 80}


def require_host(address: str) -> None:
    """For a command that only looks, and an address that is reached directly. Raises ProviderError."""
    parts = urlsplit(address) if "://" in address else None
    if known() is None or parts is None or parts.scheme not in PORTS or not parts.hostname or proxy_for(address):
        return
    where = (parts.hostname, parts.port or PORTS[parts.scheme])
    try:
        with borne(f"{where[0]}:{where[1]}", CONNECT_SECONDS) as seconds:
            socket.create_connection(where, seconds).close()
    except OSError as error:
        raise ProviderError(
            "The source repository could not be reached.",
            provider=PROVIDER,
            why=f"{where[0]}: {(error.strerror or 'no connection within the time limit').lower()}.",
            next_action="Check the network, or clone it and give the path of the clone as `app.source.git`.",
            sent=False,
        ) from None


def patience() -> Mapping[str, str]:
    """Git's environment: it gives up a server that sends nothing for so long."""
    return {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60" if known() is None else "8"}
