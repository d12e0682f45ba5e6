"""Start the stopped processes in order: web, workers, beat. Each must run the current release.

A dyno of an earlier release does not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.scenarios.releases import InForce, Releases
from uscdr.scenarios.results.db import ProcessesStopped, VerifiedData
from uscdr.scenarios.steps.base import AnyStep, ScenarioStep, StepParams, reads, writes

if TYPE_CHECKING:
    from collections.abc import Collection

NEVER_STARTED = frozenset({"release", "console", "rake"})


class _ProcessesStarted(Fact):
    """Process types that run again."""

    running: dict[str, int]


class _StartParams(StepParams):
    """Which part: `web`, `workers` (all that is neither web nor beat) or `beat`."""

    part: Literal["web", "workers", "beat"]


class _StartSeen(Fact):
    """The processes of this part: wanted, scaled, and running now."""

    wanted: dict[str, int]
    scaled: dict[str, int]
    up: dict[str, int]


class StartProcesses(ScenarioStep[_StartSeen, _ProcessesStarted]):
    """Restores one part of the recorded formation."""

    name = "heroku.start"
    title = "Start again"
    effect = Effect.IDEMPOTENT
    sends = (writes("PATCH", "/apps/{app}/formation"),)
    params = _StartParams
    manual = ("heroku ps:scale {scale} --app {app}   # or what ran before it was stopped",)
    gives = _ProcessesStarted
    needs = (VerifiedData, ProcessesStopped)
    part: ClassVar[Literal["web", "workers", "beat"]]

    @override
    @classmethod
    def chosen(cls, params: Fact) -> AnyStep:
        part = _StartParams.model_validate(params.model_dump()).part
        return next(one for one in (StartWeb, StartWorkers, StartBeat) if one.part == part)

    @override
    def probe(self, view: View, tell: Reporter) -> _StartSeen:
        recorded = view.need(ProcessesStopped).formation
        wanted = {kind: number for kind, number in recorded.items() if self._mine(kind) and number}
        now = {entry.type: entry.quantity for entry in self._deps.platform.formation(self._deps.app)}
        return _StartSeen(wanted=wanted, scaled={kind: now.get(kind, 0) for kind in wanted}, up=self._up(wanted))

    def _mine(self, kind: str) -> bool:
        if kind in NEVER_STARTED:
            return False
        part = kind if kind in ("web", "beat") else "workers"
        return part == self.part

    def _up(self, wanted: Collection[str]) -> dict[str, int]:
        """How many dynos of each run the current release."""
        running = InForce.look(self._deps, kinds=wanted).running
        return {kind: running.get(kind, 0) for kind in wanted}

    @override
    def plan(self, seen: _StartSeen, view: View) -> Action:
        words = " ".join(f"{kind}={number}" for kind, number in sorted(seen.wanted.items()))
        known = {"scale": words} if words else {}
        if seen.scaled == seen.wanted and seen.up == seen.wanted:
            done = f"{words} already runs" if words else "nothing to start: no process of this part was recorded"
            return Action("noop", f"{self.part}: {done}", known=known)
        calls = (writes("PATCH", f"/apps/{self._deps.app}/formation"), reads("GET", f"/apps/{self._deps.app}/dynos"))
        return Action("change", f"scale to {words} again", calls, known)

    @override
    def apply(self, seen: _StartSeen, view: View, tell: Reporter) -> _ProcessesStarted:
        if seen.scaled != seen.wanted:
            self._deps.platform.scale(self._deps.app, seen.wanted)
        ended = Releases(self._deps).await_dynos(tell, kinds=seen.wanted)
        if ended.crashed:
            names = ", ".join(dyno.name for dyno in ended.crashed)
            why = Releases(self._deps).why_crashed(ended.crashed)
            logs = f"heroku logs --app {self._deps.app} --dyno {ended.crashed[0].name}"
            raise CheckFailed(
                f"{names} crashed while starting.",
                why=f"The data is restored and verified, but the application does not start with it. {why}".strip(),
                next_action=f"Read the log: {logs}. Fix the cause, then: uscdr runs resume",
            )
        return _ProcessesStarted(running={kind: ended.running.get(kind, 0) for kind in seen.wanted})

    @override
    def current(self, seen: _StartSeen, view: View) -> _ProcessesStarted:
        return _ProcessesStarted(running=seen.up)

    @override
    def verify(self, result: _ProcessesStarted, view: View, tell: Reporter) -> str:
        up = self._up(result.running)
        if up != result.running:
            raise CheckFailed(
                f"{self.part} was running, and has stopped.", next_action=f"heroku ps --app {self._deps.app}"
            )
        return ", ".join(f"{kind}={number} up" for kind, number in sorted(up.items())) or "nothing to start"


class StartWeb(StartProcesses):
    """Starts the web processes."""

    title = "Start web"
    default_id = "refill_web"
    part = "web"
    waits = "web starts as recorded, after the data checks have passed"


class StartWorkers(StartProcesses):
    """Starts all processes other than web and beat."""

    title = "Start workers"
    default_id = "refill_workers"
    part = "workers"
    waits = "workers start as recorded, after the data checks have passed"


class StartBeat(StartProcesses):
    """Starts beat last, because it creates work for the workers."""

    title = "Start beat"
    default_id = "refill_beat"
    part = "beat"
    waits = "beat starts as recorded, after the data checks have passed"
