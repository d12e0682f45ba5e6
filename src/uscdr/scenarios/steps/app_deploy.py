"""Roll back to an earlier release: sent once, found by its description if the answer is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from uscdr.engine.reconcile import Search
from uscdr.engine.step import Action, Effect, FoundWrite, Intent, Reporter, View
from uscdr.errors import CheckFailed, EffectFailed
from uscdr.models.base import Fact
from uscdr.models.migrations import Lack
from uscdr.scenarios.checks import ask_until_dead, failing
from uscdr.scenarios.code import without
from uscdr.scenarios.diagnosis import returned_to
from uscdr.scenarios.releases import Builds, Releases
from uscdr.scenarios.results.app import AppSeen, Redeployed, Remedy
from uscdr.scenarios.results.db import VerifiedData
from uscdr.scenarios.steps.base import ScenarioStep, shut, writes

if TYPE_CHECKING:
    from uscdr.models.heroku import Release


class _RolledBack(Fact):
    """The release that took an earlier one's place."""

    version: int
    to: int
    dynos: str
    """Which dynos ran it afterwards, or what came down."""


class _RollbackSeen(Fact):
    """Right before the rollback: the newest version, and the target."""

    newest: int
    to: int | None
    to_id: str
    why_not: str


class Rollback(ScenarioStep[_RollbackSeen, _RolledBack]):
    """Restores code and config variables of an earlier release; neither add-ons nor data."""

    name = "app.rollback"
    title = "Roll back the release"
    effect = Effect.FINDABLE
    says_when_sent = True
    manual = ("heroku rollback $RELEASE --app {app}   # changes code and config vars, not data or schema",)
    gives = _RolledBack
    needs = (AppSeen, Remedy)
    plans_with = (AppSeen,)
    waits = "known after the application is inspected"

    @override
    def probe(self, view: View, tell: Reporter) -> _RollbackSeen:
        newest = self._deps.platform.releases(self._deps.app, limit=1)
        decided = view.get(Remedy)
        target = decided.to if decided else None
        return _RollbackSeen(
            newest=newest[0].version if newest else 0,
            to=target.version if target else None,
            to_id=target.id if target else "",
            why_not=f"decided: {decided.what}" if decided else "depends on the decision above",
        )

    @override
    def plan(self, seen: _RollbackSeen, view: View) -> Action:
        app = self._deps.app
        calls = (writes("POST", f'/apps/{app}/releases {{"release": …}}'),)
        if view.get(Remedy) is None:
            return Action("later", seen.why_not, calls)
        if seen.to is None:
            return Action("skip", f"no rollback ({seen.why_not})")
        words = f"create a release with the code and config of v{seen.to}"
        return Action("change", words, calls, {"RELEASE": f"v{seen.to}"})

    @override
    def before(self, seen: _RollbackSeen) -> dict[str, Any]:
        return {"newest": seen.newest, "to": seen.to}

    @override
    def apply(self, seen: _RollbackSeen, view: View, tell: Reporter) -> _RolledBack:
        tell.sending()
        accepted = self._deps.deploys.rollback(self._deps.app, seen.to_id)
        tell.accepted(accepted.id)
        return self._awaited(accepted, seen.to or 0, tell)

    def _awaited(self, release: Release, to: int, tell: Reporter) -> _RolledBack:
        try:
            ended = Releases(self._deps).await_release(release.id, tell)
        except EffectFailed as error:
            raise EffectFailed(
                error.message,
                provider="heroku",
                why=error.why,
                next_action=f"{error.next_action}. Maintenance mode is still on. To turn it off with the old code: "
                f"heroku maintenance:off --app {self._deps.app}",
            ) from error
        return _RolledBack(version=ended.version, to=to, dynos=Releases(self._deps).await_dynos(tell).words)

    @override
    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        after, to = intent.number("newest"), intent.number("to")

        def newer() -> list[Release]:
            listed = reversed(self._deps.platform.releases(self._deps.app))
            return [one for one in listed if one.version > after and returned_to(one.description) == to]

        search = Search(
            f"GET /apps/{self._deps.app}/releases",
            newer,
            lambda one: f"v{one.version} “Rollback to v{to}” began after the intent",
            f"no “Rollback to v{to}” above v{after}",
        )
        return search.run(intent, self._deps.stop, tell)

    @override
    def adopt(self, provider_id: str, seen: _RollbackSeen, view: View, tell: Reporter) -> _RolledBack:
        return self._awaited(self._deps.deploys.release(self._deps.app, provider_id), seen.to or 0, tell)

    @override
    def verify(self, result: _RolledBack, view: View, tell: Reporter) -> str:
        there = self._deps.platform.config_vars(self._deps.app)
        missing = [name for name in self._deps.config.config.required if name not in there]
        if missing:
            raise CheckFailed(
                f"After the rollback, config variables are still missing: {', '.join(missing)}.",
                why="The earlier release lacks them too.",
                next_action=f"Take their values from the kit (uscdr kit check), then: heroku config:set NAME=… --app "
                f"{self._deps.app}. Then: uscdr runs resume",
            )
        return f"v{result.version} runs with the code and config of v{result.to}; {result.dynos}"


# Deploy a ref from source if the rollback did not help: one build, found by its commit if the answer is lost.


class _RedeploySeen(Fact):
    """Whether the application answers now, and the code to deploy."""

    failing: dict[str, str]
    asked: int
    forced: bool
    ref: str
    commit: str
    lacks: tuple[Lack, ...]
    source: str
    builds: tuple[str, ...]
    """Ids of the existing builds."""
    pending: int


class Redeploy(ScenarioStep[_RedeploySeen, Redeployed]):
    """Builds from source only if checks of the application still fail, or the operator requested it."""

    name = "app.redeploy"
    title = "Deploy from source"
    effect = Effect.FINDABLE
    says_when_sent = True
    sends = (writes("POST", "/sources"), writes("POST", "/apps/{app}/builds"))
    manual = ("git push https://git.heroku.com/{app}.git $REF:main",)
    gives = Redeployed
    needs = (AppSeen, Remedy, VerifiedData)
    plans_with = (VerifiedData,)
    waits = "deployed from source only if checks of the application still fail then"

    @override
    def ready(self, view: View) -> str | None:
        return self.waits if shut(view) else super().ready(view)

    @override
    def probe(self, view: View, tell: Reporter) -> _RedeploySeen:
        seen, forced = view.need(AppSeen), view.need(Remedy).what == "redeploy"
        checks = () if forced else self._deps.config.application_checks()
        wrong, asked = failing(ask_until_dead(self._deps, checks, tell))
        return _RedeploySeen(
            failing=wrong,
            asked=asked,
            forced=forced,
            ref=seen.ref,
            commit=seen.ref_commit,
            lacks=seen.ref_lacks,
            source=seen.source,
            builds=tuple(build.id for build in self._deps.deploys.builds(self._deps.app)),
            pending=self._deps.platform.builds_pending(self._deps.app),
        )

    @override
    def plan(self, seen: _RedeploySeen, view: View) -> Action:
        if not seen.forced and not seen.failing and seen.asked:
            return Action("skip", f"no redeploy: all {seen.asked} checks passed")
        if not seen.commit:
            return Action("blocked", f"The application still fails its checks, and uscdr cannot deploy: {seen.source}")
        if seen.pending:
            return Action(
                "blocked",
                f"Another build is in progress. Wait for its end (heroku builds --app {self._deps.app}), then: "
                "uscdr runs resume",
            )
        why = "" if seen.forced else f" ({len(seen.failing)} of {seen.asked} checks still fail)"
        words = f"build and release {seen.ref} ({seen.commit[:12]}){why}{without(seen.lacks)}"
        return Action("change", words, self.calls(), {"REF": seen.ref})

    @override
    def before(self, seen: _RedeploySeen) -> dict[str, Any]:
        return {"builds": list(seen.builds), "commit": seen.commit}

    @override
    def apply(self, seen: _RedeploySeen, view: View, tell: Reporter) -> Redeployed:
        tell.progress(f"packing {seen.commit[:12]}")
        source = self._deps.source
        if source is None:
            raise CheckFailed("There is no source to deploy from.", next_action="Set app.source in scenarios.yaml.")
        archive = source.archive(seen.commit, self._deps.work)
        tell.sending()
        accepted = self._deps.deploys.start_build(self._deps.app, archive)
        tell.accepted(accepted.id)
        return Builds(self._deps).await_deployed(accepted.id, seen.commit, tell)

    @override
    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        return Builds(self._deps).find(intent, tell)

    @override
    def adopt(self, provider_id: str, seen: _RedeploySeen, view: View, tell: Reporter) -> Redeployed:
        return Builds(self._deps).await_deployed(provider_id, seen.commit, tell)

    @override
    def verify(self, result: Redeployed, view: View, tell: Reporter) -> str:
        return Releases(self._deps).require_running(result)
