"""Dynamic update, RFC 2136: the prerequisites and the changes of one message, all of them or none."""

from __future__ import annotations

import dns.rcode
import dns.rdataset
from dns.name import Name
from dns.rcode import Rcode
from dns.rdataclass import ANY as CLASS_ANY
from dns.rdataclass import IN, NONE
from dns.rdataset import Rdataset
from dns.rdatatype import ANY, AXFR, IXFR, MAILA, MAILB, OPT, SOA, TSIG, RdataType
from dns.rrset import RRset
from dns.update import UpdateMessage

from uscdr.sandbox.dns.records import Draft, Key, Snapshot

_META = frozenset({ANY, AXFR, IXFR, MAILA, MAILB, OPT, TSIG})


class UpdateRefused(Exception):
    """An update that is not done; nothing has changed."""

    def __init__(self, rcode: Rcode) -> None:
        super().__init__(dns.rcode.to_text(rcode))
        self.rcode = rcode


def zone_name(message: UpdateMessage) -> Name:
    """The zone a message names. Raises UpdateRefused with FORMERR (3.1.1)."""
    if len(message.zone) != 1 or message.zone[0].rdtype != SOA or message.zone[0].rdclass != IN:
        raise UpdateRefused(Rcode.FORMERR)
    return message.zone[0].name


def described(message: UpdateMessage) -> str:
    """What a message would change, as `name/TYPE`, joined by commas."""
    parts = (
        f"{one.name.to_text(omit_final_dot=True).lower()}/{RdataType.to_text(one.rdtype)}" for one in message.update
    )
    return ",".join(dict.fromkeys(parts)) or "nothing"


def applied(message: UpdateMessage, zone: Snapshot) -> Snapshot:
    """The zone after the update. Raises UpdateRefused."""
    _require(message, zone)
    for record in message.update:
        _check(record, zone)
    draft = Draft(zone)
    for record in message.update:
        _change(draft, record)
    return draft.finish()


def _require(message: UpdateMessage, zone: Snapshot) -> None:
    """Section 3.2.5: the four forms of prerequisite, and values gathered into whole sets."""
    values: dict[Key, Rdataset] = {}
    for record in message.prerequisite:
        if record.ttl:
            raise UpdateRefused(Rcode.FORMERR)
        if not zone.holds(record.name):
            raise UpdateRefused(Rcode.NOTZONE)
        if record.deleting is None:
            wanted = values.setdefault((record.name, record.rdtype), dns.rdataset.Rdataset(IN, record.rdtype))
            for data in record:
                wanted.add(data)
        else:
            _require_use(record, zone)
    for (name, kind), wanted in values.items():
        if zone.get(name, kind) != wanted:
            raise UpdateRefused(Rcode.NXRRSET)


def _require_use(record: RRset, zone: Snapshot) -> None:
    if record.rdtype == ANY:
        used, lack, excess = bool(zone.at(record.name)), Rcode.NXDOMAIN, Rcode.YXDOMAIN
    else:
        used, lack, excess = zone.get(record.name, record.rdtype) is not None, Rcode.NXRRSET, Rcode.YXRRSET
    if record.deleting == CLASS_ANY and not used:
        raise UpdateRefused(lack)
    if record.deleting == NONE and used:
        raise UpdateRefused(excess)


def _check(record: RRset, zone: Snapshot) -> None:
    """Section 3.4.1.3: every change is looked at before the first is made."""
    if not zone.holds(record.name):
        raise UpdateRefused(Rcode.NOTZONE)
    meta = record.rdtype in _META
    if record.deleting == CLASS_ANY:
        bad = record.ttl or len(record) or (meta and record.rdtype != ANY)
    elif record.deleting == NONE:
        bad = record.ttl or meta
    else:
        bad = meta
    if bad:
        raise UpdateRefused(Rcode.FORMERR)


def _change(draft: Draft, record: RRset) -> None:
    if record.deleting == CLASS_ANY:
        if record.rdtype == ANY:
            draft.delete_name(record.name)
        else:
            draft.delete_set(record.name, record.rdtype)
        return
    for data in record:
        if record.deleting == NONE:
            draft.delete(record.name, data)
        else:
            draft.add(record.name, record.ttl, data)
