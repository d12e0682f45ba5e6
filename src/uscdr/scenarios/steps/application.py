"""The checks at the end of a recovery; each only reads."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from uscdr.checks.uptime import UP, DynoRestart, DynoUptime
from uscdr.clock import system_time
from uscdr.engine.step import Action, Effect, View
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import ProviderError
from uscdr.scenarios.checks import ask, calls, held_back, worst_first
from uscdr.scenarios.config import TOUCHED
from uscdr.scenarios.releases import InForce, Releases
from uscdr.scenarios.results.app import MediaVerified
from uscdr.scenarios.results.db import ApplicationChecked, ChosenBackup, VerifiedData, Withdrawn
from uscdr.scenarios.steps.base import ScenarioStep, StepParams, shut
from uscdr.words import duration, first_of

if TYPE_CHECKING:
    from uscdr.engine.step import Reporter
    from uscdr.models.base import Call, Fact
    from uscdr.models.heroku import Dyno
    from uscdr.scenarios.adapters import Adapters


# The last check of the dynos: that they stay up, not only that they started.


MOST = 4.0
"""The longest wait, as a multiple of the required uptime; a dyno that is not stable then is a finding."""


@dataclass(frozen=True)
class _Steady:
    """The result. `fallen`: problems; `remarks`: earlier crashes of dynos that are stable now."""

    words: str
    fallen: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass
class _Watch:
    """Remembers since when each dyno is up, and reads the log again only when a dyno has changed."""

    deps: Adapters
    window: float
    seen: dict[tuple[str, str], float] = field(default_factory=dict)
    fallen: dict[str, tuple[DynoRestart, ...]] = field(default_factory=dict)
    unread: str = ""

    def look(self) -> tuple[InForce, tuple[DynoUptime, ...]]:
        force = InForce.look(self.deps)
        marks = {_mark(one): one for one in force.dynos}
        if not self.seen or marks.keys() - self.seen.keys():
            self._read()
        begun = time.monotonic()
        self.seen = {mark: self.seen.get(mark, begun) for mark in marks}
        return force, tuple(map(self._aged, DynoUptime.of(force.dynos, self.fallen, system_time(), set(force.running))))

    def _aged(self, one: DynoUptime) -> DynoUptime:
        """Up for at least as long as this process saw it: the clocks may differ, or Heroku may not report the time."""
        watched = time.monotonic() - self.seen[_mark(one.dyno)]
        return DynoUptime(one.dyno, max(one.up or 0.0, watched), one.falls) if one.dyno.state == UP else one

    def _read(self) -> None:
        try:
            self.fallen, self.unread = dict(Releases(self.deps).fallen_lately()), ""
        except ProviderError as error:
            self.unread = f"uscdr could not read whether a dyno crashed before: {error.message}"


def _watch(deps: Adapters, tell: Reporter) -> _Steady:
    """Wait until every dyno of the formation has been up for the required time, or one has crashed.

    Raises:
        OutcomeUnknown: Heroku did not answer.
        Interrupted: the operator interrupted.
    """
    window = deps.services.heroku.steady
    eyes, end = _Watch(deps, window), time.monotonic() + MOST * window

    def look() -> tuple[InForce, tuple[DynoUptime, ...]]:
        force, found = eyes.look()
        young = [one for one in found if not one.stands(window)]
        if young:
            least = min(young, key=lambda one: (one.up or 0.0) - one.needs(window))
            up, needed = duration(int(least.up or 0.0)), duration(least.needs(window))
            tell.progress(f"waiting until {least.dyno.name} has been up for {needed} ({least.dyno.state}, {up})")
        elif not force.reached:
            tell.progress(force.words)
        return force, found

    def done(seen: tuple[InForce, tuple[DynoUptime, ...]]) -> bool:
        force, found = seen
        stand = force.reached and all(one.stands(window) for one in found)
        return stand or bool(force.crashed or force.failed) or _hopeless(found, end) or time.monotonic() >= end

    patience = WaitLimit("the start of the dynos", 2 * MOST * window + 60, f"heroku ps --app {deps.app}")
    return _judged(*until(look, done, patience, deps.stop), eyes)


def _hopeless(found: tuple[DynoUptime, ...], end: float) -> bool:
    """Whether a dyno crashed and cannot count as stable before the end of the wait."""
    left = end - time.monotonic()
    return any(one.falls and one.needs(0.0) - (one.up or 0.0) > left for one in found)


def _judged(force: InForce, found: tuple[DynoUptime, ...], eyes: _Watch) -> _Steady:
    short = [one for one in found if not one.stands(eyes.window)]
    fallen = [one.words for one in short if one.unsettled] or [one.words for one in short]
    if not force.reached and not fallen:
        fallen = [force.words]
    remarks = [one.words for one in found if one.falls and one.words not in fallen]
    remarks += [eyes.unread] if eyes.unread else []
    return _Steady(_good(found, force), tuple(fallen), tuple(remarks))


def _good(found: tuple[DynoUptime, ...], force: InForce) -> str:
    ages = [one.up for one in found if one.up is not None]
    return f"{force.words}, up for {duration(min(ages))} or longer" if ages else force.words


def _mark(dyno: Dyno) -> tuple[str, str]:
    """Identifies a dyno in its present state."""
    return dyno.name, f"{dyno.id} {dyno.state} {dyno.updated_at}"


STAY = "dynos stay up"


class _CheckParams(StepParams):
    """Which checks of `after_recovery` to run."""

    only: Literal["application"] | None = None
    """Only checks that the application itself answers: before the switch, domain and workers do not exist yet."""


def _left_open(view: View) -> tuple[str, ...]:
    """What was left undone on request; the recovery is then not complete."""
    withdrawn = view.get(Withdrawn)
    if withdrawn is None or not withdrawn.left:
        return ()
    return (f"the restore gave access back, as requested: {withdrawn.words}",)


class CheckApplication(ScenarioStep[ApplicationChecked, ApplicationChecked]):
    """Runs the checks of `after_recovery`. Only a pass is a success."""

    name = "app.check"
    title = "Check the application"
    default_id = "check_app"
    effect = Effect.READ
    params = _CheckParams
    manual = ("heroku open --app {app}   # sign in; open a patient; render a certificate",)
    gives = ApplicationChecked
    needs = ((VerifiedData, MediaVerified),)
    waits = "the checks run when maintenance mode is off"

    def __init__(self, step_id: str, deps: Adapters, params: Fact) -> None:
        super().__init__(step_id, deps, params)
        only = self.given(_CheckParams).only
        scenario = deps.request.scenario
        self._checks = deps.config.application_checks() if only else deps.config.recovery_checks(scenario)
        self._last = only is None and "dynos" in TOUCHED.get(scenario, ())

    @override
    def ready(self, view: View) -> str | None:
        return self.waits if shut(view) else super().ready(view)

    @override
    def calls(self) -> tuple[Call, ...]:
        return calls(self._checks)

    @override
    def probe(self, view: View, tell: Reporter) -> ApplicationChecked:
        results = []
        for one in ask(self._deps, self._checks, tell):
            tell.check(one.check.name, one.finding.verdict, one.finding.evidence)
            results.append(one)
        verdicts = Counter(one.finding.verdict for one in results)
        passed, failed = verdicts["pass"], verdicts["fail"]
        return ApplicationChecked(
            at=system_time(), passed=passed, failed=failed, not_known=verdicts.total() - passed - failed,
            worst=worst_first(results), held_back=held_back(results),
            fallen=self._watched(tell) if self._last else (), left_open=_left_open(view),
        )  # fmt: skip

    def _watched(self, tell: Reporter) -> tuple[str, ...]:
        """Dynos that do not stay up. Runs after the checks, whose time counts as uptime."""
        seen = _watch(self._deps, tell)
        tell.check(STAY, "fail" if seen.fallen else "pass", "; ".join(seen.fallen) or seen.words)
        for remark in seen.remarks:
            tell.warn(f"{remark}.")
        return seen.fallen

    @override
    def plan(self, seen: ApplicationChecked, view: View) -> Action:
        total = seen.passed + seen.failed + seen.not_known
        words = f"{seen.passed} of {total} checks passed"
        if seen.worst:
            words += (
                f", {seen.failed} failed, {seen.not_known} not known. Users have access to the application: "
                "check it now"
            )
        elif seen.held_back:
            words += f". Not checked, because a rate limit is used up: {first_of(seen.held_back, comma='; ')}"
        found = (*seen.worst, *seen.fallen, *seen.left_open)
        if seen.fallen:
            words += f". To see why a dyno crashed: heroku logs --num 1500 --app {self._deps.app}"
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            return Action("blocked", f"{found[0]}{more}. {words}{_put_back(view)}", calls(self._checks))
        return Action("read", words, calls(self._checks))


def _put_back(view: View) -> str:
    """The next step after a damaged backup was restored on request."""
    chosen = view.get(ChosenBackup)
    if chosen is None or not chosen.damaged:
        return ""
    return (
        f". The run restored {chosen.backup}, which is DAMAGED. To restore a good one: "
        "uscdr recover db --backup NAME --new"
    )
