"""Converts record sets between the models' form and the wire format. Source: RFC 1035 section 5, RFC 8659 section 4."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from uscdr.errors import BadInput, ConfigError
from uscdr.models.dns import RecordSet, RecordType

if TYPE_CHECKING:
    from collections.abc import Iterator

# Host names as in the models: absolute, lower case, without a final dot.


def normal(name: str) -> str:
    """The name in the models' form; raises `ConfigError` for an invalid name."""
    return wire_name(name).to_text(omit_final_dot=True).lower()


def wire_name(name: str) -> dns.name.Name:
    """The name as sent; international letters become their ASCII form."""
    try:
        return dns.name.from_text(name.strip().lower())
    except (dns.exception.DNSException, UnicodeError):
        raise ConfigError(
            f"{name!r} is not a host name.", next_action="Correct the name in the target's `dns` part."
        ) from None


def parent(name: str) -> str:
    """The name without its first label; empty for a top-level name."""
    return name.partition(".")[2]


def ancestors(name: str) -> Iterator[str]:
    """`name` and every name above it, nearest first, without the root."""
    while name:
        yield name
        name = parent(name)


def is_within(name: str, zone: str) -> bool:
    """Whether `name` is the zone's apex or lies below it. The root is an empty name."""
    return not zone or name == zone or name.endswith(f".{zone}")


SWAPPABLE: frozenset[RecordType] = frozenset({"A", "AAAA", "ALIAS", "CNAME", "TXT"})
"""Record types that a recovery may change; never the zone's SOA, NS and CAA."""

HOSTS: frozenset[RecordType] = frozenset({"ALIAS", "CNAME", "NS"})
"""Types whose values are host names."""


def _from_wire(name: str, record_type: RecordType, rrset: dns.rrset.RRset) -> RecordSet:
    """The model of a record set from a server's answer."""
    values = sorted(_shown(record_type, rdata.to_text()) for rdata in rrset)
    return RecordSet(name=name, type=record_type, ttl=int(rrset.ttl), values=tuple(values))


def to_wire(records: RecordSet) -> tuple[dns.rdata.Rdata, ...]:
    """The values in wire format; raises `BadInput` for one that is invalid for its type."""
    return tuple(_rdata(records.type, value) for value in records.values)


def records_in(message: dns.message.Message, name: str, record_type: RecordType) -> RecordSet | None:
    """The set of exactly this name and type in the answer section; a CNAME is not followed."""
    rrset = message.get_rrset(message.answer, wire_name(name), dns.rdataclass.IN, dns.rdatatype.from_text(record_type))
    return None if rrset is None else _from_wire(name, record_type, rrset)


def serial(message: dns.message.Message, zone: str) -> int | None:
    """The serial of `zone`, if the answer contains its SOA."""
    return next((int(rrset[0].serial) for owner, rrset in _authorities(message) if owner == zone), None)


def enclosing_zone(message: dns.message.Message, name: str) -> str | None:
    """The zone that `name` is in, by the SOA in an answer about it: the answer, or the proof that there is none.

    After an alias, a server may continue with the alias's target, in another zone.
    """
    return next((owner for owner, _ in _authorities(message) if is_within(name, owner)), None)


def _authorities(message: dns.message.Message) -> Iterator[tuple[str, dns.rrset.RRset]]:
    for rrset in (*message.answer, *message.authority):
        if rrset.rdtype == dns.rdatatype.SOA:
            yield normal(rrset.name.to_text()), rrset


def _rdata(record_type: RecordType, value: str) -> dns.rdata.Rdata:
    text = f"{normal(value)}." if record_type in HOSTS else value
    try:
        return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(record_type), text)
    except dns.exception.DNSException:
        raise BadInput(
            f"{value!r} is not a valid value for a record of type {record_type}.", next_action="Correct the value."
        ) from None


def _shown(record_type: RecordType, text: str) -> str:
    return text.rstrip(".").lower() if record_type in HOSTS else text


# Tells a name's own records from those of a wildcard, which answers for every name without records. Source: RFC 4592.


def wildcard_could_answer(name: str, zone: str) -> bool:
    """Whether a wildcard could answer for it: never for the zone's apex or the wildcard itself."""
    return name != zone and not name.startswith("*.") and bool(parent(name))


def random_sibling(name: str) -> str:
    """A random name beside `name`; the same wildcard covers both."""
    return f"uscdr-{secrets.token_hex(8)}.{parent(name)}"


def is_wildcard_answer(records: RecordSet | None, of_sibling: RecordSet | None) -> bool:
    """Whether the answer equals that for a random sibling: then it is the wildcard's."""
    if records is None or of_sibling is None:
        return False
    return (records.ttl, sorted(records.values)) == (of_sibling.ttl, sorted(of_sibling.values))
