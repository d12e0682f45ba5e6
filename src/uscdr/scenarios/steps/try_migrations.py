"""Try pending migrations on a restored copy of the data while users can still work: what fails is seen in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.engine.step import Action, Effect, FoundWrite, Intent, Reporter, View
from uscdr.errors import BadInput, CheckFailed, MachineError, OutcomeUnknown, ProviderError
from uscdr.models.base import Fact
from uscdr.models.migrations import CodeMigrations, MigrationsVerdict
from uscdr.models.trial import MigrationScript, Trial, Untried, pending_on
from uscdr.scenarios.code import DeployedCode, Tables
from uscdr.scenarios.django import LIST, PLAN, Django, DjangoOutput
from uscdr.scenarios.fitness import another
from uscdr.scenarios.prover import DumpSource
from uscdr.scenarios.results.app import AppSeen, Remedy, TriedDry
from uscdr.scenarios.steps.base import DOWNLOADS, RESTORED_BY_HAND, ScenarioStep, writes
from uscdr.scenarios.steps.choose import Choice, with_reasons
from uscdr.words import first_of, plural, size

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from uscdr.models.heroku import OneOffResult, Release
    from uscdr.models.transfers import Transfer
    from uscdr.providers.ports.database import Copy
    from uscdr.scenarios.adapters import Adapters


SHARE_OF_RTO = 0.05
"""Of the time there is to recover: no more goes into one dyno of a trial, nor into its SQL on the copy."""
LEAST = 60.0
"""Seconds: a dyno alone takes that long to come up on a bad day."""
OPEN = "This run did not block users, and changed nothing."


def _seconds(deps: Adapters) -> float:
    """How long a dyno, or the SQL of all migrations, may take."""
    return max(LEAST, deps.config.objectives.rto * SHARE_OF_RTO)


@dataclass(frozen=True)
class _TrialSubject:
    """The backup whose copy is at hand, and what a person does when its data let a migration fail."""

    backup: str
    copy: Copy
    way_on: str
    restored: bool
    """Whether the migrations will run on these very data; else on the live ones, which are newer."""


@dataclass(frozen=True)
class _MigrationPlan:
    """Every installed migration in Django's order, each with whether the live database has it; see `pending_on`."""

    done: Mapping[str, bool]
    squashed: Collection[str]

    @property
    def pending(self) -> tuple[str, ...]:
        """On the live database."""
        return tuple(name for name, done in self.done.items() if not done)


def _plan_of(deps: Adapters, asked: OneOffResult) -> _MigrationPlan:
    """From the output of `PLAN` and `LIST`. Raises OutcomeUnknown when there is none in it."""
    own = DjangoOutput(asked.output).listed()
    return _MigrationPlan(Django(deps).listed(asked), own.squashed if own else ())


def _rehearsed(deps: Adapters, subject: _TrialSubject, tell: Reporter) -> TriedDry:
    """What the deployed code would apply after the backup is restored, tried on its copy (starts one-off dynos).

    Raises CheckFailed for what surely fails; ProviderError, OutcomeUnknown when the code could not be asked.
    """
    asked = Django(deps).manage(PLAN, tell, LIST, words="showmigrations", time_limit=_seconds(deps))
    if asked.exit_status != 0:
        words = (
            f"the deployed code could not be asked: {DjangoOutput(asked.output).reason or 'the output tells no reason'}"
        )
        return TriedDry(tried=(), untried=(words,))
    plan = _plan_of(deps, asked)
    missing = _missing_on(deps, subject.copy, plan)
    written = Django(deps).sql_of(missing.names, tell, time_limit=_seconds(deps)) if missing.names else ()
    return _tried_on_copy(deps, subject, missing, written, plan, tell)


@dataclass(frozen=True)
class _Missing:
    """What is pending on the copy, in Django's order, and what cannot be told; see `pending_on`."""

    names: tuple[str, ...]
    unknown: tuple[Untried, ...]
    beside: frozenset[str]
    """Those whose SQL is written beside a database that has them already, or is damaged."""


def _missing_on(deps: Adapters, copy: Copy, plan: _MigrationPlan) -> _Missing:
    """What the deployed code would apply to the copy. Raises ProviderError."""
    applied, code = copy.migrations(), DeployedCode(deps).running()
    recorded = {one.full_name for one in applied}
    names, unknown = pending_on(plan.done, plan.squashed, MigrationsVerdict.compare(code, applied), recorded)
    live = {name for name, done in plan.done.items() if done}
    return _Missing(names, unknown, frozenset(live if _whole(deps, code) else names))


def _whole(deps: Adapters, code: CodeMigrations | None) -> bool:
    """Whether the live database surely has what its recorded migrations made."""
    try:
        found = Tables.live(deps).against(code)
    except (ProviderError, BadInput):
        return False
    return found.known and not (found.lacking or found.stuck)


def _tried_on_copy(
    deps: Adapters,
    subject: _TrialSubject,
    missing: _Missing,
    written: Sequence[MigrationScript],
    plan: _MigrationPlan,
    tell: Reporter,
) -> TriedDry:
    """Tries these migrations in their order; nothing of it stays. Raises CheckFailed for what surely fails."""
    names = missing.names
    tell.progress(f"trying the SQL of {plural(len(names), 'migration')} on the copy of {subject.backup}")
    able = MigrationScript.runnable(names, written)
    python = tuple(one.name for one in written if one.runs_code)
    trial = Trial.judge(subject.copy.tried(able, seconds=_seconds(deps)), python, missing.beside)
    if not subject.restored:
        trial = trial.without_applied({name for name, done in plan.done.items() if done})
    if missing.unknown:
        trial = trial.without_refusal(f"it may rest on {missing.unknown[0].name}, which was not tried")
    _refuse(trial, subject)
    untried = (*trial.untried, *(_unwritten(one) for one in written if one.failed and one.name in names))
    whole = trial.model_copy(update={"untried": untried})
    return TriedDry(
        tried=tuple(one.name for one in written if not one.failed),
        not_tried=python,
        backup=subject.backup,
        ran=trial.ran,
        untried=tuple(map(str, (*untried, *whole.behind(names), *missing.unknown))),
    )


def _unwritten(script: MigrationScript) -> Untried:
    why = DjangoOutput(script.output).reason or "the output tells no reason"
    return Untried(name=script.name, why=f"Django cannot write its SQL beside the live database: {why}")


def _refuse(trial: Trial, subject: _TrialSubject) -> None:
    if trial.refused is not None:
        raise CheckFailed(
            f"The migration {trial.refused.name} fails on the data of {subject.backup}: {trial.refused.why}.",
            why=f"Its SQL was tried on the copy that is restored on this machine. {OPEN}",
            next_action=subject.way_on,
        )


def _summary(result: TriedDry) -> str:
    """What was tried and what was not, for the end of a step."""
    if not result.backup:
        return f"NOT TRIED: {first_of(result.untried)}" if result.untried else "nothing was tried"
    words = f"the SQL of {plural(len(result.ran), 'pending migration')} runs on the copy of {result.backup}"
    return f"{words}; NOT TRIED: {first_of(result.untried, comma='; ')}" if result.untried else words


# Try on the backup's copy what the deployed code will migrate after the restore, while users can still work.


CODE = (
    "Or deploy code that can: uscdr recover app --ref REF --new. Or roll back to the code of the backup's time: "
    "uscdr recover app --release vN --new. Then: uscdr recover db --new"
)


class _PendingSeen(Fact):
    """The backup and its pending migrations. `skipped`: why none is tried; empty if they are."""

    backup: str = ""
    transfer_id: str = ""
    pending: tuple[str, ...] = ()
    known: bool = False
    """Whether the list comes from the code's files; if not, the step asks the code itself."""
    skipped: str = ""


class TryOnCopy(ScenarioStep[_PendingSeen, TriedDry]):
    """Waits for the proof only if migrations may be pending on the backup. The trial is rolled back."""

    name = "django.try_on_copy"
    title = "Try the migrations on a copy"
    effect = Effect.FINDABLE
    manual = (
        "heroku run --exit-code --app {app} -- {manage} showmigrations --plan",
        "heroku run --exit-code --app {app} -- {manage} sqlmigrate $APP $MIGRATION > migration.sql",
        "heroku pg:backups:download $BACKUP --app {app} --output proof.dump",
        *RESTORED_BY_HAND,
        "(echo 'BEGIN;'; grep -vE '^(BEGIN|COMMIT);' migration.sql; echo 'ROLLBACK;') >trial.sql",
        "psql -v ON_ERROR_STOP=1 -h 127.0.0.1 -U proof -f trial.sql proof",
    )
    sends = (writes("POST", "/apps/{app}/dynos (showmigrations; sqlmigrate; changes nothing)"),)
    gives = TriedDry

    def __init__(self, step_id: str, deps: Adapters, params: Fact) -> None:
        super().__init__(step_id, deps, params)
        self._doubts: dict[str, bool] = {}

    @override
    def probe(self, view: View, tell: Reporter) -> _PendingSeen:
        in_doubt = self._in_doubt(view)  # before a proof reads the same files in the background
        choice = Choice.now(self._deps, view, tell)
        chosen = choice.chosen
        if choice.is_damaged(self._deps):
            return _PendingSeen(skipped=f"{chosen.name} is damaged, and is restored as it is")
        if not in_doubt:
            words = f"no code was deployed since {chosen.name}, and no migration is known to be pending"
            return _PendingSeen(backup=chosen.name, skipped=words)
        code = self._deps.candidate.proof(DumpSource.stored(self._deps.backups, self._owner(), chosen), tell).code
        skipped = f"no migration is pending on {chosen.name}" if code.up_to_date else ""
        skipped = f"{chosen.name} is not restored as it is" if code.stuck else skipped
        return _PendingSeen(
            backup=chosen.name, transfer_id=chosen.id, pending=code.pending, known=code.known, skipped=skipped
        )

    def _in_doubt(self, view: View) -> bool:
        """Whether migrations may be pending on the backup. A proof before the freeze shows it."""
        choice = Choice.pick(self._deps, self._deps.backups.transfers(self._deps.attachment()), view)
        if choice.by_proof(self._deps):
            return True
        chosen = choice.chosen
        if chosen.id not in self._doubts:
            self._doubts[chosen.id] = self._may_lack(chosen)
        return self._doubts[chosen.id]

    def _may_lack(self, chosen: Transfer) -> bool:
        deps = self._deps
        try:
            deps.database().facts()
            since = _deployed_since(chosen.taken_at, deps.platform.releases(deps.app))
            return since or bool(DeployedCode(deps).judge_running().pending)
        except (ProviderError, BadInput):
            return True

    @override
    def plan(self, seen: _PendingSeen, view: View) -> Action:
        if seen.skipped:
            return Action("noop", seen.skipped, known={"BACKUP": seen.backup} if seen.backup else {})
        what = f"{plural(len(seen.pending), 'migration')} pending on {seen.backup} ({first_of(seen.pending)})"
        what = what if seen.known else f"every migration of the deployed code that {seen.backup} lacks"
        words = f"{what}: write the SQL in one-off dynos, try it on the copy, and roll it back"
        dry = "; NOT TRIED, because a dry run starts no dyno" if self._deps.dry_run else ""
        return Action("change", words + dry, self.calls(), {"BACKUP": seen.backup})

    @override
    def apply(self, seen: _PendingSeen, view: View, tell: Reporter) -> TriedDry:
        deps = self._deps
        deps.candidate.proof(DumpSource.stored(deps.backups, self._owner(), self._transfer(seen)), tell)
        way_on = f"{_anew(another(view, seen.backup))}. {CODE}"
        try:
            return _rehearsed(
                deps, _TrialSubject(seen.backup, deps.candidate.open_database(), way_on, restored=True), tell
            )
        except (ProviderError, OutcomeUnknown) as error:
            return TriedDry(tried=(), untried=(f"uscdr could not ask the deployed code: {error.message}",))

    def _owner(self) -> str:
        return self._deps.attachment().owner_app_name

    def _transfer(self, seen: _PendingSeen) -> Transfer:
        return self._deps.backups.transfer(self._owner(), seen.transfer_id)

    @override
    def current(self, seen: _PendingSeen, view: View) -> TriedDry:
        return TriedDry(tried=())

    @override
    def verify(self, result: TriedDry, view: View, tell: Reporter) -> str:
        for words in result.untried:
            tell.warn(f"Not tried before the restore: {words}.")
        return _summary(result)

    @override
    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        return FoundWrite("the copy on this machine", "a trial changes nothing", None, again=True)

    @override
    def adopt(self, provider_id: str, seen: _PendingSeen, view: View, tell: Reporter) -> TriedDry:
        return self.current(seen, view)


def _deployed_since(at: datetime, releases: Sequence[Release]) -> bool:
    """Whether other code was released after `at`; also True if the list, newest first, ends before."""
    newer = [one for one in releases if one.created_at is not None and one.created_at > at]
    if not newer:
        return False
    before = releases[len(newer)].slug_id if len(newer) < len(releases) else None
    return before is None or any(one.slug_id not in {None, before} for one in newer)


def _anew(words: str) -> str:
    """Adds `--new`: this run is not finished, and the advice starts another one."""
    return f"{words} --new" if "--backup" in words else words


# Dry-run the pending migrations while users can still work, so that a failure stops the run before any change.


WAY_ON = (
    "Deploy code that can migrate this data: uscdr recover app --ref REF --new. Or roll back: uscdr recover app "
    "--release vN --new. If the data was fixed since that backup: uscdr backup capture, then uscdr runs resume"
)
RESTORED_A_SECOND = 2_000_000
"""Bytes per second that any machine can fetch and restore; a backup that would take too long is not tried."""
AMBIGUOUS = "More than one migration matches"
"""The error of `sqlmigrate` for a name that is the start of another name; `migrate` accepts it."""

WOULD = (
    "if migrations are pending: run `check` and `migrate --plan`, write their SQL in one-off dynos, and try it on a "
    "restored copy of the newest backup, before maintenance mode; a dry run starts no dyno and reads the files only"
)


class _TrySeen(Fact):
    """The chosen remedy; empty while there is none."""

    what: str = ""
    runs_code: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


class TryDry(ScenarioStep[_TrySeen, TriedDry]):
    """Asks the deployed code for its checks, its plan and the SQL of pending migrations; applies none."""

    name = "django.try"
    title = "Dry-run the migrations"
    effect = Effect.IDEMPOTENT
    manual = (
        "heroku run --exit-code --app {app} -- {manage} check",
        "heroku run --exit-code --app {app} -- {manage} migrate --plan",
        "heroku run --exit-code --app {app} -- {manage} sqlmigrate $APP $MIGRATION",
    )
    sends = (writes("POST", "/apps/{app}/dynos (check; migrate --plan; sqlmigrate; changes nothing)"), *DOWNLOADS)
    gives = TriedDry
    needs = (AppSeen, Remedy)
    plans_with = (AppSeen,)
    waits = "known after the application is inspected"

    @override
    def probe(self, view: View, tell: Reporter) -> _TrySeen:
        decided = view.get(Remedy)
        if decided is None:
            return _TrySeen()
        code = decided.code
        return _TrySeen(what=decided.what, runs_code=code.runs_code, pending=code.pending)

    @override
    def plan(self, seen: _TrySeen, view: View) -> Action:
        if not seen.what:
            return Action("later", WOULD, self.calls())
        if seen.what != "migrate":
            also = f"; NOT TRIED: {first_of(seen.pending)}" if seen.pending else ""
            words = "the code that will run is not deployed yet; uscdr read its files"
            return Action("skip", words + also)
        return Action("change", "ask the deployed code for its migration plan; apply nothing", self.calls())

    @override
    def apply(self, seen: _TrySeen, view: View, tell: Reporter) -> TriedDry:
        words = "check, migrate --plan"
        ended = Django(self._deps).manage("check", tell, "migrate --plan", PLAN, LIST, words=words)
        if ended.exit_status != 0:
            raise self._refused("The deployed code cannot migrate the database", ended.output)
        plan = _plan_of(self._deps, ended)
        words = self._deps.config.app.danger_in(plan.pending)
        if words:
            raise CheckFailed(f"The migration {words}", why=OPEN, next_action="Decide with the developers.")
        if not plan.pending:
            raise CheckFailed(
                "The deployed code has no pending migration: "
                "the pending ones in its files belong to apps that are not installed.",
                why=OPEN,
                next_action="Roll back: uscdr recover app --release vN --new. Or deploy: uscdr recover app --ref REF "
                "--new",
            )
        try:
            tried = self._tried(plan, self._copy(tell), tell)
        finally:
            self._deps.candidate.close()
        return tried.model_copy(update={"not_tried": seen.runs_code or tried.not_tried})

    def _copy(self, tell: Reporter) -> _TrialSubject | str:
        """The newest backup of this database, restored on this machine; else the reason against it."""
        deps = self._deps
        try:
            attachment = deps.attachment()
            newest = self._newest(deps.backups.transfers(attachment))
            if newest is None:
                return "there is no backup to try it on"
            most = round(_seconds(deps) * RESTORED_A_SECOND)
            if newest.processed_bytes > most:
                return f"{newest.name} is larger than {size(most)}: a restore on this machine would take too long"
            deps.candidate.proof(DumpSource.stored(deps.backups, attachment.owner_app_name, newest), tell)
            return _TrialSubject(newest.name, deps.candidate.open_database(), WAY_ON, restored=False)
        except (BadInput, CheckFailed, MachineError, ProviderError) as error:
            return f"uscdr could not restore a backup on this machine: {error.message}"

    def _newest(self, transfers: Sequence[Transfer]) -> Transfer | None:
        listed = with_reasons(reversed(transfers), self._deps.memory.damaged)
        return next((one for one, unfit in listed if not unfit), None)

    def _tried(self, plan: _MigrationPlan, copy: _TrialSubject | str, tell: Reporter) -> TriedDry:
        if isinstance(copy, str):
            written = self._written(plan.pending, plan, tell)
            names = tuple(one.name for one in written if not one.failed)
            python = tuple(one.name for one in written if one.runs_code)
            return TriedDry(tried=names, not_tried=python, untried=(f"on data: {copy}",))
        missing = _missing_on(self._deps, copy.copy, plan)
        also = tuple(name for name in plan.pending if name not in missing.names)
        written = self._written((*missing.names, *also), plan, tell)
        return _tried_on_copy(self._deps, copy, missing, written, plan, tell)

    def _written(self, names: tuple[str, ...], plan: _MigrationPlan, tell: Reporter) -> tuple[MigrationScript, ...]:
        """The SQL of each migration, written by Django. Raises CheckFailed if Django cannot write a pending one."""
        written = Django(self._deps).sql_of(names, tell)
        failed = next((one for one in written if one.failed and one.name in plan.pending), None)
        if failed is not None and AMBIGUOUS not in failed.output:
            raise self._refused(f"Django cannot write the SQL of {failed.name}", failed.output)
        return written

    def _refused(self, what: str, output: str) -> CheckFailed:
        app = self._deps.app
        return CheckFailed(
            f"{what}: {DjangoOutput(output).reason or 'the output gives no reason'}.",
            why=OPEN,
            next_action=f"See: heroku logs --app {app}. Deploy code that can: uscdr recover app --ref REF --new. "
            "Or roll back: uscdr recover app --release vN --new. Or fix the cause, then: uscdr runs resume",
        )

    @override
    def verify(self, result: TriedDry, view: View, tell: Reporter) -> str:
        if result.not_tried:
            tell.warn(f"Not tried, because they run Python code: {', '.join(result.not_tried)}.")
        for words in result.untried:
            tell.warn(f"Not tried before maintenance mode: {words}.")
        words = f"{plural(len(result.tried), 'pending migration')} can be written as SQL"
        if result.not_tried:
            words += f"; not tried: {first_of(result.not_tried)}"
        return f"{words}; {_summary(result)}"
