"""The checks that a recovery ends with; each only reads."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.scenarios.checks import TOUCHED, application_checks, ask, calls, held_back, recovery_checks, worst_first
from uscdr.scenarios.deps import Deps, now
from uscdr.scenarios.results import ApplicationChecked, ChosenBackup, VerifiedData, Withdrawn
from uscdr.scenarios.results_media import MediaVerified
from uscdr.scenarios.steady import watch
from uscdr.scenarios.steps.base import DepsStep, shut
from uscdr.words import first_of

STAY = "dynos stay up"


class CheckParams(Fact):
    """Which of the checks of `after_recovery`."""

    only: Literal["application"] | None = None
    """Those that the application itself answers: before the switch neither domain nor workers are there."""


def _left_open(view: View) -> tuple[str, ...]:
    """What was left undone on purpose: a recovery is not done with that."""
    withdrawn = view.get(Withdrawn)
    if withdrawn is None or not withdrawn.left:
        return ()
    return (f"access that was withdrawn is open again, as asked: {withdrawn.words}",)


class CheckApplication(DepsStep[ApplicationChecked, ApplicationChecked]):
    """Runs the checks of `after_recovery`. Anything but a pass is no success."""

    name = "app.check"
    title = "Check the application"
    default_id = "check_app"
    effect = Effect.READ
    params = CheckParams
    manual = ("heroku open --app {app}   # sign in; open a patient; render a certificate",)
    gives = ApplicationChecked
    needs = ((VerifiedData, MediaVerified),)
    waits = "checks of the application when it is open again"

    def __init__(self, step_id: str, deps: Deps, params: Fact) -> None:
        super().__init__(step_id, deps, params)
        only = self.given(CheckParams).only
        scenario = deps.request.scenario
        self._checks = application_checks(deps.config) if only else recovery_checks(deps.config, scenario)
        self._last = only is None and "dynos" in TOUCHED.get(scenario, ())

    @override
    def ready(self, view: View) -> str | None:
        return self.waits if shut(view) else super().ready(view)

    @override
    def calls(self) -> tuple[Call, ...]:
        return calls(self._checks)

    @override
    def probe(self, view: View, tell: Tell) -> ApplicationChecked:
        results = []
        for one in ask(self._deps, self._checks, tell):
            tell.check(one.check.name, one.finding.verdict, one.finding.evidence)
            results.append(one)
        verdicts = Counter(one.finding.verdict for one in results)
        passed, failed = verdicts["pass"], verdicts["fail"]
        return ApplicationChecked(
            at=now(), passed=passed, failed=failed, not_known=verdicts.total() - passed - failed,
            worst=worst_first(results), held_back=held_back(results),
            fallen=self._watched(tell) if self._last else (), left_open=_left_open(view),
        )  # fmt: skip

    def _watched(self, tell: Tell) -> tuple[str, ...]:
        """Dynos that do not stay up. Looked at after the checks: what those took need not be waited for."""
        seen = watch(self._deps, tell)
        tell.check(STAY, "fail" if seen.fallen else "pass", "; ".join(seen.fallen) or seen.words)
        for remark in seen.remarks:
            tell.warn(f"{remark}.")
        return seen.fallen

    @override
    def plan(self, seen: ApplicationChecked, view: View) -> Action:
        total = seen.passed + seen.failed + seen.not_known
        words = f"{seen.passed} of {total} checks passed"
        if seen.worst:
            words += f", {seen.failed} failed, {seen.not_known} not known. The application is open: look at it now"
        elif seen.held_back:
            words += f". Not checked, as a limit of requests is used up: {first_of(seen.held_back, comma='; ')}"
        found = (*seen.worst, *seen.fallen, *seen.left_open)
        if seen.fallen:
            words += f". Why a dyno came down: heroku logs --num 1500 --app {self._deps.app}"
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            return Action("blocked", f"{found[0]}{more}. {words}{_put_back(view)}", calls(self._checks))
        return Action("read", words, calls(self._checks))


def _put_back(view: View) -> str:
    """What leads on from a damaged state that was put back on purpose."""
    chosen = view.get(ChosenBackup)
    if chosen is None or not chosen.damaged:
        return ""
    return f". {chosen.backup} is back as it was captured, DAMAGED; a sound one: uscdr recover db --backup NAME --new"
