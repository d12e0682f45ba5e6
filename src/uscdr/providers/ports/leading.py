"""Whether every name server leads a hostname to its target: by its CNAME, else by the addresses that it gives."""

from __future__ import annotations

from uscdr.models.dns import RecordSet, RecordType, Sighting
from uscdr.providers.ports.dns import Verifier

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
