"""The content of a zone: an immutable snapshot, and a draft of the next one that keeps RFC 2136's rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import dns.name
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.SOA
from dns.name import Name
from dns.rdata import Rdata
from dns.rdataclass import IN
from dns.rdataset import Rdataset
from dns.rdatatype import CNAME, NS, SOA, RdataType

Key = tuple[Name, RdataType]
_SERIALS, _HALF = 2**32, 2**31  # RFC 1982


def rdata(record_type: str | RdataType, text: str, origin: Name = dns.name.root) -> Rdata:
    """Record data from its presentation form. Raises dns.exception.DNSException for what cannot be read."""
    return dns.rdata.from_text(IN, record_type, text, origin=origin, relativize=False)


@dataclass(frozen=True)
class Snapshot:
    """One version of a zone. `proxied` names the sets whose answers a proxy's address takes the place of."""

    origin: Name
    sets: Mapping[Key, Rdataset]
    proxied: frozenset[Key] = field(default_factory=frozenset)

    @property
    def soa(self) -> dns.rdtypes.ANY.SOA.SOA:
        """The SOA record's data."""
        (data,) = self.sets[(self.origin, SOA)]
        if not isinstance(data, dns.rdtypes.ANY.SOA.SOA):
            raise TypeError("a SOA set that holds something else")
        return data

    def get(self, name: Name, record_type: RdataType) -> Rdataset | None:
        """One set, or None."""
        return self.sets.get((name, record_type))

    def at(self, name: Name) -> dict[RdataType, Rdataset]:
        """Every set that `name` owns."""
        return {kind: records for (owner, kind), records in self.sets.items() if owner == name}

    def exists(self, name: Name) -> bool:
        """Whether `name` owns a record or is above a name that does (RFC 4592, 2.2.2)."""
        return any(owner.is_subdomain(name) for owner, _ in self.sets)

    def holds(self, name: Name) -> bool:
        """Whether `name` is inside this zone."""
        return name.is_subdomain(self.origin)


def newer(first: int, second: int) -> bool:
    """Whether serial `first` comes after `second` (RFC 1982, 3.2)."""
    return first != second and (first - second) % _SERIALS < _HALF


class Draft:
    """Changes to a snapshot, none of them seen before `finish`. What RFC 2136, 3.4.2 ignores is ignored."""

    def __init__(self, base: Snapshot) -> None:
        self._base = base
        self._sets = dict(base.sets)
        self._proxied = set(base.proxied)

    def add(self, name: Name, ttl: int, data: Rdata) -> None:
        """Add a record, or give the one that is there another TTL; the TTL becomes that of the whole set."""
        kind = data.rdtype
        others = {other for owner, other in self._sets if owner == name} - {kind}
        if (kind == CNAME and others) or (CNAME in others and name != self._base.origin):
            return
        if kind == SOA and not self._accepts_soa(name, data):
            return
        present = self._sets.get((name, kind))
        kept = [] if present is None or kind in (CNAME, SOA) else [one for one in present if one != data]
        self._put(name, kind, ttl, [*kept, data])

    def _accepts_soa(self, name: Name, data: Rdata) -> bool:
        if name != self._base.origin or not isinstance(data, dns.rdtypes.ANY.SOA.SOA):
            return False
        return newer(data.serial, self._base.soa.serial)

    def _put(self, name: Name, kind: RdataType, ttl: int, data: Iterable[Rdata]) -> None:
        self._sets[(name, kind)] = dns.rdataset.from_rdata_list(ttl, list(data))

    def delete_name(self, name: Name) -> None:
        """Delete everything a name owns; SOA and NS of the apex stay."""
        for kind in [kind for owner, kind in self._sets if owner == name]:
            self.delete_set(name, kind)

    def delete_set(self, name: Name, kind: RdataType) -> None:
        """Delete one set; SOA and NS of the apex stay."""
        if name == self._base.origin and kind in (SOA, NS):
            return
        self._sets.pop((name, kind), None)
        self._proxied.discard((name, kind))

    def delete(self, name: Name, data: Rdata) -> None:
        """Delete one record; the SOA and the last NS of the apex stay."""
        kind = data.rdtype
        present = self._sets.get((name, kind))
        if present is None or data not in present:
            return
        left = [one for one in present if one != data]
        if left:
            self._put(name, kind, present.ttl, left)
        else:
            self.delete_set(name, kind)

    def alias_apex(self, ttl: int, data: Rdata) -> None:
        """A CNAME beside the other records of the apex, which is answered by its target's addresses."""
        self._put(self._base.origin, CNAME, ttl, [data])

    def proxy(self, name: Name, kind: RdataType, *, on: bool) -> None:
        """Put a set behind the proxy, or take it out."""
        (self._proxied.add if on else self._proxied.discard)((name, kind))

    def finish(self) -> Snapshot:
        """The next version: the same object if nothing changed, else with another serial (RFC 2136, 3.6)."""
        made = Snapshot(self._base.origin, self._sets, frozenset(self._proxied))
        if _same(made, self._base):
            return self._base
        if made.soa.serial == self._base.soa.serial:
            serial = (self._base.soa.serial + 1) % _SERIALS or 1
            ttl = self._sets[(made.origin, SOA)].ttl
            self._put(made.origin, SOA, ttl, [made.soa.replace(serial=serial)])
        return made


def _same(first: Snapshot, second: Snapshot) -> bool:
    if first.sets.keys() != second.sets.keys() or first.proxied != second.proxied:
        return False
    return all(one == second.sets[key] and one.ttl == second.sets[key].ttl for key, one in first.sets.items())
