"""Which zone a name is in and which servers it is delegated to, told by the side above it.

The name itself is never asked of a resolver: a "no such name" learnt before a change would be kept after it.
Source: RFC 1034 section 4.2, RFC 2308.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import dns.exception
import dns.message
import dns.rdatatype

from uscdr.errors import ProviderError
from uscdr.models.dns import NameServer
from uscdr.providers.dns.asking import USABLE, ask, first_usable, has_route
from uscdr.providers.dns.names import ancestors, normal, parent
from uscdr.providers.dns.records import enclosing_zone
from uscdr.providers.dns.refusals import PROVIDER
from uscdr.providers.dns.resolvers import Resolvers

ENOUGH = 4
"""Servers of a zone above that are tried before giving up; they are alike."""


@dataclass(frozen=True)
class Delegation:
    """A zone, and every address that can be asked for it."""

    zone: str
    servers: tuple[NameServer, ...]


@dataclass(frozen=True)
class _Referral:
    hosts: tuple[str, ...]
    glue: Mapping[str, tuple[str, ...]]


def delegation_of(name: str, resolvers: Resolvers, *, port: int, timeout: float) -> Delegation:
    """The zone that `name` is in, found from outside. Raises `ProviderError` when it cannot be told."""
    search = _Search(resolvers, port, timeout)
    enclosing = search.zone_of(parent(name))
    servers = search.servers(enclosing)
    own = search.referral(name, servers)
    if own.hosts:
        return Delegation(name, search.addresses(own))
    return Delegation(enclosing, servers)


def delegation_among(name: str, servers: Sequence[NameServer], *, timeout: float) -> Delegation:
    """The zone that `name` is in by the word of the given servers; `ProviderError` when none hosts it."""
    for ancestor in ancestors(name):
        answer = first_usable(servers, ancestor, "SOA", timeout=timeout)
        owner = None if answer is None else enclosing_zone(answer, ancestor)
        if owner is not None:
            return Delegation(owner, tuple(servers))
    raise ProviderError(
        f"None of the given name servers answers for {name}.",
        provider=PROVIDER,
        why=f"Asked: {', '.join(f'{one.address} port {one.port}' for one in servers)}.",
        next_action="Check `name_servers` and `zone` in the target's `dns` part, and that the servers run.",
        retryable=True,
    )


class _Search:
    def __init__(self, resolvers: Resolvers, port: int, timeout: float) -> None:
        self._resolvers = resolvers
        self._port = port
        self._timeout = timeout

    def zone_of(self, name: str) -> str:
        """The zone that holds `name`, by the SOA that any answer about it carries; empty for the root."""
        for ancestor in ancestors(name):
            owner = enclosing_zone(self._resolvers.ask(ancestor, "SOA"), ancestor)
            if owner is not None:
                return owner
        return ""

    def servers(self, zone: str) -> tuple[NameServer, ...]:
        """Every server that the zone above delegates `zone` to; what resolvers say where it cannot be asked."""
        try:
            found = self.referral(zone, islice(self._resolved(self.zone_of(parent(zone))), ENOUGH))
        except ProviderError:
            found = _Referral((), {})
        servers = self.addresses(found)
        return servers or tuple(self._resolved(zone))

    def referral(self, name: str, servers: Iterable[NameServer]) -> _Referral:
        """To whom the servers of the zone above delegate `name`; no host when it is not a zone of its own."""
        for server in servers:
            try:
                answer = ask(server, name, "NS", timeout=self._timeout)
            except (dns.exception.DNSException, EOFError, OSError):
                continue
            if answer.rcode() in USABLE:
                return _Referral(tuple(_delegated(answer, name)), _glue(answer))
        raise ProviderError(
            f"No name server above {name} answered this machine directly.",
            provider=PROVIDER,
            next_action="Check that this network lets DNS out (port 53), or give `name_servers` in the target.",
            retryable=True,
        )

    def addresses(self, found: _Referral) -> tuple[NameServer, ...]:
        """Every address of every host; one that this machine has no route to only where its host has no other."""
        servers = [server for host in sorted(found.hosts) for server in self._askable(host, found.glue.get(host, ()))]
        return tuple({(one.address, one.port): one for one in servers}.values())

    def _askable(self, host: str, glue: tuple[str, ...]) -> tuple[NameServer, ...]:
        try:
            addresses = dict.fromkeys((*self._resolvers.addresses(host), *glue))
        except ProviderError:
            addresses = dict.fromkeys(glue)
        every = tuple(NameServer(host=host, address=address, port=self._port) for address in addresses)
        return tuple(server for server in every if has_route(server)) or every

    def _resolved(self, zone: str) -> Iterator[NameServer]:
        """The zone's servers by the resolvers' word; one host after the other, as far as they are wanted."""
        for host in _delegated(self._resolvers.ask(zone, "NS"), zone):
            yield from self._askable(host, ())


def _delegated(answer: dns.message.Message, name: str) -> Iterator[str]:
    for rrset in (*answer.answer, *answer.authority):
        if rrset.rdtype == dns.rdatatype.NS and normal(rrset.name.to_text()) == name:
            yield from (normal(rdata.to_text()) for rdata in rrset)


def _glue(answer: dns.message.Message) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for rrset in answer.additional:
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            host = normal(rrset.name.to_text())
            found[host] = (*found.get(host, ()), *(rdata.to_text() for rdata in rrset))
    return found
