"""One query to one server, and the meaning of its answer. UDP first, TCP for a truncated or lost answer."""

from __future__ import annotations

import socket
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from uscdr.errors import ConfigError, ProviderError
from uscdr.models.dns import NameServer
from uscdr.providers.dns.records import wire_name
from uscdr.providers.dns.rfc2136 import PROVIDER
from uscdr.providers.http.outages import time_allowed
from uscdr.words import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

State = Literal["answered", "lame", "refused", "timeout"]
DATAGRAM = 1232
"""Bytes of an answer that needs no fragmentation on any network."""
USABLE = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


def ask(
    server: NameServer, name: str, record_type: str, *, timeout: float, recursive: bool = False
) -> dns.message.Message:
    """The server's answer; `timeout` in seconds counts for each of two attempts.

    Raises `dns.exception.DNSException` or `OSError` without a readable answer. Raises `TimeoutError` at once for a
    server that a read-only command no longer tries.
    """
    place = f"dns {server.address}:{server.port}"
    with time_allowed(place, 2 * timeout, (dns.exception.Timeout, EOFError, OSError)) as seconds:
        return _asked(server, name, record_type, timeout=seconds / 2, recursive=recursive)


def _asked(
    server: NameServer, name: str, record_type: str, *, timeout: float, recursive: bool
) -> dns.message.Message:  # fmt: skip
    flags = dns.flags.RD if recursive else 0
    rdtype = dns.rdatatype.from_text(record_type)
    question = dns.message.make_query(wire_name(name), rdtype, flags=flags, use_edns=0, payload=DATAGRAM)
    try:
        answer = dns.query.udp(
            question, server.address, port=server.port, timeout=timeout, ignore_unexpected=True, ignore_errors=True
        )
    except dns.exception.Timeout:
        # A datagram may be lost, and some networks drop all of them.
        return dns.query.tcp(question, server.address, port=server.port, timeout=timeout)
    if answer.flags & dns.flags.TC:
        return dns.query.tcp(question, server.address, port=server.port, timeout=timeout)
    return answer


def attempt(
    server: NameServer, name: str, record_type: str, *, timeout: float, recursive: bool = False
) -> tuple[State, dns.message.Message | None]:
    """The same without raising: the server's state, and its answer if usable."""
    try:
        answer = ask(server, name, record_type, timeout=timeout, recursive=recursive)
    except (dns.exception.Timeout, EOFError, OSError):
        return "timeout", None
    except dns.exception.DNSException:
        return "lame", None
    if answer.rcode() in (dns.rcode.REFUSED, dns.rcode.NOTAUTH):
        return "refused", None
    if answer.rcode() not in USABLE or not (recursive or answer.flags & dns.flags.AA):
        return "lame", None
    return "answered", answer


def first_usable(
    servers: Iterable[NameServer], name: str, record_type: str, *, timeout: float
) -> dns.message.Message | None:
    """The first authoritative answer; None when no server gives one."""
    for server in servers:
        _, answer = attempt(server, name, record_type, timeout=timeout)
        if answer is not None:
            return answer
    return None


PORTS = 1 << 16


def parse_server(text: str, *, port: int = 53) -> NameServer:
    """`192.0.2.1`, `192.0.2.1:5353` or `[2001:db8::1]:5353`; `ConfigError` for anything else."""
    address, given = text.strip(), ""
    if address.startswith("["):
        address, bracket, given = address[1:].partition("]")
        # Without its closing bracket it is not an address.
        address, given = (address if bracket else text), given.removeprefix(":")
    elif address.count(":") == 1:
        address, _, given = address.partition(":")
    try:
        shown = str(ip_address(address))
        return NameServer(host=shown, address=shown, port=_port(given) if given else port)
    except ValueError:
        raise ConfigError(
            f"{text!r} is not the address of a name server.",
            next_action="In the target's `dns` part, give an address or address:port.",
        ) from None


def _port(text: str) -> int:
    """Raises ValueError for an invalid address or port."""
    port = whole(text)
    if port is None or not 0 < port < PORTS:
        raise ValueError(text)
    return port


def has_route(server: NameServer) -> bool:
    """Whether this machine has a route to the address; sends nothing."""
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((server.address, server.port))
    except OSError:
        return False
    return True


# Recursive resolvers: for the names of servers and targets, never for the name that will change.


class Resolvers:
    """`servers` in order of preference; None for the system's own, an empty sequence for none at all."""

    def __init__(self, servers: Sequence[NameServer] | None, *, timeout: float) -> None:
        self._given = servers
        self._timeout = timeout

    @cached_property
    def servers(self) -> tuple[NameServer, ...]:
        """The resolvers in use; empty when the system has none."""
        if self._given is not None:
            return tuple(self._given)
        try:
            system = dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            return ()
        addresses = (str(address) for address in system.nameservers)
        return tuple(NameServer(host=address, address=address, port=system.port) for address in addresses)

    def ask(self, name: str, record_type: str) -> dns.message.Message:
        """The first usable answer; `ProviderError` (retryable) when no resolver gives one."""
        for server in self.servers:
            _, answer = attempt(server, name, record_type, timeout=self._timeout, recursive=True)
            if answer is not None:
                return answer
        names = ", ".join(server.address for server in self.servers) or "none is configured"
        raise ProviderError(
            f"No resolver answered for {name} ({record_type}).",
            provider=PROVIDER,
            why=f"Resolvers: {names}.",
            next_action="Check this machine's network, or set `name_servers` in the target's `dns` part.",
            retryable=True,
        )

    def addresses(self, host: str) -> tuple[str, ...]:
        """Every IPv4 and IPv6 address of a host, IPv4 first."""
        found = (address for kind in ("A", "AAAA") for address in addresses_in(self.ask(host, kind)))
        return tuple(dict.fromkeys(found))


def addresses_in(message: dns.message.Message) -> tuple[str, ...]:
    """Every address in the answer section, also after a chain of aliases."""
    kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
    return tuple(rdata.to_text() for rrset in message.answer if rrset.rdtype in kinds for rdata in rrset)
