"""What is around a name that is to point elsewhere, gathered by questions. What follows is judged in `cautions`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dns.message
import dns.rcode
import dns.rdatatype

from uscdr.errors import ProviderError
from uscdr.models.dns import NameServer, RecordSet, RecordType
from uscdr.providers.dns.asking import first_usable
from uscdr.providers.dns.delegation import Delegation
from uscdr.providers.dns.names import ancestors, is_within, parent
from uscdr.providers.dns.records import answered
from uscdr.providers.dns.resolvers import Resolvers, addresses_in
from uscdr.providers.dns.wildcards import may_borrow, unmade

BESIDE = ("A", "AAAA", "MX", "TXT")
"""Types that people put beside each other, and that a CNAME does not tolerate."""
POINTING: tuple[RecordType, ...] = ("CNAME", "A", "AAAA")


@dataclass(frozen=True)
class Surroundings:
    """`kinds` are the types at the name besides a CNAME. `target_addresses` is None when nobody could tell.

    `caa` is the set that decides on certificates for the name, at itself or above; None when there is none.
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


class Survey:
    """Asks the zone's own servers, then `explicit` ones and resolvers for what lies outside of it."""

    def __init__(
        self, delegation: Delegation, resolvers: Resolvers, *, explicit: tuple[NameServer, ...], timeout: float
    ) -> None:
        self._delegation = delegation
        self._resolvers = resolvers
        self._explicit = explicit
        self._timeout = timeout

    def of(self, name: str, target: str) -> Surroundings:
        """Everything at once; raises `ProviderError` when the zone's servers do not answer."""
        pointing = tuple(self._pointing(name))
        alias = any(records.type == "CNAME" for records in pointing)
        return Surroundings(
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
        """Where the target is now; empty when it surely has no address, None when nobody could tell."""
        try:
            found = [self._anywhere(target, kind) for kind in ("A", "AAAA")]
        except ProviderError:
            return None
        return tuple(dict.fromkeys(address for message in found for address in addresses_in(message)))

    def _pointing(self, name: str) -> Iterator[RecordSet]:
        for kind in POINTING:
            records = answered(self._inside(name, kind), name, kind)
            if records is not None:
                yield records

    def _holds(self, name: str, kind: str) -> bool:
        """Of its own: what a wildcard gives does not stand beside a record that is made."""
        there = self._texts(name, kind)
        if not there or not may_borrow(name, self._delegation.zone):
            return bool(there)
        return there != self._texts(unmade(name), kind)

    def _texts(self, name: str, kind: str) -> frozenset[str]:
        answer = self._inside(name, kind).answer
        sets = [rrset for rrset in answer if rrset.rdtype == dns.rdatatype.from_text(kind)]
        return frozenset(f"{rrset.ttl} {rdata.to_text()}" for rrset in sets for rdata in rrset)

    def _wildcard(self, name: str) -> RecordSet | None:
        star = f"*.{parent(name)}"
        if name == self._delegation.zone or name.startswith("*."):
            return None
        found = (answered(self._inside(star, kind), star, kind) for kind in POINTING)
        return next((records for records in found if records is not None), None)

    def _signed(self) -> bool:
        zone = self._delegation.zone
        return bool(self._inside(zone, "DNSKEY").answer)

    def _caa(self, name: str, target: str) -> RecordSet | None:
        """RFC 8659 section 3: an alias's target speaks for the name, then the names above it, nearest first."""
        apex = name == self._delegation.zone
        for owner in (*(() if apex else (target,)), *ancestors(name)):
            try:
                message = self._inside(owner, "CAA") if self._is_inside(owner) else self._anywhere(owner, "CAA")
            except ProviderError:
                continue
            records = answered(message, owner, "CAA")
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
            f"None of the zone's servers told the {kind} of {name}.",
            provider="DNS server",
            next_action="Check the network and the name servers, then run the command again.",
            retryable=True,
        )
