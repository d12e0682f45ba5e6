"""Collects the facts around a name before a change, and derives the warnings from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Self

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from uscdr.errors import ProviderError
from uscdr.models.dns import Caution, NameServer, RecordSet, RecordType
from uscdr.providers.dns.query import USABLE, Resolvers, addresses_in, ask, first_usable, has_route
from uscdr.providers.dns.records import (
    ancestors,
    enclosing_zone,
    is_within,
    normal,
    parent,
    random_sibling,
    records_in,
    wildcard_could_answer,
)
from uscdr.providers.dns.rfc2136 import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

# The zone of a name and its delegated servers, from the parent zone.


ENOUGH = 4
"""Servers of a parent zone to try before giving up; they are equivalent."""


@dataclass(frozen=True)
class Delegation:
    """A zone, and the address of every server of it."""

    zone: str
    servers: tuple[NameServer, ...]

    @classmethod
    def of(cls, name: str, resolvers: Resolvers, *, port: int, timeout: float) -> Self:
        """The zone of `name`, found from outside. Raises `ProviderError` when it cannot be determined."""
        search = _Search(resolvers, port, timeout)
        enclosing = search.zone_of(parent(name))
        servers = search.servers(enclosing)
        own = search.referral(name, servers)
        if own.hosts:
            return cls(name, search.addresses(own))
        return cls(enclosing, servers)

    @classmethod
    def among(cls, name: str, servers: Sequence[NameServer], *, timeout: float) -> Self:
        """The zone of `name` by the given servers; raises `ProviderError` when none hosts it."""
        for ancestor in ancestors(name):
            answer = first_usable(servers, ancestor, "SOA", timeout=timeout)
            owner = None if answer is None else enclosing_zone(answer, ancestor)
            if owner is not None:
                return cls(owner, tuple(servers))
        raise ProviderError(
            f"None of the given name servers answers for {name}.",
            provider=PROVIDER,
            why=f"Asked: {', '.join(f'{one.address} port {one.port}' for one in servers)}.",
            next_action="Check `name_servers` and `zone` in the target's `dns` part, and that the servers run.",
            retryable=True,
        )


@dataclass(frozen=True)
class _Referral:
    hosts: tuple[str, ...]
    glue: Mapping[str, tuple[str, ...]]


class _Search:
    def __init__(self, resolvers: Resolvers, port: int, timeout: float) -> None:
        self._resolvers = resolvers
        self._port = port
        self._timeout = timeout

    def zone_of(self, name: str) -> str:
        """The zone of `name`, by the SOA in any answer about it; empty for the root."""
        for ancestor in ancestors(name):
            owner = enclosing_zone(self._resolvers.ask(ancestor, "SOA"), ancestor)
            if owner is not None:
                return owner
        return ""

    def servers(self, zone: str) -> tuple[NameServer, ...]:
        """Every server that the parent zone delegates `zone` to; by the resolvers if the parent does not answer."""
        try:
            found = self.referral(zone, islice(self._resolved(self.zone_of(parent(zone))), ENOUGH))
        except ProviderError:
            found = _Referral((), {})
        servers = self.addresses(found)
        return servers or tuple(self._resolved(zone))

    def referral(self, name: str, servers: Iterable[NameServer]) -> _Referral:
        """The hosts that the parent zone delegates `name` to; empty when it is not a zone."""
        for server in servers:
            try:
                answer = ask(server, name, "NS", timeout=self._timeout)
            except (dns.exception.DNSException, EOFError, OSError):
                continue
            if answer.rcode() in USABLE:
                return _Referral(tuple(_delegated(answer, name)), _glue(answer))
        raise ProviderError(
            f"No name server of the parent zones of {name} answered this machine directly.",
            provider=PROVIDER,
            next_action="Check that this network allows outgoing DNS (port 53), or set `name_servers` in the target.",
            retryable=True,
        )

    def addresses(self, found: _Referral) -> tuple[NameServer, ...]:
        """Every address of every host; an unroutable one only if its host has no other."""
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
        """The zone's servers by the resolvers, one host after the other, on demand."""
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


BESIDE = ("A", "AAAA", "MX", "TXT")
"""Common record types that cannot coexist with a CNAME."""
POINTING: tuple[RecordType, ...] = ("CNAME", "A", "AAAA")


@dataclass(frozen=True)
class NameFacts:
    """`kinds` are the types at the name besides a CNAME.

    `target_addresses` is None when unknown. `caa` is the effective CAA set for the name, from itself or a parent; None
    when there is none.
    """

    name: str
    target: str
    zone: str
    pointing: tuple[RecordSet, ...]
    kinds: tuple[str, ...]
    wildcard: RecordSet | None
    signed: bool
    caa: RecordSet | None
    target_addresses: tuple[str, ...] | None
    hosts: tuple[str, ...]

    def cautions(self) -> tuple[Caution, ...]:
        """Every caution, the blocking ones first."""
        found = [caution for rule in _RULES for caution in rule(self)]
        return tuple(sorted(found, key=lambda caution: not caution.blocks))


class NameSurvey:
    """Asks the zone's own servers, then `explicit` ones and resolvers for names outside of it."""

    def __init__(
        self, delegation: Delegation, resolvers: Resolvers, *, explicit: tuple[NameServer, ...], timeout: float
    ) -> None:
        self._delegation = delegation
        self._resolvers = resolvers
        self._explicit = explicit
        self._timeout = timeout

    def of(self, name: str, target: str) -> NameFacts:
        """Collects everything in parallel; raises `ProviderError` when the zone's servers do not answer."""
        pointing = tuple(self._pointing(name))
        alias = any(records.type == "CNAME" for records in pointing)
        return NameFacts(
            name=name,
            target=target,
            zone=self._delegation.zone,
            pointing=pointing,
            kinds=() if alias else tuple(kind for kind in BESIDE if self._holds(name, kind)),
            wildcard=self._wildcard(name),
            signed=self._signed(),
            caa=self._caa(name, target),
            target_addresses=self.addresses(target),
            hosts=tuple(server.host for server in self._delegation.servers),
        )

    def addresses(self, target: str) -> tuple[str, ...] | None:
        """The target's addresses now; empty when it certainly has none, None when unknown."""
        try:
            found = [self._anywhere(target, kind) for kind in ("A", "AAAA")]
        except ProviderError:
            return None
        return tuple(dict.fromkeys(address for message in found for address in addresses_in(message)))

    def _pointing(self, name: str) -> Iterator[RecordSet]:
        for kind in POINTING:
            records = records_in(self._inside(name, kind), name, kind)
            if records is not None:
                yield records

    def _holds(self, name: str, kind: str) -> bool:
        """The name's own types: a wildcard's records do not coexist with a new record."""
        there = self._texts(name, kind)
        if not there or not wildcard_could_answer(name, self._delegation.zone):
            return bool(there)
        return there != self._texts(random_sibling(name), kind)

    def _texts(self, name: str, kind: str) -> frozenset[str]:
        answer = self._inside(name, kind).answer
        sets = [rrset for rrset in answer if rrset.rdtype == dns.rdatatype.from_text(kind)]
        return frozenset(f"{rrset.ttl} {rdata.to_text()}" for rrset in sets for rdata in rrset)

    def _wildcard(self, name: str) -> RecordSet | None:
        star = f"*.{parent(name)}"
        if name == self._delegation.zone or name.startswith("*."):
            return None
        found = (records_in(self._inside(star, kind), star, kind) for kind in POINTING)
        return next((records for records in found if records is not None), None)

    def _signed(self) -> bool:
        zone = self._delegation.zone
        return bool(self._inside(zone, "DNSKEY").answer)

    def _caa(self, name: str, target: str) -> RecordSet | None:
        """RFC 8659 section 3: the alias's target decides for the name, then the parent names, nearest first."""
        apex = name == self._delegation.zone
        for owner in (*(() if apex else (target,)), *ancestors(name)):
            try:
                message = self._inside(owner, "CAA") if self._is_inside(owner) else self._anywhere(owner, "CAA")
            except ProviderError:
                continue
            records = records_in(message, owner, "CAA")
            if records is not None:
                return records
        return None

    def _is_inside(self, name: str) -> bool:
        return is_within(name, self._delegation.zone)

    def _inside(self, name: str, kind: str) -> dns.message.Message:
        answer = first_usable(self._delegation.servers, name, kind, timeout=self._timeout)
        return answer if answer is not None else self._unanswered(name, kind)

    def _anywhere(self, name: str, kind: str) -> dns.message.Message:
        answer = first_usable(self._explicit, name, kind, timeout=self._timeout)
        return answer if answer is not None else self._resolvers.ask(name, kind)

    def _unanswered(self, name: str, kind: str) -> dns.message.Message:
        raise ProviderError(
            f"None of the zone's servers answered for {name} ({kind}).",
            provider="DNS server",
            next_action="Check this machine's network and the name servers, then run the command again.",
            retryable=True,
        )


# Derives warnings from the facts around a name. Pure.


ISSUER = "letsencrypt.org"
"""The issuer of the platform's automatic certificates."""
LONG_TTL = 300
"""Seconds; with a longer TTL, resolvers keep the old answer for too long."""
_ISSUE = re.compile(r'\d+ (?P<tag>issue|issuewild) "(?P<value>[^"]*)"', re.IGNORECASE)


def _proxied(records: RecordSet) -> Caution | None:
    """The warnings from the provider's own settings: a proxy hides the target."""
    if records.extras.get("proxied") != "true":
        return None
    return Caution(
        name=records.name,
        what="This record is proxied by the provider.",
        so="Public answers never show the target, and automatic certificates fail behind a proxy. "
        "Turn the proxy off first, or verify by the provider's API and by the site.",
    )


def _allows_issuer(records: RecordSet, *, wildcard: bool) -> bool:
    """Whether a CAA set lets the platform's issuer issue for the name."""
    found = [match for value in records.values if (match := _ISSUE.fullmatch(value))]
    tags = {match["tag"].lower() for match in found}
    tag = "issuewild" if wildcard and "issuewild" in tags else "issue"
    issuers = [match["value"].partition(";")[0].strip().lower() for match in found if match["tag"].lower() == tag]
    return not issuers or ISSUER in issuers


def _target(around: NameFacts) -> Iterator[Caution]:
    if not around.target:
        return  # the platform names the target once the new application has the hostname
    if around.target_addresses == ():
        yield Caution(
            name=around.name,
            what=f"The target {around.target} has no address.",
            so="With this target the name would not resolve.",
            blocks=True,
        )
    elif around.target_addresses is None:
        yield Caution(
            name=around.name,
            what=f"No server answered for the addresses of the target {around.target}.",
            so="Make sure that it exists before the change.",
        )
    if around.target.endswith(".herokuapp.com"):
        yield Caution(
            name=around.name,
            what=f"The target {around.target} is the app's own host name, not the domain's DNS target.",
            so="The platform will not issue automatic certificates: use the DNS target that it gives for this domain.",
        )


def _apex(around: NameFacts) -> Iterator[Caution]:
    if around.name == around.zone:
        yield Caution(
            name=around.name,
            what="This is the apex of its zone.",
            so="A CNAME is not allowed here: use an ALIAS or the provider's flattening. "
            "uscdr verifies it by comparing addresses.",
        )


def _caa(around: NameFacts) -> Iterator[Caution]:
    if around.caa is not None and not _allows_issuer(around.caa, wildcard=around.name.startswith("*.")):
        yield Caution(
            name=around.name,
            what=f"CAA at {around.caa.name} does not allow {ISSUER}: {', '.join(around.caa.values)}.",
            so="The platform cannot issue automatic certificates: upload one, or add that issuer before the cutover.",
            no_certificate=True,
        )


def _beside(around: NameFacts) -> Iterator[Caution]:
    if not around.kinds or around.name == around.zone:
        return
    kinds = ", ".join(around.kinds)
    yield Caution(
        name=around.name,
        what=f"Other records exist at this name: {kinds}.",
        so="A CNAME cannot coexist with them: a server may accept it and ignore it. Remove them in the same change.",
    )


def _leftover(around: NameFacts) -> Iterator[Caution]:
    if "AAAA" in around.kinds:
        yield Caution(
            name=around.name,
            what="An AAAA record exists at this name.",
            so="If it stays, IPv6 clients keep using the old address.",
        )


def _ttl(around: NameFacts) -> Iterator[Caution]:
    longest = max((records.ttl for records in around.pointing), default=0)
    if longest > LONG_TTL:
        yield Caution(
            name=around.name,
            what=f"The current record has a TTL of {longest} s.",
            so=f"Resolvers may keep the old answer for up to {longest} s after the cutover; lower the TTL beforehand.",
        )


def _signed(around: NameFacts) -> Iterator[Caution]:
    if around.signed:
        yield Caution(
            name=around.name,
            what=f"The zone {around.zone} is signed (DNSSEC).",
            so="Its own servers sign a change automatically; moving the zone to other servers would break it.",
        )


def _wildcard(around: NameFacts) -> Iterator[Caution]:
    if around.name.startswith("*."):
        yield Caution(
            name=around.name,
            what="This name is a wildcard.",
            so="Automatic certificates do not cover wildcards: upload one.",
        )
    star = around.wildcard
    if star is None:
        return
    borrowed = any(records.type == star.type and records.values == star.values for records in around.pointing)
    yield Caution(
        name=around.name,
        what=f"The wildcard {star.name} ({star.type}) covers this name"
        + (" and may be what answers for it." if borrowed else "."),
        so="Without its own record the name points to the wildcard's target.",
    )


def _hidden(around: NameFacts) -> Iterator[Caution]:
    behind = bool(around.hosts) and all(host.endswith(".ns.cloudflare.com") for host in around.hosts)
    aliased = any(records.type == "CNAME" for records in around.pointing)
    if behind and around.pointing and not aliased and around.name != around.zone:
        yield Caution(
            name=around.name,
            what="The name has only addresses, from servers of a provider with a proxy.",
            so="It may be proxied: then public answers never show the target.",
        )


_RULES: tuple[Callable[[NameFacts], Iterator[Caution]], ...] = (
    _target,
    _apex,
    _caa,
    _beside,
    _leftover,
    _ttl,
    _signed,
    _wildcard,
    _hidden,
)
