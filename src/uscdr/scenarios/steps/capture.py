"""Captures: of the damaged database before the restore, and of the recovered one afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from typing_extensions import override

from uscdr.engine.step import Action, Effect, FoundWrite, Intent, Reporter, View
from uscdr.errors import OutcomeUnknown, ProviderError
from uscdr.models.transfers import Transfer, TransferKind, Transfers, TransferState
from uscdr.scenarios.afterwards import PUTS_BACK
from uscdr.scenarios.results.app import AppSeen, DataProbed, Remedy
from uscdr.scenarios.results.db import (
    Captured,
    ChosenBackup,
    DatabaseSeen,
    ProcessesStopped,
    SafetyCapture,
    VerifiedData,
)
from uscdr.scenarios.steps.assess import backup_line
from uscdr.scenarios.steps.base import ScenarioStep, writes
from uscdr.scenarios.steps.choose import Choice
from uscdr.scenarios.steps.transfers import TransfersSeen, find, follow, otherwise
from uscdr.words import size

if TYPE_CHECKING:
    from uscdr.models.heroku import Attachment

C = TypeVar("C", bound=Captured)
KINDS = (TransferKind.MANUAL_BACKUP,)
NONE = "nothing can bring it back after the restore"


class _BeforeCapture(Captured):
    """The state before migrations."""


class _FreshCapture(Captured):
    """The recovered state."""


class CaptureSeen(TransfersSeen):
    """Before a capture: whether it is possible, and which backup Heroku would drop for it."""

    addon_id: str
    reachable: bool
    why: str = ""
    pushes_out: str = ""
    wanted: str = ""
    running: str = ""


class Capture(ScenarioStep[CaptureSeen, C]):
    """A manual backup of the database as it is."""

    effect = Effect.FINDABLE
    says_when_sent = True
    manual: ClassVar[tuple[str, ...]] = ("heroku pg:backups:capture --app {app}",)
    sends = (writes("POST", "/client/v11/databases/…/backups"),)
    kind: type[C]

    def attachment(self) -> Attachment:
        """The database to capture, as its application sees it."""
        return self._deps.attachment()

    def pushed_out(self, transfers: tuple[Transfer, ...]) -> str:
        """The name of the backup that Heroku drops for the new one; empty if it drops none."""
        out = Transfers(transfers).pushed_out()
        return out[0].name if out else ""

    @override
    def probe(self, view: View, tell: Reporter) -> CaptureSeen:
        attachment = self.attachment()
        transfers = self._deps.backups.transfers(attachment)
        database = view.get(DatabaseSeen)
        restored = view.get(VerifiedData) is not None or view.get(DataProbed) is not None
        if view.get(ProcessesStopped) is not None and not restored:
            self._deps.frozen.begin()
        wanted = "" if restored else Choice.pick(self._deps, transfers, view).chosen.name  # afterwards it may be gone
        return CaptureSeen(
            addon_id=attachment.addon_id,
            owner_app=attachment.owner_app_name,
            **TransfersSeen.listed(self._deps, transfers),
            reachable=restored or database is None or database.reachable or self._answers_now(),
            why=database.why if database else "",
            pushes_out=self.pushed_out(transfers),
            wanted=wanted,
            running=Transfers(transfers).under_way(attachment.owner_app_name),
        )

    def _answers_now(self) -> bool:
        """Whether the database answers now: the stop of the application may have freed its connections."""
        try:
            self._deps.database().facts()
        except ProviderError:
            return False
        return True

    @override
    def before(self, seen: CaptureSeen) -> dict[str, Any]:
        return seen.baseline()

    @override
    def apply(self, seen: CaptureSeen, view: View, tell: Reporter) -> C:
        with otherwise(self.otherwise(seen)):
            return self._captured(follow(self._deps, seen.owner_app, self._requested(seen, tell), tell))

    @override
    def send(self, seen: CaptureSeen, tell: Reporter) -> str:
        return self._requested(seen, tell).id

    def _requested(self, seen: CaptureSeen, tell: Reporter) -> Transfer:
        tell.sending()
        accepted = self._deps.backups.capture(seen.addon_id)
        seen.require_new(accepted)
        tell.accepted(accepted.id)
        return accepted

    @override
    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        return find(self._deps, self.attachment(), KINDS, intent, tell)

    @override
    def adopt(self, provider_id: str, seen: CaptureSeen, view: View, tell: Reporter) -> C:
        with otherwise(self.otherwise(seen)):
            found = self._deps.backups.transfer(seen.owner_app, provider_id)
            return self._captured(follow(self._deps, seen.owner_app, found, tell))

    @override
    def otherwise(self, seen: CaptureSeen) -> str:
        del seen
        return "If it fails again, ask Heroku's support: https://help.heroku.com"

    @override
    def verify(self, result: C, view: View, tell: Reporter) -> str:
        again = self._deps.backups.transfer(self.attachment().owner_app_name, result.id)
        if not again.whole:
            now = "empty" if again.state is TransferState.COMPLETED else again.state.value
            raise OutcomeUnknown(
                f"{result.name} had finished, but is now {now}.",
                next_action=f"heroku pg:backups:info {result.name} --app {self._deps.app}",
            )
        if result.warnings:
            tell.warn(f"{result.name} finished with {result.warnings} warnings.")
        return f"{result.name}, {size(result.bytes)}"

    def _captured(self, transfer: Transfer) -> C:
        return self.kind(
            id=transfer.id,
            num=transfer.num,
            name=transfer.name,
            bytes=transfer.processed_bytes,
            warnings=transfer.warnings,
            line=backup_line(transfer, transfer.unusable),
        )

    def _change(self, seen: CaptureSeen, what: str) -> Action:
        also = f"; Heroku then drops {seen.pushes_out}, the oldest manual backup" if seen.pushes_out else ""
        calls = (writes("POST", f"/client/v11/databases/{seen.addon_id}/backups"),)
        return Action("change", what + also, calls)


class CaptureSafety(Capture[SafetyCapture]):
    """Captures the damaged database, which may hold rows that the backup lacks."""

    name = "backup.capture_safety"
    title = "Capture the damaged database"
    default_id = "safety"
    gives = SafetyCapture
    needs = (ProcessesStopped,)
    plans_with = ()
    kind = SafetyCapture

    @override
    def otherwise(self, seen: CaptureSeen) -> str:
        named, wanted = self._deps.request.backup, seen.wanted or "the backup"
        backup = f" --backup {named}" if named else ""
        return (
            f"If it fails again, recover without it: uscdr recover db{backup} --without-safety-capture --new. You then "
            f"lose for good what only the damaged database holds: rows written since {wanted}, and the way back to "
            "the state before the restore."
        )

    @override
    def plan(self, seen: CaptureSeen, view: View) -> Action:
        if not self._deps.request.safety_capture:
            return Action(
                "skip", f"no capture of the damaged database, as requested (--without-safety-capture); {NONE}"
            )
        if not seen.reachable:
            return Action("skip", f"uscdr cannot capture the damaged database: {seen.why}; {NONE}")
        if seen.pushes_out and seen.pushes_out == seen.wanted:
            return Action(
                "blocked",
                f"For a capture of the damaged database Heroku would drop {seen.wanted}, the backup to restore: it "
                "keeps a fixed number of manual backups. Delete another one first "
                f"(heroku pg:backups:delete bNNN --app {self._deps.app}), or pass --without-safety-capture.",
            )
        if seen.running:
            return Action("blocked", seen.running)
        return self._change(seen, f"capture the database before it is overwritten; {PUTS_BACK}")


class CaptureFresh(Capture[_FreshCapture]):
    """Captures the first backup of the recovered database."""

    name = "backup.capture"
    title = "Capture a new backup"
    default_id = "fresh"
    gives = _FreshCapture
    needs = (VerifiedData,)
    waits = "a new backup is captured after the data is verified"
    done_without = (
        "The data is restored and users have access. Only the backup of the recovered database is missing. To capture "
        "it and finish the run: uscdr runs resume. To capture only the backup: uscdr backup capture"
    )
    kind = _FreshCapture
    ahead = (VerifiedData,)

    @override
    def goes_ahead(self, seen: CaptureSeen) -> bool:
        # The data is verified, so it can be captured while processes start; an older backup is dropped only for a
        # recovery that is done. The other scenario lets people in long before its end, and captures what they wrote.
        return self._deps.request.scenario == "db" and not seen.pushes_out and not seen.running

    @override
    def otherwise(self, seen: CaptureSeen) -> str:
        return "The data is restored and users have access. Only a new backup is missing: uscdr backup capture"

    @override
    def plan(self, seen: CaptureSeen, view: View) -> Action:
        before, chosen = view.get(SafetyCapture), view.get(ChosenBackup)
        if chosen is not None and chosen.damaged:
            return Action("skip", f"no new backup: the run restored {chosen.backup}, which is damaged")
        if before is not None and seen.pushes_out == before.name:
            return Action(
                "skip",
                f"no new backup: Heroku would drop {before.name}, the only way back to the state before this recovery. "
                "When you no longer need that: uscdr backup capture",
            )
        return self._change(seen, "capture the recovered database")


class CaptureBefore(Capture[_BeforeCapture]):
    """Captures the data before a migration changes it."""

    name = "backup.capture_before"
    title = "Capture a backup before migrations"
    default_id = "before"
    gives = _BeforeCapture
    needs = (Remedy, DataProbed)
    plans_with = (DataProbed,)
    waits = "captured before migrations, unless it is certain that none is pending"
    kind = _BeforeCapture

    @override
    def otherwise(self, seen: CaptureSeen) -> str:
        return (
            "If it fails again, the database may be damaged: uscdr recover db --dry-run. To migrate by hand, without a "
            f"way back: heroku run --app {self._deps.app} -- {self._deps.config.app.manage} migrate"
        )

    @override
    def plan(self, seen: CaptureSeen, view: View) -> Action:
        app, decided = view.get(AppSeen), view.need(Remedy)
        then = (app.code, app.ref_code, decided.code) if app is not None else ()
        if then and decided.what == "rollback" and all(one.up_to_date for one in then):
            return Action("skip", "no capture: no migration is pending")
        if seen.running:
            return Action("blocked", seen.running)
        return self._change(seen, "capture the data before the migrations")
