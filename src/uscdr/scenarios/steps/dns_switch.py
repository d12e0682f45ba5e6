"""Records are swapped only if they still are what was shown, seen at every name server, and swapped back alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import override

from uscdr.engine.step import Action, BlastRadius, Effect, Reporter, View
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import CheckFailed, MachineError, ProviderError
from uscdr.models.base import Fact
from uscdr.models.dns import RecordSet, Sighting
from uscdr.models.events import Call
from uscdr.providers.ports.dns import led
from uscdr.scenarios.adapters import now
from uscdr.scenarios.infra.names import left_for
from uscdr.scenarios.results.db import ApplicationChecked
from uscdr.scenarios.results.infra import DomainsBound, DomainTarget, InfraSeen, NameLeft, Switched
from uscdr.scenarios.steps.base import ScenarioStep
from uscdr.words import first_of, moment, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

SEEN_LIMIT = 1800.0
BY_HAND_LIMIT = 4 * 3600.0
TTL = 300
"""Seconds, for a name that had no record."""


class NameSwap(Fact):
    """One name: what the zone holds, what it must hold for a swap, and what it shall hold. None is no record."""

    name: str
    held: RecordSet | None
    expected: RecordSet | None
    wanted: RecordSet | None
    left: str = ""
    """Why a person has to make it; empty when it can be swapped."""

    @property
    def hidden(self) -> bool:
        """Whether the provider's proxy stands before the record: then name servers never show the target."""
        return self.wanted is not None and self.wanted.extras.get("proxied") == "true"

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

    swaps: tuple[NameSwap, ...]
    everywhere: bool = False
    """Whether the zone holds all that is wanted, and every name server says so."""

    @property
    def own(self) -> tuple[NameSwap, ...]:
        """Those that are swapped, without those that are left to a person."""
        return tuple(swap for swap in self.swaps if not swap.left)

    @property
    def left(self) -> tuple[NameLeft, ...]:
        """What a person has to do."""
        return tuple(
            NameLeft(hostname=swap.name, target=" ".join(swap.wanted.values), why=swap.left)
            for swap in self.swaps
            if swap.left and swap.wanted
        )


class _Watched(NamedTuple):
    """How many name servers say what is wanted, of how many, and what the others do."""

    good: int
    total: int
    agreed: bool
    states: str


class SwapDns(ScenarioStep[Swaps, Switched]):
    """Base of the switch and of its undoing."""

    gives = Switched

    def _held(self, name: str) -> RecordSet | None:
        return self._deps.dns.zone.read(name, "CNAME") if self._deps.dns else None

    def _looked(self, swaps: tuple[NameSwap, ...]) -> Swaps:
        """With what the name servers say, which is asked only when the zone holds all that is wanted."""
        found = Swaps(swaps=swaps)
        return found.model_copy(update={"everywhere": all(swap.done and self._seen(swap) for swap in found.own)})

    def _seen(self, swap: NameSwap) -> bool:
        try:
            return self._watched(swap).agreed
        except (ProviderError, MachineError):
            return False

    @override
    def plan(self, seen: Swaps, view: View) -> Action:
        left = "".join(f"; LEFT TO A PERSON: {one.task}" for one in seen.left)
        if self._deps.dns is None or not seen.own:
            return Action("noop", f"there is no record to swap{left}")
        todo, zone = [swap for swap in seen.own if not swap.done], self._deps.dns.zone
        drifted = [swap for swap in todo if swap.drifted]
        if drifted:
            return Action("blocked", " ".join(map(_changed, drifted)))
        if not todo and seen.everywhere:
            return Action("noop", f"the zone and every name server have the wanted targets{left}")
        if not todo:
            words = f"the zone holds the wanted targets; the name servers are watched until all say so{left}"
            return Action("change", words)
        words = "; ".join(swap.words for swap in todo) + left
        manual = tuple(line for swap in todo for line in zone.instructions(swap.expected, swap.wanted))
        calls = tuple(Call(provider="dns", request=f"swap {swap.name} CNAME", writes=True) for swap in todo)
        return Action("change", words if zone.writable else f"BY HAND: {words}", calls, manual=manual)

    @override
    def apply(self, seen: Swaps, view: View, tell: Reporter) -> Switched:
        place = self._deps.dns
        if place is None:
            return self.current(seen, view)
        for one in seen.left:
            tell.warn(f"By hand, the run goes on meanwhile: {one.task}.")
        for swap in seen.own:
            if swap.model_copy(update={"held": self._held(swap.name)}).done:
                continue  # also when it was swapped before an answer was lost
            if place.zone.writable:
                place.zone.swap(swap.name, "CNAME", swap.expected, swap.wanted)
                continue
            for line in place.zone.instructions(swap.expected, swap.wanted):
                tell.warn(line)
        at = now()
        for swap in seen.own:
            self._watch(swap, SEEN_LIMIT if place.zone.writable else BY_HAND_LIMIT, tell)
        return _switched(seen, at, followed=now())

    def _watch(self, swap: NameSwap, limit: float, tell: Reporter) -> None:
        patience = WaitLimit(f"the switch of {swap.name}", limit, f"dig +trace {swap.name} CNAME")

        def look() -> _Watched:
            seen = self._watched(swap)
            tell.progress(f"{swap.name}: seen at name servers", seen.good, seen.total, "servers")
            return seen

        until(look, lambda seen: seen.agreed, patience, self._deps.stop)

    def _watched(self, swap: NameSwap) -> _Watched:
        place = self._deps.dns
        if place is None:
            return _Watched(0, 0, agreed=False, states="nobody is asked")
        if swap.hidden:
            held = swap.model_copy(update={"held": self._held(swap.name)})
            return _Watched(int(held.done), 1, held.done, "the zone's provider, whose proxy hides it")
        if swap.wanted is None:
            return _gone(place.verifier.look(swap.name, "CNAME"))
        kind, sighting = led(place.verifier, swap.name, " ".join(swap.wanted.values))
        return _shown_by(sighting, swap.wanted.model_copy(update={"type": kind}))

    @override
    def current(self, seen: Swaps, view: View) -> Switched:
        at = now()
        return _switched(seen, at, followed=at)

    @override
    def verify(self, result: Switched, view: View, tell: Reporter) -> str:
        for wanted in result.new:
            seen = self._watched(NameSwap(name=wanted.name, held=None, expected=None, wanted=wanted))
            if not seen.agreed:
                raise CheckFailed(
                    f"Not every name server leads {wanted.name} to {_shown(wanted)}.",
                    why=seen.states,
                    next_action=f"See: dig +trace {wanted.name} CNAME; then: uscdr runs resume",
                )
        left = "".join(f"; left to a person: {one.hostname}" for one in result.left)
        moved = {record.name for record in (*result.old, *result.new)}
        if not moved:
            return f"no hostname was moved{left}"
        names, end = plural(len(moved), "name"), moment(result.old_answers_until)
        return f"{names} moved, seen at every name server; old answers may live until {end}{left}"


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
    def probe(self, view: View, tell: Reporter) -> Swaps:
        scope = view.need(InfraSeen)
        planned = {record.name: record for record in scope.records}
        return self._looked(
            tuple(
                self._swap(one, planned.get(one.hostname), shown=scope.zone_read)
                for one in view.need(DomainsBound).targets
            )
        )

    def _swap(self, bound: DomainTarget, planned: RecordSet | None, *, shown: bool) -> NameSwap:
        name, why = bound.hostname, left_for(self._deps, bound.hostname)
        if why:
            wanted = RecordSet(name=name, type="CNAME", values=(bound.target,), ttl=TTL)
            return NameSwap(name=name, held=None, expected=None, wanted=wanted, left=why)
        held = self._held(name)
        planned = planned if shown else held  # where the plan could show nothing, what is there now is swapped
        wanted = RecordSet(
            name=name, type="CNAME", values=(bound.target,), ttl=planned.ttl if planned else TTL,
            extras=planned.extras if planned else {},
        )  # fmt: skip
        swap = NameSwap(name=name, held=held, expected=planned, wanted=wanted)
        if held is None and self._deps.dns and not self._deps.dns.zone.writable and self._seen(swap):
            return swap.model_copy(update={"held": wanted})  # a wildcard leads there: a person need do nothing
        return swap

    @override
    def before(self, seen: Swaps) -> dict[str, Any]:
        return {
            "old": [swap.expected.model_dump(mode="json") if swap.expected else None for swap in seen.own],
            "new": [swap.wanted.model_dump(mode="json") for swap in seen.own if swap.wanted],
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
    def probe(self, view: View, tell: Reporter) -> Swaps:
        return self._looked(
            tuple(
                NameSwap(name=new.name, held=self._held(new.name), expected=new, wanted=old)
                for old, new in self._deps.memory.switched
            )
        )

    @override
    def plan(self, seen: Swaps, view: View) -> Action:
        if not seen.swaps:
            return Action("blocked", _nothing(self._deps.memory.unread))
        return super().plan(seen, view)

    @override
    def blast(self, seen: Swaps, view: View) -> BlastRadius:
        words = "; ".join(swap.words for swap in seen.swaps if not swap.done)
        return BlastRadius(facts={"records": words}, phrases=(f"swap back {words}",))


def _nothing(unread: Sequence[str]) -> str:
    """That nothing is to be rolled back, as far as can be told."""
    words = "No run on this target has switched the domain; there is nothing to roll back"
    if not unread:
        return f"{words}."
    return f"{words}, as far as journals can be read: that of {first_of(unread)} cannot (uscdr runs show RUN)."


def _switched(seen: Swaps, at: datetime, *, followed: datetime) -> Switched:
    """A resolver may have asked the last server just before it `followed`, and keeps that answer for the old TTL."""
    old = tuple(swap.expected for swap in seen.own if swap.expected is not None)
    longest = max((swap.expected.ttl if swap.expected else TTL for swap in seen.own), default=0)
    new = tuple(swap.wanted for swap in seen.own if swap.wanted is not None)
    return Switched(old=old, new=new, at=at, old_answers_until=followed + timedelta(seconds=longest), left=seen.left)


def _shown_by(sighting: Sighting, wanted: RecordSet) -> _Watched:
    good = [one for one in sighting.answers if wanted.same_values(one.records)]
    return _Watched(len(good), len(sighting.answers), sighting.all_say(wanted), _states(sighting))


def _gone(sighting: Sighting) -> _Watched:
    """A wildcard may answer on: the name's own record is gone all the same."""
    good = [one for one in sighting.answers if one.own is None]
    return _Watched(len(good), len(sighting.answers), sighting.none_has(), _states(sighting))


def _states(sighting: Sighting) -> str:
    return ", ".join(f"{one.server.address}: {one.state}" for one in sighting.answers)


def _changed(swap: NameSwap) -> str:
    return (
        f"Somebody changed {swap.name}: it was {_shown(swap.expected)}, it is {_shown(swap.held)}. Nothing is swapped. "
        f"Agree with them, and set it to {_shown(swap.wanted)}, or back."
    )


def _shown(record: RecordSet | None) -> str:
    return f"{' '.join(record.values)} (TTL {record.ttl} s)" if record else "(no CNAME)"
