"""The runbook's own commands for this: which are not run, and why they do not do what they say."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.scenarios.results_backups import CommandsReplaced, ReplacedCommand
from uscdr.scenarios.steps.base import ASSESS, DepsStep

REPLACED = (
    ReplacedCommand(
        command="monitor_backups --check-heroku",
        why="no such option, exit 2; it reads a table of its own and never asks the platform",
        step="Backup system as it stands",
    ),
    ReplacedCommand(
        command="setup_heroku_backups --app",
        why="no dyno has the CLI it needs; on a laptop it unschedules, schedules, dies untested at an unknown command",
        step="Daily schedule",
    ),
    ReplacedCommand(
        command="verify_backup",
        why="exit 0 while it prints FAILED; restores nothing, --test-restore is a placeholder",
        step="Prove by a restore",
    ),
    ReplacedCommand(
        command="create_backup --type full --verify",
        why="writes to its own dyno's disk, gone when that stops; compares no checksum; has no media",
        step="Test a new backup, Copy it off the platform",
    ),
)
"""Of the runbook's five only `heroku pg:backups:schedules` does what it says."""


class CommandsLook(DepsStep[CommandsReplaced, CommandsReplaced]):
    """Asks nobody: this was found out by running them."""

    name = "backups.commands"
    title = "The runbook's own commands"
    phase = ASSESS
    effect = Effect.READ
    manual = (
        "# not {manage} monitor_backups --check-heroku: no such option, exit 2; it never asks the platform",
        "# not {manage} setup_heroku_backups: removes the schedule, then dies; exit 1, nothing tested",
        "# not {manage} verify_backup: restores nothing; exit 0 while it prints FAILED",
        "# not {manage} create_backup --type full --verify: writes to its own dyno's disk, gone when that stops",
    )
    gives = CommandsReplaced

    @override
    def probe(self, view: View, tell: Tell) -> CommandsReplaced:
        return CommandsReplaced(commands=REPLACED)

    @override
    def plan(self, seen: CommandsReplaced, view: View) -> Action:
        words = " | ".join(f"{one.command}: {one.why} -> {one.step}" for one in seen.commands)
        return Action("read", f"not run, and which step does it instead: {words}")
