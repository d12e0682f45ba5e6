"""Try the pending migrations dry, while users can still work: what would fail in the middle is not begun."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import BadInput, CheckFailed, MachineError, ProviderError
from uscdr.models.base import Fact
from uscdr.models.transfers import Transfer
from uscdr.models.trial import Script
from uscdr.scenarios.candidate import stored_dump
from uscdr.scenarios.django import LIST, PLAN, manage, sql_of
from uscdr.scenarios.dyno_words import reason
from uscdr.scenarios.refusals import dangerous
from uscdr.scenarios.results_app import AppSeen, Remedy, TriedDry
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.choose import with_reasons
from uscdr.scenarios.steps.words import DOWNLOADS, writes
from uscdr.scenarios.trial import OPEN, Plan, Subject, missing_on, on_copy, plan_of, seconds, summary
from uscdr.words import first_of, plural, size

WAY_ON = (
    "Deploy code that migrates these data: uscdr recover app --ref REF --new. Or go back: uscdr recover app "
    "--release vN --new. If the data were put right since that backup: uscdr backup capture, then uscdr runs resume"
)
RESTORED_A_SECOND = 2_000_000
"""Bytes of a dump that any machine fetches and restores in a second; a larger backup is not waited for."""
AMBIGUOUS = "More than one migration matches"
"""What `sqlmigrate` says of a name that another one begins with; `migrate` does not mind."""

WOULD = (
    "if migrations are pending, `check`, `migrate --plan` and their SQL in one-off dynos, tried on a restored copy of "
    "the newest backup, before users are shut out; a dry run starts no dyno and looked at the files only"
)


class TrySeen(Fact):
    """What was decided; empty while nothing is."""

    what: str = ""
    runs_code: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


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
    sends = (writes("POST", "/apps/{app}/dynos (check; migrate --plan; sqlmigrate; changes nothing)"), *DOWNLOADS)
    gives = TriedDry
    needs = (AppSeen, Remedy)
    plans_with = (AppSeen,)
    waits = "known after the application was looked at"

    @override
    def probe(self, view: View, tell: Tell) -> TrySeen:
        decided = view.get(Remedy)
        if decided is None:
            return TrySeen()
        code = decided.code
        return TrySeen(what=decided.what, runs_code=code.runs_code, pending=code.pending)

    @override
    def plan(self, seen: TrySeen, view: View) -> Action:
        if not seen.what:
            return Action("later", WOULD, self.calls())
        if seen.what != "migrate":
            also = f"; NOT TRIED: {first_of(seen.pending)}" if seen.pending else ""
            words = "the code that will run cannot be asked before it does; its files were looked at"
            return Action("skip", words + also)
        return Action("change", "the deployed code is asked what it would do; nothing is applied", self.calls())

    @override
    def apply(self, seen: TrySeen, view: View, tell: Tell) -> TriedDry:
        words = "check, migrate --plan"
        ended = manage(self._deps, "check", tell, "migrate --plan", PLAN, LIST, words=words)
        if ended.exit_status != 0:
            raise self._refused("The deployed code does not migrate", ended.output)
        plan = plan_of(self._deps, ended)
        words = dangerous(self._deps, plan.pending)
        if words:
            raise CheckFailed(f"The migration {words}", why=OPEN, next_action="Decide with the developers.")
        if not plan.pending:
            raise CheckFailed(
                "The deployed code has nothing to migrate: what its files show as pending is not installed in it.",
                why=OPEN,
                next_action="Go back: uscdr recover app --release vN --new. Or deploy: uscdr recover app --ref REF "
                "--new",
            )
        try:
            tried = self._tried(plan, self._copy(tell), tell)
        finally:
            self._deps.candidate.close()
        return tried.model_copy(update={"not_tried": seen.runs_code or tried.not_tried})

    def _copy(self, tell: Tell) -> Subject | str:
        """The newest backup of this database, restored on this machine; or why there is none."""
        deps = self._deps
        try:
            attachment = deps.attachment()
            newest = self._newest(deps.backups.transfers(attachment))
            if newest is None:
                return "there is no backup whose copy it could be tried on"
            most = round(seconds(deps) * RESTORED_A_SECOND)
            if newest.processed_bytes > most:
                return f"{newest.name} is larger than {size(most)}: restoring it here would take too long"
            deps.candidate.proof(stored_dump(deps.backups, attachment.owner_app_name, newest), tell)
            return Subject(newest.name, deps.candidate.open_database(), WAY_ON, restored=False)
        except (BadInput, CheckFailed, MachineError, ProviderError) as error:
            return f"no backup could be restored on this machine: {error.message}"

    def _newest(self, transfers: Sequence[Transfer]) -> Transfer | None:
        listed = with_reasons(reversed(transfers), self._deps.memory.damaged)
        return next((one for one, unfit in listed if not unfit), None)

    def _tried(self, plan: Plan, copy: Subject | str, tell: Tell) -> TriedDry:
        if isinstance(copy, str):
            written = self._written(plan.pending, plan, tell)
            names = tuple(one.name for one in written if not one.failed)
            python = tuple(one.name for one in written if one.runs_code)
            return TriedDry(tried=names, not_tried=python, untried=(f"on data: {copy}",))
        missing = missing_on(self._deps, copy.copy, plan)
        also = tuple(name for name in plan.pending if name not in missing.names)
        written = self._written((*missing.names, *also), plan, tell)
        return on_copy(self._deps, copy, missing, written, plan, tell)

    def _written(self, names: tuple[str, ...], plan: Plan, tell: Tell) -> tuple[Script, ...]:
        """Has Django write the SQL of each. Raises CheckFailed when it cannot, of what is pending."""
        written = sql_of(self._deps, names, tell)
        failed = next((one for one in written if one.failed and one.name in plan.pending), None)
        if failed is not None and AMBIGUOUS not in failed.output:
            raise self._refused(f"Django cannot write the SQL of {failed.name}", failed.output)
        return written

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
        if result.not_tried:
            tell.warn(f"Not tried, for Python of their own runs: {', '.join(result.not_tried)}.")
        for words in result.untried:
            tell.warn(f"Not tried before users are shut out: {words}.")
        words = f"{plural(len(result.tried), 'pending migration')} can be written as SQL"
        if result.not_tried:
            words += f"; not tried: {first_of(result.not_tried)}"
        return f"{words}; {summary(result)}"
