"""Adapter of the port `Tls`: TLS handshakes with a hostname's server.

Python's ssl decodes only a trusted certificate. So a refused one is fetched without verification, and then trusted
alone, regardless of its dates, for a second handshake that only reads it.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from uscdr.errors import ProviderError
from uscdr.models.probes import Certificate
from uscdr.providers.http.client import trust
from uscdr.providers.http.outages import time_allowed
from uscdr.providers.http.transport import Cut

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HTTPS = 443
TIMEOUT = 10.0
"""Seconds of silence."""
PROVIDER = "the hostname's server"
NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, for which Python has no name."""
NOT_YET, EXPIRED = 9, 10
PROBLEMS: Mapping[int, str] = {
    NOT_YET: "not yet valid",
    EXPIRED: "expired",
    18: "self-signed",
    19: "signed by an authority that is not trusted",
    20: "its issuer is not trusted, or the server does not send the chain",
    21: "its issuer is not trusted, or the server does not send the chain",
    62: "issued for another name",
    64: "issued for another name",
}
"""By code of X509_verify_cert_error_string(3)."""


@dataclass(frozen=True)
class _Seen:
    """One handshake's result; `says` is empty unless the certificate was trusted."""

    says: Mapping[str, Any]
    der: bytes = field(repr=False)
    protocol: str


class TlsProbe:
    """Asks `hostname` port 443, or `address` for every hostname; `ca_file` (PEM) is trusted too."""

    def __init__(
        self, *, ca_file: Path | None = None, address: tuple[str, int] | None = None, timeout: float = TIMEOUT
    ) -> None:
        self._ca_file = ca_file
        self._address = address
        self._timeout = timeout

    def certificate(self, hostname: str) -> Certificate:
        """A handshake with SNI; two more when the certificate is refused."""
        try:
            return _told(hostname, self._handshake(hostname, self._browser()), "")
        except ssl.SSLCertVerificationError as error:
            seen = self._read(hostname)
            return _told(hostname, seen, _problem(error, seen))

    def answer(self, hostname: str, address: str = "") -> int:
        """`GET https://hostname/`: its status; the body is not read."""
        ask = f"GET / HTTP/1.1\r\nHost: {hostname}\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode()
        try:
            where = self._address or (address or hostname, HTTPS)
            with (
                time_allowed(f"{where[0]}:{where[1]}", self._timeout) as seconds,
                socket.create_connection(where, seconds) as plain,
                self._browser().wrap_socket(plain, server_hostname=hostname) as tls,
            ):
                tls.sendall(ask)
                return _status(tls, seconds)
        except ssl.SSLCertVerificationError as error:
            raise ProviderError(
                f"The certificate of {hostname} is not valid.",
                provider=PROVIDER,
                why=f"It is {PROBLEMS.get(error.verify_code, error.verify_message)}.",
                next_action=f"Open https://{hostname}/ in a browser, and check the platform: heroku certs:auto",
            ) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _unreachable(hostname, error) from None

    def _browser(self) -> ssl.SSLContext:
        context = trust(self._ca_file)
        # Newer Python versions refuse malformed certificates that browsers accept.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def _read(self, hostname: str) -> _Seen:
        """The content of the refused certificate; empty when it changes meanwhile or cannot be read."""
        seen = self._handshake(hostname, _trusting_all())
        try:
            return self._handshake(hostname, _trusting_only(seen.der))
        except ssl.SSLError:
            return seen

    def _handshake(self, hostname: str, context: ssl.SSLContext) -> _Seen:
        address = self._address or (hostname, HTTPS)
        try:
            hostname.encode("idna")  # before a socket exists: ssl would leak it
            with (
                time_allowed(f"{address[0]}:{address[1]}", self._timeout) as seconds,
                socket.create_connection(address, seconds) as plain,
                context.wrap_socket(plain, server_hostname=hostname) as tls,
            ):
                return _Seen(tls.getpeercert() or {}, tls.getpeercert(binary_form=True) or b"", tls.version() or "")
        except ssl.SSLCertVerificationError:
            raise
        except (OSError, ValueError) as error:
            raise _unreachable(hostname, error) from None


def _status(connection: ssl.SSLSocket, seconds: float) -> int:
    """The final status, within the time limit: interim answers and trickling lines do not extend it."""
    watch = Cut(seconds, connection)
    try:
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        watch.require_time_left()
        return reply.status
    finally:
        watch.cancel()


def _trusting_all() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def _trusting_only(der: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    context.load_verify_locations(cadata=der)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def _told(hostname: str, seen: _Seen, problem: str) -> Certificate:
    return Certificate(
        hostname=hostname,
        issuer=_issuer(seen.says),
        valid_from=_moment(seen.says, "notBefore"),
        expires_at=_moment(seen.says, "notAfter"),
        protocol=seen.protocol,
        problem=problem,
    )


def _problem(error: ssl.SSLCertVerificationError, seen: _Seen) -> str:
    words = PROBLEMS.get(error.verify_code, f"not trusted ({error.verify_message})")
    now = datetime.now(UTC)
    end, start = _moment(seen.says, "notAfter"), _moment(seen.says, "notBefore")
    if (error.verify_code == EXPIRED and end and end > now) or (error.verify_code == NOT_YET and start and start < now):
        return f"the certificate of its issuer is {words}"
    return words


def _issuer(says: Mapping[str, Any]) -> str:
    names = dict(pair for part in says.get("issuer", ()) for pair in part)
    return str(names.get("organizationName") or names.get("commonName") or "")[:80]


def _moment(says: Mapping[str, Any], name: str) -> datetime | None:
    found = says.get(name)
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(found), UTC) if found else None


def _unreachable(hostname: str, error: Exception) -> ProviderError:
    if isinstance(error, ssl.SSLError):
        what, why = f"{hostname} answers, but the TLS handshake failed.", "The server ended the handshake."
    else:
        what, why = f"uscdr could not reach {hostname} to read its certificate.", _cause(error)
    return ProviderError(
        what,
        provider=PROVIDER,
        why=why,
        next_action=f"Open https://{hostname}/ in a browser; check the domain's DNS records and this network.",
        retryable=not isinstance(error, UnicodeError),
    )


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "No answer within the time limit."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror.capitalize()}."
    return "The name is not valid in DNS."
