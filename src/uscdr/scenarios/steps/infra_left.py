"""The end of a rebuilt place: what only a person can do, looked at anew each time, so that it can be seen done."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.scenarios.infra.names import as_task, is_led
from uscdr.scenarios.results import ApplicationChecked
from uscdr.scenarios.results_infra import InfraSeen, Switched
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.infra_domains import ISSUED, state_of


class LeftSeen(Fact):
    """Tasks in words: those without which users do not reach the new place, and those that change nothing for them."""

    open: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


class LeftLook(DepsStep[LeftSeen, LeftSeen]):
    """Asks the name servers and the platform; an open task is no success, and a resumed run looks again."""

    name = "infra.left"
    title = "What is left to people"
    effect = Effect.READ
    manual = ("dig $HOSTNAME A; dig $TARGET A   # the same addresses?", "heroku certs:auto --app {new_app}")
    gives = LeftSeen
    needs = (InfraSeen, Switched, ApplicationChecked)
    waits = "names whose record a person has to make are looked at again at the end"

    @override
    def probe(self, view: View, tell: Tell) -> LeftSeen:
        nowhere = view.need(InfraSeen).nowhere
        left = view.need(Switched).left
        unled = [one for one in left if is_led(self._deps, one) is not True]
        uncertain = {one.hostname for one in left if one not in unled}
        certificates = self._without_certificate(uncertain) if uncertain else []
        return LeftSeen(
            open=(*(as_task(one) for one in unled if one.hostname not in nowhere), *certificates),
            told=tuple(
                f"{as_task(one)}; it did not lead to the old place either" for one in unled if one.hostname in nowhere
            ),
        )

    def _without_certificate(self, names: set[str]) -> list[str]:
        found = [one for one in self._deps.provisioning.domains(self._deps.app) if one.hostname in names]
        return [f"see that {one.hostname} gets its certificate: {state_of(one)}" for one in found
                if state_of(one) != ISSUED]  # fmt: skip

    @override
    def plan(self, seen: LeftSeen, view: View) -> Action:
        calls = (Call(provider="dns", request="QUERY of every authoritative server", writes=False),)
        told = f"to do: {'; '.join(seen.told)}" if seen.told else ""
        if seen.open:
            words = f"{self._deps.app} works, and is not reached by every name. To do: {'; '.join(seen.open)}"
            return Action("blocked", f"{words}. {told}".strip(), calls)
        return Action("read", told or "no name is left to a person", calls)
