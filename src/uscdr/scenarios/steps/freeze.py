"""Freeze: no process may write while the database is replaced. Maintenance mode stops only web traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict
from typing_extensions import override

from uscdr.engine.step import Action, Effect, View
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import CheckFailed, OutcomeUnknown, ProviderError
from uscdr.models.base import Fact
from uscdr.scenarios.results.db import MaintenanceSet, ProcessesStopped, VerifiedData
from uscdr.scenarios.steps.base import AnyStep, ScenarioStep, StepParams, reads, sql, writes
from uscdr.words import plural

if TYPE_CHECKING:
    from uscdr.engine.step import Reporter
    from uscdr.models.heroku import Dyno
    from uscdr.scenarios.adapters import Adapters


# Stop every process of an application, so that none writes.


STOP_LIMIT = 180.0
RELEASE = "release"
"""A release dyno ends by itself; uscdr does not stop it in the middle of a migration."""


class _Quiet(Fact):
    """No release and no build is under way; the newest release's version."""

    release: int | None


class _SessionsEnded(Fact):
    """How many other sessions were ended, and how many of other roles remain."""

    ended: int
    left: int = 0


def stop_everything(deps: Adapters, app: str, tell: Reporter) -> None:
    """Scale all processes to 0, stop one-off dynos, and wait until none is left. Raises OutcomeUnknown."""
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
        tell.progress("waiting until these dynos stop: " + ", ".join(dyno.name for dyno in dynos))
        return dynos

    until(look, lambda dynos: not dynos, WaitLimit(f"the stop of {app}", STOP_LIMIT, f"heroku ps --app {app}"),
          deps.stop)  # fmt: skip


def require_stopped(deps: Adapters, app: str) -> None:
    """Raise CheckFailed if a dyno still exists."""
    left = [dyno.name for dyno in deps.platform.dynos(app)]
    if left:
        raise CheckFailed(
            f"{app} was stopped, but these dynos run: {', '.join(left)}.",
            why="They may write to the database and send mail to patients.",
            next_action=f"Find out who starts them (Scheduler? a colleague?): heroku ps --app {app}. "
            "Then: uscdr runs resume",
        )


RELEASE_LIMIT = 900.0


class ReleaseGuard(ScenarioStep[_Quiet, _Quiet]):
    """Waits for the end of a pending release, which could run migrations in the middle of the restore."""

    name = "heroku.release_guard"
    title = "Wait for pending releases"
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
            tell.progress(f"waiting until {words} ends")
        return words

    @override
    def plan(self, seen: _Quiet, view: View) -> Action:
        calls = (reads("GET", f"/apps/{self._deps.app}/releases"), reads("GET", f"/apps/{self._deps.app}/builds"))
        return Action("read", f"no release or build is pending; the newest release is v{seen.release}", calls)


class _MaintenanceParams(StepParams):
    """`enabled: true` enables maintenance mode, `false` disables it."""

    model_config = ConfigDict(strict=True)
    enabled: bool


class Maintenance(ScenarioStep[MaintenanceSet, MaintenanceSet]):
    """Enables or disables maintenance mode."""

    name = "heroku.maintenance"
    title = "Set maintenance mode"
    effect = Effect.IDEMPOTENT
    sends = (writes("PATCH", '/apps/{app} {{"maintenance": {enabled}}}'),)
    params = _MaintenanceParams
    manual = ("heroku maintenance:{switch} --app {app}",)
    gives = MaintenanceSet

    enabled: ClassVar[bool]

    @override
    @classmethod
    def chosen(cls, params: Fact) -> AnyStep:
        on = _MaintenanceParams.model_validate(params.model_dump()).enabled
        return EnableMaintenance if on else DisableMaintenance

    @override
    def probe(self, view: View, tell: Reporter) -> MaintenanceSet:
        on = self._deps.describe_app().maintenance
        return MaintenanceSet(enabled=on, was=on)

    @override
    def plan(self, seen: MaintenanceSet, view: View) -> Action:
        word = "on" if self.enabled else "off"
        if seen.enabled == self.enabled:
            return Action("noop", f"maintenance mode is already {word}")
        return Action("change", f"turn maintenance mode {word}", self.calls())

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
                f"Heroku accepted the request, but maintenance mode is not {'on' if self.enabled else 'off'}.",
                next_action=f"Set it by hand: {self.by_hand({})[0]}. Then: uscdr runs resume",
            )
        return f"maintenance mode is {'on' if on else 'off'}"


class EnableMaintenance(Maintenance):
    """Enables maintenance mode before anything is stopped or overwritten."""

    title = "Enable maintenance mode"
    default_id = "maintenance_on"
    enabled = True


class DisableMaintenance(Maintenance):
    """Disables maintenance mode, only after the data checks have passed."""

    title = "Disable maintenance mode"
    default_id = "maintenance_off"
    enabled = False
    needs = (VerifiedData,)
    waits = "maintenance mode is turned off after the data checks have passed"


class StopProcesses(ScenarioStep[ProcessesStopped, ProcessesStopped]):
    """Records the formation, then stops every process that can write: web, workers, beat, one-off dynos."""

    name = "heroku.stop"
    default_id = "drain"
    title = "Scale all processes to 0"
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
            return Action("noop", f"no dyno runs; recorded for the later start: {words}")
        calls = (
            writes("PATCH", f"/apps/{app}/formation (all to 0)"),
            writes("POST", f"/apps/{app}/dynos/run.*/actions/stop"),
        )
        return Action("change", f"record the formation {words}, then stop every dyno", calls)

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
        return f"no dyno runs; recorded formation: {words}"


def _still_scaled(current: dict[str, int]) -> tuple[str, ...]:
    """Process types that are scaled above 0, so that Heroku may start a dyno although none exists now."""
    return tuple(f"{kind} (scaled to {quantity})" for kind, quantity in current.items() if quantity)


# End other clients' sessions: they could hold locks against the restore, or write during it.


class _SessionsSeen(Fact):
    """The number of other sessions; `reachable` is False when the database does not answer."""

    reachable: bool
    others: int = 0


class EndSessions(ScenarioStep[_SessionsSeen, _SessionsEnded]):
    """Ends other sessions with `pg_terminate_backend`."""

    name = "postgres.end_sessions"
    title = "End other database sessions"
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
            return Action("skip", "the database does not answer, so uscdr cannot end sessions")
        if not seen.others:
            return Action("noop", "there is no other session")
        calls = (sql("SELECT pg_terminate_backend(…) for every other session", changes=True),)
        return Action("change", f"end {plural(seen.others, 'other session')}", calls)

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
            tell.warn(f"{plural(result.left, 'session')} of other roles could not be ended.")
        return f"{plural(result.ended, 'session')} ended"
