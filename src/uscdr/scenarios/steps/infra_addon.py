"""Add-ons: ordered once each, found by plan among those that were not there before; awaited until usable."""

from __future__ import annotations

import time
from typing import Any

from uscdr.engine.step import Action, Finding, Intent, Tell, View
from uscdr.engine.wait import Patience, until
from uscdr.errors import BadInput, CheckFailed, EffectFailed
from uscdr.models.base import Fact
from uscdr.models.heroku import AddOn
from uscdr.scenarios.deps import Deps
from uscdr.scenarios.infra.plans import service_of
from uscdr.scenarios.results_infra import AddonReady, AppMade, DatabaseReady, InfraSeen, QueueReady
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import writes

READY_LIMIT = 1800.0
SETTLE_SECONDS = 8.0
SETTLE_INTERVAL = 0.5
POSTGRES = "heroku-postgresql"


class AddonParams(Fact):
    """Which service."""

    service: str


class AddonSeen(Fact):
    """The application's own add-ons of the service, and the plan to order."""

    there: tuple[str, ...]
    """Ids, of this service."""
    name: str = ""
    plan: str = ""


class OrderAddon(DepsStep[AddonSeen, AddonReady]):
    """One add-on of one service. One that is there already is used, and said to be."""

    result = AddonReady

    def __init__(self, step_id: str, deps: Deps, params: Fact) -> None:
        super().__init__(step_id, deps, params)
        self._service = AddonParams.model_validate(params.model_dump()).service
        self._kind = DatabaseReady if self._service == POSTGRES else QueueReady

    def ready(self, view: View) -> str | None:
        """After the application is there."""
        if view.get(AppMade) is not None:
            return None
        scope = view.get(InfraSeen)
        return f"{self._plan_of(scope) if scope else self._service} is ordered when the application is there"

    def foresee(self, waiting_for: str) -> Action:
        """The line of the plan while it waits."""
        return Action("later", waiting_for, (writes("POST", f"/apps/{self._deps.app}/addons"),))

    def _plan_of(self, scope: InfraSeen) -> str:
        found = next((plan for plan in scope.plans if service_of(plan) == self._service), None)
        if found is None:
            raise BadInput(f"No plan of {self._service} is configured.", next_action="Name one under recovery.addons.")
        return found

    def _own(self) -> tuple[AddOn, ...]:
        app = self._deps.app
        return tuple(
            addon
            for addon in self._deps.platform.addons(app)
            if service_of(addon.plan) == self._service and addon.app_name in ("", app)
        )

    def probe(self, view: View, tell: Tell) -> AddonSeen:
        """What is there of the service."""
        there = self._own()
        return AddonSeen(
            there=tuple(addon.id for addon in there),
            name=there[0].name if there else "",
            plan=self._plan_of(view.need(InfraSeen)),
        )

    def plan(self, seen: AddonSeen, view: View) -> Action:
        """Nothing to do when there is one."""
        app = self._deps.app
        manual = (f"heroku addons:create {seen.plan} --app {app} --wait",)
        if seen.there:
            return Action("noop", f"{seen.name} is there and is used", (), manual)
        return Action("change", f"{seen.plan} is ordered", (writes("POST", f"/apps/{app}/addons"),), manual)

    def baseline(self, seen: AddonSeen) -> dict[str, Any]:
        """Those that are not ours."""
        return {"there": list(seen.there), "plan": seen.plan}

    def apply(self, seen: AddonSeen, view: View, tell: Tell) -> AddonReady:
        """Order it and wait until it can be used."""
        ordered = self._deps.provisioning.create_addon(self._deps.app, seen.plan)
        tell.accepted(ordered.id)
        return self._awaited(ordered.id, tell)

    def _awaited(self, addon_id: str, tell: Tell) -> AddonReady:
        app = self._deps.app
        patience = Patience(f"the add-on of {self._service}", READY_LIMIT, f"heroku addons --app {app}")

        def look() -> AddOn:
            addon = self._deps.provisioning.addon(app, addon_id)
            tell.progress(f"{addon.name}: {addon.state}")
            return addon

        ended = until(look, lambda addon: addon.state != "provisioning", patience, self._deps.stop)
        if ended.state != "provisioned":
            raise EffectFailed(
                f"The add-on {ended.name} was not provisioned: it is {ended.state}.", provider="heroku",
                next_action="See the platform's status; then: uscdr runs resume orders a new one.",
            )  # fmt: skip
        return self._kind(id=ended.id, name=ended.name, plan=ended.plan)

    def unchanged(self, seen: AddonSeen, view: View) -> AddonReady:
        """It was there."""
        found = self._deps.provisioning.addon(self._deps.app, seen.there[0])
        return self._kind(id=found.id, name=found.name, plan=found.plan)

    def find(self, intent: Intent, view: View, tell: Tell) -> Finding:
        """An add-on of the service that was not there before."""
        looked_at = f"GET /apps/{self._deps.app}/addons"
        if intent.accepted is not None:
            return Finding(looked_at, f"accepted before as {intent.accepted}", intent.accepted)
        before, deadline = set(intent.baseline.get("there", ())), time.monotonic() + SETTLE_SECONDS
        while True:
            new = [addon for addon in self._own() if addon.id not in before]
            if new:
                return Finding(looked_at, f"{new[0].name} was not there before", new[0].id)
            if time.monotonic() >= deadline:
                return Finding(looked_at, f"no new add-on of {self._service}", None)
            self._deps.stop.pause(SETTLE_INTERVAL)

    def adopt(self, provider_id: str, seen: AddonSeen, view: View, tell: Tell) -> AddonReady:
        """Wait for the one that was found."""
        return self._awaited(provider_id, tell)

    def confirm_effect(self, result: AddonReady, view: View, tell: Tell) -> str:
        """Its variable is there."""
        addon = self._deps.provisioning.addon(self._deps.app, result.id)
        there = self._deps.platform.config_vars(self._deps.app)
        missing = [name for name in addon.config_vars if name not in there]
        if missing:
            raise CheckFailed(
                f"{result.name} is provisioned, but {', '.join(missing)} is not set.",
                next_action=f"heroku addons:attach {result.name} --app {self._deps.app}; then: uscdr runs resume",
            )
        return f"{result.name} ({result.plan}) sets {', '.join(addon.config_vars) or 'nothing'}"
