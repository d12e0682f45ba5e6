"""A named ref from source, when going back did not help: one build, found by its commit when its answer is lost."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Finding, Intent, Tell, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.models.provision import Lack
from uscdr.scenarios.builds import await_deployed, find_build, require_running
from uscdr.scenarios.checks import application_checks, ask_until_dead, failing
from uscdr.scenarios.code import without
from uscdr.scenarios.results import VerifiedData
from uscdr.scenarios.results_app import AppSeen, Redeployed, Remedy
from uscdr.scenarios.steps.base import DepsStep, shut
from uscdr.scenarios.steps.words import writes


class RedeploySeen(Fact):
    """Whether the application answers now, and what would be deployed."""

    failing: dict[str, str]
    asked: int
    forced: bool
    ref: str
    commit: str
    lacks: tuple[Lack, ...]
    source: str
    builds: tuple[str, ...]
    """Ids of the builds there are."""
    pending: int


class Redeploy(DepsStep[RedeploySeen, Redeployed]):
    """Builds from source only if the application still does not answer, or if the operator said so."""

    name = "app.redeploy"
    title = "Deploy from source"
    effect = Effect.FINDABLE
    says_when_sent = True
    sends = (
        writes("POST", "/sources"),
        writes("POST", "/apps/{app}/builds"),
    )
    manual = ("git push https://git.heroku.com/{app}.git $REF:main",)
    gives = Redeployed
    needs = (AppSeen, Remedy, VerifiedData)
    plans_with = (VerifiedData,)
    waits = "deployed from source only if the application still does not answer its checks then"

    @override
    def ready(self, view: View) -> str | None:
        return self.waits if shut(view) else super().ready(view)

    @override
    def probe(self, view: View, tell: Tell) -> RedeploySeen:
        seen, forced = view.need(AppSeen), view.need(Remedy).what == "redeploy"
        checks = () if forced else application_checks(self._deps.config)
        wrong, asked = failing(ask_until_dead(self._deps, checks, tell))
        return RedeploySeen(
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
    def plan(self, seen: RedeploySeen, view: View) -> Action:
        if not seen.forced and not seen.failing and seen.asked:
            return Action("skip", f"no redeploy: all {seen.asked} checks passed")
        if not seen.commit:
            return Action("blocked", f"The application still fails, and nothing can be deployed: {seen.source}")
        if seen.pending:
            return Action("blocked", "Another build is under way.")
        why = "" if seen.forced else f" ({len(seen.failing)} of {seen.asked} checks still fail)"
        words = f"{seen.ref} ({seen.commit[:12]}) is built and released{why}{without(seen.lacks)}"
        return Action("change", words, self.calls(), {"REF": seen.ref})

    @override
    def baseline(self, seen: RedeploySeen) -> dict[str, Any]:
        return {"builds": list(seen.builds), "commit": seen.commit}

    @override
    def apply(self, seen: RedeploySeen, view: View, tell: Tell) -> Redeployed:
        tell.progress(f"packing {seen.commit[:12]}")
        source = self._deps.source
        if source is None:
            raise CheckFailed("There is no source to deploy from.", next_action="Set app.source in scenarios.yaml.")
        archive = source.archive(seen.commit, self._deps.work)
        tell.sending()
        accepted = self._deps.deploys.start_build(self._deps.app, archive)
        tell.accepted(accepted.id)
        return await_deployed(self._deps, accepted.id, seen.commit, tell)

    @override
    def find(self, intent: Intent, view: View, tell: Tell) -> Finding:
        return find_build(self._deps, intent, tell)

    @override
    def adopt(self, provider_id: str, seen: RedeploySeen, view: View, tell: Tell) -> Redeployed:
        return await_deployed(self._deps, provider_id, seen.commit, tell)

    @override
    def confirm_effect(self, result: Redeployed, view: View, tell: Tell) -> str:
        return require_running(self._deps, result)
