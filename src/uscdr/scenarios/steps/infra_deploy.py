"""Deploy the code to the new application, after the data is loaded; then set its formation."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from uscdr.engine.step import Action, Effect, FoundWrite, Intent, Reporter, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.models.heroku import Build
from uscdr.models.migrations import Lack
from uscdr.scenarios.code import DeployedCode, Tables, without
from uscdr.scenarios.infra.material import fetch_code
from uscdr.scenarios.releases import Builds, Releases
from uscdr.scenarios.results.app import Redeployed
from uscdr.scenarios.results.db import Compared, ProcessesStopped, VerifiedData
from uscdr.scenarios.results.infra import ConfigSet, InfraSeen
from uscdr.scenarios.steps.base import ScenarioStep, writes
from uscdr.words import first_of


class _DeploySeen(Fact):
    """The commit to deploy, what runs now, and the migrations that the release phase would apply to the data."""

    commit: str
    running: str
    """The running commit; only for a rebuild in place."""
    version: int | None
    failed: bool
    """Whether a later release failed, so that the commit runs with an older config."""
    builds: tuple[str, ...]
    pending: int
    migrations: tuple[str, ...]
    dangerous: str
    """A listed dangerous migration among them, and why."""
    stuck: str
    """Why they would fail, and what to do."""
    lacks: tuple[Lack, ...] = ()


NOT_TRIED = "NOT TRIED beforehand, because no dyno can write their SQL before this deploy"


class InfraDeploy(ScenarioStep[_DeploySeen, Redeployed]):
    """The release phase migrates, so dangerous migrations stop the run before the build."""

    name = "infra.deploy"
    title = "Deploy the code"
    effect = Effect.FINDABLE
    says_when_sent = True
    sends = (writes("POST", "/sources"), writes("POST", "/apps/{new_app}/builds"))
    manual = ("git push https://git.heroku.com/{new_app}.git $COMMIT:refs/heads/main",)
    gives = Redeployed
    needs = (InfraSeen, Compared, ConfigSet)
    waits = "built and released when data and config are in place; dangerous migrations stop it"

    @override
    def probe(self, view: View, tell: Reporter) -> _DeploySeen:
        commit = view.need(InfraSeen).commit
        tell.progress(f"packing {commit[:12]}")
        code = fetch_code(self._deps, commit)
        found = Tables.live(self._deps).against(code, commit[:12])
        if not found.known:
            tell.warn(
                f"It is NOT KNOWN which migrations the release phase of {commit[:12]} applies: its files show none."
            )
        if found.ahead:
            tell.warn(
                f"The data is AHEAD of {commit[:12]} by {', '.join(found.ahead)}: "
                "that code does not know these migrations."
            )
        if found.unfillable:
            tell.warn(f"That code CANNOT SAVE rows: it does not fill {first_of(found.unfillable)}.")
        builds = self._deps.deploys.builds(self._deps.app)
        releases = self._deps.platform.releases(self._deps.app)
        current = next((r for r in releases if r.current and r.slug_id), None)
        return _DeploySeen(
            commit=commit,
            running=Build.commit_of(current.slug_id if current else None, builds),
            version=current.version if current else None,
            failed=bool(releases) and releases[0].status == "failed",
            builds=tuple(build.id for build in builds),
            pending=self._deps.platform.builds_pending(self._deps.app),
            migrations=found.pending,
            lacks=code.lacks,
            dangerous=self._deps.config.app.danger_in(found.pending),
            stuck=f"{found.stuck[0]}. {DeployedCode(self._deps).way_on(found)}" if found.stuck else "",
        )

    @override
    def plan(self, seen: _DeploySeen, view: View) -> Action:
        if seen.dangerous:
            return Action(
                "blocked",
                f"The release phase would apply a dangerous migration to the restored data: {seen.dangerous} "
                "Decide with the developers, or deploy code of the backup's time: --ref REF",
            )
        if seen.stuck:
            return Action("blocked", f"The release phase of {seen.commit[:12]} would fail: {seen.stuck}")
        if seen.pending:
            return Action(
                "blocked", "Another build of this application is in progress. Wait for its end, then: uscdr runs resume"
            )
        if seen.running == seen.commit and not seen.failed:
            return Action("noop", f"{seen.commit[:12]} already runs as v{seen.version}")
        words = f"build and release {seen.commit[:12]}{without(seen.lacks)}"
        if seen.migrations:
            words += f"; its release phase applies {', '.join(seen.migrations)}, {NOT_TRIED}"
        return Action("change", words, self.calls(), {"COMMIT": seen.commit})

    @override
    def before(self, seen: _DeploySeen) -> dict[str, Any]:
        return {"builds": list(seen.builds), "commit": seen.commit}

    @override
    def apply(self, seen: _DeploySeen, view: View, tell: Reporter) -> Redeployed:
        code = fetch_code(self._deps, seen.commit)
        tell.sending()
        accepted = self._deps.deploys.start_build(self._deps.app, code)
        tell.accepted(accepted.id)
        return Builds(self._deps).await_deployed(accepted.id, seen.commit, tell)

    @override
    def current(self, seen: _DeploySeen, view: View) -> Redeployed:
        return Redeployed(build="", commit=seen.commit, version=seen.version)

    @override
    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        return Builds(self._deps).find(intent, tell)

    @override
    def adopt(self, provider_id: str, seen: _DeploySeen, view: View, tell: Reporter) -> Redeployed:
        return Builds(self._deps).await_deployed(provider_id, seen.commit, tell)

    @override
    def verify(self, result: Redeployed, view: View, tell: Reporter) -> str:
        return Releases(self._deps).require_running(result)


class _FormationSeen(Fact):
    """The formation, and the process types whose dyno size differs from the old application: type -> old size."""

    formation: dict[str, int]
    sizes: dict[str, str]
    now: dict[str, str]
    """Their present size."""
    absent: tuple[str, ...]
    """Process types of the old application that the deployed code does not have."""


class InfraFormation(ScenarioStep[_FormationSeen, ProcessesStopped]):
    """Sets number and size of dynos as in the old application. A new app starts with one small web dyno."""

    name = "infra.formation"
    title = "Set the formation"
    effect = Effect.IDEMPOTENT
    sends = (writes("PATCH", "/apps/{new_app}/formation (sizes)"),)
    manual = ("heroku ps:type $TYPE=$SIZE --app {new_app}   # as `heroku ps` of the old application shows",)
    gives = ProcessesStopped
    needs = (InfraSeen, VerifiedData)
    waits = "web, workers and exactly one beat run as in the old application, in number and size"

    @override
    def probe(self, view: View, tell: Reporter) -> _FormationSeen:
        scope = view.need(InfraSeen)
        now = {entry.type: entry.size for entry in self._deps.platform.formation(self._deps.app)}
        other = {kind: size for kind, size in scope.sizes.items()
                 if kind in now and size.casefold() != now[kind].casefold()}  # fmt: skip
        return _FormationSeen(
            formation={kind: number for kind, number in scope.formation.items() if kind in now},
            sizes=other,
            now={kind: now[kind] for kind in other},
            absent=tuple(sorted(kind for kind, number in scope.formation.items() if number and kind not in now)),
        )

    @override
    def plan(self, seen: _FormationSeen, view: View) -> Action:
        several = [f"{kind}={seen.formation[kind]}" for kind in self._deps.config.recovery.singletons
                   if seen.formation.get(kind, 1) != 1]  # fmt: skip
        if several:
            return Action(
                "blocked",
                f"Exactly one dyno may run of: {', '.join(several)}. Correct recovery.singletons in scenarios.yaml",
            )
        words = ", ".join(f"{kind}={number}" for kind, number in sorted(seen.formation.items()))
        words = f"formation: {words}" + _absent(seen.absent)
        if not seen.sizes:
            return Action("noop", words)
        sizes = ", ".join(f"{kind} from {seen.now[kind]} to {size}" for kind, size in sorted(seen.sizes.items()))
        return Action("change", f"{words}; sizes: {sizes}", self.calls())

    @override
    def apply(self, seen: _FormationSeen, view: View, tell: Reporter) -> ProcessesStopped:
        self._deps.platform.resize(self._deps.app, seen.sizes)
        return self.current(seen, view)

    @override
    def current(self, seen: _FormationSeen, view: View) -> ProcessesStopped:
        return ProcessesStopped(formation=seen.formation)

    @override
    def verify(self, result: ProcessesStopped, view: View, tell: Reporter) -> str:
        left = self.probe(view, tell)
        if left.sizes:
            raise CheckFailed(
                f"These processes do not have their old dyno size: {', '.join(sorted(left.sizes))}.",
                next_action=f"See: heroku ps --app {self._deps.app}. Then: uscdr runs resume",
            )
        force = Releases(self._deps).await_in_force(tell)
        return f"every process type has its size; {force.words}{_absent(left.absent)}"


def _absent(kinds: tuple[str, ...]) -> str:
    return f"; NOT started, because the deployed code does not have them: {', '.join(kinds)}" if kinds else ""
