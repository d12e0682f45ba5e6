"""Record sets between the models' form and the wire's. Source: RFC 1035 section 5, RFC 8659 section 4."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.message
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from uscdr.errors import BadInput
from uscdr.models.dns import RecordSet, RecordType
from uscdr.providers.dns.names import is_within, normal, wire_name

SWAPPABLE: frozenset[RecordType] = frozenset({"A", "AAAA", "ALIAS", "CNAME", "TXT"})
"""What a recovery may change; a zone's own SOA, NS and CAA are not its business."""

HOSTS: frozenset[RecordType] = frozenset({"ALIAS", "CNAME", "NS"})
"""Types whose values are host names."""


def from_wire(name: str, record_type: RecordType, rrset: dns.rrset.RRset) -> RecordSet:
    """The model of a set that a server answered with."""
    values = sorted(_shown(record_type, rdata.to_text()) for rdata in rrset)
    return RecordSet(name=name, type=record_type, ttl=int(rrset.ttl), values=tuple(values))


def to_wire(records: RecordSet) -> tuple[dns.rdata.Rdata, ...]:
    """The values as the wire carries them; `BadInput` for one that its type cannot hold."""
    return tuple(_rdata(records.type, value) for value in records.values)


def answered(message: dns.message.Message, name: str, record_type: RecordType) -> RecordSet | None:
    """The set of exactly this name and type in the answer section; a CNAME is not followed."""
    rrset = message.get_rrset(message.answer, wire_name(name), dns.rdataclass.IN, dns.rdatatype.from_text(record_type))
    return None if rrset is None else from_wire(name, record_type, rrset)


def serial(message: dns.message.Message, zone: str) -> int | None:
    """The serial of `zone`, where an answer carries its SOA."""
    return next((int(rrset[0].serial) for owner, rrset in _authorities(message) if owner == zone), None)


def enclosing_zone(message: dns.message.Message, name: str) -> str | None:
    """The zone that `name` is in, by the SOA in an answer about it: the answer, or the proof that there is none.

    Behind an alias a server may go on with the alias's target, whose zone is another.
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
            f"{value!r} cannot be the value of a record of type {record_type}.",
            next_action="Correct the value.",
        ) from None


def _shown(record_type: RecordType, text: str) -> str:
    return text.rstrip(".").lower() if record_type in HOSTS else text
