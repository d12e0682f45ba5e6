"""The application's own checks, as its users would meet it; each only reads."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.scenarios.checks import ask_all
from uscdr.scenarios.deps import Deps, now
from uscdr.scenarios.results import ApplicationChecked, VerifiedData
from uscdr.scenarios.results_media import MediaVerified
from uscdr.scenarios.steps.base import DepsStep, shut


class CheckApplication(DepsStep[ApplicationChecked, ApplicationChecked]):
    """Runs the checks of `after_recovery`. Anything but a pass is no success."""

    name = "app.check"
    title = "Check the application"
    default_id = "check_app"
    effect = Effect.READ
    manual = ("heroku open --app {app}   # sign in; open a patient; render a certificate",)
    gives = ApplicationChecked
    needs = ((VerifiedData, MediaVerified),)
    waits = "checks of the application when it is open again"

    def __init__(self, step_id: str, deps: Deps, params: Fact) -> None:
        super().__init__(step_id, deps, params)
        self._checks = deps.config.recovery_checks

    @override
    def ready(self, view: View) -> str | None:
        return self.waits if shut(view) else super().ready(view)

    @override
    def foresee(self, waiting_for: str) -> Action:
        return Action("later", waiting_for, self._calls())

    def _calls(self) -> tuple[Call, ...]:
        return tuple(Call(provider="app", request=f"{c.method} {c.path}", writes=False) for _, c in self._checks)

    @override
    def probe(self, view: View, tell: Tell) -> ApplicationChecked:
        findings = []
        for name, finding in ask_all(self._deps, self._checks, tell):
            tell.check(name, finding.verdict, finding.evidence)
            findings.append(finding)
        verdicts = [finding.verdict for finding in findings]
        return ApplicationChecked(
            at=now(),
            passed=verdicts.count("pass"),
            failed=verdicts.count("fail"),
            not_known=len(verdicts) - verdicts.count("pass") - verdicts.count("fail"),
        )

    @override
    def plan(self, seen: ApplicationChecked, view: View) -> Action:
        total = seen.passed + seen.failed + seen.not_known
        words = f"{seen.passed} of {total} application checks passed"
        if seen.passed != total:
            words += f", {seen.failed} failed, {seen.not_known} not known. The application is open: look at it now"
            return Action("blocked", words, self._calls())
        return Action("read", words, self._calls(), (f"heroku open --app {self._deps.app}",))
