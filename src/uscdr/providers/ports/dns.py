"""A zone at its provider, and the name servers that alone decide. Errors as in `platform`."""

from __future__ import annotations

from typing import Protocol

from uscdr.models.dns import Caution, RecordSet, RecordType, Sighting


class Zone(Protocol):
    """One zone at the place where it is edited. Only the named records are ever touched."""

    @property
    def writable(self) -> bool:
        """False for a zone that only a person can edit."""
        ...

    def read(self, name: str, record_type: RecordType) -> RecordSet | None:
        """What the zone holds now, with TTL and the provider's own extras; what a wildcard answers is no record."""
        ...

    def obstacle(self, name: str) -> str:
        """Why this zone cannot hold a CNAME at `name`, after “because”; empty when it can.

        The apex where nothing flattens, records that a CNAME cannot stand beside, a name of another zone.
        """
        ...

    def swap(self, name: str, record_type: RecordType, expected: RecordSet | None, wanted: RecordSet | None) -> None:
        """Replace `expected` by `wanted` in one transaction (write, idempotent).

        None means no record. Raises `Conflict`, with both values, when the zone no longer holds `expected`; it then
        is unchanged. A zone that already holds `wanted` is left alone. Reads back, because a server may say yes
        and ignore the change.
        """
        ...

    def instructions(self, expected: RecordSet | None, wanted: RecordSet | None) -> tuple[str, ...]:
        """What a person would type or click instead."""
        ...


class Verifier(Protocol):
    """Asks the authoritative servers themselves; what the provider's API says does not count."""

    def look(self, name: str, record_type: RecordType, *, target: str = "") -> Sighting:
        """What each of them says now, and whether it is a wildcard that says it (`borrowed`).

        Servers never answer with an ALIAS, only with its addresses: `target` is what they are compared with. A
        server whose addresses overlap with the target's of the same moment is reported as saying `target`.
        """
        ...

    def addresses(self, name: str) -> tuple[str, ...] | None:
        """Where a name is now, IPv4 first; empty when it surely has no address, None when nobody could tell."""
        ...

    def cautions(self, name: str, target: str) -> tuple[Caution, ...]:
        """What will make pointing `name` at `target` fail or mislead.

        Apex, CAA without the certificate's issuer, an AAAA left beside, a signed zone, a wildcard, a long TTL, a
        target that does not resolve.
        """
        ...


# Whether every name server leads a hostname to its target: by its CNAME, else by the addresses that it gives.


NONE = ("answered", "no such record")
"""States of a server that serves the zone."""


def led(verifier: Verifier, hostname: str, target: str) -> tuple[RecordType, Sighting]:
    """What the servers say of it, and as what: a zone's own name has no CNAME, and some providers flatten others.

    An ALIAS is seen by the addresses that it gives. Raises ProviderError and MachineError.
    """
    sighting = verifier.look(hostname, "CNAME", target=target)
    if sighting.answers and all(one.state in NONE and one.records is None for one in sighting.answers):
        return "ALIAS", verifier.look(hostname, "ALIAS", target=target)
    return "CNAME", sighting


def leads(verifier: Verifier, hostname: str, target: str) -> bool:
    """Whether all of them do, whatever record does it. Errors as `led`."""
    kind, sighting = led(verifier, hostname, target)
    return sighting.all_say(RecordSet(name=hostname, type=kind, ttl=0, values=(target,)))


def leads_or_unknown(verifier: Verifier, hostname: str, target: str) -> bool | None:
    """The same; None when it cannot be told: a server is silent, or the target has no address any more."""
    kind, sighting = led(verifier, hostname, target)
    if sighting.all_say(RecordSet(name=hostname, type=kind, ttl=0, values=(target,))):
        return True
    silent = not sighting.answers or any(one.state not in NONE for one in sighting.answers)
    return None if silent or not verifier.addresses(target) else False
