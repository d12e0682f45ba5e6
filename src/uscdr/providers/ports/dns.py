"""A zone at its provider, and the name servers that alone decide. Errors as in `platform`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

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


_SERVES_THE_ZONE = ("answered", "no such record")
"""States of a server that serves the zone."""


@dataclass(frozen=True)
class Pointing:
    """How the name servers point `hostname` now: by a `CNAME`, or as an `ALIAS` by the target's addresses.

    The apex of a zone has no CNAME, and some providers replace any CNAME by addresses.
    """

    hostname: str
    target: str
    kind: RecordType
    sighting: Sighting

    @classmethod
    def seen(cls, verifier: Verifier, hostname: str, target: str) -> Self:
        """Ask the servers. Raises ProviderError and MachineError."""
        sighting = verifier.look(hostname, "CNAME", target=target)
        if sighting.answers and all(one.state in _SERVES_THE_ZONE and one.records is None for one in sighting.answers):
            return cls(hostname, target, "ALIAS", verifier.look(hostname, "ALIAS", target=target))
        return cls(hostname, target, "CNAME", sighting)

    @property
    def at_target(self) -> bool:
        """Whether every server points the name to the target."""
        return self.sighting.all_say(RecordSet(name=self.hostname, type=self.kind, ttl=0, values=(self.target,)))

    def at_target_or_unknown(self, verifier: Verifier) -> bool | None:
        """As `at_target`; None when a server is silent, or when the target has no address any more."""
        if self.at_target:
            return True
        answers = self.sighting.answers
        silent = not answers or any(one.state not in _SERVES_THE_ZONE for one in answers)
        return None if silent or not verifier.addresses(self.target) else False
