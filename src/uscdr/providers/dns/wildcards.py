"""Records of a name's own, told from what a wildcard gives to every name that has none. Source: RFC 4592.

A server answers for both alike. What it gives to a name that nobody has made, beside the one that is asked about,
is what the wildcard gives; whoever is given the same has, as far as answers show, nothing of its own.
"""

from __future__ import annotations

import secrets

from uscdr.models.dns import RecordSet
from uscdr.providers.dns.names import parent


def may_borrow(name: str, zone: str) -> bool:
    """Whether a wildcard could answer for it: not for the zone's apex, nor for the wildcard itself."""
    return name != zone and not name.startswith("*.") and bool(parent(name))


def unmade(name: str) -> str:
    """A name beside `name` that nobody has made; the same wildcard covers both."""
    return f"uscdr-{secrets.token_hex(8)}.{parent(name)}"


def borrowed(records: RecordSet | None, of_unmade: RecordSet | None) -> bool:
    """Whether the answer is no other than that for a name that nobody has made."""
    if records is None or of_unmade is None:
        return False
    return (records.ttl, sorted(records.values)) == (of_unmade.ttl, sorted(of_unmade.values))
