"""Builds: waiting for one with its stages as progress, finding one whose answer was lost."""

from __future__ import annotations

import threading

from uscdr.engine.settle import Search, look_for
from uscdr.engine.step import Finding, Intent, Tell
from uscdr.engine.wait import Patience, until
from uscdr.errors import CheckFailed, EffectFailed, ProviderError
from uscdr.models.provision import Build
from uscdr.scenarios.deps import Deps
from uscdr.scenarios.releases import await_dynos, await_release
from uscdr.scenarios.results_app import Redeployed

LIMIT = 3600.0
STAGE = "----->"
SHOWN = 60


def await_build(deps: Deps, build_id: str, tell: Tell) -> Build:
    """Wait for its end. Raises EffectFailed when it failed: what ran before still runs."""
    stage = _Stage()
    patience = Patience("the build", LIMIT, f"heroku builds --app {deps.app}")
    follower: threading.Thread | None = None

    def look() -> Build:
        nonlocal follower
        build = deps.deploys.build(deps.app, build_id)
        if follower is None and build.output_url:
            follower = threading.Thread(target=stage.follow, args=(deps, build.output_url), daemon=True)
            follower.start()
        tell.progress(f"building: {stage.words or build.status}")
        return build

    ended = until(look, lambda build: build.status != "pending", patience, deps.stop)
    if ended.status != "succeeded":
        raise EffectFailed(
            "The build failed: what ran before still runs.",
            provider="heroku",
            why=f"Its last stage: {stage.words or 'none was told'}.",
            next_action=f"Read it whole: heroku builds:output --app {deps.app}. The same commit again: uscdr runs "
            "resume; another one: uscdr recover … --ref REF --new",
        )
    return ended


def await_deployed(deps: Deps, build_id: str, commit: str, tell: Tell) -> Redeployed:
    """Wait for the build, its release and its dynos."""
    built = await_build(deps, build_id, tell)
    if built.release_id is None:
        return Redeployed(build=build_id, commit=commit, version=None)
    release = await_release(deps, built.release_id, tell)
    await_dynos(deps, tell)
    return Redeployed(build=build_id, commit=commit, version=release.version)


def find_build(deps: Deps, intent: Intent, tell: Tell) -> Finding:
    """A build of the intent's commit which was not there before: the accepted one, else by looking a while."""
    before, commit = set(intent.texts("builds")), intent.text("commit")

    def new() -> list[Build]:
        builds = reversed(deps.deploys.builds(deps.app))
        return [build for build in builds if build.id not in before and build.commit == commit]

    search = Search(
        f"GET /apps/{deps.app}/builds",
        new,
        lambda build: f"build {build.id} of {commit[:12]} is ours",
        f"no new build of {commit[:12]}",
    )
    return look_for(search, intent, deps.stop, tell)


def require_running(deps: Deps, result: Redeployed) -> str:
    """That release is the one that runs. Raises CheckFailed."""
    running = next((r for r in deps.platform.releases(deps.app) if r.current), None)
    if running is None or running.version != result.version:
        raise CheckFailed(
            f"{result.commit[:12]} was built, but another release runs.",
            next_action=f"See: heroku releases --app {deps.app}; then: uscdr runs resume",
        )
    return f"v{result.version} runs {result.commit[:12]}"


class _Stage:
    """The last stage that a build told. Other lines of its output may hold secrets and are dropped."""

    def __init__(self) -> None:
        self.words = ""

    def follow(self, deps: Deps, url: str) -> None:
        try:
            deps.deploys.follow(url, self._line)
        except ProviderError:
            return  # the build itself is asked for its end; the output is for the eye only

    def _line(self, line: str) -> None:
        if line.startswith(STAGE):
            self.words = line.removeprefix(STAGE).strip()[:SHOWN]
