"""When the last recovery and the last drill ended, by the journals in the state directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.journal.reader import Journal
from uscdr.journal.runs import OVER, LocalRuns, RunSummary, scenario_in
from uscdr.models.runs import RunKind
from uscdr.scenarios.config import SANDBOX

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True)
class LastEnds:
    """The ends of the last completed runs; None is unknown, or there was none."""

    recovery: datetime | None = None
    """Of the target."""
    drill: datetime | None = None
    """A recovery of a sandbox."""

    @classmethod
    def of(cls, state: Path, key: str) -> LastEnds:
        """By this machine's journals and its copies of the team's; `key` is the target's, empty if unknown.

        A run counts that completed every step. Raises JournalError when the directory cannot be listed.
        """
        recovery: datetime | None = None
        drill: datetime | None = None
        for path in reversed(list(LocalRuns(state).journals())):
            if recovery and drill:
                break
            if not RunKind(scenario_in(path.parent.name)).recovers:
                continue  # cron makes many of those: their journals are not read
            journal = Journal.salvage(path)
            summary = RunSummary.of(journal)
            if summary.state not in OVER:
                continue
            if journal.request.get("key") == key:
                recovery = recovery or journal.lines[-1].found.at
            if summary.target == SANDBOX:
                drill = drill or journal.lines[-1].found.at
        return cls(recovery, drill)
