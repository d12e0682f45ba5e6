"""The code for the new place: one build of a named commit, after the data are there; and what shall run."""

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
    """What would be deployed, what runs, and which migrations the release phase would apply to the restored data."""

    commit: str
    running: str
    """The commit that runs; only in place."""
    version: int | None
    failed: bool
    """Whether a release after that one failed, so that it runs with an older config."""
    builds: tuple[str, ...]
    pending: int
    migrations: tuple[str, ...]
    dangerous: str
    """One of them that may not run by itself, and why."""
    stuck: str
    """Why they would fail, and what to do."""
    lacks: tuple[Lack, ...] = ()


NOT_TRIED = "NOT TRIED beforehand: before this deploy no dyno can write their SQL"


class InfraDeploy(ScenarioStep[_DeploySeen, Redeployed]):
    """The release phase migrates, so dangerous migrations stop the run before the build."""

    name = "infra.deploy"
    title = "Deploy"
    effect = Effect.FINDABLE
    says_when_sent = True
    sends = (
        writes("POST", "/sources"),
        writes("POST", "/apps/{new_app}/builds"),
    )
    manual = ("git push https://git.heroku.com/{new_app}.git $COMMIT:refs/heads/main",)
    gives = Redeployed
    needs = (InfraSeen, Compared, ConfigSet)
    waits = "built and released when data and config are there; dangerous migrations stop it"

    @override
    def probe(self, view: View, tell: Reporter) -> _DeploySeen:
        commit = view.need(InfraSeen).commit
        tell.progress(f"packing {commit[:12]}")
        code = fetch_code(self._deps, commit)
        found = Tables.live(self._deps).against(code, commit[:12])
        if not found.known:
            tell.warn(
                f"Which migrations the release phase of {commit[:12]} applies is NOT KNOWN: it seems to have none."
            )
        if found.ahead:
            tell.warn(f"The data are AHEAD of {commit[:12]} by {', '.join(found.ahead)}: that code does not know them.")
        if found.unfillable:
            tell.warn(f"That code CANNOT SAVE rows, for it does not fill {first_of(found.unfillable)}.")
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
                f"The release would apply a dangerous migration to the restored data: {seen.dangerous} "
                "Decide with the developers, or deploy code of the backup's time: --ref",
            )
        if seen.stuck:
            return Action("blocked", f"The release phase of {seen.commit[:12]} would fail: {seen.stuck}")
        if seen.pending:
            return Action("blocked", "Another build of this application is under way.")
        if seen.running == seen.commit and not seen.failed:
            return Action("noop", f"{seen.commit[:12]} runs already as v{seen.version}")
        words = f"{seen.commit[:12]} is built and released{without(seen.lacks)}"
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
    """What shall run, and which process types have another dyno size than in the old place: type -> that size."""

    formation: dict[str, int]
    sizes: dict[str, str]
    now: dict[str, str]
    """The size that they have instead."""
    absent: tuple[str, ...]
    """Process types that ran in the old place and that the deployed code does not name."""


class InfraFormation(ScenarioStep[_FormationSeen, ProcessesStopped]):
    """What shall run: as in the old place, of the single ones exactly one. A new app starts web only, and small."""

    name = "infra.formation"
    title = "What shall run"
    effect = Effect.IDEMPOTENT
    sends = (writes("PATCH", "/apps/{new_app}/formation (sizes)"),)
    manual = ("heroku ps:type $TYPE=$SIZE --app {new_app}   # as heroku ps of the old place tells",)
    gives = ProcessesStopped
    needs = (InfraSeen, VerifiedData)
    waits = "web, workers and exactly one beat are started, in number and size as in the old place"

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
            return Action("blocked", f"There must be exactly one of: {', '.join(several)}.")
        words = ", ".join(f"{kind}={number}" for kind, number in sorted(seen.formation.items()))
        words = f"shall run: {words}" + _absent(seen.absent)
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
                f"Not of the size that they had in the old place: {', '.join(sorted(left.sizes))}.",
                next_action=f"See: heroku ps --app {self._deps.app}; then: uscdr runs resume",
            )
        force = Releases(self._deps).await_in_force(tell)
        return f"every process type has its size; {force.words}{_absent(left.absent)}"


def _absent(kinds: tuple[str, ...]) -> str:
    return f"; NOT in the deployed code, and so not started: {', '.join(kinds)}" if kinds else ""
