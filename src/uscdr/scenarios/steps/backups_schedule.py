"""The platform's daily schedule: created if there is none, sent once, looked for when its answer is lost."""

from __future__ import annotations

import time

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Finding, Intent, Tell, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.models.heroku import Schedule
from uscdr.scenarios.results_backups import BackupsDecided, BackupsScheduled
from uscdr.scenarios.steps.backups_decide import wanted_schedule
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import writes
from uscdr.vault.backups.rpo import words

SETTLE_SECONDS, SETTLE_INTERVAL = 8.0, 0.5
"""How long a lost write is looked for."""


class SchedulesSeen(Fact):
    """The database, and what is scheduled for it."""

    addon_id: str
    there: tuple[Schedule, ...]


class Reschedule(DepsStep[SchedulesSeen, BackupsScheduled]):
    """A schedule that is there stays as it is, whatever its hour."""

    name = "backups.schedule"
    title = "Daily schedule"
    default_id = "schedule"
    effect = Effect.FINDABLE
    manual = ("heroku pg:backups:schedule DATABASE_URL --at '{backup_at}' --app {app}   # only if there is none",)
    gives = BackupsScheduled
    needs = (BackupsDecided,)
    plans_with = ()

    @override
    def probe(self, view: View, tell: Tell) -> SchedulesSeen:
        addon = self._deps.attachment().addon_id
        return SchedulesSeen(addon_id=addon, there=self._deps.backups.schedules(addon))

    @override
    def plan(self, seen: SchedulesSeen, view: View) -> Action:
        wanted, app = wanted_schedule(self._deps), self._deps.app
        name, at = self._deps.target.heroku.database, wanted.removeprefix("daily at ")
        manual = (f"heroku pg:backups:schedule {name} --at '{at}' --app {app}",)
        if seen.there:
            found = ", ".join(map(words, seen.there))
            other = (
                f" (scenarios.yaml has {wanted}; it is left as it is)" if wanted not in map(words, seen.there) else ""
            )
            return Action("noop", f"scheduled already: {found}{other}", (), manual)
        calls = (writes("POST", f"/client/v11/databases/{seen.addon_id}/transfer-schedules"),)
        return Action("change", f"a backup is scheduled {wanted}", calls, manual)

    @override
    def apply(self, seen: SchedulesSeen, view: View, tell: Tell) -> BackupsScheduled:
        recovery = self._deps.config.recovery
        made = self._deps.provisioning.schedule_backups(
            seen.addon_id, self._deps.target.heroku.database, hour=recovery.backup_hour,
            timezone=recovery.backup_timezone,
        )  # fmt: skip
        tell.accepted(made.id)
        return BackupsScheduled(schedules=(words(made),), created=True)

    @override
    def unchanged(self, seen: SchedulesSeen, view: View) -> BackupsScheduled:
        return BackupsScheduled(schedules=tuple(map(words, seen.there)), created=False)

    @override
    def find(self, intent: Intent, view: View, tell: Tell) -> Finding:
        addon = self._deps.attachment().addon_id
        looked_at, deadline = f"GET /client/v11/databases/{addon}/transfer-schedules", time.monotonic() + SETTLE_SECONDS
        while True:
            there = self._deps.backups.schedules(addon)
            if there:
                return Finding(looked_at, words(there[0]), there[0].id)
            if time.monotonic() >= deadline:
                return Finding(looked_at, "none is scheduled", None)
            tell.progress("looking whether the lost request arrived")
            self._deps.stop.pause(SETTLE_INTERVAL)

    @override
    def adopt(self, provider_id: str, seen: SchedulesSeen, view: View, tell: Tell) -> BackupsScheduled:
        there = self._deps.backups.schedules(seen.addon_id)
        return BackupsScheduled(schedules=tuple(map(words, there)), created=True)

    @override
    def confirm_effect(self, result: BackupsScheduled, view: View, tell: Tell) -> str:
        there = self._deps.backups.schedules(self._deps.attachment().addon_id)
        if not there:
            raise CheckFailed(
                "The platform took the schedule, and does not list it.",
                next_action=f"heroku pg:backups:schedules --app {self._deps.app}; then: uscdr runs resume",
            )
        return ", ".join(map(words, there))
