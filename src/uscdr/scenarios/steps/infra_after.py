"""After the switch: daily backups of the new database, the people, and what the old place still holds."""

from __future__ import annotations

import time

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Finding, Intent, Tell, View
from uscdr.errors import CheckFailed, NotFound, ProviderError
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.models.heroku import Schedule
from uscdr.scenarios.results_infra import DatabaseReady, InfraSeen, OldPlaceSeen, PeopleAdded, Scheduled, Switched
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import reads, writes
from uscdr.words import plural

NAME = "DATABASE_URL"
SETTLE_SECONDS = 8.0
SETTLE_INTERVAL = 0.5


class ScheduleSeen(Fact):
    """Schedules that the new database has, in words."""

    addon_id: str
    there: tuple[str, ...]


class ScheduleBackups(DepsStep[ScheduleSeen, Scheduled]):
    """A schedule belongs to a database: the new one has none."""

    name = "infra.schedule"
    title = "Schedule backups"
    default_id = "schedule"
    effect = Effect.FINDABLE
    manual = ("heroku pg:backups:schedule DATABASE_URL --at '{backup_at}' --app {new_app}",)
    gives = Scheduled
    needs = (DatabaseReady,)
    waits = "a daily backup of the new database is scheduled"

    @override
    def foresee(self, waiting_for: str) -> Action:
        return Action("later", waiting_for, (writes("POST", "/client/v11/databases/…/transfer-schedules"),))

    @override
    def probe(self, view: View, tell: Tell) -> ScheduleSeen:
        addon = view.need(DatabaseReady)
        return ScheduleSeen(addon_id=addon.id, there=tuple(map(_words, self._deps.backups.schedules(addon.id))))

    @override
    def plan(self, seen: ScheduleSeen, view: View) -> Action:
        recovery, app = self._deps.config.recovery, self._deps.app
        at = f"{recovery.backup_hour:02d}:00 {recovery.backup_timezone}"
        manual = (f"heroku pg:backups:schedule DATABASE_URL --at '{at}' --app {app}",)
        if seen.there:
            return Action("noop", f"scheduled already: {', '.join(seen.there)}", (), manual)
        calls = (writes("POST", f"/client/v11/databases/{seen.addon_id}/transfer-schedules"),)
        return Action("change", f"a daily backup at {at}; meeting the RPO needs more than that", calls, manual)

    @override
    def apply(self, seen: ScheduleSeen, view: View, tell: Tell) -> Scheduled:
        recovery = self._deps.config.recovery
        made = self._deps.provisioning.schedule_backups(
            seen.addon_id, NAME, hour=recovery.backup_hour, timezone=recovery.backup_timezone
        )
        tell.accepted(made.id)
        return Scheduled(name=made.name, hour=made.hour, timezone=made.timezone)

    @override
    def unchanged(self, seen: ScheduleSeen, view: View) -> Scheduled:
        first = self._deps.backups.schedules(seen.addon_id)[0]
        return Scheduled(name=first.name, hour=first.hour, timezone=first.timezone)

    @override
    def find(self, intent: Intent, view: View, tell: Tell) -> Finding:
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

    @override
    def adopt(self, provider_id: str, seen: ScheduleSeen, view: View, tell: Tell) -> Scheduled:
        return self.unchanged(seen, view)

    @override
    def confirm_effect(self, result: Scheduled, view: View, tell: Tell) -> str:
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

    name = "infra.people"
    title = "Collaborators"
    default_id = "people"
    effect = Effect.IDEMPOTENT
    manual = ("heroku access:add $EMAIL --app {new_app}",)
    gives = PeopleAdded
    needs = (InfraSeen, Switched)
    waits = "collaborators are added after the switch"

    @override
    def foresee(self, waiting_for: str) -> Action:
        return Action("later", waiting_for, self._calls())

    @override
    def probe(self, view: View, tell: Tell) -> PeopleSeen:
        scope, there = view.need(InfraSeen), self._deps.provisioning.collaborators(self._deps.app)
        return PeopleSeen(missing=tuple(one for one in scope.collaborators if one not in there))

    @override
    def plan(self, seen: PeopleSeen, view: View) -> Action:
        app = self._deps.app
        manual = (f"heroku access:add $EMAIL --app {app}",)
        if not seen.missing:
            return Action("noop", "no collaborator is missing", (), manual)
        return Action("change", f"added: {plural(len(seen.missing), 'collaborator')}", self._calls(), manual)

    def _calls(self) -> tuple[Call, ...]:
        return (writes("POST", f"/apps/{self._deps.app}/collaborators"),)

    @override
    def apply(self, seen: PeopleSeen, view: View, tell: Tell) -> PeopleAdded:
        for email in seen.missing:
            self._deps.provisioning.add_collaborator(self._deps.app, email)
        return PeopleAdded(added=len(seen.missing))

    @override
    def unchanged(self, seen: PeopleSeen, view: View) -> PeopleAdded:
        return PeopleAdded(added=0)

    @override
    def confirm_effect(self, result: PeopleAdded, view: View, tell: Tell) -> str:
        if self.probe(view, tell).missing:
            raise CheckFailed(
                "Not every collaborator is in the new place.",
                next_action=f"See: heroku access --app {self._deps.app}; then: uscdr runs resume",
            )
        return f"{plural(result.added, 'collaborator')} added"


class OldPlaceLook(DepsStep[OldPlaceSeen, OldPlaceSeen]):
    """What is left there: costs, data, names. Nothing of it is deleted."""

    name = "infra.old_place"
    title = "What the old place holds"
    default_id = "old_place"
    effect = Effect.READ
    manual = ("heroku addons --app {app}",)
    gives = OldPlaceSeen
    needs = (Switched,)
    waits = "what the old place still holds is listed at the end"

    @override
    def probe(self, view: View, tell: Tell) -> OldPlaceSeen:
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

    @override
    def plan(self, seen: OldPlaceSeen, view: View) -> Action:
        app = self._deps.old_app
        calls = (reads("GET", f"/apps/{app}/addons"),)
        words = "; ".join(seen.holds) or "the application was rebuilt in place"
        return Action("read", f"the old place still holds: {words}", calls, (f"heroku addons --app {app}",))
