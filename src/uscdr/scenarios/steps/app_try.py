"""Try the pending migrations dry, while users can still work: what would fail in the middle is not begun."""

from __future__ import annotations

import re

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.scenarios.django import PLAN, listed, manage
from uscdr.scenarios.dyno_words import reason
from uscdr.scenarios.refusals import dangerous
from uscdr.scenarios.results_app import AppSeen, Remedy, TriedDry
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import writes
from uscdr.words import first_of, plural

RAW_PYTHON = re.compile(r"^-- (?:Raw Python operation|THIS OPERATION CANNOT BE WRITTEN AS SQL)", re.MULTILINE)


OPEN = "Users were not shut out by this run, and nothing was changed."
WOULD = (
    "if migrations are pending, `check`, `migrate --plan` and their SQL in one-off dynos, before users are shut out; "
    "a dry run starts no dyno and looked at the files only"
)


class TrySeen(Fact):
    """What was decided; empty while nothing is."""

    what: str = ""
    runs_code: tuple[str, ...] = ()


class TryDry(DepsStep[TrySeen, TriedDry]):
    """Asks the deployed code for its checks, its plan and the SQL of every pending migration; applies none."""

    name = "django.try"
    title = "Try the migrations dry"
    effect = Effect.IDEMPOTENT
    manual = (
        "heroku run --exit-code --app {app} -- {manage} check",
        "heroku run --exit-code --app {app} -- {manage} migrate --plan",
        "heroku run --exit-code --app {app} -- {manage} sqlmigrate $APP $MIGRATION",
    )
    sends = (writes("POST", "/apps/{app}/dynos (check; migrate --plan; sqlmigrate; changes nothing)"),)
    gives = TriedDry
    needs = (AppSeen, Remedy)
    plans_with = (AppSeen,)
    waits = "known after the application was looked at"

    @override
    def probe(self, view: View, tell: Tell) -> TrySeen:
        decided = view.get(Remedy)
        return TrySeen(what=decided.what, runs_code=decided.code.runs_code) if decided else TrySeen()

    @override
    def plan(self, seen: TrySeen, view: View) -> Action:
        if not seen.what:
            return Action("later", WOULD, self.calls())
        if seen.what != "migrate":
            return Action("skip", "the code that will run cannot be asked before it does; its files were looked at")
        return Action("change", "the deployed code is asked what it would do; nothing is applied", self.calls())

    @override
    def apply(self, seen: TrySeen, view: View, tell: Tell) -> TriedDry:
        ended = manage(self._deps, "check", tell, "migrate --plan", PLAN, words="check, migrate --plan")
        if ended.exit_status != 0:
            raise self._refused("The deployed code does not migrate", ended.output)
        pending = tuple(name for name, done in listed(self._deps, ended).items() if not done)
        words = dangerous(self._deps, pending)
        if words:
            raise CheckFailed(f"The migration {words}", why=OPEN, next_action="Decide with the developers.")
        if not pending:
            raise CheckFailed(
                "The deployed code has nothing to migrate: what its files show as pending is not installed in it.",
                why=OPEN,
                next_action="Go back: uscdr recover app --release vN --new. Or deploy: uscdr recover app --ref REF "
                "--new",
            )
        return TriedDry(tried=pending, not_tried=self._written(pending, seen.runs_code, tell))

    def _written(self, pending: tuple[str, ...], runs_code: tuple[str, ...], tell: Tell) -> tuple[str, ...]:
        """Has Django write the SQL of each; those that run Python of their own, which this does not try."""
        first, *more = (f"sqlmigrate {name.replace('.', ' ')}" for name in pending)
        ended = manage(self._deps, first, tell, *more, words=f"sqlmigrate of {plural(len(pending), 'migration')}")
        if ended.exit_status != 0:
            raise self._refused("Django cannot write the SQL of what is pending", ended.output)
        raw = RAW_PYTHON.search(ended.output.replace("\r", ""))
        return runs_code or (pending if raw else ())

    def _refused(self, what: str, output: str) -> CheckFailed:
        app = self._deps.app
        return CheckFailed(
            f"{what}: {reason(output) or 'the output tells no reason'}.",
            why=OPEN,
            next_action=f"See: heroku logs --app {app}. Deploy code that does: uscdr recover app --ref REF --new. "
            "Or go back: uscdr recover app --release vN --new. When the cause is cured: uscdr runs resume",
        )

    @override
    def confirm_effect(self, result: TriedDry, view: View, tell: Tell) -> str:
        words = f"{plural(len(result.tried), 'pending migration')} can be written as SQL"
        if result.not_tried:
            tell.warn(f"Not tried, for Python of their own runs: {', '.join(result.not_tried)}.")
            words += f"; not tried: {first_of(result.not_tried)}"
        return words
