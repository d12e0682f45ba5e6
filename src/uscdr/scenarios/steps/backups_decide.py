"""What is created, dropped and copied: shown and confirmed by a phrase before anything is sent."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Blast, Effect, Tell, View
from uscdr.scenarios.results_backups import BackupsDecided, BackupsVerdict, BackupSystemSeen, CopyProven
from uscdr.scenarios.steps.backups_schedule import wanted_schedule
from uscdr.scenarios.steps.base import ASSESS, DepsStep
from uscdr.words import duration


class BackupsDecide(DepsStep[BackupSystemSeen, BackupsDecided]):
    """Changes nothing itself."""

    name = "backups.decide"
    title = "Decide"
    phase = ASSESS
    effect = Effect.IDEMPOTENT
    destructive = True
    manual = ("heroku pg:backups --app {app}   # as many manual ones as are kept? the oldest goes for the next",)
    gives = BackupsDecided
    needs = (BackupSystemSeen,)
    checked_by = (CopyProven, BackupsVerdict)
    waits = "asked when it is known what is wrong"

    @override
    def probe(self, view: View, tell: Tell) -> BackupSystemSeen:
        return view.need(BackupSystemSeen)

    @override
    def plan(self, seen: BackupSystemSeen, view: View) -> Action:
        if seen.running:
            return Action("blocked", seen.running)
        if seen.refused:
            return Action("blocked", f"No backup is captured. {seen.refused}.")
        decided = self._decided(seen)
        approved = {
            "application": decided.app,
            "new schedule": decided.schedule or "none",
            "dropped": decided.drops or "none",
            "copied to": decided.place or "nowhere",
        }
        return Action("change", "; ".join(f"{key}: {fact}" for key, fact in self._facts(seen).items()),
                      approved=approved)  # fmt: skip

    def _decided(self, seen: BackupSystemSeen) -> BackupsDecided:
        return BackupsDecided(
            app=seen.app,
            schedule="" if seen.schedules else wanted_schedule(self._deps),
            drops=seen.drops,
            place=seen.place if seen.readers else "",
        )

    def _facts(self, seen: BackupSystemSeen) -> dict[str, str]:
        decided = self._decided(seen)
        newest = f", {duration(seen.newest_age)} old" if seen.newest_age is not None else ""
        return {
            "application": f"{seen.app} ({seen.addon})",
            "newest backup": f"{seen.newest or 'NONE'}{newest}",
            "newest proven": seen.proven or "NONE",
            "schedule": f"created: {decided.schedule}" if decided.schedule else ", ".join(seen.schedules),
            "dropped for the new backup": decided.drops or "none",
            "copied to": f"{decided.place}, for {seen.readers}" if decided.place else "NOWHERE: nobody could open it",
        }

    @override
    def blast(self, seen: BackupSystemSeen, view: View) -> Blast:
        decided = self._decided(seen)
        parts = [
            f"schedule {decided.schedule}" if decided.schedule else "",
            f"capture after {seen.newest or 'no backup'}, drop {decided.drops or 'none'}",
            f"copy to {decided.place}" if decided.place else "no copy",
        ]
        return Blast(facts=self._facts(seen), phrases=(f"{seen.app}: {', '.join(filter(None, parts))}",))

    @override
    def apply(self, seen: BackupSystemSeen, view: View, tell: Tell) -> BackupsDecided:
        return self._decided(seen)

    @override
    def unchanged(self, seen: BackupSystemSeen, view: View) -> BackupsDecided:
        return self._decided(seen)

    @override
    def confirm_effect(self, result: BackupsDecided, view: View, tell: Tell) -> str:
        where = f"copied to {result.place}" if result.place else "not copied"
        return f"decided: a new backup of {result.app}, {where}"
