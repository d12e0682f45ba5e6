"""Freeze: nothing may write while the database is replaced. Maintenance mode alone stops only web traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import CheckFailed, OutcomeUnknown, ProviderError
from uscdr.models.base import Fact
from uscdr.scenarios.results.db import MaintenanceSet, ProcessesStopped, VerifiedData
from uscdr.scenarios.steps.base import AnyStep, ScenarioStep, reads, sql, writes
from uscdr.words import plural

if TYPE_CHECKING:
    from uscdr.engine.step import Reporter
    from uscdr.models.heroku import Dyno
    from uscdr.scenarios.adapters import Adapters


# Stopping an application, so that no process of it writes.


STOP_LIMIT = 180.0
RELEASE = "release"
"""Ends by itself, and is not cut off in the middle of a migration."""


class _Quiet(Fact):
    """No release and no build is under way; the newest release's version."""

    release: int | None


class _SessionsEnded(Fact):
    """How many other sessions were ended, and how many of other roles remain."""

    ended: int
    left: int = 0


def stop_everything(deps: Adapters, app: str, tell: Reporter) -> None:
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

    until(look, lambda dynos: not dynos, WaitLimit(f"the stopping of {app}", STOP_LIMIT, f"heroku ps --app {app}"),
          deps.stop)  # fmt: skip


def require_stopped(deps: Adapters, app: str) -> None:
    """Ask once more. Raises CheckFailed."""
    left = [dyno.name for dyno in deps.platform.dynos(app)]
    if left:
        raise CheckFailed(
            f"These dynos of {app} run although everything was stopped: {', '.join(left)}.",
            why="They write, and may mail patients.",
            next_action=f"Find out who starts them (Scheduler? a colleague?): heroku ps --app {app}; "
            "then: uscdr runs resume",
        )


RELEASE_LIMIT = 900.0


class ReleaseGuard(ScenarioStep[_Quiet, _Quiet]):
    """A pending release would run its migrations in the middle of the restore: wait for its end."""

    name = "heroku.release_guard"
    title = "No release under way"
    effect = Effect.READ
    manual = ("heroku releases --app {app}",)
    gives = _Quiet

    @override
    def probe(self, view: View, tell: Reporter) -> _Quiet:
        patience = WaitLimit("the pending release or build", RELEASE_LIMIT, f"heroku releases --app {self._deps.app}")
        try:
            until(lambda: self._pending(tell), lambda what: not what, patience, self._deps.stop)
        except OutcomeUnknown as unknown:
            if isinstance(unknown.__cause__, ProviderError):  # a refusal: nothing of ours was sent, nothing is unknown
                raise unknown.__cause__ from None
            raise
        newest = self._deps.platform.releases(self._deps.app, limit=1)
        return _Quiet(release=newest[0].version if newest else None)

    def _pending(self, tell: Reporter) -> str:
        releases = [r for r in self._deps.platform.releases(self._deps.app, limit=5) if r.status == "pending"]
        builds = self._deps.platform.builds_pending(self._deps.app)
        words = ", ".join([f"release v{r.version}" for r in releases] + ([plural(builds, "build")] if builds else []))
        if words:
            tell.progress(f"waiting for {words} to end")
        return words

    @override
    def plan(self, seen: _Quiet, view: View) -> Action:
        calls = (reads("GET", f"/apps/{self._deps.app}/releases"), reads("GET", f"/apps/{self._deps.app}/builds"))
        return Action("read", f"no release or build is under way; the newest is v{seen.release}", calls)


class MaintenanceParams(Fact):
    """`enabled: true` shuts users out, `false` lets them in again."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    enabled: bool


class Maintenance(ScenarioStep[MaintenanceSet, MaintenanceSet]):
    """Maintenance mode on, or off."""

    name = "heroku.maintenance"
    title = "Maintenance mode"
    effect = Effect.IDEMPOTENT
    sends = (writes("PATCH", '/apps/{app} {{"maintenance": {enabled}}}'),)
    params = MaintenanceParams
    manual = ("heroku maintenance:{switch} --app {app}",)
    gives = MaintenanceSet

    enabled: ClassVar[bool]

    @override
    @classmethod
    def chosen(cls, params: Fact) -> AnyStep:
        on = MaintenanceParams.model_validate(params.model_dump()).enabled
        return EnableMaintenance if on else DisableMaintenance

    @override
    def probe(self, view: View, tell: Reporter) -> MaintenanceSet:
        on = self._deps.describe_app().maintenance
        return MaintenanceSet(enabled=on, was=on)

    @override
    def plan(self, seen: MaintenanceSet, view: View) -> Action:
        word = "on" if self.enabled else "off"
        if seen.enabled == self.enabled:
            return Action("noop", f"maintenance mode is {word} already")
        return Action("change", f"maintenance mode goes {word}", self.calls())

    @override
    def apply(self, seen: MaintenanceSet, view: View, tell: Reporter) -> MaintenanceSet:
        app = self._deps.platform.set_maintenance(self._deps.app, enabled=self.enabled)
        return MaintenanceSet(enabled=app.maintenance, was=seen.enabled)

    @override
    def current(self, seen: MaintenanceSet, view: View) -> MaintenanceSet:
        return seen

    @override
    def verify(self, result: Fact, view: View, tell: Reporter) -> str:
        on = self._deps.platform.app(self._deps.app).maintenance
        if on != self.enabled:
            raise OutcomeUnknown(
                f"Maintenance mode should be {'on' if self.enabled else 'off'} and is not.",
                next_action=f"Set it by hand: {self.by_hand({})[0]}; then: uscdr runs resume",
            )
        return f"maintenance mode is {'on' if on else 'off'}"


class EnableMaintenance(Maintenance):
    """Before anything is stopped or overwritten."""

    title = "Shut users out"
    default_id = "maintenance_on"
    enabled = True


class DisableMaintenance(Maintenance):
    """Only when the data checks have passed."""

    title = "Let users in"
    default_id = "maintenance_off"
    enabled = False
    needs = (VerifiedData,)
    waits = "maintenance mode goes off when the data checks have passed"


class StopProcesses(ScenarioStep[ProcessesStopped, ProcessesStopped]):
    """Record the formation, then stop everything that could write: web, workers, beat, one-off dynos."""

    name = "heroku.stop"
    default_id = "drain"
    title = "Stop everything that writes"
    effect = Effect.IDEMPOTENT
    manual = (
        "heroku ps --app {app}   # write down what runs",
        "heroku ps:scale web=0 worker=0 beat=0 --app {app}",
        "heroku ps:stop run.N --app {app}",
    )
    gives = ProcessesStopped
    needs = (MaintenanceSet,)
    plans_with = ()

    @override
    def probe(self, view: View, tell: Reporter) -> ProcessesStopped:
        platform, app = self._deps.platform, self._deps.app
        current = {entry.type: entry.quantity for entry in platform.formation(app)}
        dynos = tuple(dyno.name for dyno in platform.dynos(app))
        return ProcessesStopped(formation=self._wanted(current, view), stopped=(*dynos, *_still_scaled(current)))

    def _wanted(self, current: dict[str, int], view: View) -> dict[str, int]:
        earlier = view.intents.get(self.id)
        recalled = earlier.numbers("formation") if earlier else {}
        known = view.get(ProcessesStopped)
        for source in (recalled, dict(known.formation) if known else {}, current, dict(self._deps.memory.formation)):
            if any(source.values()):
                return source
        return {kind: n for kind, n in self._deps.config.app.formation.items() if kind in current} or current

    @override
    def plan(self, seen: ProcessesStopped, view: View) -> Action:
        app = self._deps.app
        words = ", ".join(f"{kind}={quantity}" for kind, quantity in sorted(seen.formation.items()))
        if not seen.stopped:
            return Action("noop", f"nothing runs; to be started again later: {words}")
        calls = (
            writes("PATCH", f"/apps/{app}/formation (all to 0)"),
            writes("POST", f"/apps/{app}/dynos/run.*/actions/stop"),
        )
        return Action("change", f"the formation {words} is recorded, then every dyno stops", calls)

    @override
    def before(self, seen: ProcessesStopped) -> dict[str, Any]:
        return {"formation": seen.formation}

    @override
    def apply(self, seen: ProcessesStopped, view: View, tell: Reporter) -> ProcessesStopped:
        stop_everything(self._deps, self._deps.app, tell)
        return seen

    @override
    def current(self, seen: ProcessesStopped, view: View) -> ProcessesStopped:
        return seen

    @override
    def verify(self, result: ProcessesStopped, view: View, tell: Reporter) -> str:
        require_stopped(self._deps, self._deps.app)
        words = ", ".join(f"{kind}={quantity}" for kind, quantity in sorted(result.formation.items()))
        return f"nothing runs; recorded: {words}"


def _still_scaled(current: dict[str, int]) -> tuple[str, ...]:
    """Process types that would start a dyno although none is there at this moment."""
    return tuple(f"{kind} (scaled to {quantity})" for kind, quantity in current.items() if quantity)


# End other clients' sessions, which would hold locks against the restore or write behind its back.


class _SessionsSeen(Fact):
    """Other sessions now; `reachable` is False when the database does not answer."""

    reachable: bool
    others: int = 0


class EndSessions(ScenarioStep[_SessionsSeen, _SessionsEnded]):
    """Ends them through the database itself."""

    name = "postgres.end_sessions"
    title = "End other sessions"
    default_id = "sessions"
    effect = Effect.IDEMPOTENT
    manual = ("heroku pg:killall --app {app}",)
    gives = _SessionsEnded
    needs = (ProcessesStopped,)
    plans_with = ()

    @override
    def probe(self, view: View, tell: Reporter) -> _SessionsSeen:
        try:
            return _SessionsSeen(reachable=True, others=len(self._deps.database().sessions()))
        except ProviderError:
            return _SessionsSeen(reachable=False)

    @override
    def plan(self, seen: _SessionsSeen, view: View) -> Action:
        if not seen.reachable:
            return Action("skip", "the database does not answer, so nobody is connected through it")
        if not seen.others:
            return Action("noop", "nobody else is connected")
        calls = (sql("SELECT pg_terminate_backend(…) for every other session", changes=True),)
        return Action("change", f"{plural(seen.others, 'other session')} will be ended", calls)

    @override
    def apply(self, seen: Fact, view: View, tell: Reporter) -> _SessionsEnded:
        database = self._deps.database()
        ended = database.end_sessions()
        return _SessionsEnded(ended=ended, left=len(database.sessions()))

    @override
    def current(self, seen: Fact, view: View) -> _SessionsEnded:
        return _SessionsEnded(ended=0)

    @override
    def verify(self, result: _SessionsEnded, view: View, tell: Reporter) -> str:
        if result.left:
            tell.warn(f"{plural(result.left, 'session')} of other roles cannot be ended by us.")
        return f"{plural(result.ended, 'session')} ended"
