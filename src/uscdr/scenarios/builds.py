"""Waiting for a build, with its stages as progress."""

from __future__ import annotations

import threading

from uscdr.engine.step import Tell
from uscdr.engine.wait import Patience, until
from uscdr.errors import EffectFailed, ProviderError
from uscdr.models.provision import Build
from uscdr.scenarios.deps import Deps

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
            next_action=f"Read it whole: heroku builds:output --app {deps.app}; mend the source or name another "
            "--ref; then: uscdr runs resume",
        )
    return ended


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
