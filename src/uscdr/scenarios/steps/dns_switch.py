"""The switch: compare-and-swap of each record, seen at every name server, undone by the same swap."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from uscdr.engine.step import Action, Tell, View
from uscdr.engine.wait import Patience, until
from uscdr.errors import CheckFailed, MachineError, ProviderError
from uscdr.models.base import Fact
from uscdr.models.dns import Caution, RecordSet, Sighting
from uscdr.models.events import Call
from uscdr.scenarios.deps import now
from uscdr.scenarios.results_infra import Cautions, DomainsBound, InfraSeen, Switched
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import clock, plural

SEEN_LIMIT = 1800.0
BY_HAND_LIMIT = 4 * 3600.0
TTL = 300
"""Seconds, for a name that had no record."""


class Preflight(DepsStep[Cautions, Cautions]):
    """What will make the switch fail or mislead, said before anything is built."""

    result = Cautions

    def ready(self, view: View) -> str | None:
        """After the scope."""
        return None if view.get(InfraSeen) else "looked at when the hostnames are known"

    def probe(self, view: View, tell: Tell) -> Cautions:
        """Ask the name servers; what cannot be asked is a caution itself."""
        if self._deps.dns is None:
            return Cautions()
        found: list[Caution] = []
        for name in view.need(InfraSeen).hostnames:
            held = next((r for r in view.need(InfraSeen).records if r.name == name), None)
            try:
                found += self._deps.dns.verifier.cautions(name, held.values[0] if held else "")
            except (ProviderError, MachineError) as error:
                found.append(Caution(name=name, what=error.message, so="the switch cannot be seen to have happened"))
        return Cautions(found=tuple(one for one in found if not one.blocks))

    def plan(self, seen: Cautions, view: View) -> Action:
        """Say them."""
        calls = (Call(provider="dns", request="QUERY of every authoritative server", writes=False),)
        words = "; ".join(f"{one.name}: {one.what}, so {one.so}" for one in seen.found)
        return Action("read", words or "nothing stands against a switch of the domain", calls)


class SwitchSeen(Fact):
    """What the zone holds now, and what it should hold."""

    held: tuple[RecordSet | None, ...]
    expected: tuple[RecordSet | None, ...]
    wanted: tuple[RecordSet, ...]


class SwitchDns(DepsStep[SwitchSeen, Switched]):
    """Only the named records, only if they still are what the plan showed."""

    result = Switched

    def ready(self, view: View) -> str | None:
        """After the hostnames have their targets."""
        return None if view.get(DomainsBound) else "the records are swapped when the hostnames have their targets"

    def foresee(self, waiting_for: str) -> Action:
        """The line of the plan while it waits."""
        return Action("later", waiting_for, (Call(provider="dns", request="swap of each CNAME", writes=True),))

    def probe(self, view: View, tell: Tell) -> SwitchSeen:
        """Read the zone at its provider."""
        planned = {record.name: record for record in view.need(InfraSeen).records}
        targets = view.need(DomainsBound).targets
        zone = self._deps.dns.zone if self._deps.dns else None
        held = tuple(zone.read(one.hostname, "CNAME") if zone else None for one in targets)
        wanted = tuple(
            RecordSet(
                name=one.hostname, type="CNAME", values=(one.target,),
                ttl=planned[one.hostname].ttl if one.hostname in planned else TTL,
                extras=planned[one.hostname].extras if one.hostname in planned else {},
            )
            for one in targets
        )  # fmt: skip
        return SwitchSeen(held=held, expected=tuple(planned.get(one.hostname) for one in targets), wanted=wanted)

    def plan(self, seen: SwitchSeen, view: View) -> Action:
        """Nothing to do when the zone holds it all, or when there is no zone."""
        if self._deps.dns is None or not seen.wanted:
            return Action("noop", "there is no record to swap")
        zone = self._deps.dns.zone
        todo = [(e, w) for e, h, w in zip(seen.expected, seen.held, seen.wanted, strict=True) if not w.same_values(h)]
        manual = tuple(line for expected, wanted in todo for line in zone.instructions(expected, wanted))
        if not todo:
            return Action("noop", "the zone holds the new targets", (), manual)
        words = "; ".join(f"{w.name} {_shown(e)} -> {_shown(w)}" for e, w in todo)
        calls = tuple(Call(provider="dns", request=f"swap {w.name} CNAME", writes=True) for _, w in todo)
        return Action("change", words if zone.writable else f"BY HAND: {words}", calls, manual)

    def baseline(self, seen: SwitchSeen) -> dict[str, Any]:
        """The old and the new records: what a rollback needs."""
        return {
            "old": [record.model_dump(mode="json") if record else None for record in seen.expected],
            "new": [record.model_dump(mode="json") for record in seen.wanted],
        }

    def apply(self, seen: SwitchSeen, view: View, tell: Tell) -> Switched:
        """Swap, or tell a person what to swap; then watch every authoritative server."""
        place = self._deps.dns
        if place is None:
            return self.unchanged(seen, view)
        for expected, held, wanted in zip(seen.expected, seen.held, seen.wanted, strict=True):
            if wanted.same_values(held):
                continue
            if place.zone.writable:
                place.zone.swap(wanted.name, wanted.type, expected, wanted)
                continue
            for line in place.zone.instructions(expected, wanted):
                tell.warn(line)
        at = now()
        limit = SEEN_LIMIT if place.zone.writable else BY_HAND_LIMIT
        for wanted in seen.wanted:
            self._watch(wanted, limit, tell)
        return _switched(seen, at)

    def _watch(self, wanted: RecordSet, limit: float, tell: Tell) -> None:
        place = self._deps.dns
        if place is None:
            return
        patience = Patience(f"the switch of {wanted.name}", limit, f"dig +trace {wanted.name} CNAME")

        def look() -> Sighting:
            seen = place.verifier.look(wanted.name, wanted.type)
            good = [one for one in seen.answers if one.records and wanted.same_values(one.records)]
            tell.progress(f"{wanted.name}: seen at name servers", len(good), len(seen.answers), "servers")
            return seen

        until(look, lambda sighting: sighting.all_say(wanted), patience, self._deps.stop)

    def unchanged(self, seen: SwitchSeen, view: View) -> Switched:
        """It was so already."""
        return _switched(seen, now())

    def confirm_effect(self, result: Switched, view: View, tell: Tell) -> str:
        """Every authoritative server says so, once more."""
        place = self._deps.dns
        if place is None or not result.new:
            return "no hostname was moved"
        for wanted in result.new:
            sighting = place.verifier.look(wanted.name, wanted.type)
            if not sighting.all_say(wanted):
                states = ", ".join(f"{one.server.address}: {one.state}" for one in sighting.answers)
                raise CheckFailed(f"Not every name server leads {wanted.name} to the new place.", why=states)
        names = plural(len(result.new), "name")
        return f"{names} moved, seen at every name server; old answers may live until {clock(result.old_answers_until)}"


def _switched(seen: SwitchSeen, at: Any) -> Switched:  # noqa: ANN401 - a datetime
    old = tuple(record for record in seen.expected if record is not None)
    longest = max((record.ttl for record in old), default=TTL)
    return Switched(old=old, new=seen.wanted, at=at, old_answers_until=at + timedelta(seconds=longest))


def _shown(record: RecordSet | None) -> str:
    return f"{' '.join(record.values)} (TTL {record.ttl} s)" if record else "(no CNAME)"
