"""Apply pending migrations; a migration that scenarios.yaml lists as dangerous stops the run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.engine import reconcile
from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import AnswerLost, CheckFailed, EffectFailed, OutcomeUnknown
from uscdr.models.base import Fact
from uscdr.scenarios.code import DeployedCode
from uscdr.scenarios.django import PLAN, Django, DjangoOutput
from uscdr.scenarios.results.app import DataProbed, Remedy
from uscdr.scenarios.results.db import Compared, Migrated, ProcessesStopped
from uscdr.scenarios.steps.base import ScenarioStep, writes
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Collection

    from uscdr.models.heroku import OneOffResult

ONE_OFF_LIMIT = 120.0


class _MigrateSeen(Fact):
    """One-off dynos that run now; one may be an earlier migration."""

    one_offs: tuple[str, ...]


class Migrate(ScenarioStep[_MigrateSeen, Migrated]):
    """Runs the deployed code in a one-off dyno, and checks its exit status."""

    name = "django.migrate"
    title = "Apply pending migrations"
    effect = Effect.IDEMPOTENT
    sends = (writes("POST", "/apps/{app}/dynos (showmigrations --plan; migrate if pending)"),)
    manual = (
        "heroku run --exit-code --app {app} -- {manage} showmigrations --plan",
        "heroku run --exit-code --app {app} -- {manage} migrate --noinput",
    )
    gives = Migrated
    needs = ((Compared, DataProbed),)
    waits = "pending migrations are known after the restore; dangerous ones stop the run"

    @override
    def probe(self, view: View, tell: Reporter) -> _MigrateSeen:
        patience = WaitLimit("a one-off dyno", ONE_OFF_LIMIT, f"heroku ps --app {self._deps.app}")
        left = until(self._one_offs, lambda names: not names, patience, self._deps.stop)
        return _MigrateSeen(one_offs=left)

    def _one_offs(self) -> tuple[str, ...]:
        dynos = self._deps.platform.dynos(self._deps.app)
        return tuple(dyno.name for dyno in dynos if dyno.type == "run" or dyno.name.startswith("run."))

    @override
    def plan(self, seen: _MigrateSeen, view: View) -> Action:
        remedy = view.get(Remedy)
        if remedy is not None and remedy.what == "redeploy":
            return Action("noop", "the release phase of the new code applies its migrations")
        return Action("change", "ask the deployed code for pending migrations, and apply them", self.calls())

    @override
    def current(self, seen: _MigrateSeen, view: View) -> Migrated:
        return Migrated(applied=())

    @override
    def apply(self, seen: _MigrateSeen, view: View, tell: Reporter) -> Migrated:
        let_in = self._let_in(view)
        pending = self._pending(tell, let_in)
        if not pending:
            return Migrated(applied=())
        self._refuse_dangerous(pending, let_in)
        self._refuse_stuck(let_in)
        try:
            ended = Django(self._deps).manage("migrate --noinput", tell)
        except AnswerLost as error:
            return self._after_loss(pending, tell, let_in, error)
        if ended.exit_status != 0:
            raise self._failed(ended, let_in)
        left = self._pending(tell, let_in)
        if left:
            raise CheckFailed(
                f"These migrations are still pending after `migrate`: {', '.join(left)}.",
                next_action="uscdr runs resume",
            )
        return Migrated(applied=pending)

    def _refuse_dangerous(self, pending: Collection[str], let_in: str) -> None:
        """Raises CheckFailed when one of these must not run by itself; `let_in` are the commands that let users in."""
        words = self._deps.config.app.danger_in(pending)
        if words:
            raise CheckFailed(
                f"The migration {words}",
                why="No migration has begun. Maintenance mode still blocks users.",
                next_action="Decide with the developers; when it has been dealt with: uscdr runs resume. "
                f"Or let users in as it is: {let_in}",
            )

    def _refuse_stuck(self, let_in: str) -> None:
        """Raises CheckFailed when the pending migrations surely fail."""
        code = DeployedCode(self._deps)
        found = code.judge_running()
        if found.stuck:
            raise CheckFailed(
                f"{found.stuck[0][:1].upper()}{found.stuck[0][1:]}.",
                why="No migration has begun. Maintenance mode still blocks users.",
                next_action=f"{code.way_on(found)} Then: uscdr runs resume. Or let users in as it is: {let_in}",
            )

    def _after_loss(self, pending: tuple[str, ...], tell: Reporter, let_in: str, error: AnswerLost) -> Migrated:
        """Waits for the end of a migration whose answer was lost. It is not sent again: two at once would conflict."""
        deadline = time.monotonic() + reconcile.LOOK_SECONDS
        while not self._one_offs() and time.monotonic() < deadline:
            tell.progress("checking whether the migration runs")
            self._deps.stop.pause(reconcile.LOOK_INTERVAL)
        patience = WaitLimit("the migration", ONE_OFF_LIMIT, f"heroku ps --app {self._deps.app}")
        until(self._one_offs, lambda names: not names, patience, self._deps.stop)
        if self._pending(tell, let_in):
            raise OutcomeUnknown(
                "It is not known whether the requested migrations still run.",
                why=f"{error.message} They are pending, and Heroku lists no one-off dyno.",
                next_action=f"See: heroku ps --app {self._deps.app}. When it lists no run.N: uscdr runs resume",
            )
        return Migrated(applied=pending)

    def _let_in(self, view: View) -> str:
        """The commands that give users access to the database as it is."""
        app, stopped = self._deps.app, view.get(ProcessesStopped)
        scale = " ".join(f"{kind}={number}" for kind, number in sorted(stopped.formation.items())) if stopped else ""
        off = f"heroku maintenance:off --app {app}"
        return f"heroku ps:scale {scale} --app {app} && {off}" if scale else off

    def _pending(self, tell: Reporter, let_in: str) -> tuple[str, ...]:
        ended = Django(self._deps).manage(PLAN, tell)
        if ended.exit_status != 0:
            raise self._failed(ended, let_in)
        return tuple(name for name, done in Django(self._deps).listed(ended).items() if not done)

    def _failed(self, ended: OneOffResult, let_in: str) -> EffectFailed:
        """The failed migration, the reason from Django and the database, and every next step."""
        app, name = self._deps.app, DjangoOutput(ended.output).failed_migration
        before = DjangoOutput(ended.output).applied
        what = f"The migration {name} failed" if name else f"The deployed code did not run ({ended.name} ended)"
        why = DjangoOutput(ended.output).reason or f"exit status {ended.exit_status}, with no reason in the output"
        done = f" Applied before it: {', '.join(before)}." if before else ""
        return EffectFailed(
            f"{what}: {why}.",
            provider="heroku",
            why=f"The database is as it was before that migration, unless the migration is not atomic.{done}"
            if name
            else "",
            next_action=f"Maintenance mode is still on. Full output: heroku logs --app {app} --dyno {ended.name}. "
            "Fix the cause, then: uscdr runs resume. Or deploy code without it: uscdr recover app --ref REF --new. "
            f"Or give users access to the database as it is: {let_in}",
        )

    @override
    def verify(self, result: Migrated, view: View, tell: Reporter) -> str:
        if not result.applied:
            return "no migration was pending"
        return f"{plural(len(result.applied), 'migration')} applied: {', '.join(result.applied)}"
