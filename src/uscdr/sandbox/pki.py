"""A private certificate authority and one certificate for every TLS port of the sandbox."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pki:
    """PEM files: the authority's certificate to trust, and the servers' certificate and private key."""

    ca_file: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """A TLS context for a server on loopback."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def create(directory: Path) -> Pki:
    """Makes the files in `directory`, or takes those that are there.

    The certificate is good for `localhost` and 127.0.0.1, whatever the port; only its private key is
    kept, so that nobody can issue another one.
    """
    pki = Pki(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    if all(path.exists() for path in (pki.ca_file, pki.certificate, pki.key)):
        return pki
    import trustme

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="uscdr sandbox")
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    _write(pki.ca_file, authority.cert_pem.bytes())
    _write(pki.certificate, b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    _write(pki.key, leaf.private_key_pem.bytes())
    return pki


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
