"""The `PublicPage` port: the operator's page at its public address, over HTTP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from uscdr.models.probes import WebAnswer
from uscdr.providers.http.client import trust
from uscdr.providers.http.exchange import HttpCall
from uscdr.providers.http.transport import open_client

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

PROVIDER = "the maintenance page"


class PublicPageReader:
    """Reads one page, each time with a new request. A context manager: closes its connections.

    It asks for nothing special, so that caches answer as they answer users.
    """

    def __init__(self, url: str, *, ca_file: Path | None = None) -> None:
        self._url = url
        self._client = open_client(url, provider=PROVIDER, verify=trust(ca_file), read_only=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def look(self) -> WebAnswer:
        """One request."""
        started = time.monotonic()
        reply = HttpCall("show its content", "GET", self._url, writes=False).send(self._client, provider=PROVIDER)
        return WebAnswer(
            status=reply.status,
            content_type=reply.headers.get("Content-Type", ""),
            seconds=time.monotonic() - started,
            body=reply.content,
            headers={name.lower(): value for name, value in reply.headers.items()},
        )
