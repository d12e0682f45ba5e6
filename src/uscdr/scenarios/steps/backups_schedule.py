"""The platform's daily schedule: created if there is none, sent once, looked for when its answer is lost."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.settle import Search, look_for
from uscdr.engine.step import Action, Effect, Finding, Intent, Tell, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.models.heroku import Schedule
from uscdr.scenarios.deps import Deps
from uscdr.scenarios.results_backups import BackupsDecided, BackupsScheduled
from uscdr.scenarios.results_infra import DatabaseReady
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import writes
from uscdr.vault.backups.rpo import words


class SchedulesSeen(Fact):
    """The database's add-on and config variable, and what is scheduled for it."""

    addon_id: str
    variable: str
    there: tuple[Schedule, ...]


class ScheduleBackups(DepsStep[SchedulesSeen, BackupsScheduled]):
    """A schedule that is there stays as it is, whatever its hour."""

    name = "backup.schedule"
    title = "Schedule daily backups"
    effect = Effect.FINDABLE
    says_when_sent = True
    manual = ("heroku pg:backups:schedule DATABASE_URL --at '{backup_at}' --app {app}   # only if there is none",)
    gives = BackupsScheduled

    def _database(self, view: View) -> tuple[str, str]:
        """Id of its add-on, and its config variable."""
        return self._deps.attachment().addon_id, self._deps.target.heroku.database

    @override
    def probe(self, view: View, tell: Tell) -> SchedulesSeen:
        addon, variable = self._database(view)
        return SchedulesSeen(addon_id=addon, variable=variable, there=self._deps.backups.schedules(addon))

    @override
    def plan(self, seen: SchedulesSeen, view: View) -> Action:
        wanted = wanted_schedule(self._deps)
        if seen.there:
            found = ", ".join(map(words, seen.there))
            other = f" (scenarios.yaml has {wanted}; it is left as it is)" if wanted not in found else ""
            return Action("noop", f"scheduled already: {found}{other}")
        calls = (writes("POST", f"/client/v11/databases/{seen.addon_id}/transfer-schedules"),)
        return Action("change", f"a backup is scheduled {wanted}", calls)

    @override
    def apply(self, seen: SchedulesSeen, view: View, tell: Tell) -> BackupsScheduled:
        recovery = self._deps.config.recovery
        tell.sending()
        made = self._deps.provisioning.schedule_backups(
            seen.addon_id, seen.variable, hour=recovery.backup_hour, timezone=recovery.backup_timezone
        )
        tell.accepted(made.id)
        return BackupsScheduled(schedules=(words(made),), created=True)

    @override
    def unchanged(self, seen: SchedulesSeen, view: View) -> BackupsScheduled:
        return BackupsScheduled(schedules=tuple(map(words, seen.there)), created=False)

    @override
    def find(self, intent: Intent, view: View, tell: Tell) -> Finding:
        addon, _ = self._database(view)
        search = Search(
            f"GET /client/v11/databases/{addon}/transfer-schedules",
            lambda: self._deps.backups.schedules(addon),
            words,
            "none is scheduled",
        )
        return look_for(search, intent, self._deps.stop, tell)

    @override
    def adopt(self, provider_id: str, seen: SchedulesSeen, view: View, tell: Tell) -> BackupsScheduled:
        there = self._deps.backups.schedules(seen.addon_id)
        return BackupsScheduled(schedules=tuple(map(words, there)), created=True)

    @override
    def confirm_effect(self, result: BackupsScheduled, view: View, tell: Tell) -> str:
        there = self._deps.backups.schedules(self._database(view)[0])
        if not there:
            raise CheckFailed(
                "The platform took the schedule, and does not list it.",
                next_action=f"heroku pg:backups:schedules --app {self._deps.app}; then: uscdr runs resume",
            )
        return ", ".join(map(words, there))


class Reschedule(ScheduleBackups):
    """As a part of `recover backups`, after it was approved."""

    name = "backups.schedule"
    title = "Daily schedule"
    needs = (BackupsDecided,)
    plans_with = ()


class ScheduleNewDatabase(ScheduleBackups):
    """A schedule belongs to a database: the new one has none."""

    name = "infra.schedule"
    title = "Schedule backups"
    sends = (writes("POST", "/client/v11/databases/…/transfer-schedules"),)
    manual = ("heroku pg:backups:schedule DATABASE_URL --at '{backup_at}' --app {new_app}",)
    needs = (DatabaseReady,)
    waits = "a daily backup of the new database is scheduled"

    @override
    def _database(self, view: View) -> tuple[str, str]:
        return view.need(DatabaseReady).id, self._deps.target.heroku.database


def wanted_schedule(deps: Deps) -> str:
    """The daily one of scenarios.yaml, as the platform's are put in words."""
    recovery = deps.config.recovery
    return words(Schedule(id="", name="", hour=recovery.backup_hour, timezone=recovery.backup_timezone))
