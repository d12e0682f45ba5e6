"""Migrate only what is pending on the restored database, and never a listed dangerous migration by itself."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.engine.wait import Patience, until
from uscdr.errors import CheckFailed, EffectFailed, OutcomeUnknown
from uscdr.models.base import Fact
from uscdr.models.heroku import OneOffResult
from uscdr.scenarios.results import Compared, Migrated
from uscdr.scenarios.results_app import DataProbed, Remedy
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import writes
from uscdr.words import plural

PLAN_LINE = re.compile(r"^\[(?P<done>[ Xx])\]\s+(?P<name>[\w]+\.[\w]+)")
LIMIT = 1800.0
ONE_OFF_LIMIT = 120.0


class MigrateSeen(Fact):
    """One-off dynos that run now: an earlier migration may be among them."""

    one_offs: tuple[str, ...]


class Migrate(DepsStep[MigrateSeen, Migrated]):
    """Asks the deployed code itself, in a one-off dyno; its exit status is always looked at."""

    name = "django.migrate"
    title = "Pending migrations"
    effect = Effect.IDEMPOTENT
    sends = (writes("POST", "/apps/{app}/dynos (showmigrations --plan; migrate if pending)"),)
    manual = (
        "heroku run --exit-code --app {app} -- {manage} showmigrations --plan",
        "heroku run --exit-code --app {app} -- {manage} migrate --noinput",
    )
    gives = Migrated
    needs = ((Compared, DataProbed),)
    waits = "pending migrations are known after the restore; dangerous ones are refused"

    @override
    def probe(self, view: View, tell: Tell) -> MigrateSeen:
        patience = Patience("a one-off dyno", ONE_OFF_LIMIT, f"heroku ps --app {self._deps.app}")
        left = until(self._one_offs, lambda names: not names, patience, self._deps.stop)
        return MigrateSeen(one_offs=left)

    def _one_offs(self) -> tuple[str, ...]:
        dynos = self._deps.platform.dynos(self._deps.app)
        return tuple(dyno.name for dyno in dynos if dyno.type == "run" or dyno.name.startswith("run."))

    @override
    def plan(self, seen: MigrateSeen, view: View) -> Action:
        remedy = view.get(Remedy)
        if remedy is not None and remedy.what == "redeploy":
            return Action("noop", "the code that is replaced is not asked; the release phase of the new one migrates")
        return Action("change", "the deployed code is asked which migrations are pending", self.calls())

    @override
    def unchanged(self, seen: MigrateSeen, view: View) -> Migrated:
        return Migrated(applied=())

    @override
    def apply(self, seen: MigrateSeen, view: View, tell: Tell) -> Migrated:
        pending = self._pending(tell)
        self._refuse_dangerous(pending)
        if not pending:
            return Migrated(applied=())
        self._run("migrate --noinput", tell)
        left = self._pending(tell)
        if left:
            raise CheckFailed(f"Still pending after migrate: {', '.join(left)}.", next_action="uscdr runs resume")
        return Migrated(applied=pending)

    def _pending(self, tell: Tell) -> tuple[str, ...]:
        output = self._run("showmigrations --plan", tell).output
        lines = [PLAN_LINE.match(line.strip()) for line in output.splitlines()]
        found = [match for match in lines if match]
        if not found:
            raise OutcomeUnknown(
                "The list of migrations could not be read from the one-off dyno's output.",
                next_action=f"Look yourself: {self.by_hand({})[0]}; then: uscdr runs resume",
            )
        return tuple(match["name"] for match in found if match["done"] == " ")

    def _refuse_dangerous(self, pending: tuple[str, ...]) -> None:
        for rule in self._deps.config.app.dangerous_migrations:
            hit = next((name for name in pending if fnmatchcase(name, rule.name)), None)
            if hit is not None:
                raise CheckFailed(
                    f"The migration {hit} is pending on the restored data and is listed as dangerous.",
                    why=rule.why,
                    next_action="Decide with the developers; when it has been dealt with: uscdr runs resume. "
                    "Maintenance mode stays on.",
                )

    def _run(self, command: str, tell: Tell) -> OneOffResult:
        whole = f"{self._deps.config.app.manage} {command}"
        ended = self._deps.platform.run_one_off(
            self._deps.app,
            whole,
            time_limit=LIMIT,
            on_started=lambda name: tell.progress(f"{name}: {command}"),
        )
        if ended.exit_status is None:
            raise OutcomeUnknown(
                f"The connection to the one-off dyno {ended.name} ended before “{command}” reported its exit status.",
                next_action=f"See: heroku logs --app {self._deps.app} --dyno {ended.name}; then: uscdr runs resume",
            )
        if ended.exit_status != 0:
            raise EffectFailed(
                f"“{whole}” ended with exit status {ended.exit_status}.",
                provider="heroku",
                next_action=f"See: heroku logs --app {self._deps.app} --dyno {ended.name}; then: uscdr runs resume",
            )
        return ended

    @override
    def confirm_effect(self, result: Migrated, view: View, tell: Tell) -> str:
        if not result.applied:
            return "no migration was pending"
        return f"{plural(len(result.applied), 'migration')} applied: {', '.join(result.applied)}"
