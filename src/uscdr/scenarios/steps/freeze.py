"""Freeze: nothing may write while the database is replaced. Maintenance mode alone stops only web traffic."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.engine.wait import Patience, until
from uscdr.errors import OutcomeUnknown, ProviderError
from uscdr.models.base import Fact
from uscdr.scenarios.results import Drained, MaintenanceSet, Quiet, VerifiedData
from uscdr.scenarios.steps.base import AnyStep, DepsStep
from uscdr.scenarios.steps.words import reads, writes
from uscdr.scenarios.stopping import require_stopped, stop_everything
from uscdr.words import plural

RELEASE_LIMIT = 900.0


class ReleaseGuard(DepsStep[Quiet, Quiet]):
    """A pending release would run its migrations in the middle of the restore: wait for its end."""

    name = "heroku.release_guard"
    title = "No release under way"
    effect = Effect.READ
    manual = ("heroku releases --app {app}",)
    gives = Quiet

    @override
    def probe(self, view: View, tell: Tell) -> Quiet:
        patience = Patience("the pending release or build", RELEASE_LIMIT, f"heroku releases --app {self._deps.app}")
        try:
            until(lambda: self._pending(tell), lambda what: not what, patience, self._deps.stop)
        except OutcomeUnknown as unknown:
            if isinstance(unknown.__cause__, ProviderError):  # a refusal: nothing of ours was sent, nothing is unknown
                raise unknown.__cause__ from None
            raise
        newest = self._deps.platform.releases(self._deps.app, limit=1)
        return Quiet(release=newest[0].version if newest else None)

    def _pending(self, tell: Tell) -> str:
        releases = [r for r in self._deps.platform.releases(self._deps.app, limit=5) if r.status == "pending"]
        builds = self._deps.platform.builds_pending(self._deps.app)
        words = ", ".join([f"release v{r.version}" for r in releases] + ([plural(builds, "build")] if builds else []))
        if words:
            tell.progress(f"waiting for {words} to end")
        return words

    @override
    def plan(self, seen: Quiet, view: View) -> Action:
        calls = (reads("GET", f"/apps/{self._deps.app}/releases"), reads("GET", f"/apps/{self._deps.app}/builds"))
        return Action("read", f"no release or build is under way; the newest is v{seen.release}", calls)


class MaintenanceParams(Fact):
    """`enabled: true` shuts users out, `false` lets them in again."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    enabled: bool


class Maintenance(DepsStep[MaintenanceSet, MaintenanceSet]):
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
    def probe(self, view: View, tell: Tell) -> MaintenanceSet:
        on = self._deps.describe_app().maintenance
        return MaintenanceSet(enabled=on, was=on)

    @override
    def plan(self, seen: MaintenanceSet, view: View) -> Action:
        word = "on" if self.enabled else "off"
        if seen.enabled == self.enabled:
            return Action("noop", f"maintenance mode is {word} already")
        return Action("change", f"maintenance mode goes {word}", self.calls())

    @override
    def apply(self, seen: MaintenanceSet, view: View, tell: Tell) -> MaintenanceSet:
        app = self._deps.platform.set_maintenance(self._deps.app, enabled=self.enabled)
        return MaintenanceSet(enabled=app.maintenance, was=seen.enabled)

    @override
    def unchanged(self, seen: MaintenanceSet, view: View) -> MaintenanceSet:
        return seen

    @override
    def confirm_effect(self, result: Fact, view: View, tell: Tell) -> str:
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


class Drain(DepsStep[Drained, Drained]):
    """Record the formation, then stop everything that could write: web, workers, beat, one-off dynos."""

    name = "heroku.drain"
    title = "Stop everything that writes"
    effect = Effect.IDEMPOTENT
    manual = (
        "heroku ps --app {app}   # write down what runs",
        "heroku ps:scale web=0 worker=0 beat=0 --app {app}",
        "heroku ps:stop run.N --app {app}",
    )
    gives = Drained
    needs = (MaintenanceSet,)
    plans_with = ()

    @override
    def probe(self, view: View, tell: Tell) -> Drained:
        platform, app = self._deps.platform, self._deps.app
        current = {entry.type: entry.quantity for entry in platform.formation(app)}
        dynos = tuple(dyno.name for dyno in platform.dynos(app))
        return Drained(formation=self._wanted(current, view), stopped=(*dynos, *_still_scaled(current)))

    def _wanted(self, current: dict[str, int], view: View) -> dict[str, int]:
        earlier = view.intents.get(self.id)
        recalled = earlier.numbers("formation") if earlier else {}
        known = view.get(Drained)
        for source in (recalled, dict(known.formation) if known else {}, current, dict(self._deps.memory.formation)):
            if any(source.values()):
                return source
        return {kind: n for kind, n in self._deps.config.app.formation.items() if kind in current} or current

    @override
    def plan(self, seen: Drained, view: View) -> Action:
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
    def baseline(self, seen: Drained) -> dict[str, Any]:
        return {"formation": seen.formation}

    @override
    def apply(self, seen: Drained, view: View, tell: Tell) -> Drained:
        stop_everything(self._deps, self._deps.app, tell)
        return seen

    @override
    def unchanged(self, seen: Drained, view: View) -> Drained:
        return seen

    @override
    def confirm_effect(self, result: Drained, view: View, tell: Tell) -> str:
        require_stopped(self._deps, self._deps.app)
        words = ", ".join(f"{kind}={quantity}" for kind, quantity in sorted(result.formation.items()))
        return f"nothing runs; recorded: {words}"


def _still_scaled(current: dict[str, int]) -> tuple[str, ...]:
    """Process types that would start a dyno although none is there at this moment."""
    return tuple(f"{kind} (scaled to {quantity})" for kind, quantity in current.items() if quantity)
