"""What a person would change by hand: the exact record lines, old and new, in zone-file form."""

from __future__ import annotations

from uscdr.models.dns import RecordSet
from uscdr.providers.dns.records import HOSTS


def lines(records: RecordSet) -> tuple[str, ...]:
    """One line a value, as a zone file holds it: name, TTL in seconds, class, type, value."""
    dot = "." if records.type in HOSTS else ""
    return tuple(f"{records.name}. {records.ttl} IN {records.type} {value}{dot}" for value in records.values)


def described(records: RecordSet | None) -> str:
    """The value in a sentence."""
    if records is None:
        return "no record"
    return f"{', '.join(records.values)} (TTL {records.ttl})"


def by_hand(zone: str, expected: RecordSet | None, wanted: RecordSet | None) -> tuple[str, ...]:
    """What to type or click at the place where `zone` is edited."""
    if expected is None and wanted is None:
        return ("Nothing has to change.",)
    steps = [f"In the zone {zone}, at its DNS provider:"]
    if expected is not None:
        steps += [_verb(line, wanted) for line in lines(expected)]
    if wanted is not None:
        steps += [f"  {'with' if expected is not None else 'add'}: {line}" for line in lines(wanted)]
        steps.append(f"  TTL: {wanted.ttl} seconds" + (f" (was {expected.ttl})" if expected is not None else ""))
    steps.append("Leave every other record as it is. Keep the old line: it is the way back.")
    return tuple(steps)


def _verb(line: str, wanted: RecordSet | None) -> str:
    return f"  {'delete' if wanted is None else 'replace'}: {line}"
