"""Waiting for releases and for the dynos that run them."""

from __future__ import annotations

from uscdr.engine.step import Tell
from uscdr.engine.wait import Patience, until
from uscdr.errors import EffectFailed
from uscdr.models.heroku import Dyno, Release
from uscdr.scenarios.deps import Deps

RELEASE_LIMIT = 1800.0
DYNO_LIMIT = 300.0
SETTLED = ("up", "crashed", "idle")


def await_release(deps: Deps, release_id: str, tell: Tell) -> Release:
    """Wait for the end of the release phase. Raises EffectFailed when it failed: the code before still runs."""
    patience = Patience("the release", RELEASE_LIMIT, f"heroku releases --app {deps.app}")

    def look() -> Release:
        release = deps.deploys.release(deps.app, release_id)
        tell.progress(f"v{release.version}: {release.status}")
        return release

    ended = until(look, lambda release: release.status != "pending", patience, deps.stop)
    if ended.status != "succeeded":
        raise EffectFailed(
            f"The release v{ended.version} {ended.status}: the code before it still runs.",
            provider="heroku",
            why="Its release phase (migrations, static files) did not end well.",
            next_action=f"See why: heroku releases:output v{ended.version} --app {deps.app}; then: uscdr runs resume",
        )
    return ended


def await_quiet(deps: Deps, tell: Tell) -> None:
    """Wait until no release is pending: its release phase would write into what is loaded meanwhile."""
    patience = Patience("the pending release", RELEASE_LIMIT, f"heroku releases --app {deps.app}")

    def look() -> list[Release]:
        pending = [release for release in deps.platform.releases(deps.app, limit=5) if release.status == "pending"]
        if pending:
            tell.progress(f"waiting for the release phase of v{pending[0].version} to end")
        return pending

    until(look, lambda pending: not pending, patience, deps.stop)


def web_states(deps: Deps, version: int, tell: Tell) -> str:
    """Wait until every web dyno of the release is up or crashed; their states in words."""
    wanted = next((p.quantity for p in deps.platform.formation(deps.app) if p.type == "web"), 0)
    if not wanted:
        return "none is scaled"
    patience = Patience("the start of web", DYNO_LIMIT, f"heroku ps --app {deps.app}")

    def look() -> tuple[Dyno, ...]:
        found = tuple(d for d in deps.platform.dynos(deps.app) if d.type == "web")
        tell.progress("web: " + ", ".join(f"{dyno.name} {dyno.state}" for dyno in found))
        return found

    ended = until(look, lambda dynos: _settled(dynos, wanted, version), patience, deps.stop)
    return ", ".join(f"{dyno.name} {dyno.state}" for dyno in ended)


def _settled(dynos: tuple[Dyno, ...], wanted: int, version: int) -> bool:
    new = [d for d in dynos if (d.release_version or version) >= version and d.state in SETTLED]
    return len(new) == len(dynos) and len(new) >= wanted
