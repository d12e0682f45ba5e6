"""Answers an authoritative server gives (RFC 1034, 4.3.2), from the zones it serves."""

from __future__ import annotations

from collections.abc import Sequence

import dns.flags
import dns.message
import dns.name
import dns.rdataset
import dns.rdtypes.ANY.CNAME
import dns.rrset
from dns.message import Message
from dns.name import Name
from dns.rcode import Rcode
from dns.rdataclass import IN
from dns.rdataset import Rdataset
from dns.rdatatype import AAAA, ANY, AXFR, CNAME, IXFR, SOA, A, RdataType

from uscdr.sandbox.dns.records import Snapshot, rdata

PROXY_ADDRESS = "203.0.113.80"
"""What the public sees of a proxied record (RFC 5737, never routed)."""
_PROXY_TTL = 300
_LONGEST_CHAIN = 8
_WILDCARD = dns.name.Name([b"*"])


def zone_of(name: Name, zones: Sequence[Snapshot]) -> Snapshot | None:
    """The zone with the longest name that `name` is inside of."""
    holding = [zone for zone in zones if zone.holds(name)]
    return max(holding, key=lambda zone: len(zone.origin), default=None)


def respond(query: Message, zones: Sequence[Snapshot]) -> Message:
    """The answer to a query; REFUSED outside the zones and for transfers."""
    response = dns.message.make_response(query)
    if len(query.question) != 1:
        response.set_rcode(Rcode.FORMERR)
        return response
    asked = query.question[0]
    zone = zone_of(asked.name, zones)
    if zone is None or asked.rdclass != IN or asked.rdtype in (AXFR, IXFR):
        response.set_rcode(Rcode.REFUSED)
        return response
    response.flags |= dns.flags.AA
    _follow(response, asked.name, asked.rdtype, zones)
    return response


def _follow(response: Message, name: Name, kind: RdataType, zones: Sequence[Snapshot]) -> None:
    """Add what a name has, and what its aliases point to.

    Beyond the zone asked, as BIND, only for a client that wishes recursion, and as far as it is served here.
    """
    begun = zone_of(name, zones)
    for _ in range(_LONGEST_CHAIN):
        zone = zone_of(name, zones)
        if zone is None or (zone is not begun and not response.flags & dns.flags.RD):
            return
        found = _seen(zone, name, zones)
        alias = found.get(CNAME)
        if kind == ANY:
            response.answer += [_named(name, one) for one in found.values()]
        elif kind in found:
            response.answer.append(_named(name, found[kind]))
        elif alias is not None:
            response.answer.append(_named(name, alias))
            name = target_of(alias)
            continue
        if not found or (kind != ANY and kind not in found):
            _deny(response, zone, name, exists=bool(found))
        return


def _seen(zone: Snapshot, name: Name, zones: Sequence[Snapshot]) -> dict[RdataType, Rdataset]:
    """The sets of a name, of the wildcard that covers it, of the proxy in front of it, or of a flattened alias."""
    found = zone.at(name)
    if not found and not zone.exists(name):
        closest = name.parent()
        while not zone.exists(closest):
            closest = closest.parent()
        found = zone.at(_WILDCARD + closest)
    if any((name, kind) in zone.proxied for kind in (A, AAAA, CNAME)):
        hidden = {kind: one for kind, one in found.items() if kind not in (A, AAAA, CNAME)}
        return {**hidden, A: dns.rdataset.from_rdata(_PROXY_TTL, rdata("A", PROXY_ADDRESS))}
    alias = found.pop(CNAME, None) if name == zone.origin else None
    if alias is not None:
        target = target_of(alias)
        home = zone_of(target, zones)
        addresses = home.get(target, A) if home else None
        return {**found, A: addresses} if addresses is not None else found
    return found


def target_of(alias: Rdataset) -> Name:
    """Where a CNAME points to."""
    (data,) = alias
    if not isinstance(data, dns.rdtypes.ANY.CNAME.CNAME):
        raise TypeError("a CNAME set that holds something else")
    return data.target


def _named(name: Name, records: Rdataset) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(name, records.ttl, list(records))


def _deny(response: Message, zone: Snapshot, name: Name, *, exists: bool) -> None:
    """No such name, or no such type: the SOA tells how long that holds (RFC 2308, 3)."""
    if not exists and not zone.exists(name):
        response.set_rcode(Rcode.NXDOMAIN)
    ttl = min(zone.sets[(zone.origin, SOA)].ttl, zone.soa.minimum)
    response.authority.append(dns.rrset.from_rdata(zone.origin, ttl, zone.soa))
