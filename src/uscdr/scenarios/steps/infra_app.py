"""Create the new application, its buildpacks and its add-ons: each once, and found if the answer is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from uscdr.engine.reconcile import Search
from uscdr.engine.step import Action, Effect, FoundWrite, Intent, Reporter, View
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import BadInput, CheckFailed, Conflict, CredentialsRefused, EffectFailed, NotFound
from uscdr.models.base import Fact
from uscdr.models.data_settings import POSTGRES, REDIS, service_of
from uscdr.scenarios.by_hand import in_order
from uscdr.scenarios.results.infra import AddonReady, AppMade, DatabaseReady, InfraDecision, InfraSeen, OldStopped
from uscdr.scenarios.steps.base import AnyStep, ScenarioStep, StepParams, writes
from uscdr.scenarios.steps.freeze import require_stopped, stop_everything

if TYPE_CHECKING:
    from uscdr.models.heroku import AddOn, App

ANOTHER_NAME = "Name another application: uscdr recover infra --app NAME --new"


class _BuildpacksSet(Fact):
    """In order."""

    buildpacks: tuple[str, ...]


class _QueueReady(AddonReady):
    """The new Redis."""


class StopOld(ScenarioStep[OldStopped, OldStopped]):
    """Stops the old application: it would write, and send mail to patients twice."""

    name = "infra.stop_old"
    title = "Stop the old application"
    effect = Effect.IDEMPOTENT
    manual = (
        "heroku maintenance:on --app {app}   # if it still answers",
        "heroku ps:scale web=0 worker=0 beat=0 --app {app}",
    )
    gives = OldStopped
    needs = (InfraSeen, InfraDecision)
    plans_with = (InfraSeen,)
    waits = "the old application is stopped if it still answers"

    @override
    def probe(self, view: View, tell: Reporter) -> OldStopped:
        platform, app = self._deps.platform, self._deps.old_app
        try:
            described = platform.app(app)
        except NotFound:
            return OldStopped(why=f"{app} does not exist, or this account cannot see it")
        except CredentialsRefused as error:
            return OldStopped(why=f"this account has no access to {app} ({error.message})")
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
            return Action("noop", f"{seen.why}. If it still runs, it keeps writing and sending mail")
        if seen.shut and not (seen.formation or seen.dynos):
            return Action("noop", f"no dyno of {app} runs, and maintenance mode is on")
        calls = (writes("PATCH", f"/apps/{app}"), writes("PATCH", f"/apps/{app}/formation (all to 0)"))
        running = ", ".join(f"{kind}={number}" for kind, number in sorted(seen.formation.items())) or "nothing"
        return Action("change", f"{app}: turn maintenance mode on, and scale what runs ({running}) to 0", calls)

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
            return f"no dyno of {app} runs"
        require_stopped(self._deps, app)
        return f"no dyno of {app} runs"


class _AppSeenNow(Fact):
    """Whether the application exists, and its address."""

    exists: bool
    web_url: str = ""
    foreign: bool = False
    """Whether this account has no access to it."""


class CreateApp(ScenarioStep[_AppSeenNow, AppMade]):
    """Creates the application; its name makes it findable."""

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
            self._deps.platform.account()  # if Heroku refuses this too, the account is the problem, not the name
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
            return Action("noop", f"{name} already exists")
        if seen.foreign:
            return Action("blocked", f"The name {name} belongs to another account. {ANOTHER_NAME}")
        if seen.exists and view.get(InfraDecision) is not None:
            return Action(
                "blocked", f"Somebody else has created {name} meanwhile, so uscdr does not touch it. {ANOTHER_NAME}"
            )
        where = f" in {scope.region or 'the default region'}" if scope else ""
        return Action("change", f"create {name}{where}", calls)

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
            return FoundWrite(looked_at, "there is none", None, again=True)  # a name is unique
        if found.owner_email not in ("", account):
            raise self._foreign()
        return FoundWrite(looked_at, "it did not exist before, and this account owns it", found.id)

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
        return f"{app.name} created; address: {app.web_url or 'none yet'}"


class SetBuildpacks(ScenarioStep[_BuildpacksSet, _BuildpacksSet]):
    """Sets Node.js first and Python last, whose processes run. Automatic detection would find only Node.js."""

    name = "infra.buildpacks"
    title = "Set the buildpacks"
    effect = Effect.IDEMPOTENT
    sends = (writes("PUT", "/apps/{new_app}/buildpack-installations"),)
    manual = ("{buildpacks}",)
    gives = _BuildpacksSet
    needs = (InfraSeen, AppMade)
    waits = "set in order when the application exists"

    @override
    def probe(self, view: View, tell: Reporter) -> _BuildpacksSet:
        return _BuildpacksSet(buildpacks=self._deps.provisioning.buildpacks(self._deps.app))

    @override
    def plan(self, seen: _BuildpacksSet, view: View) -> Action:
        wanted, app = view.need(InfraSeen).buildpacks, self._deps.app
        known = {"buildpacks": in_order(wanted, app)}
        if seen.buildpacks == wanted:
            return Action("noop", f"the buildpacks are already {', '.join(wanted)}", known=known)
        return Action("change", f"set the buildpacks {', '.join(wanted)}", self.calls(), known)

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
            raise CheckFailed(
                f"Heroku accepted the buildpacks, but lists {', '.join(there) or 'none'}.",
                next_action="uscdr runs resume",
            )
        return f"buildpacks: {', '.join(there)}"


# Add-ons: each created once, found among the new ones if the answer is lost; the step waits until it is usable.


READY_LIMIT = 1800.0
COMING, USABLE = "provisioning", "provisioned"


class _AddonParams(StepParams):
    """The add-on service."""

    service: str


class _AddonSeen(Fact):
    """The application's own add-ons of the service, and the plan to create."""

    there: tuple[str, ...]
    """Their ids, without those that failed or are being removed."""
    name: str = ""
    usable: bool = False
    plan: str = ""


class OrderAddon(ScenarioStep[_AddonSeen, AddonReady]):
    """Creates one add-on of one service; an existing one is used and reported."""

    name = "infra.addon"
    title = "Create an add-on"
    effect = Effect.FINDABLE
    says_when_sent = True
    sends = (writes("POST", "/apps/{new_app}/addons"),)
    params = _AddonParams
    manual = ("heroku addons:create {plan} --app {new_app} --wait",)
    gives: ClassVar[type[AddonReady]]
    needs = (InfraSeen, AppMade)

    @property
    def _service(self) -> str:
        return self.given(_AddonParams).service

    @override
    @classmethod
    def chosen(cls, params: Fact) -> AnyStep:
        service = _AddonParams.model_validate(params.model_dump()).service
        return {POSTGRES: OrderDatabase, REDIS: OrderQueue}.get(service, OrderOther)

    @override
    def ready(self, view: View) -> str | None:
        if not view.lacks(self.needs):
            return None
        scope = view.get(InfraSeen)
        return f"{(scope and self._plan_of(scope)) or self._service} is created when the application exists"

    def _plan_of(self, scope: InfraSeen) -> str:
        found = next((plan for plan in scope.plans if service_of(plan) == self._service), None)
        if found is None and self._service == POSTGRES:
            raise BadInput(
                f"scenarios.yaml names no plan of {self._service}.", next_action="Add one to recovery.addons."
            )
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
            return Action("skip", f"recovery.addons names no plan of {self._service}, so none is created")
        if seen.usable:
            return Action("noop", f"{seen.name} already exists and is used")
        if seen.there:
            return Action("change", f"wait for {seen.name}, which Heroku is creating")
        return Action("change", f"create {seen.plan}", self.calls(), known)

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
                return None  # Heroku removes an add-on that it could not provision
            tell.progress(f"{addon.name}: {addon.state}")
            return addon

        ended = until(look, lambda addon: addon is None or addon.state != COMING, patience, self._deps.stop)
        if ended is None or ended.state != USABLE:
            raise EffectFailed(
                f"Heroku did not provision the add-on {ended.name if ended else addon_id}: "
                f"{f'it is {ended.state}' if ended else 'it was removed again'}.",
                provider="heroku",
                next_action="See: heroku status. To create a new one and continue: uscdr runs resume",
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
            lambda addon: f"{addon.name} is new",
            f"no new add-on of {self._service}",
        )
        return search.run(intent, self._deps.stop, tell)

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
                f"Heroku provisioned {result.name}, but did not set {', '.join(missing)}.",
                next_action=f"heroku addons:attach {result.name} --app {self._deps.app}. Then: uscdr runs resume",
            )
        return f"{result.name} ({result.plan}) sets {', '.join(addon.config_vars) or 'nothing'}"


class OrderDatabase(OrderAddon):
    """Creates the database."""

    title = "Create the database"
    default_id = "database"
    gives = DatabaseReady


class OrderQueue(OrderAddon):
    """Creates the queue, empty: its messages are not restored."""

    title = "Create the queue"
    default_id = "queue"
    gives = _QueueReady


class OrderOther(OrderAddon):
    """Creates an add-on of another service; its data is not restored."""

    gives = AddonReady
    may_be_added = True
