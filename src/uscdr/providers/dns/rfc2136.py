"""The `Zone` port by dynamic update. Source: RFC 2136; prerequisites make it a compare-and-set."""

from __future__ import annotations

import binascii
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
from pydantic import SecretStr

from uscdr.errors import AnswerLost, BadInput, ConfigError, CredentialsRefused, NotFound, ProviderError, WriteRefused
from uscdr.providers.dns.records import (
    is_wildcard_answer,
    normal,
    random_sibling,
    records_in,
    to_wire,
    wildcard_could_answer,
    wire_name,
)
from uscdr.providers.dns.swap import RecordSwap, by_hand, obstacle
from uscdr.providers.http.exchange import LOOK_FIRST
from uscdr.providers.http.refusal import Refusal
from uscdr.providers.http.retry import RetryingCaller
from uscdr.write_guard import ANYHOW, WriteGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.models.dns import RecordSet, RecordType
    from uscdr.providers.http.transport import Record

# Maps a DNS server's errors to ours, by the response code. Source: RFC 2136 section 3, RFC 8945.


PROVIDER = "DNS server"

_KEY = "Check the name, secret and algorithm of the TSIG key, and that the server allows it to change this zone."
_REACH = "Check this machine's network and that the server runs, then run the command again."
_TARGET = "Check `server` and `zone` in the target's `dns` part."


@dataclass(frozen=True)
class _DnsRequest:
    """A message's purpose in words; `server` is its receiver."""

    what: str
    server: str
    writes: bool


_WRITING: Mapping[dns.rcode.Rcode, Refusal] = {
    dns.rcode.REFUSED: Refusal(CredentialsRefused, "it does not allow this key to change that", _KEY),
    dns.rcode.NOTAUTH: Refusal(NotFound, "it does not host this zone, or does not accept changes for it", _TARGET),
    dns.rcode.NOTZONE: Refusal(ProviderError, "the name is not in the zone", _TARGET),
    dns.rcode.NOTIMP: Refusal(ProviderError, "it accepts no changes; it may be a secondary", _TARGET),
    dns.rcode.FORMERR: Refusal(ProviderError, "it did not understand the message", _TARGET),
}
_READING: Mapping[dns.rcode.Rcode, Refusal] = {
    dns.rcode.REFUSED: Refusal(NotFound, "it does not host that name, or does not answer this machine", _TARGET),
    dns.rcode.NOTAUTH: Refusal(CredentialsRefused, "it does not accept the TSIG key", _KEY),
    dns.rcode.FORMERR: Refusal(ProviderError, "it did not understand the message", _TARGET),
    dns.rcode.NOTIMP: Refusal(ProviderError, "it does not answer such queries", _TARGET),
}


def _refused(asked: _DnsRequest, code: dns.rcode.Rcode) -> ProviderError:
    """The error for any response code but success. A write with an unlisted code has an unknown outcome."""
    row = (_WRITING if asked.writes else _READING).get(code)
    name = dns.rcode.to_text(code)
    if row is not None:
        return row.kind(
            f"The DNS server refused to {asked.what}: {row.says}.",
            provider=PROVIDER,
            why=f"{asked.server} answered {name}.",
            next_action=row.next_action,
            error_id=name,
        )
    if asked.writes:
        return _lost(asked, f"answered {name}")
    return _failed(asked, f"answered {name}")


def _not_accepted(asked: _DnsRequest, error: dns.tsig.PeerError) -> CredentialsRefused:
    """The server refused our signature: nothing was done."""
    clock = isinstance(error, dns.tsig.PeerBadTime)
    words = {
        dns.tsig.PeerBadKey: "it has no key of that name",
        dns.tsig.PeerBadSignature: "the secret of the key is wrong",
        dns.tsig.PeerBadTime: "the clocks differ by more than five minutes",
    }
    return CredentialsRefused(
        f"The DNS server refused to {asked.what}: {words.get(type(error), 'it does not accept the signature')}.",
        provider=PROVIDER,
        why=f"{asked.server} answered NOTAUTH to the TSIG signature.",
        next_action="Correct this machine's clock, then run the command again." if clock else _KEY,
        error_id=type(error).__name__,
    )


def _never_arrived(asked: _DnsRequest, error: OSError) -> ProviderError:
    """No connection, so nothing was sent."""
    return ProviderError(
        f"uscdr could not reach the DNS server to {asked.what}.",
        provider=PROVIDER,
        why=f"{asked.server}: {_network(error)}.",
        next_action=_REACH,
        retryable=True,
        sent=False,
    )


def _broken(asked: _DnsRequest, error: Exception) -> ProviderError:
    """The message was sent; the answer is missing or cannot be trusted."""
    if isinstance(error, dns.exception.Timeout):
        nature = "did not answer within the time limit"
    elif isinstance(error, (OSError, EOFError)):
        nature = "cut the connection"
    else:
        # Only the type: the library's words may quote the peer's bytes.
        nature = f"answered something that cannot be verified ({type(error).__name__})"
    return _lost(asked, nature) if asked.writes else _failed(asked, nature)


def _lost(asked: _DnsRequest, nature: str) -> AnswerLost:
    return AnswerLost(
        f"uscdr asked the DNS server to {asked.what}; the outcome is unknown.",
        provider=PROVIDER,
        why=f"{asked.server} {nature}.",
        next_action=LOOK_FIRST,
    )


def _failed(asked: _DnsRequest, nature: str) -> ProviderError:
    return ProviderError(
        f"The DNS server sent no usable answer when asked to {asked.what}.",
        provider=PROVIDER,
        why=f"{asked.server} {nature}.",
        next_action=_REACH,
        retryable=True,
    )


def _network(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no connection within the time limit"
    return error.strerror.lower() if error.strerror else "no connection"


# Messages to the primary server, over TCP, signed with TSIG. Source: RFC 2136, RFC 8945.


def _signing_key(key_name: str, key: SecretStr, algorithm: str) -> dns.tsig.Key:
    """The TSIG key; `key` is base64. Raises `ConfigError`, without the secret, when it is malformed."""
    name = wire_name(algorithm)
    if name not in dns.tsig.mac_sizes or name == dns.tsig.GSS_TSIG:
        raise ConfigError(f"{algorithm!r} is not a TSIG algorithm.", next_action="Use hmac-sha256.")
    try:
        binascii.a2b_base64(key.get_secret_value(), strict_mode=True)
        return dns.tsig.Key(wire_name(key_name), key.get_secret_value(), name)
    except (binascii.Error, ValueError):
        raise ConfigError(
            f"The secret of the TSIG key {key_name} is not base64.",
            next_action="Copy the secret again from the server's key file.",
        ) from None


class _Primary:
    """One server, one key. `server` is an address or a host name; `timeout` is in seconds, for each message.

    With `read_only` anything but a query is refused before a connection is opened. `record` is called for each message
    just before it is sent.
    """

    def __init__(
        self,
        server: str,
        port: int,
        key: dns.tsig.Key | None,
        *,
        timeout: float,
        read_only: bool,
        patience: RetryingCaller,
        record: Record | None,
        leave: WriteGuard = ANYHOW,
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
        asked = _DnsRequest(f"read {name} ({record_type})", self._place, writes=False)
        return self._patience.call(lambda: self._read(asked, name, record_type), writes=False)

    def update(self, message: dns.message.Message, what: str, path: str) -> dns.rcode.Rcode:
        """Send one UPDATE; the code is NOERROR or that of an unmet prerequisite.

        Raises `CredentialsRefused`, `ProviderError` for a certain refusal, `AnswerLost`, `WriteRefused`.
        """
        asked = _DnsRequest(what, self._place, writes=True)
        return self._patience.call(lambda: self._write(asked, message, path), writes=True)

    @property
    def _place(self) -> str:
        return f"{self._server} port {self._port}"

    def _read(self, asked: _DnsRequest, name: str, record_type: RecordType) -> dns.message.Message:
        question = dns.message.make_query(wire_name(name), dns.rdatatype.from_text(record_type), flags=0)
        answer = self._send(asked, question, f"{name}/{record_type}")
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise _refused(asked, answer.rcode())
        if not answer.flags & dns.flags.AA:
            raise NotFound(
                f"{self._place} is not an authoritative server of {name}.",
                provider=PROVIDER,
                next_action="Check `server` and `zone` in the target's `dns` part.",
            )
        return answer

    def _write(self, asked: _DnsRequest, message: dns.message.Message, path: str) -> dns.rcode.Rcode:
        code = self._send(asked, message, path).rcode()
        if code in UNMET or code in _WRITING:
            self._leave.refused()
        if code != dns.rcode.NOERROR and code not in UNMET:
            raise _refused(asked, code)
        return code

    def _send(self, asked: _DnsRequest, message: dns.message.Message, path: str) -> dns.message.Message:
        kind = dns.opcode.to_text(message.opcode())
        if self.read_only and message.opcode() != dns.opcode.QUERY:
            raise WriteRefused(f"This run only reads: uscdr did not send {kind} {path}.", provider=PROVIDER)
        if self._record is not None:
            self._record(kind, path, message.opcode() != dns.opcode.QUERY)
        if self._key is not None:
            message.use_tsig(self._key)
        with self._connected(asked) as connection:
            if asked.writes:
                self._leave()
            return self._exchange(asked, message, connection)

    def _connected(self, asked: _DnsRequest) -> socket.socket:
        try:
            connection = socket.create_connection((self._server, self._port), timeout=self._timeout)
        except OSError as error:
            raise _never_arrived(asked, error) from None
        connection.setblocking(False)  # noqa: FBT003 - the standard library's signature
        return connection

    def _exchange(
        self, asked: _DnsRequest, message: dns.message.Message, connection: socket.socket
    ) -> dns.message.Message:
        try:
            return dns.query.tcp(message, self._server, timeout=self._timeout, sock=connection)
        except dns.tsig.PeerError as error:
            if asked.writes:
                self._leave.refused()
            raise _not_accepted(asked, error) from None
        except (dns.exception.DNSException, EOFError, OSError) as error:
            raise _broken(asked, error) from None


UNMET = frozenset({dns.rcode.NXDOMAIN, dns.rcode.NXRRSET, dns.rcode.YXDOMAIN, dns.rcode.YXRRSET})
"""The zone does not meet the prerequisites and is unchanged (RFC 2136 section 3.2)."""

TIMEOUT = 10.0
"""Seconds to connect, and again to wait for an answer."""


class Rfc2136Zone:
    """`zone` at its primary `server` (address or host name).

    `key` is the base64 secret of the TSIG key `key_name`; without a name messages are unsigned, for servers that trust
    addresses. Raises `ConfigError` for a malformed key.
    """

    def __init__(
        self,
        zone: str,
        server: str,
        port: int = 53,
        *,
        key_name: str = "",
        key: SecretStr | None = None,
        algorithm: str = "hmac-sha256",
        read_only: bool,
        timeout: float = TIMEOUT,
        patience: RetryingCaller | None = None,
        record: Record | None = None,
        leave: WriteGuard = ANYHOW,
    ) -> None:
        self.zone = normal(zone)
        signing = _signing_key(key_name, key or SecretStr(""), algorithm) if key_name else None
        self._primary = _Primary(
            server,
            port,
            signing,
            timeout=timeout,
            read_only=read_only,
            patience=patience or RetryingCaller(),
            record=record,
            leave=leave,
        )

    @property
    def writable(self) -> bool:
        """True: uscdr can change this zone."""
        return True

    def read(self, name: str, record_type: RecordType) -> RecordSet | None:
        """The name's own records on the primary now (query over TCP, no recursion).

        When a wildcard gives the same answer, an UPDATE with prerequisites only (no change) tells whether the name has
        records. A read-only run assumes that it has none.
        """
        _known_on_the_wire(record_type)
        name = normal(name)
        held = self._answered(name, record_type)
        if held is None or not wildcard_could_answer(name, self.zone):
            return held
        if not is_wildcard_answer(held, self._answered(random_sibling(name), record_type)):
            return held
        return held if self._has_own(name, record_type) else None

    def obstacle(self, name: str) -> str:
        """By the protocol: the apex, and other records at the name."""
        return obstacle(self.zone, normal(name), self.read)

    def _answered(self, name: str, record_type: RecordType) -> RecordSet | None:
        return records_in(self._primary.ask(name, record_type), name, record_type)

    def _has_own(self, name: str, record_type: RecordType) -> bool:
        if self._primary.read_only:
            return False
        question = dns.update.UpdateMessage(wire_name(self.zone))
        question.present(wire_name(name), dns.rdatatype.from_text(record_type))
        what = f"tell whether {name} has a {record_type} of its own"
        return self._primary.update(question, what, f"{name}/{record_type}") == dns.rcode.NOERROR

    def swap(self, name: str, record_type: RecordType, expected: RecordSet | None, wanted: RecordSet | None) -> None:
        """One UPDATE with the expected values as prerequisites; then checks that it took effect."""
        _known_on_the_wire(record_type)
        swap = RecordSwap.checked(self.zone, name, record_type, expected, wanted)
        held = self.read(swap.name, record_type)
        if swap.is_done(held):
            return
        what = f"change {swap.name} ({record_type})"
        code = self._primary.update(_update(swap), what, f"{swap.name}/{record_type}")
        held = self.read(swap.name, record_type)
        if code != dns.rcode.NOERROR:
            raise swap.conflict(held, provider=PROVIDER)
        if not swap.is_done(held):
            raise swap.ignored(held, provider=PROVIDER)

    def instructions(self, expected: RecordSet | None, wanted: RecordSet | None) -> tuple[str, ...]:
        """The change as a person would make it."""
        return by_hand(self.zone, expected, wanted)


def _update(swap: RecordSwap) -> dns.update.UpdateMessage:
    """Prerequisites of RFC 2136 section 2.4 (the set with these values, or no such set), then the change."""
    message = dns.update.UpdateMessage(wire_name(swap.zone))
    name, record_type = wire_name(swap.name), dns.rdatatype.from_text(swap.type)
    if swap.expected is None:
        message.absent(name, record_type)
    else:
        message.present(name, *to_wire(swap.expected))
    if swap.wanted is None:
        message.delete(name, record_type)
    else:
        message.replace(name, swap.wanted.ttl, *to_wire(swap.wanted))
    return message


def _known_on_the_wire(record_type: RecordType) -> None:
    if record_type == "ALIAS":
        raise BadInput(
            "A dynamic update cannot set an ALIAS: it is not part of the DNS protocol.",
            next_action="Use the provider's API or change the record by hand: set `adapter` to cloudflare or manual.",
        )
