"""The records of the application's hostnames, as the authoritative servers say and as the zone holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from uscdr.errors import BadInput, ProviderError
from uscdr.models.dns import RecordSet, RecordType, ServerAnswer
from uscdr.models.provision import Domain
from uscdr.providers.ports.dns import Zone
from uscdr.providers.ports.leading import leads_or_unknown
from uscdr.vault.collect.sources import Absent, Gaps, Gathering, part_of, present
from uscdr.vault.content import DnsFacts, HostRecords
from uscdr.vault.manifest import Part
from uscdr.words import plural

ASKED: tuple[RecordType, ...] = ("CNAME", "A", "AAAA", "CAA", "TXT")
IN_ZONE: tuple[RecordType, ...] = ("ALIAS", *ASKED)
"""ALIAS exists at a provider only; its servers answer A."""


def collect(gathering: Gathering, domains: Sequence[Domain]) -> Part:
    """Ask for every hostname, those of `domains` and the wished ones; one that has no record at all is a gap."""
    gaps, sources = Gaps(), gathering.sources
    targets = {domain.hostname.lower().rstrip("."): domain.cname or "" for domain in domains if domain.kind != "heroku"}
    wanted = sorted({name.lower().rstrip(".") for name in (*targets, *gathering.wishes.hostnames)})
    if wanted and isinstance(sources.zone, Absent):
        gaps.note("records as the provider's zone holds them", sources.zone.why)
    hosts = tuple(_host(gathering, gaps, name, targets.get(name, "")) for name in wanted)
    gathering.writer.add_bytes("dns", "dns.json", DnsFacts(hosts=hosts).model_dump_json().encode())
    records = sum(len(host.authoritative) for host in hosts)
    summary = (
        f"{plural(len(hosts), 'hostname')}, {plural(records, 'record set')}" if hosts else "no hostnames of its own"
    )
    return part_of("dns", gaps, summary).model_copy(update={"taken_at": datetime.now(UTC)})


def _host(gathering: Gathering, gaps: Gaps, name: str, target: str) -> HostRecords:
    gathering.check()
    seen = [_authoritative(gathering, gaps, name, kind) for kind in ASKED]
    found = tuple(one.records for one in seen if one and one.records and not one.borrowed)
    by_wildcard = tuple(one.records for one in seen if one and one.records and one.borrowed)
    zone = gathering.sources.zone
    held: list[RecordSet] = []
    for kind in () if isinstance(zone, Absent) else IN_ZONE:
        records = gaps.attempt(f"{name} {kind} in the zone", _in_zone(zone, name, kind), None)
        held += [records] if records is not None else []
    if not (found or held or by_wildcard):
        gaps.note(name, "No record was found, neither at the name servers nor in the zone.")
    return HostRecords(
        hostname=name, authoritative=found, at_provider=tuple(held), wildcard=by_wildcard,
        led=_led(gathering, name, target),
    )  # fmt: skip


def _led(gathering: Gathering, name: str, target: str) -> bool | None:
    if not target or isinstance(gathering.sources.verifier, Absent):
        return None
    try:
        return leads_or_unknown(gathering.sources.verifier, name, target.lower().rstrip("."))
    except ProviderError:
        return None


def _in_zone(zone: Zone | Absent, name: str, kind: RecordType) -> Callable[[], RecordSet | None]:
    def read() -> RecordSet | None:
        try:
            return present(zone).read(name, kind)
        except BadInput:
            if kind != "ALIAS":
                raise
            return None  # a zone that cannot hold such a record has none

    return read


def _authoritative(gathering: Gathering, gaps: Gaps, name: str, kind: RecordType) -> ServerAnswer | None:
    """What the servers agree on; a disagreement or a silence is a gap, and what the first one said is kept."""
    verifier = gathering.sources.verifier
    sighting = gaps.attempt(f"{name} {kind}", lambda: present(verifier).look(name, kind), None)
    if sighting is None:
        return None
    silent = [
        f"{one.server.host} {one.state}" for one in sighting.answers if one.state in ("lame", "refused", "timeout")
    ]
    if silent:
        gaps.note(f"{name} {kind}", f"Not every name server answered: {', '.join(silent)}.")
    told = [one for one in sighting.answers if one.records is not None]
    said = [one.records for one in told if one.records is not None]
    answered = [one for one in sighting.answers if one.state in ("answered", "no such record")]
    if said and (len(said) < len(answered) or not all(said[0].same_values(other) for other in said)):
        gaps.note(f"{name} {kind}", "The name servers disagree; what the first one says is kept.")
    return told[0] if told else None
