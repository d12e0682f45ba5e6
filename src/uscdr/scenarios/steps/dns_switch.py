"""Switch DNS records, only if they are still as shown, and wait until every name server has them; or switch back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import override

from uscdr.clock import system_time
from uscdr.engine.step import Action, BlastRadius, Effect, Reporter, View
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import ApplicationGone, CheckFailed, MachineError, ProviderError
from uscdr.models.base import Call, Fact
from uscdr.models.dns import RecordSet, Sighting
from uscdr.phrase import short_phrase
from uscdr.providers.ports.dns import Pointing
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


class _NameSwap(Fact):
    """One name: the present record, the record expected before the swap, and the new one. None means no record."""

    name: str
    held: RecordSet | None
    expected: RecordSet | None
    wanted: RecordSet | None
    left: str = ""
    """Why a person has to create the record; empty if uscdr can."""

    @property
    def hidden(self) -> bool:
        """Whether the provider's proxy hides the record, so that name servers never show the target."""
        return self.wanted is not None and self.wanted.extras.get("proxied") == "true"

    @property
    def done(self) -> bool:
        """Whether the zone has the new record."""
        return self.held is None if self.wanted is None else self.wanted.same_values(self.held)

    @property
    def drifted(self) -> bool:
        """Whether somebody else changed the record: it is neither the expected nor the new one."""
        as_shown = self.held is None if self.expected is None else self.expected.same_values(self.held)
        return not (self.done or as_shown)

    @property
    def words(self) -> str:
        """The change in words."""
        return f"{self.name} {_shown(self.expected)} -> {_shown(self.wanted)}"


class _Swaps(Fact):
    """The changes of all names."""

    swaps: tuple[_NameSwap, ...]
    everywhere: bool = False
    """Whether the zone and every name server have all new records."""

    @property
    def own(self) -> tuple[_NameSwap, ...]:
        """The swaps that uscdr makes or waits for."""
        return tuple(swap for swap in self.swaps if not swap.left)

    @property
    def left(self) -> tuple[NameLeft, ...]:
        """The tasks for a person."""
        return tuple(
            NameLeft(hostname=swap.name, target=" ".join(swap.wanted.values), why=swap.left)
            for swap in self.swaps
            if swap.left and swap.wanted
        )


class _Watched(NamedTuple):
    """The number of name servers with the new record, of how many, and the state of each."""

    good: int
    total: int
    agreed: bool
    states: str


class _SwapDns(ScenarioStep[_Swaps, Switched]):
    """Base of the switch and of the switch back."""

    gives = Switched

    def _held(self, name: str) -> RecordSet | None:
        return self._deps.dns.zone.read(name, "CNAME") if self._deps.dns else None

    def _looked(self, swaps: tuple[_NameSwap, ...]) -> _Swaps:
        """Adds whether every name server agrees; asks them only if the zone has all new records."""
        found = _Swaps(swaps=swaps)
        return found.model_copy(update={"everywhere": all(swap.done and self._seen(swap) for swap in found.own)})

    def _seen(self, swap: _NameSwap) -> bool:
        try:
            return self._watched(swap).agreed
        except (ProviderError, MachineError):
            return False

    @override
    def plan(self, seen: _Swaps, view: View) -> Action:
        left = "".join(f"; LEFT TO A PERSON: {one.task}" for one in seen.left)
        if self._deps.dns is None or not seen.own:
            return Action("noop", f"there is no record to change{left}")
        todo, zone = [swap for swap in seen.own if not swap.done], self._deps.dns.zone
        drifted = [swap for swap in todo if swap.drifted]
        if drifted:
            return Action("blocked", " ".join(map(_changed, drifted)))
        if not todo and seen.everywhere:
            return Action("noop", f"the zone and every name server already have the new targets{left}")
        if not todo:
            words = f"the zone has the new targets; wait until every name server has them{left}"
            return Action("change", words)
        words = "; ".join(swap.words for swap in todo) + left
        manual = tuple(line for swap in todo for line in zone.instructions(swap.expected, swap.wanted))
        calls = tuple(Call(provider="dns", request=f"swap {swap.name} CNAME", writes=True) for swap in todo)
        return Action("change", words if zone.writable else f"BY HAND: {words}", calls, manual=manual)

    @override
    def apply(self, seen: _Swaps, view: View, tell: Reporter) -> Switched:
        place = self._deps.dns
        if place is None:
            return self.current(seen, view)
        for one in seen.left:
            tell.warn(f"By hand, while the run continues: {one.task}.")
        for swap in seen.own:
            if swap.model_copy(update={"held": self._held(swap.name)}).done:
                continue  # for example swapped before an answer was lost
            if place.zone.writable:
                place.zone.swap(swap.name, "CNAME", swap.expected, swap.wanted)
                continue
            for line in place.zone.instructions(swap.expected, swap.wanted):
                tell.warn(line)
        at = system_time()
        for swap in seen.own:
            self._watch(swap, SEEN_LIMIT if place.zone.writable else BY_HAND_LIMIT, tell)
        return _switched(seen, at, followed=system_time())

    def _watch(self, swap: _NameSwap, limit: float, tell: Reporter) -> None:
        patience = WaitLimit(f"the switch of {swap.name}", limit, f"dig +trace {swap.name} CNAME")

        def look() -> _Watched:
            seen = self._watched(swap)
            tell.progress(f"{swap.name}: waiting for name servers", seen.good, seen.total, "servers")
            return seen

        until(look, lambda seen: seen.agreed, patience, self._deps.stop)

    def _watched(self, swap: _NameSwap) -> _Watched:
        place = self._deps.dns
        if place is None:
            return _Watched(0, 0, agreed=False, states="no DNS provider is configured")
        if swap.hidden:
            held = swap.model_copy(update={"held": self._held(swap.name)})
            return _Watched(int(held.done), 1, held.done, "the provider's proxy hides the record")
        if swap.wanted is None:
            return _gone(place.verifier.look(swap.name, "CNAME"))
        seen = Pointing.seen(place.verifier, swap.name, " ".join(swap.wanted.values))
        return _shown_by(seen.sighting, swap.wanted.model_copy(update={"type": seen.kind}))

    @override
    def current(self, seen: _Swaps, view: View) -> Switched:
        at = system_time()
        return _switched(seen, at, followed=at)

    @override
    def verify(self, result: Switched, view: View, tell: Reporter) -> str:
        for wanted in result.new:
            seen = self._watched(_NameSwap(name=wanted.name, held=None, expected=None, wanted=wanted))
            if not seen.agreed:
                raise CheckFailed(
                    f"Not every name server has {wanted.name} {_shown(wanted)}.",
                    why=seen.states,
                    next_action=f"See: dig +trace {wanted.name} CNAME. Then: uscdr runs resume",
                )
        left = "".join(f"; left to a person: {one.hostname}" for one in result.left)
        moved = {record.name for record in (*result.old, *result.new)}
        if not moved:
            return f"no record was changed{left}"
        names, end = plural(len(moved), "name"), moment(result.old_answers_until)
        return f"{names} moved, on every name server; resolvers may keep the old answer until {end}{left}"


class SwitchDns(_SwapDns):
    """Points the records to the new application, only if they are still as the plan showed."""

    needs = (InfraSeen, DomainsBound)
    checked_by = (ApplicationChecked,)
    waits = "the records change when the hostnames have their targets"

    name = "dns.switch"
    title = "Switch the domain"
    effect = Effect.IDEMPOTENT
    sends = (Call(provider="dns", request="swap of each CNAME", writes=True),)
    manual = ("{switch_domain}",)

    @override
    def probe(self, view: View, tell: Reporter) -> _Swaps:
        scope = view.need(InfraSeen)
        planned = {record.name: record for record in scope.records}
        return self._looked(
            tuple(
                self._swap(one, planned.get(one.hostname), shown=scope.zone_read)
                for one in view.need(DomainsBound).targets
            )
        )

    def _swap(self, bound: DomainTarget, planned: RecordSet | None, *, shown: bool) -> _NameSwap:
        name, why = bound.hostname, self._deps.record_obstacle(bound.hostname)
        if why:
            wanted = RecordSet(name=name, type="CNAME", values=(bound.target,), ttl=TTL)
            return _NameSwap(name=name, held=None, expected=None, wanted=wanted, left=why)
        held = self._held(name)
        planned = planned if shown else held  # if the plan could not read the zone, the present record is expected
        wanted = RecordSet(
            name=name, type="CNAME", values=(bound.target,), ttl=planned.ttl if planned else TTL,
            extras=planned.extras if planned else {},
        )  # fmt: skip
        swap = _NameSwap(name=name, held=held, expected=planned, wanted=wanted)
        if held is None and self._deps.dns and not self._deps.dns.zone.writable and self._seen(swap):
            return swap.model_copy(update={"held": wanted})  # a wildcard already points there: no task is left
        return swap

    @override
    def before(self, seen: _Swaps) -> dict[str, Any]:
        return {
            "old": [swap.expected.model_dump(mode="json") if swap.expected else None for swap in seen.own],
            "new": [swap.wanted.model_dump(mode="json") for swap in seen.own if swap.wanted],
        }


class RollbackDns(_SwapDns):
    """Restores the records that the last switch on this target replaced."""

    name = "dns.rollback"
    title = "Restore the DNS records"
    default_id = "rollback_dns"
    effect = Effect.IDEMPOTENT
    destructive = True
    manual = ("# at the DNS provider: CNAME {hostname} -> the old target, as the run's report shows it",)

    @override
    def probe(self, view: View, tell: Reporter) -> _Swaps:
        if not self._deps.memory.switched:
            self._require_application()
        return self._looked(
            tuple(
                _NameSwap(name=new.name, held=self._held(new.name), expected=new, wanted=old)
                for old, new in self._deps.memory.switched
            )
        )

    def _require_application(self) -> None:
        """With nothing to roll back, an application that is gone is what is wrong. Raises ApplicationGone."""
        try:
            self._deps.describe_app()
        except ApplicationGone:
            raise
        except ProviderError:
            pass  # whether there is something to roll back does not depend on the platform

    @override
    def plan(self, seen: _Swaps, view: View) -> Action:
        if not seen.swaps:
            return Action("blocked", _nothing(self._deps.memory.unread), way="To see what ran: uscdr runs list")
        return super().plan(seen, view)

    @override
    def blast(self, seen: _Swaps, view: View) -> BlastRadius:
        back = [swap for swap in seen.swaps if not swap.done]
        more = f" and {len(back) - 1} more" if len(back) > 1 else ""
        phrase = short_phrase(back[0].name if back else "no name", f"swap back{more}")
        return BlastRadius({"records": "; ".join(swap.words for swap in back)}, phrase)


def _nothing(unread: Sequence[str]) -> str:
    """Says that there is nothing to roll back, as far as journals show."""
    words = "No run on this target has switched the domain, so there is nothing to roll back"
    if not unread:
        return f"{words}."
    return f"{words}. uscdr could not read every journal: {first_of(unread)} (uscdr runs show RUN)."


def _switched(seen: _Swaps, at: datetime, *, followed: datetime) -> Switched:
    """A resolver that asked just before `followed` keeps the old answer for the old TTL."""
    old = tuple(swap.expected for swap in seen.own if swap.expected is not None)
    longest = max((swap.expected.ttl if swap.expected else TTL for swap in seen.own), default=0)
    new = tuple(swap.wanted for swap in seen.own if swap.wanted is not None)
    return Switched(old=old, new=new, at=at, old_answers_until=followed + timedelta(seconds=longest), left=seen.left)


def _shown_by(sighting: Sighting, wanted: RecordSet) -> _Watched:
    good = [one for one in sighting.answers if wanted.same_values(one.records)]
    return _Watched(len(good), len(sighting.answers), sighting.all_say(wanted), _states(sighting))


def _gone(sighting: Sighting) -> _Watched:
    """A wildcard may still answer, but the name's own record no longer exists."""
    good = [one for one in sighting.answers if one.own is None]
    return _Watched(len(good), len(sighting.answers), sighting.none_has(), _states(sighting))


def _states(sighting: Sighting) -> str:
    return ", ".join(f"{one.server.address}: {one.state}" for one in sighting.answers)


def _changed(swap: _NameSwap) -> str:
    return (
        f"Somebody changed {swap.name} from {_shown(swap.expected)} to {_shown(swap.held)}. uscdr changed no record. "
        f"Agree with them, and set it to {_shown(swap.wanted)}, or back. Then: uscdr runs resume"
    )


def _shown(record: RecordSet | None) -> str:
    return f"{' '.join(record.values)} (TTL {record.ttl} s)" if record else "(no CNAME)"
