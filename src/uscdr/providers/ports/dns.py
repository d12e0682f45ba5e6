"""A zone at its DNS provider, and its authoritative name servers. Errors as in `platform`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from uscdr.models.dns import Caution, RecordSet, RecordType, Sighting


class Zone(Protocol):
    """One zone where it is edited. Only the named records are ever changed."""

    @property
    def writable(self) -> bool:
        """False for a zone that only a person can edit."""
        ...

    def read(self, name: str, record_type: RecordType) -> RecordSet | None:
        """The name's own records now, with TTL and the provider's extras; a wildcard's answer does not count."""
        ...

    def obstacle(self, name: str) -> str:
        """Why this zone cannot hold a CNAME at `name`, as a clause after "because"; empty when it can.

        The reasons: an apex without flattening, records that cannot coexist with a CNAME, a name in another zone.
        """
        ...

    def swap(self, name: str, record_type: RecordType, expected: RecordSet | None, wanted: RecordSet | None) -> None:
        """Replace `expected` by `wanted` in one transaction (write, idempotent).

        None means no record. Raises `Conflict`, with both values, when the zone no longer holds `expected`; the zone
        is then unchanged. A zone that already holds `wanted` is not written to. Reads the zone afterwards, because a
        server may accept a change and ignore it.
        """
        ...

    def instructions(self, expected: RecordSet | None, wanted: RecordSet | None) -> tuple[str, ...]:
        """Instructions for a person who makes the change at the provider."""
        ...


class Verifier(Protocol):
    """Asks the authoritative name servers directly; the answer of a provider's API does not count."""

    def look(self, name: str, record_type: RecordType, *, target: str = "") -> Sighting:
        """Each server's answer now, and whether a wildcard gave it (`borrowed`).

        Servers answer an ALIAS with addresses only, so these are compared with the addresses of `target`: one shared
        address counts as the answer `target`.
        """
        ...

    def addresses(self, name: str) -> tuple[str, ...] | None:
        """The addresses of a name now, IPv4 first; empty when it certainly has none, None when unknown."""
        ...

    def cautions(self, name: str, target: str) -> tuple[Caution, ...]:
        """Why pointing `name` at `target` may fail or mislead; blocking cautions come first.

        The reasons: the apex of a zone, CAA without the certificate's issuer, a remaining AAAA, a signed zone, a
        wildcard, a long TTL, a target that does not resolve.
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
