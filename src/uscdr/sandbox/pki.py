"""A private certificate authority and one certificate for every TLS port of the sandbox."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

LIFETIME = timedelta(days=90)
_BEFORE = timedelta(hours=1)
"""A certificate is good since then, for clients whose clock is a little behind."""


@dataclass(frozen=True)
class Pair:
    """A certificate chain and its private key, PEM."""

    chain: str
    key: str = field(repr=False)


class Authority:
    """Signs certificates for as long as this process lives; its key is in no file."""

    def __init__(self) -> None:
        import trustme

        self._ca: trustme.CA = trustme.CA(organization_name="uscdr sandbox")

    @property
    def certificate(self) -> bytes:
        """What a client has to trust, PEM."""
        return self._ca.cert_pem.bytes()

    def issue(self, *hostnames: str, ended: timedelta | None = None) -> Pair:
        """A certificate for 90 days, or one that ran out so long ago."""
        until = datetime.now(UTC) - ended if ended else datetime.now(UTC) + LIFETIME
        leaf = self._ca.issue_cert(
            *hostnames, common_name=hostnames[0], not_before=until - LIFETIME - _BEFORE, not_after=until
        )
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        return Pair(chain.decode(), leaf.private_key_pem.bytes().decode())


@dataclass(frozen=True)
class Pki:
    """PEM files: the authority's certificate to trust, and the servers' certificate and private key."""

    ca_file: Path
    certificate: Path
    key: Path
    authority: Authority | None = field(default=None, repr=False, compare=False)
    """Who signed them; nobody knows its key any more when the files were there already."""

    def server_context(self) -> ssl.SSLContext:
        """A TLS context for a server on loopback."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def create(directory: Path) -> Pki:
    """Makes the files in `directory`, or takes those that are there.

    The certificate is good for `localhost` and 127.0.0.1, whatever the port; only its private key is
    kept in a file, so that nobody but this process can issue another one.
    """
    files = (directory / "ca.pem", directory / "server.pem", directory / "server.key")
    if all(path.exists() for path in files):
        return Pki(*files)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = Authority()
    pair = authority.issue("localhost", "127.0.0.1")
    for path, content in zip(files, (authority.certificate, pair.chain.encode(), pair.key.encode()), strict=True):
        write(path, content)
    return Pki(*files, authority)


def write(path: Path, content: bytes) -> None:
    """Write what only the owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
