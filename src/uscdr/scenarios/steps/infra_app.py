"""The new application and what it is made with: created once, found by name; buildpacks in order."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from uscdr.engine.reconcile import Search, look_for
from uscdr.engine.step import Action, Effect, FoundWrite, Intent, Reporter, View
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import BadInput, CheckFailed, Conflict, CredentialsRefused, EffectFailed, NotFound
from uscdr.models.base import Fact
from uscdr.models.heroku import POSTGRES, REDIS, AddOn, App, service_of
from uscdr.scenarios.by_hand import in_order
from uscdr.scenarios.results.infra import AddonReady, AppMade, DatabaseReady, InfraDecision, InfraSeen, OldStopped
from uscdr.scenarios.steps.base import AnyStep, ScenarioStep, writes
from uscdr.scenarios.steps.freeze import require_stopped, stop_everything

ANOTHER_NAME = "Name another application: uscdr recover infra --app NAME --new"


class _BuildpacksSet(Fact):
    """In order."""

    buildpacks: tuple[str, ...]


class _QueueReady(AddonReady):
    """The new Redis."""


class StopOld(ScenarioStep[OldStopped, OldStopped]):
    """What still runs in the old place would write, and mail patients twice."""

    name = "infra.stop_old"
    title = "Stop the old place"
    effect = Effect.IDEMPOTENT
    manual = (
        "heroku maintenance:on --app {app}   # if it still answers",
        "heroku ps:scale web=0 worker=0 beat=0 --app {app}",
    )
    gives = OldStopped
    needs = (InfraSeen, InfraDecision)
    plans_with = (InfraSeen,)
    waits = "the old place is stopped if it still answers"

    @override
    def probe(self, view: View, tell: Reporter) -> OldStopped:
        platform, app = self._deps.platform, self._deps.old_app
        try:
            described = platform.app(app)
        except NotFound:
            return OldStopped(why=f"{app} is gone, as far as this account sees")
        except CredentialsRefused as error:
            return OldStopped(why=f"{app} is out of this account's reach ({error.message})")
        return OldStopped(
            formation={entry.type: entry.quantity for entry in platform.formation(app) if entry.quantity},
            dynos=tuple(dyno.name for dyno in platform.dynos(app)),
            shut=described.maintenance,
            answers=True,
        )

    @override
    def plan(self, seen: OldStopped, view: View) -> Action:
        app = self._deps.old_app
        if not seen.answers:
            return Action("noop", f"{seen.why}. If it runs on somewhere, it goes on writing and mailing")
        if seen.shut and not (seen.formation or seen.dynos):
            return Action("noop", f"nothing runs in {app}, and maintenance mode is on")
        calls = (writes("PATCH", f"/apps/{app}"), writes("PATCH", f"/apps/{app}/formation (all to 0)"))
        running = ", ".join(f"{kind}={number}" for kind, number in sorted(seen.formation.items())) or "nothing"
        return Action("change", f"{app}: maintenance mode on; what runs ({running}) goes to 0", calls)

    @override
    def before(self, seen: OldStopped) -> dict[str, Any]:
        return {"formation": seen.formation}

    @override
    def apply(self, seen: OldStopped, view: View, tell: Reporter) -> OldStopped:
        app = self._deps.old_app
        self._deps.platform.set_maintenance(app, enabled=True)
        stop_everything(self._deps, app, tell)
        return seen

    @override
    def current(self, seen: OldStopped, view: View) -> OldStopped:
        return seen

    @override
    def verify(self, result: OldStopped, view: View, tell: Reporter) -> str:
        app = self._deps.old_app
        if not result.answers:
            return f"nothing runs in {app}"
        require_stopped(self._deps, app)
        return f"nothing runs in {app}"


class _AppSeenNow(Fact):
    """Whether the application exists, and what was known of it before this run began to create it."""

    exists: bool
    web_url: str = ""
    foreign: bool = False
    """Whether it is out of this account's reach."""


class CreateApp(ScenarioStep[_AppSeenNow, AppMade]):
    """One application; its name makes it findable."""

    name = "infra.create_app"
    title = "Create the application"
    effect = Effect.FINDABLE
    manual = ("heroku create {new_app} --no-remote",)
    gives = AppMade
    needs = (InfraSeen, InfraDecision)
    plans_with = ()

    @override
    def probe(self, view: View, tell: Reporter) -> _AppSeenNow:
        try:
            found = self._look()
        except CredentialsRefused:
            self._deps.platform.account()  # refused as well: it is the account, not the name
            return _AppSeenNow(exists=True, foreign=True)
        return _AppSeenNow(exists=found is not None, web_url=(found.web_url or "") if found else "")

    def _look(self) -> App | None:
        try:
            return self._deps.platform.app(self._deps.app)
        except NotFound:
            return None

    @override
    def plan(self, seen: _AppSeenNow, view: View) -> Action:
        name, scope = self._deps.app, view.get(InfraSeen)
        calls = (writes("POST", f'/apps {{"name": "{name}"}}'),)
        if scope is not None and scope.in_place:
            return Action("noop", f"{name} is there")
        if seen.foreign:
            return Action("blocked", f"The name {name} belongs to another account. {ANOTHER_NAME}")
        if seen.exists and view.get(InfraDecision) is not None:
            return Action(
                "blocked",
                f"An application {name} has appeared meanwhile, and not by this run: it is not touched. {ANOTHER_NAME}",
            )
        where = f" in {scope.region or 'the default region'}" if scope else ""
        return Action("change", f"{name} is created{where}", calls)

    @override
    def before(self, seen: _AppSeenNow) -> dict[str, Any]:
        return {"existed": seen.exists}

    @override
    def apply(self, seen: _AppSeenNow, view: View, tell: Reporter) -> AppMade:
        scope = view.need(InfraSeen)
        try:
            made = self._deps.provisioning.create_app(
                self._deps.app, region=scope.region or None, stack=scope.stack or None
            )
        except Conflict as error:
            raise EffectFailed(error.message, provider="heroku", why=error.why, next_action=ANOTHER_NAME) from error
        tell.accepted(made.id)
        return AppMade(name=made.name, web_url=made.web_url or "", made=True)

    @override
    def current(self, seen: _AppSeenNow, view: View) -> AppMade:
        return AppMade(name=self._deps.app, web_url=seen.web_url, made=False)

    @override
    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        account = self._deps.platform.account().email
        looked_at = f"GET /apps/{self._deps.app}"
        try:
            found = self._look()
        except CredentialsRefused as error:
            raise self._foreign() from error
        if found is None:
            return FoundWrite(looked_at, "there is none", None, again=True)  # a name can be had once only
        if found.owner_email not in ("", account):
            raise self._foreign()
        return FoundWrite(looked_at, "it was not there before, and is ours now", found.id)

    def _foreign(self) -> EffectFailed:
        return EffectFailed(
            f"The name {self._deps.app} belongs to another account.", provider="heroku", next_action=ANOTHER_NAME
        )

    @override
    def adopt(self, provider_id: str, seen: _AppSeenNow, view: View, tell: Reporter) -> AppMade:
        return AppMade(name=self._deps.app, web_url=seen.web_url, made=True)

    @override
    def verify(self, result: AppMade, view: View, tell: Reporter) -> str:
        app = self._deps.platform.app(result.name)
        return f"{app.name} answers at {app.web_url or 'no address yet'}"


class SetBuildpacks(ScenarioStep[_BuildpacksSet, _BuildpacksSet]):
    """Node.js first, Python last: its processes run. Detection alone would take Node.js only."""

    name = "infra.buildpacks"
    title = "Buildpacks"
    effect = Effect.IDEMPOTENT
    sends = (writes("PUT", "/apps/{new_app}/buildpack-installations"),)
    manual = ("{buildpacks}",)
    gives = _BuildpacksSet
    needs = (InfraSeen, AppMade)
    waits = "set in order when the application is there"

    @override
    def probe(self, view: View, tell: Reporter) -> _BuildpacksSet:
        return _BuildpacksSet(buildpacks=self._deps.provisioning.buildpacks(self._deps.app))

    @override
    def plan(self, seen: _BuildpacksSet, view: View) -> Action:
        wanted, app = view.need(InfraSeen).buildpacks, self._deps.app
        known = {"buildpacks": in_order(wanted, app)}
        if seen.buildpacks == wanted:
            return Action("noop", f"buildpacks are {', '.join(wanted)}", known=known)
        return Action("change", f"buildpacks become {', '.join(wanted)}", self.calls(), known)

    @override
    def apply(self, seen: _BuildpacksSet, view: View, tell: Reporter) -> _BuildpacksSet:
        wanted = view.need(InfraSeen).buildpacks
        return _BuildpacksSet(buildpacks=self._deps.provisioning.set_buildpacks(self._deps.app, wanted))

    @override
    def current(self, seen: _BuildpacksSet, view: View) -> _BuildpacksSet:
        return seen

    @override
    def verify(self, result: _BuildpacksSet, view: View, tell: Reporter) -> str:
        there = self._deps.provisioning.buildpacks(self._deps.app)
        if there != view.need(InfraSeen).buildpacks:
            raise CheckFailed(f"Buildpacks should be set and are {', '.join(there) or 'none'}.")
        return f"buildpacks: {', '.join(there)}"


# Add-ons: ordered once each, found by plan among those that were not there before; awaited until usable.


READY_LIMIT = 1800.0
COMING, USABLE = "provisioning", "provisioned"


class AddonParams(Fact):
    """Which service."""

    service: str


class _AddonSeen(Fact):
    """The application's own add-ons of the service, and the plan to order."""

    there: tuple[str, ...]
    """Ids, of this service; those that failed or are going away do not count."""
    name: str = ""
    usable: bool = False
    plan: str = ""


class OrderAddon(ScenarioStep[_AddonSeen, AddonReady]):
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
    def probe(self, view: View, tell: Reporter) -> _AddonSeen:
        there = self._own()
        return _AddonSeen(
            there=tuple(addon.id for addon in there),
            name=there[0].name if there else "",
            usable=bool(there) and there[0].state == USABLE,
            plan=self._plan_of(view.need(InfraSeen)),
        )

    @override
    def plan(self, seen: _AddonSeen, view: View) -> Action:
        known = {"plan": seen.plan}
        if not seen.plan and not seen.there:
            return Action("skip", f"recovery.addons names no plan of {self._service}: none is ordered")
        if seen.usable:
            return Action("noop", f"{seen.name} is there and is used")
        if seen.there:
            return Action("change", f"{seen.name} is on its way: it is waited for")
        return Action("change", f"{seen.plan} is ordered", self.calls(), known)

    @override
    def before(self, seen: _AddonSeen) -> dict[str, Any]:
        return {"there": list(seen.there), "plan": seen.plan}

    @override
    def apply(self, seen: _AddonSeen, view: View, tell: Reporter) -> AddonReady:
        if seen.there:
            return self._awaited(seen.there[0], tell, ordered=False)
        tell.sending()
        ordered = self._deps.provisioning.create_addon(self._deps.app, seen.plan)
        tell.accepted(ordered.id)
        return self._awaited(ordered.id, tell, ordered=True)

    def _awaited(self, addon_id: str, tell: Reporter, *, ordered: bool) -> AddonReady:
        app = self._deps.app
        patience = WaitLimit(f"the add-on of {self._service}", READY_LIMIT, f"heroku addons --app {app}")

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
    def current(self, seen: _AddonSeen, view: View) -> AddonReady:
        found = self._deps.provisioning.addon(self._deps.app, seen.there[0])
        return self.gives(id=found.id, name=found.name, plan=found.plan)

    @override
    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        before = set(intent.texts("there"))
        search = Search(
            f"GET /apps/{self._deps.app}/addons",
            lambda: [addon for addon in self._own() if addon.id not in before],
            lambda addon: f"{addon.name} was not there before",
            f"no new add-on of {self._service}",
        )
        return look_for(search, intent, self._deps.stop, tell)

    @override
    def adopt(self, provider_id: str, seen: _AddonSeen, view: View, tell: Reporter) -> AddonReady:
        return self._awaited(provider_id, tell, ordered=True)

    @override
    def verify(self, result: AddonReady, view: View, tell: Reporter) -> str:
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
    gives = _QueueReady


class OrderOther(OrderAddon):
    """Of any other service; what it held is not brought back."""

    gives = AddonReady
    may_be_added = True
