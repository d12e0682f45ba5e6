"""Confirm what the run creates, drops and copies. The operator confirms by a phrase before any request."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, BlastRadius, Effect, Reporter, View
from uscdr.models.base import Fact
from uscdr.phrase import short_phrase
from uscdr.scenarios.results.backups import BackupsDecided, BackupsVerdict, BackupSystemSeen, CopyProven
from uscdr.scenarios.steps.backups_capture import wanted_schedule
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep
from uscdr.words import duration


class _ReplacedCommand(Fact):
    """A command of the runbook that is not run, why, and the step that does instead what it was meant to do."""

    command: str
    why: str
    step: str


class _CommandsReplaced(Fact):
    """All of them, in the runbook's order."""

    commands: tuple[_ReplacedCommand, ...]


class BackupsDecide(ScenarioStep[BackupSystemSeen, BackupsDecided]):
    """Asks for the confirmation; changes nothing itself."""

    name = "backups.decide"
    title = "Decide"
    phase = ASSESS
    effect = Effect.IDEMPOTENT
    destructive = True
    manual = ("heroku pg:backups --app {app}   # at the limit of manual backups? then the next one drops the oldest",)
    gives = BackupsDecided
    needs = (BackupSystemSeen,)
    checked_by = (CopyProven, BackupsVerdict)
    waits = "asked after the inspection"

    @override
    def probe(self, view: View, tell: Reporter) -> BackupSystemSeen:
        return view.need(BackupSystemSeen)

    @override
    def plan(self, seen: BackupSystemSeen, view: View) -> Action:
        if seen.running:
            return Action("blocked", seen.running)
        if seen.refused:
            return Action("blocked", f"uscdr will not capture a backup. {seen.refused}.")
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
            "copied to": f"{decided.place}, for {seen.readers}"
            if decided.place
            else "NOWHERE: no recipient could open it",
        }

    @override
    def blast(self, seen: BackupSystemSeen, view: View) -> BlastRadius:
        decided = self._decided(seen)
        doing = f"capture after {seen.newest or 'none'}, drop {decided.drops or 'none'}"
        return BlastRadius(self._facts(seen), short_phrase(seen.app, doing))

    @override
    def apply(self, seen: BackupSystemSeen, view: View, tell: Reporter) -> BackupsDecided:
        return self._decided(seen)

    @override
    def current(self, seen: BackupSystemSeen, view: View) -> BackupsDecided:
        return self._decided(seen)

    @override
    def verify(self, result: BackupsDecided, view: View, tell: Reporter) -> str:
        where = f"copied to {result.place}" if result.place else "not copied"
        return f"decided: a new backup of {result.app}, {where}"


# The runbook's own commands: why uscdr does not run them, and which step replaces each.


REPLACED = (
    _ReplacedCommand(
        command="monitor_backups --check-heroku",
        why="no such option (exit 2); it reads its own table and never asks Heroku",
        step="Inspect the backup system",
    ),
    _ReplacedCommand(
        command="setup_heroku_backups --app",
        why=(
            "no dyno has the CLI that it needs; on a laptop it removes and adds the schedule, "
            "then fails before any test"
        ),
        step="Schedule daily backups",
    ),
    _ReplacedCommand(
        command="verify_backup",
        why="exit 0 even when it prints FAILED; restores nothing, --test-restore is a placeholder",
        step="Prove the copy by a restore",
    ),
    _ReplacedCommand(
        command="create_backup --type full --verify",
        why="writes to the disk of its dyno, which is lost when the dyno stops; checks no checksum; has no media",
        step="Capture a test backup, Copy the backup off the platform",
    ),
)
"""Of the five commands in the runbook, only `heroku pg:backups:schedules` works as documented."""


class CommandsLook(ScenarioStep[_CommandsReplaced, _CommandsReplaced]):
    """Sends no request: the findings come from running the commands."""

    name = "backups.commands"
    title = "List the runbook's commands that are not run"
    phase = ASSESS
    effect = Effect.READ
    manual = (
        "# not {manage} monitor_backups --check-heroku: no such option (exit 2); it never asks Heroku",
        "# not {manage} setup_heroku_backups: removes the schedule, then fails (exit 1); tests nothing",
        "# not {manage} verify_backup: restores nothing; exit 0 even when it prints FAILED",
        "# not {manage} create_backup --type full --verify: writes to its dyno's disk, lost when the dyno stops",
    )
    gives = _CommandsReplaced

    @override
    def probe(self, view: View, tell: Reporter) -> _CommandsReplaced:
        return _CommandsReplaced(commands=REPLACED)

    @override
    def plan(self, seen: _CommandsReplaced, view: View) -> Action:
        words = " | ".join(f"{one.command}: {one.why} -> {one.step}" for one in seen.commands)
        return Action("read", f"not run; the step after -> replaces each command: {words}")
