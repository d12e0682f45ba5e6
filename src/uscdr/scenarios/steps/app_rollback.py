"""Back to an earlier release: sent once, found by its description when its answer is lost."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from uscdr.engine.settle import Search, look_for
from uscdr.engine.step import Action, Effect, Finding, Intent, Tell, View
from uscdr.errors import CheckFailed, EffectFailed
from uscdr.models.base import Fact
from uscdr.models.heroku import Release
from uscdr.scenarios.releases import await_dynos, await_release
from uscdr.scenarios.remedy import returned_to
from uscdr.scenarios.results_app import AppSeen, Remedy, RolledBack
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import writes


class RollbackSeen(Fact):
    """Right before: the newest version so far, and where to go."""

    newest: int
    to: int | None
    to_id: str
    why_not: str


class Rollback(DepsStep[RollbackSeen, RolledBack]):
    """Code and config variables of an earlier release; neither add-ons nor data."""

    name = "app.rollback"
    title = "Roll back"
    effect = Effect.FINDABLE
    says_when_sent = True
    manual = ("heroku rollback $RELEASE --app {app}   # changes code and config vars, not data or schema",)
    gives = RolledBack
    needs = (AppSeen, Remedy)
    plans_with = (AppSeen,)
    waits = "known after the application was looked at"

    @override
    def probe(self, view: View, tell: Tell) -> RollbackSeen:
        newest = self._deps.platform.releases(self._deps.app, limit=1)
        decided = view.get(Remedy)
        target = decided.to if decided else None
        return RollbackSeen(
            newest=newest[0].version if newest else 0,
            to=target.version if target else None,
            to_id=target.id if target else "",
            why_not=f"decided: {decided.what}" if decided else "as decided above",
        )

    @override
    def plan(self, seen: RollbackSeen, view: View) -> Action:
        app = self._deps.app
        calls = (writes("POST", f'/apps/{app}/releases {{"release": …}}'),)
        if view.get(Remedy) is None:
            return Action("later", seen.why_not, calls)
        if seen.to is None:
            return Action("skip", f"no rollback ({seen.why_not})")
        words = f"a new release with the code and config of v{seen.to}"
        return Action("change", words, calls, {"RELEASE": f"v{seen.to}"})

    @override
    def baseline(self, seen: RollbackSeen) -> dict[str, Any]:
        return {"newest": seen.newest, "to": seen.to}

    @override
    def apply(self, seen: RollbackSeen, view: View, tell: Tell) -> RolledBack:
        tell.sending()
        accepted = self._deps.deploys.rollback(self._deps.app, seen.to_id)
        tell.accepted(accepted.id)
        return self._awaited(accepted, seen.to or 0, tell)

    def _awaited(self, release: Release, to: int, tell: Tell) -> RolledBack:
        try:
            ended = await_release(self._deps, release.id, tell)
        except EffectFailed as error:
            raise EffectFailed(
                error.message,
                provider="heroku",
                why=error.why,
                next_action=f"{error.next_action}. Users are still shut out; to let them in on the code before: "
                f"heroku maintenance:off --app {self._deps.app}",
            ) from error
        return RolledBack(version=ended.version, to=to, dynos=await_dynos(self._deps, tell).words)

    @override
    def find(self, intent: Intent, view: View, tell: Tell) -> Finding:
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
        return look_for(search, intent, self._deps.stop, tell)

    @override
    def adopt(self, provider_id: str, seen: RollbackSeen, view: View, tell: Tell) -> RolledBack:
        return self._awaited(self._deps.deploys.release(self._deps.app, provider_id), seen.to or 0, tell)

    @override
    def confirm_effect(self, result: RolledBack, view: View, tell: Tell) -> str:
        there = self._deps.platform.config_vars(self._deps.app)
        missing = [name for name in self._deps.config.config.required if name not in there]
        if missing:
            raise CheckFailed(
                f"After the rollback config variables are still missing: {', '.join(missing)}.",
                why="The release that was returned to had not got them either.",
                next_action=f"Take them from the kit (uscdr kit check) and set them: heroku config:set NAME=… --app "
                f"{self._deps.app}; then: uscdr runs resume",
            )
        return f"v{result.version} runs with the code and config of v{result.to}; {result.dynos}"
