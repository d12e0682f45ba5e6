"""Try on the backup's copy what the deployed code will migrate after the restore, while users can still work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Finding, Intent, Tell, View
from uscdr.errors import BadInput, OutcomeUnknown, ProviderError
from uscdr.models.base import Fact
from uscdr.models.heroku import Release
from uscdr.models.transfers import Transfer
from uscdr.scenarios.candidate import stored_dump
from uscdr.scenarios.code import judge_running
from uscdr.scenarios.deps import Deps
from uscdr.scenarios.other_way import another
from uscdr.scenarios.results_app import TriedDry
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.choose import choice_of, is_walked, pick, put_back
from uscdr.scenarios.steps.words import RESTORED_BY_HAND, writes
from uscdr.scenarios.trial import Subject, rehearsed, summary
from uscdr.words import first_of, plural

CODE = (
    "Or deploy code that can: uscdr recover app --ref REF --new. Or go back to the code of the backup's time: "
    "uscdr recover app --release vN --new. Then: uscdr recover db --new"
)


class PendingSeen(Fact):
    """The backup, and what is pending on it; `skipped` says why nothing is tried, empty when something is."""

    backup: str = ""
    transfer_id: str = ""
    pending: tuple[str, ...] = ()
    known: bool = False
    """Whether the code's files told; else the code itself is asked."""
    skipped: str = ""


class TryOnCopy(DepsStep[PendingSeen, TriedDry]):
    """Waits for the proof only where migrations may be pending on the backup. What it tries leaves nothing behind."""

    name = "django.try_on_copy"
    title = "Try the migrations on the copy"
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

    def __init__(self, step_id: str, deps: Deps, params: Fact) -> None:
        super().__init__(step_id, deps, params)
        self._doubts: dict[str, bool] = {}

    @override
    def probe(self, view: View, tell: Tell) -> PendingSeen:
        in_doubt = self._in_doubt(view)  # before a proof reads the same files in the background
        choice = choice_of(self._deps, view, tell)
        chosen = choice.chosen
        if put_back(self._deps, choice):
            return PendingSeen(skipped=f"{chosen.name} is put back as it was captured")
        if not in_doubt:
            words = f"no code was deployed since {chosen.name}, and nothing is known to be pending"
            return PendingSeen(backup=chosen.name, skipped=words)
        code = self._deps.candidate.proof(stored_dump(self._deps.backups, self._owner(), chosen), tell).code
        skipped = f"nothing is pending on {chosen.name}" if code.up_to_date else ""
        skipped = f"{chosen.name} is not restored as it is" if code.stuck else skipped
        return PendingSeen(
            backup=chosen.name, transfer_id=chosen.id, pending=code.pending, known=code.known, skipped=skipped
        )

    def _in_doubt(self, view: View) -> bool:
        """Whether migrations may be pending on the backup; its proof tells, where that is made before the freeze."""
        choice = pick(self._deps, self._deps.backups.transfers(self._deps.attachment()), view)
        if is_walked(self._deps, choice):
            return True
        chosen = choice.chosen
        if chosen.id not in self._doubts:
            self._doubts[chosen.id] = self._may_lack(chosen)
        return self._doubts[chosen.id]

    def _may_lack(self, chosen: Transfer) -> bool:
        deps = self._deps
        try:
            deps.database().facts()
            since = deployed_since(chosen.taken_at, deps.platform.releases(deps.app))
            return since or bool(judge_running(deps).pending)
        except (ProviderError, BadInput):
            return True

    @override
    def plan(self, seen: PendingSeen, view: View) -> Action:
        if seen.skipped:
            return Action("noop", seen.skipped, known={"BACKUP": seen.backup} if seen.backup else {})
        what = f"{plural(len(seen.pending), 'migration')} pending on {seen.backup} ({first_of(seen.pending)})"
        what = what if seen.known else f"whatever of the deployed code's migrations {seen.backup} lacks"
        words = f"{what}: their SQL is written in one-off dynos and tried on the copy; nothing of it stays"
        dry = "; a dry run starts no dyno, so they were NOT TRIED" if self._deps.dry_run else ""
        return Action("change", words + dry, self.calls(), {"BACKUP": seen.backup})

    @override
    def apply(self, seen: PendingSeen, view: View, tell: Tell) -> TriedDry:
        deps = self._deps
        deps.candidate.proof(stored_dump(deps.backups, self._owner(), self._transfer(seen)), tell)
        way_on = f"{_anew(another(view, seen.backup))}. {CODE}"
        try:
            return rehearsed(deps, Subject(seen.backup, deps.candidate.open_database(), way_on, restored=True), tell)
        except (ProviderError, OutcomeUnknown) as error:
            return TriedDry(tried=(), untried=(f"the deployed code could not be asked: {error.message}",))

    def _owner(self) -> str:
        return self._deps.attachment().owner_app_name

    def _transfer(self, seen: PendingSeen) -> Transfer:
        return self._deps.backups.transfer(self._owner(), seen.transfer_id)

    @override
    def unchanged(self, seen: PendingSeen, view: View) -> TriedDry:
        return TriedDry(tried=())

    @override
    def confirm_effect(self, result: TriedDry, view: View, tell: Tell) -> str:
        for words in result.untried:
            tell.warn(f"Not tried before the restore: {words}.")
        return summary(result)

    @override
    def find(self, intent: Intent, view: View, tell: Tell) -> Finding:
        return Finding("the copy on this machine", "a trial leaves nothing behind", None, again=True)

    @override
    def adopt(self, provider_id: str, seen: PendingSeen, view: View, tell: Tell) -> TriedDry:
        return self.unchanged(seen, view)


def deployed_since(at: datetime, releases: Sequence[Release]) -> bool:
    """Whether other code was released after that moment; also when the list, newest first, does not go so far back."""
    newer = [one for one in releases if one.created_at is not None and one.created_at > at]
    if not newer:
        return False
    before = releases[len(newer)].slug_id if len(newer) < len(releases) else None
    return before is None or any(one.slug_id not in {None, before} for one in newer)


def _anew(words: str) -> str:
    """This run is not finished: another one is begun beside it."""
    return f"{words} --new" if "--backup" in words else words
