"""Restore the backup: the step that destroys data. Confirmed by a phrase, sent once, found if the answer is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from uscdr.clock import system_time
from uscdr.engine.step import Action, BlastRadius, Effect, FoundWrite, Intent, Reporter, View
from uscdr.errors import CheckFailed, NotFound
from uscdr.models.access import AccessBack
from uscdr.models.base import elapsed
from uscdr.models.transfers import Transfer, TransferKind, Transfers, TransferState
from uscdr.phrase import AT_LEAST, UNKNOWN, short_phrase
from uscdr.scenarios.fitness import another
from uscdr.scenarios.results.db import (
    ApplicationChecked,
    ChosenBackup,
    Compared,
    DatabaseSeen,
    LossLedger,
    MaintenanceSet,
    ProcessesStopped,
    Proof,
    Restored,
    VerifiedData,
)
from uscdr.scenarios.steps.access import keep
from uscdr.scenarios.steps.base import ScenarioStep, writes
from uscdr.scenarios.steps.transfers import Mark, TransfersSeen, find, follow, otherwise
from uscdr.words import duration, first_of, moment

if TYPE_CHECKING:
    from pydantic import SecretStr

KINDS = (TransferKind.RESTORE,)
ANOTHER = "If it fails again, restore another backup from `uscdr backup list`: uscdr recover db --backup NAME --new"


class _RestoreSeen(TransfersSeen):
    """What exists right before the restore."""

    addon_id: str
    addon: str
    backup: str
    transfer_id: str
    unfit: str = ""
    running: str = ""


class Restore(ScenarioStep[_RestoreSeen, Restored]):
    """Overwrites the database with the proven backup."""

    name = "backup.restore"
    title = "Restore the backup"
    effect = Effect.FINDABLE
    destructive = True
    says_when_sent = True
    manual = (
        "heroku pg:backups:restore $BACKUP DATABASE_URL --app {app} --confirm {app}",
        "heroku pg:backups:info $RESTORE --app {app}",
    )
    gives = Restored
    needs = (MaintenanceSet, ProcessesStopped, ChosenBackup, Proof, LossLedger, AccessBack)
    plans_with = (ChosenBackup,)
    waits = "known after the backup is chosen"
    checked_by = (Compared, VerifiedData, ApplicationChecked)

    @override
    def probe(self, view: View, tell: Reporter) -> _RestoreSeen:
        chosen = view.need(ChosenBackup)
        attachment = self._deps.attachment()
        transfers = self._deps.backups.transfers(attachment)
        backup = next((t for t in transfers if t.id == chosen.transfer_id), None)
        return _RestoreSeen(
            addon_id=attachment.addon_id,
            addon=attachment.addon_name,
            owner_app=attachment.owner_app_name,
            backup=chosen.backup,
            transfer_id=chosen.transfer_id,
            unfit="it no longer exists" if backup is None else backup.unusable,
            **TransfersSeen.listed(self._deps, transfers),
            running=Transfers(transfers).under_way(attachment.owner_app_name),
        )

    @override
    def plan(self, seen: _RestoreSeen, view: View) -> Action:
        if seen.unfit:
            words = f"{seen.backup} can no longer be restored: {seen.unfit}. {another(view, seen.backup)}."
            return Action("blocked", words)
        if seen.running:
            return Action("blocked", seen.running)
        owner = seen.owner_app
        return Action(
            "change",
            f"OVERWRITE {seen.addon} of {seen.owner_app} with {seen.backup}",
            (writes("POST", f"/client/v11/databases/{seen.addon_id}/restores"),),
            {"BACKUP": seen.backup, "app": owner},
            approved={"database": seen.addon, "owner": seen.owner_app, "backup": seen.backup},
        )

    @override
    def before(self, seen: _RestoreSeen) -> dict[str, Any]:
        return {**seen.baseline(), "backup": seen.backup}

    @override
    def blast(self, seen: _RestoreSeen, view: View) -> BlastRadius:
        chosen, ledger = view.need(ChosenBackup), view.get(LossLedger)
        old = elapsed(chosen.taken_at, system_time())
        here, there = _amounts(ledger, view)
        backup = f"{seen.backup} DAMAGED" if chosen.damaged else seen.backup
        when = f"{moment(chosen.taken_at)}, {duration(old)} ago" + (", of a DAMAGED state" if chosen.damaged else "")
        facts = {
            "database": f"{seen.addon}, owned by {seen.owner_app}",
            **_beside(view),
            "rows now": here,
            f"rows in {seen.backup}": there,
            "backup taken": when,
            "rows lost": _rows_lost(ledger),
            "access given back": _access_words(view.get(AccessBack)),
            "writes lost": _writes_lost(ledger, chosen),
        }
        return BlastRadius(facts, short_phrase(seen.owner_app, f"{backup} {_losing(ledger)}"))

    @override
    def apply(self, seen: _RestoreSeen, view: View, tell: Reporter) -> Restored:
        proof = view.need(Proof)
        if proof.transfer_id != seen.transfer_id:
            raise CheckFailed(
                f"The proof is of {proof.backup}, but the step would restore {seen.backup}.",
                next_action="Start a new recovery: uscdr recover db --new",
            )
        backup = self._deps.backups.transfer(seen.owner_app, seen.transfer_id)
        keep(self._deps, view.need(AccessBack))
        with otherwise(ANOTHER):
            source = self._source(seen, backup)
            tell.sending()
            accepted = self._deps.backups.restore(seen.addon_id, source)
            seen.require_new(accepted)
            tell.accepted(accepted.id)
            return self._restored(follow(self._deps, seen.owner_app, accepted, tell), view)

    def _source(self, seen: _RestoreSeen, backup: Transfer) -> SecretStr:
        if backup.stored_at is not None:
            return backup.stored_at
        return self._deps.backups.public_url(seen.owner_app, backup.num).url

    @override
    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        addon = self._deps.attachment()
        return find(self._deps, addon, KINDS, intent, tell, self._backup(addon.owner_app_name, view))

    def _backup(self, owner: str, view: View) -> Transfer | None:
        """The restored backup; None if Heroku no longer has it, which proves nothing."""
        try:
            return self._deps.backups.transfer(owner, view.need(ChosenBackup).transfer_id)
        except NotFound:
            return None

    @override
    def adopt(self, provider_id: str, seen: _RestoreSeen, view: View, tell: Reporter) -> Restored:
        with otherwise(ANOTHER):
            found = self._deps.backups.transfer(seen.owner_app, provider_id)
            return self._restored(follow(self._deps, seen.owner_app, found, tell), view)

    def _restored(self, transfer: Transfer, view: View) -> Restored:
        proof, intent = view.need(Proof), view.intents.get(self.id)
        after = Mark.of(intent).newest if intent else None
        return Restored(id=transfer.id, name=transfer.name, backup=proof.backup, sha256=proof.sha256, after=after)

    @override
    def otherwise(self, seen: _RestoreSeen) -> str:
        return ANOTHER

    @override
    def verify(self, result: Restored, view: View, tell: Reporter) -> str:
        again = self._deps.backups.transfer(self._deps.attachment().owner_app_name, result.id)
        if again.state is not TransferState.COMPLETED:
            raise CheckFailed(f"The restore {result.name} is now {again.state.value}.", next_action="uscdr runs resume")
        if again.warnings:
            tell.warn(f"{result.name} finished with {again.warnings} warnings. The next step compares the data.")
        return f"{result.name}: {result.backup} restored"


def _access_words(back: AccessBack | None) -> str:
    """The access that the restore gives back, in words."""
    if back is None:
        return "not known"
    return back.words or ("not known: " + "; ".join(back.doubts) if back.doubts else "none")


def _beside(view: View) -> dict[str, str]:
    """Other users of the database, and the databases that are not touched."""
    seen = view.get(DatabaseSeen)
    if seen is None:
        return {}
    found = {"used by others": seen.sharing.others, "not touched": ", ".join(seen.sharing.untouched)}
    return {name: words for name, words in found.items() if words}


def _amounts(ledger: LossLedger | None, view: View) -> tuple[str, str]:
    """The rows now and in the backup."""
    if ledger is None:
        seen = view.get(DatabaseSeen)
        return (UNKNOWN if seen is None or seen.reachable else "unreadable"), UNKNOWN
    here = "unreadable" if ledger.rows_now is None else f"{ledger.rows_now:,}"
    return f"{AT_LEAST} {here}" if ledger.now_at_least else here, f"{ledger.rows_backup:,}"


def _losing(ledger: LossLedger | None) -> str:
    """The rows that the restore loses, as in the phrase."""
    if ledger is None:
        return f"lose {UNKNOWN}"
    if ledger.rows_lost is None:
        return "lose unknown rows"
    if ledger.at_least:
        return f"lose {AT_LEAST} {ledger.rows_lost}"
    return f"lose {ledger.rows_lost} {'row' if ledger.rows_lost == 1 else 'rows'}"


def _rows_lost(ledger: LossLedger | None) -> str:
    """How many rows the restore loses: a number, a lower bound (`at least`), or `not known`."""
    if ledger is None or ledger.rows_lost is None:
        return "not known"
    return f"at least {ledger.rows_lost:,}" if ledger.at_least else f"{ledger.rows_lost:,}"


def _writes_lost(ledger: LossLedger | None, chosen: ChosenBackup) -> str:
    if ledger is not None and ledger.rows_lost == 0 and not ledger.at_least:
        return "none"
    seconds = None if ledger is None else _seconds_lost(ledger, chosen)
    if ledger is not None and ledger.undated:
        most = duration(chosen.age_seconds)
        return f"at most those of {most}; the times of the lost rows of {first_of(ledger.undated)} are not known"
    return "not known" if seconds is None else f"those of {duration(seconds)}"


def _seconds_lost(ledger: LossLedger, chosen: ChosenBackup) -> float | None:
    """Seconds from the backup to the last lost write; None if its time is not known."""
    return None if ledger.last_write is None or ledger.undated else elapsed(chosen.taken_at, ledger.last_write)
