"""Single records with an id, as Cloudflare shows and takes them, over zones that are made of record sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.name
import dns.rdatatype
from dns.name import Name
from dns.rdata import Rdata
from dns.rdatatype import AAAA, CNAME, SOA, A

from uscdr.sandbox.dns.records import rdata
from uscdr.sandbox.dns.zone import Mark, Zone
from uscdr.sandbox.web.errors import ApiError

_AUTOMATIC, _AUTOMATIC_TTL, _LONGEST_TTL = 1, 300, 86400
_TYPES = frozenset({"A", "AAAA", "CAA", "CNAME", "MX", "NS", "TXT"})
_ABSOLUTE = frozenset({"CNAME", "NS"})


class CloudflareError(ApiError):
    """An error answer in Cloudflare's envelope."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(status, str(code), message)
        error = {"code": code, "message": message}
        self.body = {"success": False, "errors": [error], "messages": [], "result": None}


@dataclass(frozen=True)
class Entry:
    """One record."""

    name: Name
    ttl: int
    data: Rdata


def entries(zone: Zone) -> Iterator[Entry]:
    """The records of a zone; SOA and the apex's NS are not among them, the provider keeps those itself."""
    for (name, kind), records in zone.current.sets.items():
        if kind == SOA or (kind == dns.rdatatype.NS and name == zone.current.origin):
            continue
        yield from (Entry(name, records.ttl, data) for data in records)


def document(zone: Zone, one: Entry) -> dict[str, Any]:
    """As the API shows it."""
    mark, kind = zone.mark(one.name, one.data), one.data.rdtype
    return {
        "id": mark.id,
        "zone_id": zone.id,
        "zone_name": zone.name,
        "name": one.name.to_text(omit_final_dot=True),
        "type": dns.rdatatype.to_text(kind),
        "content": _content(one.data),
        "proxiable": kind in (A, AAAA, CNAME),
        "proxied": (one.name, kind) in zone.current.proxied,
        "ttl": _AUTOMATIC if mark.automatic else one.ttl,
        "comment": mark.comment,
        "tags": [],
        "settings": {"flatten_cname": False} if kind == CNAME else {},
        "meta": {},
    }


def _content(data: Rdata) -> str:
    text = data.to_text()
    return text.rstrip(".") if data.rdtype in (CNAME, dns.rdatatype.NS) else text


class Edit:
    """Changes that are checked as the provider checks them and made together."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._draft = zone.edit()
        self._marks: list[tuple[Name, Rdata, Mark]] = []

    def commit(self) -> None:
        """Make the changes."""
        self._zone.commit(self._draft.finish())
        for name, data, mark in self._marks:
            self._zone.marks[(name, data)] = mark

    def add(self, body: dict[str, Any], mark: Mark | None = None) -> Entry:
        """A new record. Raises 400 for what the provider refuses."""
        entry = self._entry(body)
        self._refuse_conflict(entry)
        known = mark or Mark()
        kept = Mark(known.id, body["ttl"] == _AUTOMATIC, body.get("comment"))
        if entry.data.rdtype == CNAME and entry.name == self._zone.current.origin:
            self._draft.alias_apex(entry.ttl, entry.data)
        else:
            self._draft.add(entry.name, entry.ttl, entry.data)
        self._draft.proxy(entry.name, entry.data.rdtype, on=body.get("proxied") is True)
        self._marks.append((entry.name, entry.data, kept))
        return entry

    def change(self, present: Entry, body: dict[str, Any], *, whole: bool) -> Entry:
        """Another value for a record, which keeps its id."""
        shown = document(self._zone, present)
        kept = () if whole else ("name", "type", "content", "ttl", "proxied", "comment")
        wanted = {key: shown[key] for key in kept} | body
        mark = self._zone.mark(present.name, present.data)
        self.remove(present)
        return self.add(wanted, mark)

    def remove(self, present: Entry) -> None:
        """Without a record."""
        self._draft.delete(present.name, present.data)

    def _entry(self, body: dict[str, Any]) -> Entry:
        kind, content, ttl = body.get("type"), body.get("content"), body.setdefault("ttl", _AUTOMATIC)
        if kind not in _TYPES or not isinstance(content, str) or not isinstance(body.get("name"), str):
            raise CloudflareError(400, 9207, "Content and type and name are needed, of a type that is known.")
        if not isinstance(ttl, int) or isinstance(ttl, bool) or not _AUTOMATIC <= ttl <= _LONGEST_TTL:
            raise CloudflareError(400, 9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.")
        if body.get("proxied") and kind not in ("A", "AAAA", "CNAME"):
            raise CloudflareError(400, 9004, "This record type cannot be proxied.")
        try:
            text = content if kind not in _ABSOLUTE or content.endswith(".") else f"{content}."
            return Entry(self._name(body["name"]), _AUTOMATIC_TTL if ttl == _AUTOMATIC else ttl, rdata(kind, text))
        except (dns.exception.DNSException, ValueError):
            raise CloudflareError(400, 9005, f"Content for {kind} record is invalid.") from None

    def _name(self, text: str) -> Name:
        """Absolute; a name outside the zone is meant as relative to it, as the provider does."""
        origin = self._zone.current.origin
        if text == "@":
            return origin
        name = dns.name.from_text(text)
        return name if name.is_subdomain(origin) else dns.name.from_text(text.rstrip("."), origin)

    def _refuse_conflict(self, entry: Entry) -> None:
        there = self._draft.finish().at(entry.name)
        records, kind = there.get(entry.data.rdtype), entry.data.rdtype
        if records is not None and entry.data in records:
            raise CloudflareError(400, 81058, "An identical record already exists.")
        addresses = {A, AAAA, CNAME} & there.keys()
        if kind == CNAME and addresses:
            raise CloudflareError(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
        if kind != CNAME and CNAME in there and (kind in (A, AAAA) or entry.name != self._zone.current.origin):
            raise CloudflareError(400, 81054, "A CNAME record with that host already exists.")
