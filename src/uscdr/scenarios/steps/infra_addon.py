"""Add-ons: ordered once each, found by plan among those that were not there before; awaited until usable."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from uscdr.engine.settle import Search, look_for
from uscdr.engine.step import Action, Effect, Finding, Intent, Tell, View
from uscdr.engine.wait import Patience, until
from uscdr.errors import BadInput, CheckFailed, EffectFailed, NotFound
from uscdr.models.base import Fact
from uscdr.models.heroku import POSTGRES, REDIS, AddOn, service_of
from uscdr.scenarios.results_infra import AddonReady, AppMade, DatabaseReady, InfraSeen, QueueReady
from uscdr.scenarios.steps.base import AnyStep, DepsStep
from uscdr.scenarios.steps.words import writes

READY_LIMIT = 1800.0
COMING, USABLE = "provisioning", "provisioned"


class AddonParams(Fact):
    """Which service."""

    service: str


class AddonSeen(Fact):
    """The application's own add-ons of the service, and the plan to order."""

    there: tuple[str, ...]
    """Ids, of this service; those that failed or are going away do not count."""
    name: str = ""
    usable: bool = False
    plan: str = ""


class OrderAddon(DepsStep[AddonSeen, AddonReady]):
    """One add-on of one service. One that is there already is used, and said to be."""

    name = "infra.addon"
    title = "Order an add-on"
    effect = Effect.FINDABLE
    says_when_sent = True
    sends = (writes("POST", "/apps/{new_app}/addons"),)
    params = AddonParams
    manual = ("heroku addons:create {plan} --app {new_app} --wait",)
    gives: ClassVar[type[AddonReady]]
    needs = (InfraSeen, AppMade)

    @property
    def _service(self) -> str:
        return self.given(AddonParams).service

    @override
    @classmethod
    def chosen(cls, params: Fact) -> AnyStep:
        service = AddonParams.model_validate(params.model_dump()).service
        return {POSTGRES: OrderDatabase, REDIS: OrderQueue}.get(service, OrderOther)

    @override
    def ready(self, view: View) -> str | None:
        if not view.lacks(self.needs):
            return None
        scope = view.get(InfraSeen)
        return f"{(scope and self._plan_of(scope)) or self._service} is ordered when the application is there"

    def _plan_of(self, scope: InfraSeen) -> str:
        found = next((plan for plan in scope.plans if service_of(plan) == self._service), None)
        if found is None and self._service == POSTGRES:
            raise BadInput(f"No plan of {self._service} is configured.", next_action="Name one under recovery.addons.")
        return found or ""

    def _own(self) -> tuple[AddOn, ...]:
        app = self._deps.app
        return tuple(
            addon
            for addon in self._deps.platform.addons(app)
            if addon.service == self._service and addon.owned_by(app) and addon.state in (COMING, USABLE)
        )

    @override
    def probe(self, view: View, tell: Tell) -> AddonSeen:
        there = self._own()
        return AddonSeen(
            there=tuple(addon.id for addon in there),
            name=there[0].name if there else "",
            usable=bool(there) and there[0].state == USABLE,
            plan=self._plan_of(view.need(InfraSeen)),
        )

    @override
    def plan(self, seen: AddonSeen, view: View) -> Action:
        known = {"plan": seen.plan}
        if not seen.plan and not seen.there:
            return Action("skip", f"recovery.addons names no plan of {self._service}: none is ordered")
        if seen.usable:
            return Action("noop", f"{seen.name} is there and is used")
        if seen.there:
            return Action("change", f"{seen.name} is on its way: it is waited for")
        return Action("change", f"{seen.plan} is ordered", self.calls(), known)

    @override
    def baseline(self, seen: AddonSeen) -> dict[str, Any]:
        return {"there": list(seen.there), "plan": seen.plan}

    @override
    def apply(self, seen: AddonSeen, view: View, tell: Tell) -> AddonReady:
        if seen.there:
            return self._awaited(seen.there[0], tell, ordered=False)
        tell.sending()
        ordered = self._deps.provisioning.create_addon(self._deps.app, seen.plan)
        tell.accepted(ordered.id)
        return self._awaited(ordered.id, tell, ordered=True)

    def _awaited(self, addon_id: str, tell: Tell, *, ordered: bool) -> AddonReady:
        app = self._deps.app
        patience = Patience(f"the add-on of {self._service}", READY_LIMIT, f"heroku addons --app {app}")

        def look() -> AddOn | None:
            try:
                addon = self._deps.provisioning.addon(app, addon_id)
            except NotFound:
                return None  # the platform removes one that it could not provision
            tell.progress(f"{addon.name}: {addon.state}")
            return addon

        ended = until(look, lambda addon: addon is None or addon.state != COMING, patience, self._deps.stop)
        if ended is None or ended.state != USABLE:
            raise EffectFailed(
                f"The add-on {ended.name if ended else addon_id} was not provisioned: "
                f"it is {ended.state if ended else 'gone again'}.",
                provider="heroku",
                next_action="See: heroku status. To order a new one and go on: uscdr runs resume",
            )
        return self.gives(id=ended.id, name=ended.name, plan=ended.plan, ordered=ordered)

    @override
    def unchanged(self, seen: AddonSeen, view: View) -> AddonReady:
        found = self._deps.provisioning.addon(self._deps.app, seen.there[0])
        return self.gives(id=found.id, name=found.name, plan=found.plan)

    @override
    def find(self, intent: Intent, view: View, tell: Tell) -> Finding:
        before = set(intent.texts("there"))
        search = Search(
            f"GET /apps/{self._deps.app}/addons",
            lambda: [addon for addon in self._own() if addon.id not in before],
            lambda addon: f"{addon.name} was not there before",
            f"no new add-on of {self._service}",
        )
        return look_for(search, intent, self._deps.stop, tell)

    @override
    def adopt(self, provider_id: str, seen: AddonSeen, view: View, tell: Tell) -> AddonReady:
        return self._awaited(provider_id, tell, ordered=True)

    @override
    def confirm_effect(self, result: AddonReady, view: View, tell: Tell) -> str:
        addon = self._deps.provisioning.addon(self._deps.app, result.id)
        there = self._deps.platform.config_vars(self._deps.app)
        missing = [name for name in addon.config_vars if name not in there]
        if missing:
            raise CheckFailed(
                f"{result.name} is provisioned, but {', '.join(missing)} is not set.",
                next_action=f"heroku addons:attach {result.name} --app {self._deps.app}; then: uscdr runs resume",
            )
        return f"{result.name} ({result.plan}) sets {', '.join(addon.config_vars) or 'nothing'}"


class OrderDatabase(OrderAddon):
    """The database."""

    title = "Order the database"
    default_id = "database"
    gives = DatabaseReady


class OrderQueue(OrderAddon):
    """Of the queue nothing is brought back, because it holds nothing that lasts."""

    title = "Order the queue"
    default_id = "queue"
    gives = QueueReady


class OrderOther(OrderAddon):
    """Of any other service; what it held is not brought back."""

    gives = AddonReady
    may_be_added = True
