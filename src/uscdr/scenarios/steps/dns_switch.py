"""Records are swapped only if they still are what was shown, seen at every name server, and swapped back alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from uscdr.engine.step import Action, Blast, Effect, Tell, View
from uscdr.engine.wait import Patience, until
from uscdr.errors import CheckFailed, MachineError, ProviderError
from uscdr.models.base import Fact
from uscdr.models.dns import RecordSet, Sighting
from uscdr.models.events import Call
from uscdr.scenarios.deps import now
from uscdr.scenarios.results import ApplicationChecked
from uscdr.scenarios.results_infra import DomainsBound, InfraSeen, Switched
from uscdr.scenarios.steps.base import DepsStep
from uscdr.words import moment, plural

SEEN_LIMIT = 1800.0
BY_HAND_LIMIT = 4 * 3600.0
TTL = 300
"""Seconds, for a name that had no record."""


class Swap(Fact):
    """One name: what the zone holds, what it must hold for a swap, and what it shall hold. None is no record."""

    name: str
    held: RecordSet | None
    expected: RecordSet | None
    wanted: RecordSet | None

    @property
    def done(self) -> bool:
        """Whether the zone holds what is wanted."""
        return self.held is None if self.wanted is None else self.wanted.same_values(self.held)

    @property
    def drifted(self) -> bool:
        """Whether the zone holds neither what was shown nor what is wanted: somebody else changed it."""
        as_shown = self.held is None if self.expected is None else self.expected.same_values(self.held)
        return not (self.done or as_shown)

    @property
    def words(self) -> str:
        """From what to what."""
        return f"{self.name} {_shown(self.expected)} -> {_shown(self.wanted)}"


class Swaps(Fact):
    """All names."""

    swaps: tuple[Swap, ...]
    everywhere: bool = False
    """Whether the zone holds all that is wanted, and every name server says so."""


class SwapDns(DepsStep[Swaps, Switched]):
    """Base of the switch and of its undoing."""

    gives = Switched

    def _held(self, name: str) -> RecordSet | None:
        return self._deps.dns.zone.read(name, "CNAME") if self._deps.dns else None

    def _looked(self, swaps: tuple[Swap, ...]) -> Swaps:
        """With what the name servers say, which is asked only when the zone holds all that is wanted."""
        return Swaps(swaps=swaps, everywhere=all(swap.done and self._seen(swap) for swap in swaps))

    def _seen(self, swap: Swap) -> bool:
        try:
            sighting = self._sighting(swap)
        except (ProviderError, MachineError):
            return False
        return sighting is not None and _agreed(sighting, swap)

    @override
    def plan(self, seen: Swaps, view: View) -> Action:
        todo = [swap for swap in seen.swaps if not swap.done]
        if self._deps.dns is None or not seen.swaps:
            return Action("noop", "there is no record to swap")
        zone = self._deps.dns.zone
        drifted = [swap for swap in todo if swap.drifted]
        if drifted:
            return Action("blocked", " ".join(map(_changed, drifted)))
        if not todo and seen.everywhere:
            return Action("noop", "the zone and every name server have the wanted targets")
        if not todo:
            return Action("change", "the zone holds the wanted targets; the name servers are watched until all say so")
        words = "; ".join(swap.words for swap in todo)
        manual = tuple(line for swap in todo for line in zone.instructions(swap.expected, swap.wanted))
        calls = tuple(Call(provider="dns", request=f"swap {swap.name} CNAME", writes=True) for swap in todo)
        return Action("change", words if zone.writable else f"BY HAND: {words}", calls, manual=manual)

    @override
    def apply(self, seen: Swaps, view: View, tell: Tell) -> Switched:
        place = self._deps.dns
        if place is None:
            return self.unchanged(seen, view)
        for swap in seen.swaps:
            if swap.model_copy(update={"held": self._held(swap.name)}).done:
                continue  # also when it was swapped before an answer was lost
            if place.zone.writable:
                place.zone.swap(swap.name, "CNAME", swap.expected, swap.wanted)
                continue
            for line in place.zone.instructions(swap.expected, swap.wanted):
                tell.warn(line)
        at = now()
        for swap in seen.swaps:
            self._watch(swap, SEEN_LIMIT if place.zone.writable else BY_HAND_LIMIT, tell)
        return _switched(seen, at, followed=now())

    def _watch(self, swap: Swap, limit: float, tell: Tell) -> None:
        patience = Patience(f"the switch of {swap.name}", limit, f"dig +trace {swap.name} CNAME")

        def look() -> Sighting | None:
            sighting = self._sighting(swap)
            if sighting is not None:
                good = [one for one in sighting.answers if _says(one.records, swap.wanted)]
                tell.progress(f"{swap.name}: seen at name servers", len(good), len(sighting.answers), "servers")
            return sighting

        until(look, lambda sighting: sighting is not None and _agreed(sighting, swap), patience, self._deps.stop)

    def _sighting(self, swap: Swap) -> Sighting | None:
        place = self._deps.dns
        return place.verifier.look(swap.name, "CNAME") if place else None

    @override
    def unchanged(self, seen: Swaps, view: View) -> Switched:
        at = now()
        return _switched(seen, at, followed=at)

    @override
    def confirm_effect(self, result: Switched, view: View, tell: Tell) -> str:
        for wanted in result.new:
            swap = Swap(name=wanted.name, held=None, expected=None, wanted=wanted)
            sighting = self._sighting(swap)
            if sighting is None or not _agreed(sighting, swap):
                states = ", ".join(
                    f"{one.server.address}: {one.state}" for one in (sighting.answers if sighting else ())
                )
                raise CheckFailed(f"Not every name server leads {wanted.name} to {_shown(wanted)}.", why=states)
        if not result.new:
            return "no hostname was moved"
        names, end = plural(len(result.new), "name"), moment(result.old_answers_until)
        return f"{names} moved, seen at every name server; old answers may live until {end}"


class SwitchDns(SwapDns):
    """To the new place: only the named records, only if they still are what the plan showed."""

    needs = (InfraSeen, DomainsBound)
    checked_by = (ApplicationChecked,)
    waits = "the records are swapped when the hostnames have their targets"

    name = "dns.switch"
    title = "Switch the domain"
    effect = Effect.IDEMPOTENT
    sends = (Call(provider="dns", request="swap of each CNAME", writes=True),)
    manual = ("{switch_domain}",)

    @override
    def probe(self, view: View, tell: Tell) -> Swaps:
        scope = view.need(InfraSeen)
        planned = {record.name: record for record in scope.records}
        return self._looked(
            tuple(
                self._swap(one.hostname, one.target, planned.get(one.hostname), shown=scope.zone_read)
                for one in view.need(DomainsBound).targets
            )
        )

    def _swap(self, name: str, target: str, planned: RecordSet | None, *, shown: bool) -> Swap:
        held = self._held(name)
        planned = planned if shown else held  # where the plan could show nothing, what is there now is swapped
        wanted = RecordSet(
            name=name, type="CNAME", values=(target,), ttl=planned.ttl if planned else TTL,
            extras=planned.extras if planned else {},
        )  # fmt: skip
        return Swap(name=name, held=held, expected=planned, wanted=wanted)

    @override
    def baseline(self, seen: Swaps) -> dict[str, Any]:
        return {
            "old": [swap.expected.model_dump(mode="json") if swap.expected else None for swap in seen.swaps],
            "new": [swap.wanted.model_dump(mode="json") for swap in seen.swaps if swap.wanted],
        }


class RollbackDns(SwapDns):
    """Back to what the last switch on this target found: the same swap with its sides exchanged."""

    name = "dns.rollback"
    title = "Swap the records back"
    default_id = "rollback_dns"
    effect = Effect.IDEMPOTENT
    destructive = True
    manual = ("# at the DNS provider: CNAME {hostname} -> the old target, as the run's report shows it",)

    @override
    def probe(self, view: View, tell: Tell) -> Swaps:
        return self._looked(
            tuple(
                Swap(name=new.name, held=self._held(new.name), expected=new, wanted=old)
                for old, new in self._deps.memory.switched
            )
        )

    @override
    def plan(self, seen: Swaps, view: View) -> Action:
        if not seen.swaps:
            return Action("blocked", "No run on this target has switched the domain; there is nothing to roll back.")
        return super().plan(seen, view)

    @override
    def blast(self, seen: Swaps, view: View) -> Blast:
        words = "; ".join(swap.words for swap in seen.swaps if not swap.done)
        return Blast(facts={"records": words}, phrases=(f"swap back {words}",))


def _switched(seen: Swaps, at: datetime, *, followed: datetime) -> Switched:
    """A resolver may have asked the last server just before it `followed`, and keeps that answer for the old TTL."""
    old = tuple(swap.expected for swap in seen.swaps if swap.expected is not None)
    longest = max((swap.expected.ttl if swap.expected else TTL for swap in seen.swaps), default=0)
    new = tuple(swap.wanted for swap in seen.swaps if swap.wanted is not None)
    return Switched(old=old, new=new, at=at, old_answers_until=followed + timedelta(seconds=longest))


def _says(records: RecordSet | None, wanted: RecordSet | None) -> bool:
    return records is None if wanted is None else wanted.same_values(records)


def _agreed(sighting: Sighting, swap: Swap) -> bool:
    if swap.wanted is not None:
        return sighting.all_say(swap.wanted)
    return bool(sighting.answers) and all(one.state == "no such record" for one in sighting.answers)


def _changed(swap: Swap) -> str:
    return (
        f"Somebody changed {swap.name}: it was {_shown(swap.expected)}, it is {_shown(swap.held)}. Nothing is swapped. "
        f"Agree with them, and set it to {_shown(swap.wanted)}, or back."
    )


def _shown(record: RecordSet | None) -> str:
    return f"{' '.join(record.values)} (TTL {record.ttl} s)" if record else "(no CNAME)"
