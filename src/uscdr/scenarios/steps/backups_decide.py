"""What is created, dropped and copied: shown and confirmed by a phrase before anything is sent."""

from __future__ import annotations

from uscdr.engine.step import Action, Blast, Tell, View
from uscdr.scenarios.deps import Deps
from uscdr.scenarios.results_backups import BackupsDecided, BackupSystemSeen
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import age


class BackupsDecide(DepsStep[BackupSystemSeen, BackupsDecided]):
    """Changes nothing itself."""

    result = BackupsDecided

    def ready(self, view: View) -> str | None:
        """After the look."""
        return None if view.get(BackupSystemSeen) else "asked when it is known what is wrong"

    def probe(self, view: View, tell: Tell) -> BackupSystemSeen:
        """What the look found."""
        return view.need(BackupSystemSeen)

    def plan(self, seen: BackupSystemSeen, view: View) -> Action:
        """Blocked while a transfer runs, and when the platform would drop what must not be lost."""
        if seen.running:
            return Action("blocked", f"Transfer {seen.running} is still running; wait for its end.")
        if seen.refused:
            return Action("blocked", f"No backup is captured: {seen.refused}.")
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
        newest = f", {age(seen.newest_age)} old" if seen.newest_age is not None else ""
        return {
            "application": f"{seen.app} ({seen.addon})",
            "newest backup": f"{seen.newest or 'NONE'}{newest}",
            "newest proven": seen.proven or "NONE",
            "schedule": f"created: {decided.schedule}" if decided.schedule else ", ".join(seen.schedules),
            "dropped for the new backup": decided.drops or "none",
            "copied to": f"{decided.place}, for {seen.readers}" if decided.place else "NOWHERE: nobody could open it",
        }

    def blast(self, seen: BackupSystemSeen, view: View) -> Blast:
        """The application, what is created, what goes, where the copy lies."""
        decided = self._decided(seen)
        parts = [
            f"schedule {decided.schedule}" if decided.schedule else "",
            f"capture after {seen.newest or 'no backup'}, drop {decided.drops or 'none'}",
            f"copy to {decided.place}" if decided.place else "no copy",
        ]
        return Blast(facts=self._facts(seen), phrases=(f"{seen.app}: {', '.join(filter(None, parts))}",))

    def apply(self, seen: BackupSystemSeen, view: View, tell: Tell) -> BackupsDecided:
        """The decision itself."""
        return self._decided(seen)

    def unchanged(self, seen: BackupSystemSeen, view: View) -> BackupsDecided:
        """The same."""
        return self._decided(seen)

    def confirm_effect(self, result: BackupsDecided, view: View, tell: Tell) -> str:
        """Repeat it."""
        where = f"copied to {result.place}" if result.place else "not copied"
        return f"decided: a new backup of {result.app}, {where}"


def wanted_schedule(deps: Deps) -> str:
    """The daily one of scenarios.yaml, as the platform's are put in words."""
    recovery = deps.config.recovery
    return f"daily at {recovery.backup_hour:02d}:00 {recovery.backup_timezone}"
