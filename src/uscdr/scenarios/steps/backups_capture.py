"""Capture a new backup on Heroku: only that shows whether captures work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.engine.reconcile import Search
from uscdr.engine.step import Action, Effect, FoundWrite, Intent, Reporter, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.models.heroku import Schedule
from uscdr.scenarios.backup_copies import Dropped
from uscdr.scenarios.backup_inventory import Inventory
from uscdr.scenarios.results.backups import BackupsDecided, BackupsScheduled, TrialCapture
from uscdr.scenarios.results.infra import DatabaseReady
from uscdr.scenarios.steps.base import ScenarioStep, writes
from uscdr.scenarios.steps.capture import Capture, CaptureSeen
from uscdr.scenarios.steps.transfers import TransfersSeen

if TYPE_CHECKING:
    from uscdr.scenarios.adapters import Adapters


class CaptureNow(Capture[TrialCapture]):
    """Captures a backup, names the one that Heroku drops for it, and refuses if that one must be kept."""

    name = "backup.capture_now"
    title = "Capture a backup"
    default_id = "capture"
    manual = ("heroku pg:backups:capture --app {app}", "heroku pg:backups:info $BACKUP --app {app}")
    gives = TrialCapture
    kind = TrialCapture

    @override
    def probe(self, view: View, tell: Reporter) -> CaptureSeen:
        known = Inventory.take(self._deps)
        goes = Dropped.by_next_capture(self._deps, known)
        return CaptureSeen(
            addon_id=known.attachment.addon_id,
            owner_app=known.owner,
            **TransfersSeen.listed(self._deps, known.transfers),
            reachable=not goes.refused,
            why=goes.refused or goes.remark,
            pushes_out=goes.name,
            running=known.running,
        )

    @override
    def plan(self, seen: CaptureSeen, view: View) -> Action:
        if seen.running:
            return Action("blocked", seen.running)
        if not seen.reachable:
            return Action("blocked", f"uscdr will not capture a backup. {seen.why}.")
        return self._change(seen, "capture a new backup")

    @override
    def apply(self, seen: CaptureSeen, view: View, tell: Reporter) -> TrialCapture:
        if seen.pushes_out:
            tell.warn(f"{seen.why}.")
        return super().apply(seen, view, tell)


class CaptureTrial(CaptureNow):
    """Captures in `recover backups`; Heroku may drop only the approved backup for it."""

    name = "backups.trial"
    title = "Capture a test backup"
    needs = (BackupsDecided, BackupsScheduled)
    plans_with = ()

    @override
    def plan(self, seen: CaptureSeen, view: View) -> Action:
        planned, approved = super().plan(seen, view), view.get(BackupsDecided)
        if planned.kind == "change" and approved is not None and approved.drops != seen.pushes_out:
            now, then = seen.pushes_out or "none", approved.drops or "none"
            return Action("blocked", f"For the new backup Heroku would drop {now}, but the operator approved {then}.")
        return planned


# Heroku's daily schedule: created if there is none, sent once, found if the answer is lost.


class _SchedulesSeen(Fact):
    """The database's add-on and config variable, and its schedules."""

    addon_id: str
    variable: str
    there: tuple[Schedule, ...]


class ScheduleBackups(ScenarioStep[_SchedulesSeen, BackupsScheduled]):
    """Creates the daily schedule; an existing one stays as it is, whatever its hour."""

    name = "backup.schedule"
    title = "Schedule daily backups"
    effect = Effect.FINDABLE
    says_when_sent = True
    manual = ("heroku pg:backups:schedule DATABASE_URL --at '{backup_at}' --app {app}   # only if there is none",)
    gives = BackupsScheduled

    def _database(self, view: View) -> tuple[str, str]:
        """Id of the database's add-on, and its config variable."""
        return self._deps.attachment().addon_id, self._deps.services.heroku.database

    @override
    def probe(self, view: View, tell: Reporter) -> _SchedulesSeen:
        addon, variable = self._database(view)
        return _SchedulesSeen(addon_id=addon, variable=variable, there=self._deps.backups.schedules(addon))

    @override
    def plan(self, seen: _SchedulesSeen, view: View) -> Action:
        wanted = wanted_schedule(self._deps)
        if seen.there:
            found = ", ".join(one.words for one in seen.there)
            other = f" (scenarios.yaml has {wanted}; uscdr does not change the schedule)" if wanted not in found else ""
            return Action("noop", f"already scheduled: {found}{other}")
        calls = (writes("POST", f"/client/v11/databases/{seen.addon_id}/transfer-schedules"),)
        return Action("change", f"schedule a backup {wanted}", calls)

    @override
    def apply(self, seen: _SchedulesSeen, view: View, tell: Reporter) -> BackupsScheduled:
        recovery = self._deps.config.recovery
        tell.sending()
        made = self._deps.provisioning.schedule_backups(
            seen.addon_id, seen.variable, hour=recovery.backup_hour, timezone=recovery.backup_timezone
        )
        tell.accepted(made.id)
        return BackupsScheduled(schedules=(made.words,), created=True)

    @override
    def current(self, seen: _SchedulesSeen, view: View) -> BackupsScheduled:
        return BackupsScheduled(schedules=tuple(one.words for one in seen.there), created=False)

    @override
    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        addon, _ = self._database(view)
        search = Search(
            f"GET /client/v11/databases/{addon}/transfer-schedules",
            lambda: self._deps.backups.schedules(addon),
            lambda one: one.words,
            "no schedule exists",
        )
        return search.run(intent, self._deps.stop, tell)

    @override
    def adopt(self, provider_id: str, seen: _SchedulesSeen, view: View, tell: Reporter) -> BackupsScheduled:
        there = self._deps.backups.schedules(seen.addon_id)
        return BackupsScheduled(schedules=tuple(one.words for one in there), created=True)

    @override
    def verify(self, result: BackupsScheduled, view: View, tell: Reporter) -> str:
        there = self._deps.backups.schedules(self._database(view)[0])
        if not there:
            raise CheckFailed(
                "Heroku accepted the schedule, but does not list it.",
                next_action=f"See: heroku pg:backups:schedules --app {self._deps.app}. Then: uscdr runs resume",
            )
        return ", ".join(one.words for one in there)


class Reschedule(ScheduleBackups):
    """Schedules in `recover backups`, after the operator approved it."""

    name = "backups.schedule"
    title = "Schedule daily backups"
    needs = (BackupsDecided,)
    plans_with = ()


class ScheduleNewDatabase(ScheduleBackups):
    """Schedules backups of the new database: a schedule belongs to one database."""

    name = "infra.schedule"
    title = "Schedule daily backups"
    sends = (writes("POST", "/client/v11/databases/…/transfer-schedules"),)
    manual = ("heroku pg:backups:schedule DATABASE_URL --at '{backup_at}' --app {new_app}",)
    needs = (DatabaseReady,)
    waits = "a daily backup of the new database is scheduled"

    @override
    def _database(self, view: View) -> tuple[str, str]:
        return view.need(DatabaseReady).id, self._deps.services.heroku.database


def wanted_schedule(deps: Adapters) -> str:
    """The daily schedule of scenarios.yaml, in the same words as Heroku's schedules."""
    recovery = deps.config.recovery
    return Schedule(id="", name="", hour=recovery.backup_hour, timezone=recovery.backup_timezone).words
