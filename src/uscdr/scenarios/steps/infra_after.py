"""After the switch: daily backups of the new database, the people, and what the old place still holds."""

from __future__ import annotations

import time

from uscdr.engine.step import Action, Finding, Intent, Tell, View
from uscdr.errors import CheckFailed, NotFound, ProviderError
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.models.heroku import Schedule
from uscdr.scenarios.results_infra import DatabaseReady, InfraSeen, OldPlaceSeen, PeopleAdded, Scheduled, Switched
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import plural, reads, writes

NAME = "DATABASE_URL"
SETTLE_SECONDS = 8.0
SETTLE_INTERVAL = 0.5


class ScheduleSeen(Fact):
    """Schedules that the new database has, in words."""

    addon_id: str
    there: tuple[str, ...]


class ScheduleBackups(DepsStep[ScheduleSeen, Scheduled]):
    """A schedule belongs to a database: the new one has none."""

    result = Scheduled

    def ready(self, view: View) -> str | None:
        """After the new database is there."""
        return None if view.get(DatabaseReady) else "a daily backup of the new database is scheduled"

    def foresee(self, waiting_for: str) -> Action:
        """The line of the plan while it waits."""
        return Action("later", waiting_for, (writes("POST", "/client/v11/databases/…/transfer-schedules"),))

    def probe(self, view: View, tell: Tell) -> ScheduleSeen:
        """What is scheduled."""
        addon = view.need(DatabaseReady)
        return ScheduleSeen(addon_id=addon.id, there=tuple(map(_words, self._deps.backups.schedules(addon.id))))

    def plan(self, seen: ScheduleSeen, view: View) -> Action:
        """Nothing to do when one is there."""
        recovery, app = self._deps.config.recovery, self._deps.app
        at = f"{recovery.backup_hour:02d}:00 {recovery.backup_timezone}"
        manual = (f"heroku pg:backups:schedule DATABASE_URL --at '{at}' --app {app}",)
        if seen.there:
            return Action("noop", f"scheduled already: {', '.join(seen.there)}", (), manual)
        calls = (writes("POST", f"/client/v11/databases/{seen.addon_id}/transfer-schedules"),)
        return Action("change", f"a daily backup at {at}; meeting the RPO needs more than that", calls, manual)

    def apply(self, seen: ScheduleSeen, view: View, tell: Tell) -> Scheduled:
        """Schedule it."""
        recovery = self._deps.config.recovery
        made = self._deps.provisioning.schedule_backups(
            seen.addon_id, NAME, hour=recovery.backup_hour, timezone=recovery.backup_timezone
        )
        tell.accepted(made.id)
        return Scheduled(name=made.name, hour=made.hour, timezone=made.timezone)

    def unchanged(self, seen: ScheduleSeen, view: View) -> Scheduled:
        """One was there."""
        first = self._deps.backups.schedules(seen.addon_id)[0]
        return Scheduled(name=first.name, hour=first.hour, timezone=first.timezone)

    def find(self, intent: Intent, view: View, tell: Tell) -> Finding:
        """There was none before."""
        addon = view.need(DatabaseReady).id
        looked_at = f"GET /client/v11/databases/{addon}/transfer-schedules"
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            there = self._deps.backups.schedules(addon)
            if there:
                return Finding(looked_at, _words(there[0]), there[0].id)
            if time.monotonic() >= deadline:
                return Finding(looked_at, "none is scheduled", None)
            self._deps.stop.pause(SETTLE_INTERVAL)

    def adopt(self, provider_id: str, seen: ScheduleSeen, view: View, tell: Tell) -> Scheduled:
        """It is there."""
        return self.unchanged(seen, view)

    def confirm_effect(self, result: Scheduled, view: View, tell: Tell) -> str:
        """Ask again."""
        there = self._deps.backups.schedules(view.need(DatabaseReady).id)
        if not there:
            raise CheckFailed("No backup of the new database is scheduled.", next_action="uscdr runs resume")
        return ", ".join(map(_words, there))


def _words(schedule: Schedule) -> str:
    return f"daily at {schedule.hour:02d}:00 {schedule.timezone}"


class PeopleSeen(Fact):
    """Which of the old collaborators are missing."""

    missing: tuple[str, ...]


class AddPeople(DepsStep[PeopleSeen, PeopleAdded]):
    """Those who could work on the old place can work on the new one."""

    result = PeopleAdded

    def ready(self, view: View) -> str | None:
        """After the switch."""
        return None if view.get(Switched) else "collaborators are added after the switch"

    def foresee(self, waiting_for: str) -> Action:
        """The line of the plan while it waits."""
        return Action("later", waiting_for, self._calls())

    def probe(self, view: View, tell: Tell) -> PeopleSeen:
        """Compare."""
        scope, there = view.need(InfraSeen), self._deps.provisioning.collaborators(self._deps.app)
        return PeopleSeen(missing=tuple(one for one in scope.collaborators if one not in there))

    def plan(self, seen: PeopleSeen, view: View) -> Action:
        """Nothing to do when all are there."""
        app = self._deps.app
        manual = (f"heroku access:add $EMAIL --app {app}",)
        if not seen.missing:
            return Action("noop", "no collaborator is missing", (), manual)
        return Action("change", f"added: {plural(len(seen.missing), 'collaborator')}", self._calls(), manual)

    def _calls(self) -> tuple[Call, ...]:
        return (writes("POST", f"/apps/{self._deps.app}/collaborators"),)

    def apply(self, seen: PeopleSeen, view: View, tell: Tell) -> PeopleAdded:
        """Add each, without an invitation by mail."""
        for email in seen.missing:
            self._deps.provisioning.add_collaborator(self._deps.app, email)
        return PeopleAdded(added=len(seen.missing))

    def unchanged(self, seen: PeopleSeen, view: View) -> PeopleAdded:
        """All were there."""
        return PeopleAdded(added=0)

    def confirm_effect(self, result: PeopleAdded, view: View, tell: Tell) -> str:
        """Ask again."""
        if self.probe(view, tell).missing:
            raise CheckFailed(
                "Not every collaborator is in the new place.",
                next_action=f"See: heroku access --app {self._deps.app}; then: uscdr runs resume",
            )
        return f"{plural(result.added, 'collaborator')} added"


class OldPlaceLook(DepsStep[OldPlaceSeen, OldPlaceSeen]):
    """What is left there: costs, data, names. Nothing of it is deleted."""

    result = OldPlaceSeen

    def ready(self, view: View) -> str | None:
        """At the end."""
        return None if view.get(Switched) else "what the old place still holds is listed at the end"

    def probe(self, view: View, tell: Tell) -> OldPlaceSeen:
        """List it, if it answers."""
        app = self._deps.old_app
        if app == self._deps.app:
            return OldPlaceSeen(holds=())
        try:
            self._deps.platform.app(app)
            addons = [f"{one.name} ({one.plan})" for one in self._deps.platform.addons(app)]
            names = [d.hostname for d in self._deps.provisioning.domains(app) if d.kind == "custom"]
        except NotFound:
            return OldPlaceSeen(holds=(f"{app} is gone",))
        except ProviderError as error:
            return OldPlaceSeen(holds=(f"not known: {error.message}",))
        return OldPlaceSeen(holds=(*addons, *(f"hostname {name}" for name in names), f"application {app}, stopped"))

    def plan(self, seen: OldPlaceSeen, view: View) -> Action:
        """Say it."""
        app = self._deps.old_app
        calls = (reads("GET", f"/apps/{app}/addons"),)
        words = "; ".join(seen.holds) or "the application was rebuilt in place"
        return Action("read", f"the old place still holds: {words}", calls, (f"heroku addons --app {app}",))
