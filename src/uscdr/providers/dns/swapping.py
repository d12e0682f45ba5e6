"""What every zone's swap has in common: the checks before it, and the errors that show both values. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from uscdr.errors import BadInput, Conflict, ProviderError
from uscdr.models.dns import RecordSet, RecordType
from uscdr.providers.dns.instructions import described
from uscdr.providers.dns.names import is_within, normal
from uscdr.providers.dns.records import HOSTS, SWAPPABLE, to_wire


@dataclass(frozen=True)
class Swap:
    """One change that makes sense: `name` lies in `zone`; `expected` and `wanted` are sets of it, or None."""

    zone: str
    name: str
    type: RecordType
    expected: RecordSet | None
    wanted: RecordSet | None

    @property
    def only_ttl(self) -> bool:
        """Whether the values stay and the TTL alone changes."""
        return same(self.expected, self.wanted) and self.expected != self.wanted

    def is_done(self, held: RecordSet | None) -> bool:
        """Whether a zone that holds `held` needs no write."""
        if not same(held, self.wanted):
            return False
        return not self.only_ttl or held is None or self.wanted is None or held.ttl == self.wanted.ttl


def checked(
    zone: str, name: str, record_type: RecordType, expected: RecordSet | None, wanted: RecordSet | None
) -> Swap:
    """The change in normal form. `BadInput` for one that no zone could make: nothing was called."""
    name = normal(name)
    if record_type not in SWAPPABLE:
        raise _senseless(f"Records of type {record_type} are not changed by a recovery.")
    if not is_within(name, zone):
        raise _senseless(f"{name} does not lie in the zone {zone}.")
    for records in (expected, wanted):
        if records is not None and (normal(records.name), records.type) != (name, record_type):
            raise _senseless(f"A record of {records.name} ({records.type}) cannot stand at {name} ({record_type}).")
    if wanted is not None:
        _check_values(wanted)
    return Swap(zone, name, record_type, _named(expected, name), _named(wanted, name))


def _named(records: RecordSet | None, name: str) -> RecordSet | None:
    return None if records is None else records.model_copy(update={"name": name})


def _check_values(wanted: RecordSet) -> None:
    if not wanted.values or wanted.ttl < 0:
        raise _senseless(f"{wanted.name}: a record needs a value, and a TTL that is not negative.")
    if wanted.type in HOSTS and len(wanted.values) > 1:
        raise _senseless(f"{wanted.name}: a {wanted.type} has one target only.")
    if wanted.type != "ALIAS":
        to_wire(wanted)


def same(one: RecordSet | None, other: RecordSet | None) -> bool:
    """Whether both hold the same values; two absences do."""
    return other is None if one is None else one.same_values(other)


def conflict(swap: Swap, held: RecordSet | None, *, provider: str) -> Conflict:
    """The error for a zone that no longer holds what was expected; it is unchanged."""
    return Conflict(
        f"{swap.name} ({swap.type}) was changed by somebody else; it was left as it is.",
        provider=provider,
        why=f"Expected: {described(swap.expected)}. Found: {described(held)}. Wanted: {described(swap.wanted)}.",
        next_action="Find out who changed it, then plan again from what the zone holds now.",
    )


def ignored(swap: Swap, held: RecordSet | None, *, provider: str) -> ProviderError:
    """The error for a change that was answered with yes and is not there."""
    hint = ""
    if swap.type == "CNAME":
        apex = swap.name == swap.zone
        hint = " A CNAME cannot stand at the apex of a zone." if apex else " A CNAME cannot stand beside other records."
    return ProviderError(
        f"{swap.name} ({swap.type}): the change was accepted, but the zone does not show it.",
        provider=provider,
        why=f"Wanted: {described(swap.wanted)}. Found: {described(held)}.{hint}",
        next_action="Use an ALIAS or the provider's flattening for an apex; else remove what stands beside first."
        if swap.type == "CNAME"
        else "Look at the zone at its provider, then plan again.",
    )


def _senseless(message: str) -> BadInput:
    return BadInput(message, next_action="Correct the target's `dns` part or the step's parameters.")
