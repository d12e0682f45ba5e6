"""What will make a switch of the domain fail or mislead, said before anything is built."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import MachineError, ProviderError
from uscdr.models.dns import Caution
from uscdr.models.events import Call
from uscdr.scenarios.results_infra import Cautions, InfraSeen
from uscdr.scenarios.steps.base import ASSESS, DepsStep


class Preflight(DepsStep[Cautions, Cautions]):
    """What will make the switch fail or mislead, said before anything is built."""

    name = "dns.preflight"
    title = "Domain, before it is moved"
    phase = ASSESS
    effect = Effect.READ
    manual = ("dig {hostname} CNAME; dig {zone} CAA; dig {hostname} AAAA   # note what stands there, and its TTL",)
    gives = Cautions
    needs = (InfraSeen,)
    waits = "looked at when the hostnames are known"

    @override
    def probe(self, view: View, tell: Tell) -> Cautions:
        if self._deps.dns is None:
            return Cautions()
        found: list[Caution] = []
        for name in view.need(InfraSeen).hostnames:
            held = next((r for r in view.need(InfraSeen).records if r.name == name), None)
            try:
                found += self._deps.dns.verifier.cautions(name, held.values[0] if held else "")
            except (ProviderError, MachineError) as error:
                found.append(Caution(name=name, what=error.message, so="The switch cannot be seen to have happened."))
        return Cautions(found=tuple(one for one in found if not one.blocks))

    @override
    def plan(self, seen: Cautions, view: View) -> Action:
        calls = (Call(provider="dns", request="QUERY of every authoritative server", writes=False),)
        words = "; ".join(f"{one.name}: {one.what.rstrip('.')}. {one.so.rstrip('.')}" for one in seen.found)
        return Action("read", words or "nothing stands against a switch of the domain", calls)
