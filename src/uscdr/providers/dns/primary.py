"""Messages to the one server that takes changes, over TCP, signed with TSIG. Source: RFC 2136, RFC 8945.

Reads are signed too: a wrong key is found while planning, not in the middle of a change.
"""

from __future__ import annotations

import binascii
import socket

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
from pydantic import SecretStr

from uscdr.errors import ConfigError, NotFound, WriteRefused
from uscdr.leave import ANYHOW, Leave
from uscdr.models.dns import RecordType
from uscdr.providers.dns.names import wire_name
from uscdr.providers.dns.refusals import PROVIDER, Asked, broken, never_arrived, not_accepted, refused
from uscdr.providers.retry import Patience
from uscdr.providers.transports import Record


def signing_key(key_name: str, key: SecretStr, algorithm: str) -> dns.tsig.Key:
    """The TSIG key; `key` is base64. `ConfigError`, without the secret, when it can be none."""
    name = wire_name(algorithm)
    if name not in dns.tsig.mac_sizes or name == dns.tsig.GSS_TSIG:
        raise ConfigError(f"{algorithm!r} is no TSIG algorithm.", next_action="Use hmac-sha256.")
    try:
        binascii.a2b_base64(key.get_secret_value(), strict_mode=True)
        return dns.tsig.Key(wire_name(key_name), key.get_secret_value(), name)
    except (binascii.Error, ValueError):
        raise ConfigError(
            f"The secret of the TSIG key {key_name} is not base64.",
            next_action="Copy the secret again from the server's key file.",
        ) from None


class Primary:
    """One server, one key. `server` is an address or a host name; `timeout` is in seconds, for each message.

    With `read_only` a message that is not a query is refused before a connection is opened. `record` is told
    of each message just before it is sent.
    """

    def __init__(
        self,
        server: str,
        port: int,
        key: dns.tsig.Key | None,
        *,
        timeout: float,
        read_only: bool,
        patience: Patience,
        record: Record | None,
        leave: Leave = ANYHOW,
    ) -> None:
        self._server = server
        self._port = port
        self._key = key
        self._timeout = timeout
        self.read_only = read_only
        self._patience = patience
        self._record = record
        self._leave = leave

    def ask(self, name: str, record_type: RecordType) -> dns.message.Message:
        """Its authoritative answer, without recursion.

        Raises `NotFound` when it does not host the name, `CredentialsRefused` for a wrong key.
        """
        asked = Asked(f"read {name} ({record_type})", self._place, writes=False)
        return self._patience.call(lambda: self._read(asked, name, record_type), writes=False)

    def update(self, message: dns.message.Message, what: str, path: str) -> dns.rcode.Rcode:
        """Send one UPDATE; the code is NOERROR or that of an unmet prerequisite.

        Raises `CredentialsRefused`, `ProviderError` for a surely refused one, `AnswerLost`, `WriteRefused`.
        """
        asked = Asked(what, self._place, writes=True)
        return self._patience.call(lambda: self._write(asked, message, path), writes=True)

    @property
    def _place(self) -> str:
        return f"{self._server} port {self._port}"

    def _read(self, asked: Asked, name: str, record_type: RecordType) -> dns.message.Message:
        question = dns.message.make_query(wire_name(name), dns.rdatatype.from_text(record_type), flags=0)
        answer = self._send(asked, question, f"{name}/{record_type}")
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise refused(asked, answer.rcode())
        if not answer.flags & dns.flags.AA:
            raise NotFound(
                f"{self._place} is not an authoritative server of {name}.",
                provider=PROVIDER,
                next_action="Check `server` and `zone` in the target's `dns` part.",
            )
        return answer

    def _write(self, asked: Asked, message: dns.message.Message, path: str) -> dns.rcode.Rcode:
        code = self._send(asked, message, path).rcode()
        if code != dns.rcode.NOERROR and code not in UNMET:
            raise refused(asked, code)
        return code

    def _send(self, asked: Asked, message: dns.message.Message, path: str) -> dns.message.Message:
        kind = dns.opcode.to_text(message.opcode())
        if self.read_only and message.opcode() != dns.opcode.QUERY:
            raise WriteRefused(f"This run only reads: {kind} {path} was refused and not sent.", provider=PROVIDER)
        if self._record is not None:
            self._record(kind, path, message.opcode() != dns.opcode.QUERY)
        if self._key is not None:
            message.use_tsig(self._key)
        with self._connected(asked) as connection:
            if asked.writes:
                self._leave()
            return self._exchange(asked, message, connection)

    def _connected(self, asked: Asked) -> socket.socket:
        try:
            connection = socket.create_connection((self._server, self._port), timeout=self._timeout)
        except OSError as error:
            raise never_arrived(asked, error) from None
        connection.setblocking(False)  # noqa: FBT003 - the standard library's signature
        return connection

    def _exchange(self, asked: Asked, message: dns.message.Message, connection: socket.socket) -> dns.message.Message:
        try:
            return dns.query.tcp(message, self._server, timeout=self._timeout, sock=connection)
        except dns.tsig.PeerError as error:
            raise not_accepted(asked, error) from None
        except (dns.exception.DNSException, EOFError, OSError) as error:
            raise broken(asked, error) from None


UNMET = frozenset({dns.rcode.NXDOMAIN, dns.rcode.NXRRSET, dns.rcode.YXDOMAIN, dns.rcode.YXRRSET})
"""The zone is not as the prerequisites want it, and unchanged (RFC 2136 section 3.2)."""
