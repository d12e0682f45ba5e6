"""The new application and what it is made with: created once, found by name; buildpacks in order."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Finding, Intent, Tell, View
from uscdr.errors import CheckFailed, Conflict, CredentialsRefused, EffectFailed, NotFound
from uscdr.models.base import Fact
from uscdr.models.heroku import App
from uscdr.scenarios.by_hand import in_order
from uscdr.scenarios.results_infra import AppMade, BuildpacksSet, InfraDecision, InfraSeen, OldStopped
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import writes
from uscdr.scenarios.stopping import require_stopped, stop_everything

ANOTHER_NAME = "Name another application: uscdr recover infra --app NAME --new"


class StopOld(DepsStep[OldStopped, OldStopped]):
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
    def probe(self, view: View, tell: Tell) -> OldStopped:
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
    def baseline(self, seen: OldStopped) -> dict[str, Any]:
        return {"formation": seen.formation}

    @override
    def apply(self, seen: OldStopped, view: View, tell: Tell) -> OldStopped:
        app = self._deps.old_app
        self._deps.platform.set_maintenance(app, enabled=True)
        stop_everything(self._deps, app, tell)
        return seen

    @override
    def unchanged(self, seen: OldStopped, view: View) -> OldStopped:
        return seen

    @override
    def confirm_effect(self, result: OldStopped, view: View, tell: Tell) -> str:
        app = self._deps.old_app
        if not result.answers:
            return f"nothing runs in {app}"
        require_stopped(self._deps, app)
        return f"nothing runs in {app}"


class AppSeenNow(Fact):
    """Whether the application exists, and what was known of it before this run began to create it."""

    exists: bool
    web_url: str = ""
    foreign: bool = False
    """Whether it is out of this account's reach."""


class CreateApp(DepsStep[AppSeenNow, AppMade]):
    """One application; its name makes it findable."""

    name = "infra.create_app"
    title = "Create the application"
    effect = Effect.FINDABLE
    manual = ("heroku create {new_app} --no-remote",)
    gives = AppMade
    needs = (InfraSeen, InfraDecision)
    plans_with = ()

    @override
    def probe(self, view: View, tell: Tell) -> AppSeenNow:
        try:
            found = self._look()
        except CredentialsRefused:
            self._deps.platform.account()  # refused as well: it is the account, not the name
            return AppSeenNow(exists=True, foreign=True)
        return AppSeenNow(exists=found is not None, web_url=(found.web_url or "") if found else "")

    def _look(self) -> App | None:
        try:
            return self._deps.platform.app(self._deps.app)
        except NotFound:
            return None

    @override
    def plan(self, seen: AppSeenNow, view: View) -> Action:
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
    def baseline(self, seen: AppSeenNow) -> dict[str, Any]:
        return {"existed": seen.exists}

    @override
    def apply(self, seen: AppSeenNow, view: View, tell: Tell) -> AppMade:
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
    def unchanged(self, seen: AppSeenNow, view: View) -> AppMade:
        return AppMade(name=self._deps.app, web_url=seen.web_url, made=False)

    @override
    def find(self, intent: Intent, view: View, tell: Tell) -> Finding:
        account = self._deps.platform.account().email
        looked_at = f"GET /apps/{self._deps.app}"
        try:
            found = self._look()
        except CredentialsRefused as error:
            raise self._foreign() from error
        if found is None:
            return Finding(looked_at, "there is none", None, again=True)  # a name can be had once only
        if found.owner_email not in ("", account):
            raise self._foreign()
        return Finding(looked_at, "it was not there before, and is ours now", found.id)

    def _foreign(self) -> EffectFailed:
        return EffectFailed(
            f"The name {self._deps.app} belongs to another account.", provider="heroku", next_action=ANOTHER_NAME
        )

    @override
    def adopt(self, provider_id: str, seen: AppSeenNow, view: View, tell: Tell) -> AppMade:
        return AppMade(name=self._deps.app, web_url=seen.web_url, made=True)

    @override
    def confirm_effect(self, result: AppMade, view: View, tell: Tell) -> str:
        app = self._deps.platform.app(result.name)
        return f"{app.name} answers at {app.web_url or 'no address yet'}"


class SetBuildpacks(DepsStep[BuildpacksSet, BuildpacksSet]):
    """Node.js first, Python last: its processes run. Detection alone would take Node.js only."""

    name = "infra.buildpacks"
    title = "Buildpacks"
    effect = Effect.IDEMPOTENT
    sends = (writes("PUT", "/apps/{new_app}/buildpack-installations"),)
    manual = ("{buildpacks}",)
    gives = BuildpacksSet
    needs = (InfraSeen, AppMade)
    waits = "set in order when the application is there"

    @override
    def probe(self, view: View, tell: Tell) -> BuildpacksSet:
        return BuildpacksSet(buildpacks=self._deps.provisioning.buildpacks(self._deps.app))

    @override
    def plan(self, seen: BuildpacksSet, view: View) -> Action:
        wanted, app = view.need(InfraSeen).buildpacks, self._deps.app
        known = {"buildpacks": in_order(wanted, app)}
        if seen.buildpacks == wanted:
            return Action("noop", f"buildpacks are {', '.join(wanted)}", known=known)
        return Action("change", f"buildpacks become {', '.join(wanted)}", self.calls(), known)

    @override
    def apply(self, seen: BuildpacksSet, view: View, tell: Tell) -> BuildpacksSet:
        wanted = view.need(InfraSeen).buildpacks
        return BuildpacksSet(buildpacks=self._deps.provisioning.set_buildpacks(self._deps.app, wanted))

    @override
    def unchanged(self, seen: BuildpacksSet, view: View) -> BuildpacksSet:
        return seen

    @override
    def confirm_effect(self, result: BuildpacksSet, view: View, tell: Tell) -> str:
        there = self._deps.provisioning.buildpacks(self._deps.app)
        if there != view.need(InfraSeen).buildpacks:
            raise CheckFailed(f"Buildpacks should be set and are {', '.join(there) or 'none'}.")
        return f"buildpacks: {', '.join(there)}"
