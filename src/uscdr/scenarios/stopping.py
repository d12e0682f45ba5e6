"""Stopping an application, so that no process of it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.engine.wait import Patience, until
from uscdr.errors import CheckFailed

if TYPE_CHECKING:
    from uscdr.engine.step import Tell
    from uscdr.models.heroku import Dyno
    from uscdr.scenarios.deps import Deps

STOP_LIMIT = 180.0
RELEASE = "release"
"""Ends by itself, and is not cut off in the middle of a migration."""


def stop_everything(deps: Deps, app: str, tell: Tell) -> None:
    """Scale to zero, stop what no scaling stops (one-offs), and watch until all are gone. Raises OutcomeUnknown."""
    formation = deps.platform.formation(app)
    running = {entry.type: 0 for entry in formation if entry.quantity}
    if running:
        deps.platform.scale(app, running)
    scaled = {entry.type for entry in formation}
    for dyno in deps.platform.dynos(app):
        if dyno.type not in {*scaled, RELEASE}:
            deps.platform.stop_dyno(app, dyno.name)

    def look() -> tuple[Dyno, ...]:
        dynos = deps.platform.dynos(app)
        tell.progress("stopping: " + ", ".join(dyno.name for dyno in dynos))
        return dynos

    until(look, lambda dynos: not dynos, Patience(f"the stopping of {app}", STOP_LIMIT, f"heroku ps --app {app}"),
          deps.stop)  # fmt: skip


def require_stopped(deps: Deps, app: str) -> None:
    """Ask once more. Raises CheckFailed."""
    left = [dyno.name for dyno in deps.platform.dynos(app)]
    if left:
        raise CheckFailed(
            f"These dynos of {app} run although everything was stopped: {', '.join(left)}.",
            why="They write, and may mail patients.",
            next_action=f"Find out who starts them (Scheduler? a colleague?): heroku ps --app {app}; "
            "then: uscdr runs resume",
        )
