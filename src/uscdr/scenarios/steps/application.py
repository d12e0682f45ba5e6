"""The application's own checks, as its users would meet it; each only reads."""

from __future__ import annotations

from uscdr.engine.step import Action, Tell, View
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.scenarios.checks import ask_all
from uscdr.scenarios.deps import Deps, now
from uscdr.scenarios.results import ApplicationChecked, MaintenanceSet, VerifiedData
from uscdr.scenarios.steps.base import DepsStep


class CheckApplication(DepsStep[ApplicationChecked, ApplicationChecked]):
    """Runs the checks of `after_recovery`. Anything but a pass is no success."""

    result = ApplicationChecked

    def __init__(self, step_id: str, deps: Deps, params: Fact) -> None:
        super().__init__(step_id, deps, params)
        self._checks = deps.config.recovery_checks

    def ready(self, view: View) -> str | None:
        """After maintenance mode went off."""
        mode = view.get(MaintenanceSet)
        if view.get(VerifiedData) is None or (mode is not None and mode.enabled):
            return f"{len(self._checks)} checks of the application when it is open again"
        return None

    def foresee(self, waiting_for: str) -> Action:
        """The line of the plan while it waits."""
        return Action("later", waiting_for, self._calls())

    def _calls(self) -> tuple[Call, ...]:
        return tuple(Call(provider="app", request=f"{c.method} {c.path}", writes=False) for _, c in self._checks)

    def probe(self, view: View, tell: Tell) -> ApplicationChecked:
        """Run every check, whatever the others gave."""
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

    def plan(self, seen: ApplicationChecked, view: View) -> Action:
        """Blocked unless all passed."""
        total = seen.passed + seen.failed + seen.not_known
        words = f"{seen.passed} of {total} application checks passed"
        if seen.passed != total:
            words += f", {seen.failed} failed, {seen.not_known} not known. The application is open: look at it now"
            return Action("blocked", words, self._calls())
        return Action("read", words, self._calls(), (f"heroku open --app {self._deps.app}",))
