"""Why a zone cannot hold a CNAME at a name. Source: RFC 1034 section 3.6.2, RFC 2181 section 10.1."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from uscdr.models.dns import RecordSet, RecordType
from uscdr.providers.dns.names import is_within

Read = Callable[[str, RecordType], RecordSet | None]
"""The records of a name's own."""

BESIDE: tuple[RecordType, ...] = ("A", "AAAA", "MX", "TXT", "CAA", "SRV", "HTTPS", "NS")
"""Types that people put at a host name, and that a CNAME does not tolerate."""


def outside(zone: str, name: str) -> str:
    """That the name lies elsewhere; empty when it lies in the zone."""
    return "" if is_within(name, zone) else f"it does not lie in the zone {zone}"


def obstacle(zone: str, name: str, read: Read) -> str:
    """Why it cannot be a CNAME by the protocol's rules; empty when it can."""
    if name == zone:
        return "it is the apex of its zone, where no CNAME can stand"
    return outside(zone, name) or beside(name, read, BESIDE)


def beside(name: str, read: Read, kinds: Sequence[RecordType]) -> str:
    """That records of these types stand in the way of a first CNAME; empty when none does, or there is a CNAME."""
    if read(name, "CNAME") is not None:
        return ""
    there = [kind for kind in kinds if read(name, kind) is not None]
    return f"it has records that a CNAME cannot stand beside: {', '.join(there)}" if there else ""
