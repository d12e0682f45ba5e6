"""TLS at the front door: the hostname that a client names chooses the certificate."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.sandbox import pki

if TYPE_CHECKING:
    from uscdr.sandbox.world.entities import SniEndpoint

Find = Callable[[str], "SniEndpoint | None"]


class Handshakes:
    """`find` gives what a hostname is served with; whoever names none of them gets the platform's own certificate.

    Keys pass through `directory` for a moment: a TLS context takes them from a file only.
    """

    def __init__(self, own: pki.Pair, find: Find, directory: Path) -> None:
        self._find = find
        self._directory = directory
        self._known: dict[str, ssl.SSLContext] = {}
        self.context = self._loaded(own)
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        endpoint = self._find(name) if name else None
        if endpoint is not None and endpoint.key:
            # By its key, which changes with the certificate.
            if endpoint.key not in self._known:
                self._known[endpoint.key] = self._loaded(pki.Pair(endpoint.chain, endpoint.key))
            connection.context = self._known[endpoint.key]

    def _loaded(self, pair: pki.Pair) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chain, key = self._directory / "served.pem", self._directory / "served.key"
        try:
            pki.write(chain, pair.chain.encode())
            pki.write(key, pair.key.encode())
            context.load_cert_chain(chain, key)
        finally:
            chain.unlink(missing_ok=True)
            key.unlink(missing_ok=True)
        return context
