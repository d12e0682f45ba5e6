"""A database disaster: one proven backup is restored, once."""

from __future__ import annotations

from uscdr.drills.beyond import of
from uscdr.drills.disaster import Aftermath, Disaster
from uscdr.drills.stage import Stage
from uscdr.drills.truth import Finding
from uscdr.scenarios.deps import Request

BACKUP = "b001"


class DatabaseDisaster(Disaster):
    """What was written after the backup is lost; all else is there."""

    scenario, path = "db", "break"

    def prepare(self, stage: Stage) -> None:
        """The sandbox has its backup from the beginning."""

    def request(self) -> Request:
        """The backup of the healthy state."""
        return Request("db", BACKUP)

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Finding, ...]:
        """One restore, and every row of the backup."""
        stage.output.say("Comparing with the backup")
        sent = len(of(seen.writes, "POST", "*/restores"))
        wanted, there = seen.report.data.rows_backup, seen.after.rows
        words = f"{there} rows, {wanted} in the backup"
        return (
            Finding("one restore was sent", sent == 1, f"{sent}"),
            Finding("every row of the backup is back", wanted is not None and there == wanted, words),
        )
