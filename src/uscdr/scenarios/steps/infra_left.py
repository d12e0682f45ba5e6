"""The end of a rebuilt place: what only a person can do, looked at anew each time, so that it can be seen done."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.scenarios.infra.names import as_task, is_led
from uscdr.scenarios.results import ApplicationChecked, Restored
from uscdr.scenarios.results_infra import CertificatesSeen, DrainsAdded, InfraSeen, Materials, Switched
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.infra_domains import ISSUED, state_of
from uscdr.words import first_of


class LeftSeen(Fact):
    """Tasks in words: those without which users do not reach the new place, and those that change nothing for them."""

    open: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """What the old place had and this one has not, with what a person does."""


class LeftLook(DepsStep[LeftSeen, LeftSeen]):
    """Asks the name servers and the platform; an open task is no success, and a resumed run looks again."""

    name = "infra.left"
    title = "What is left to people"
    effect = Effect.READ
    manual = ("dig $HOSTNAME A; dig $TARGET A   # the same addresses?", "heroku certs:auto --app {new_app}")
    gives = LeftSeen
    needs = (InfraSeen, Materials, Switched, ApplicationChecked)
    waits = "names whose record a person has to make are looked at again at the end"

    @override
    def probe(self, view: View, tell: Tell) -> LeftSeen:
        scope, left = view.need(InfraSeen), view.need(Switched).left
        unled = [one for one in left if is_led(self._deps, one) is not True]
        awaited = view.get(CertificatesSeen)
        mine = {one.hostname for one in left if one not in unled} | (set(awaited.left) if awaited else set())
        certificates = self._without_certificate(mine - {one.hostname for one in unled})
        missed = [as_task(one) for one in unled if one.hostname not in scope.nowhere]
        unmissed = [f"{as_task(one)}; it did not lead to the old place either" for one in unled
                    if one.hostname in scope.nowhere]  # fmt: skip
        return LeftSeen(open=(*missed, *certificates), told=tuple(unmissed), lost=self._lost(scope, view))

    def _lost(self, scope: InfraSeen, view: View) -> tuple[str, ...]:
        there, drains = {one.type for one in self._deps.platform.formation(self._deps.app)}, view.get(DrainsAdded)
        absent = sorted(kind for kind, number in scope.formation.items() if number and kind not in there)
        unknown = drains.unknown if drains else ()
        unset, loaded = view.need(Materials).left, view.get(Restored)
        parts = [one.what for one in loaded.left_out if not one.of_platform] if loaded else []
        found = {"add-ons": (", ".join(scope.left_out), f"heroku addons:create PLAN --app {self._deps.app}"),
                 "log drains": (", ".join(unknown), f"heroku drains:add URL --app {self._deps.app}"),
                 "variables": (", ".join(unset), f"heroku config:set NAME=… --app {self._deps.app}"),
                 "parts of the database": (first_of(parts), "see why in the run's report, and make them by hand"),
                 "processes": (", ".join(absent), "the deployed code does not name them")}  # fmt: skip
        words = [f"{what} ({names}): {how}" for what, (names, how) in found.items() if names]
        return (*words, *scope.by_hand_after)

    def _without_certificate(self, names: set[str]) -> list[str]:
        every = self._deps.provisioning.domains(self._deps.app) if names else ()
        found = [one for one in every if one.hostname in names]
        return [f"see that {one.hostname} gets its certificate: {state_of(one)}" for one in found
                if state_of(one) != ISSUED]  # fmt: skip

    @override
    def plan(self, seen: LeftSeen, view: View) -> Action:
        calls = (Call(provider="dns", request="QUERY of every authoritative server", writes=False),)
        told = f"to do: {'; '.join(seen.told)}" if seen.told else ""
        told += f"{'. ' if told else ''}NOT brought back: {'; '.join(seen.lost)}" if seen.lost else ""
        if seen.open:
            words = f"{self._deps.app} works, and is not reached by every name. To do: {'; '.join(seen.open)}"
            return Action("blocked", f"{words}. {told}".strip(), calls)
        return Action("read", told or "nothing is left to people", calls)
