"""Shared by every zone's swap: the checks before it, and the errors that show both values. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from uscdr.errors import BadInput, Conflict, ProviderError
from uscdr.models.dns import RecordSet, RecordType
from uscdr.providers.dns.records import HOSTS, SWAPPABLE, is_within, normal, to_wire

# The manual change: the exact record lines, old and new, in zone-file form.


def _lines(records: RecordSet) -> tuple[str, ...]:
    """One zone-file line for each value: name, TTL in seconds, class, type, value."""
    dot = "." if records.type in HOSTS else ""
    return tuple(f"{records.name}. {records.ttl} IN {records.type} {value}{dot}" for value in records.values)


def _described(records: RecordSet | None) -> str:
    """The value in a sentence."""
    if records is None:
        return "no record"
    return f"{', '.join(records.values)} (TTL {records.ttl})"


def by_hand(zone: str, expected: RecordSet | None, wanted: RecordSet | None) -> tuple[str, ...]:
    """Instructions for editing `zone` at its provider."""
    if expected is None and wanted is None:
        return ("No change is needed.",)
    steps = [f"In the zone {zone}, at its DNS provider:"]
    if expected is not None:
        steps += [_verb(line, wanted) for line in _lines(expected)]
    if wanted is not None:
        steps += [f"  {'with' if expected is not None else 'add'}: {line}" for line in _lines(wanted)]
        steps.append(f"  TTL: {wanted.ttl} seconds" + (f" (was {expected.ttl})" if expected is not None else ""))
    steps.append("Leave every other record unchanged. Keep the old line for a rollback.")
    return tuple(steps)


def _verb(line: str, wanted: RecordSet | None) -> str:
    return f"  {'delete' if wanted is None else 'replace'}: {line}"


@dataclass(frozen=True)
class RecordSwap:
    """One valid change: `name` is in `zone`; `expected` and `wanted` are its record sets, or None."""

    zone: str
    name: str
    type: RecordType
    expected: RecordSet | None
    wanted: RecordSet | None

    @classmethod
    def checked(
        cls, zone: str, name: str, record_type: RecordType, expected: RecordSet | None, wanted: RecordSet | None
    ) -> Self:
        """The change in normal form. Raises `BadInput` for an impossible change, before any call."""
        name = normal(name)
        if record_type not in SWAPPABLE:
            raise _senseless(f"A recovery does not change records of type {record_type}.")
        if not is_within(name, zone):
            raise _senseless(f"{name} is not in the zone {zone}.")
        for records in (expected, wanted):
            if records is not None and (normal(records.name), records.type) != (name, record_type):
                raise _senseless(
                    f"A record of {records.name} ({records.type}) does not belong to {name} ({record_type})."
                )
        if wanted is not None:
            _check_values(wanted)
        return cls(zone, name, record_type, _named(expected, name), _named(wanted, name))

    @property
    def only_ttl(self) -> bool:
        """Whether only the TTL changes."""
        return same(self.expected, self.wanted) and self.expected != self.wanted

    def is_done(self, held: RecordSet | None) -> bool:
        """Whether a zone that holds `held` needs no write."""
        if not same(held, self.wanted):
            return False
        return not self.only_ttl or held is None or self.wanted is None or held.ttl == self.wanted.ttl

    def conflict(self, held: RecordSet | None, *, provider: str) -> Conflict:
        """The error for a zone without the expected records; the zone is unchanged."""
        return Conflict(
            f"{self.name} ({self.type}) was changed by somebody else; uscdr did not change it.",
            provider=provider,
            why=f"Expected: {_described(self.expected)}. Found: {_described(held)}. Wanted: {_described(self.wanted)}.",
            next_action="Find out who changed it, then run the command again to plan from the current records.",
        )

    def ignored(self, held: RecordSet | None, *, provider: str) -> ProviderError:
        """The error for a change that the server accepted but did not apply."""
        hint, action = "", "Check the zone at its provider, then run the command again."
        if self.type == "CNAME":
            apex = self.name == self.zone
            reason = "is not allowed at the apex of a zone" if apex else "cannot coexist with other records"
            hint = f" A CNAME {reason}."
            action = "At an apex, use an ALIAS or the provider's flattening. Otherwise remove the other records first."
        return ProviderError(
            f"{self.name} ({self.type}): the provider accepted the change, but the zone does not show it.",
            provider=provider,
            why=f"Wanted: {_described(self.wanted)}. Found: {_described(held)}.{hint}",
            next_action=action,
        )


def _named(records: RecordSet | None, name: str) -> RecordSet | None:
    return None if records is None else records.model_copy(update={"name": name})


def _check_values(wanted: RecordSet) -> None:
    if not wanted.values or wanted.ttl < 0:
        raise _senseless(f"{wanted.name}: a record needs a value, and a TTL that is not negative.")
    if wanted.type in HOSTS and len(wanted.values) > 1:
        raise _senseless(f"{wanted.name}: a {wanted.type} has exactly one target.")
    if wanted.type != "ALIAS":
        to_wire(wanted)


def same(one: RecordSet | None, other: RecordSet | None) -> bool:
    """Whether both have the same values; two missing sets count as equal."""
    return other is None if one is None else one.same_values(other)


def _senseless(message: str) -> BadInput:
    return BadInput(message, next_action="Correct the target's `dns` part or the step's parameters.")


# Why a zone cannot hold a CNAME at a name. Source: RFC 1034 section 3.6.2, RFC 2181 section 10.1.


Read = Callable[[str, RecordType], RecordSet | None]
"""The records of a name's own."""

BESIDE: tuple[RecordType, ...] = ("A", "AAAA", "MX", "TXT", "CAA", "SRV", "HTTPS", "NS")
"""Common record types that cannot coexist with a CNAME."""


def other_zone(zone: str, name: str) -> str:
    """Says that the name is in another zone; empty when it is in this one."""
    return "" if is_within(name, zone) else f"it is not in the zone {zone}"


def obstacle(zone: str, name: str, read: Read) -> str:
    """Why the protocol forbids a CNAME there; empty when it does not."""
    if name == zone:
        return "it is the apex of its zone, where a CNAME is not allowed"
    return other_zone(zone, name) or conflicting_records(name, read, BESIDE)


def conflicting_records(name: str, read: Read, kinds: Sequence[RecordType]) -> str:
    """Says that these record types prevent a first CNAME; empty when none does, or a CNAME exists."""
    if read(name, "CNAME") is not None:
        return ""
    there = [kind for kind in kinds if read(name, kind) is not None]
    return f"it has records that cannot coexist with a CNAME: {', '.join(there)}" if there else ""
