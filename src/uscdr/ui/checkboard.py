"""A round of checks at one moment, folded from its events; no words, no screen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from uscdr.models import events as ev

State = Literal["fail", "inconclusive", "cut off", "running", "not checked", "waiting", "pass"]
BEGUN = "verify"
"""A progress event of this step whose note is a check's name tells that the check began."""


@dataclass
class CheckRow:
    """One check of the round. `before` is its verdict in the round before, "" when there was none."""

    name: str
    before: str = ""
    began: datetime | None = None
    ended: ev.CheckFinished | None = None
    ended_at: datetime | None = None


class CheckBoard:
    """Folds the events of a run's checks, in order, into the newest round."""

    def __init__(self) -> None:
        self.round = 0
        """0 until a round began."""
        self.rows: dict[str, CheckRow] = {}
        self.lines = 0
        self.baseline_at: datetime | None = None
        self.started: datetime | None = None
        self.over_at: datetime | None = None
        self.finished: ev.ChecksFinished | None = None
        self._begins_told = False

    def apply(self, stamped: ev.Stamped) -> None:
        """Take in one event; what does not concern a round is passed over."""
        match stamped.event:
            case ev.ChecksStarted() as event:
                self._begin(event, stamped.at)
            case ev.StepProgress(step=step, note=name) if step == BEGUN and name in self.rows:
                self._begins_told = True
                self.rows[name].began = stamped.at
            case ev.CheckFinished() as event if self.under_way:
                row = self.rows.setdefault(event.check, CheckRow(event.check))
                row.ended, row.ended_at = event, stamped.at
            case ev.ChecksFinished() as event:
                self.finished, self.over_at = event, stamped.at
            case ev.RunFinished():
                self.over_at = self.over_at or stamped.at
            case _:
                return

    @property
    def under_way(self) -> bool:
        """Whether a round has begun and not ended."""
        return self.started is not None and self.over_at is None

    def state(self, row: CheckRow) -> State:
        """Where the check stands. Without word of any beginning, every check that has not ended counts as running."""
        if row.ended:
            return row.ended.verdict
        if not self.under_way:
            return "cut off"
        return "running" if row.began or not self._begins_told else "waiting"

    def seconds(self, row: CheckRow, now: datetime) -> float | None:
        """Seconds it took, or has taken so far; None before it began."""
        if row.ended:
            return row.ended.seconds
        began = row.began or (None if self._begins_told else self.started)
        return max(0.0, ((self.over_at or now) - began).total_seconds()) if began else None

    def elapsed(self, now: datetime) -> float:
        """Seconds of the round, until it ended."""
        return max(0.0, ((self.over_at or now) - self.started).total_seconds()) if self.started else 0.0

    @property
    def verdicts(self) -> list[str]:
        """Of the checks that ended."""
        return [row.ended.verdict for row in self.rows.values() if row.ended]

    def _begin(self, event: ev.ChecksStarted, at: datetime) -> None:
        before = {name: row.ended.verdict for name, row in self.rows.items() if row.ended}
        self.rows = {name: CheckRow(name, before.get(name, "")) for name in event.checks}
        self.round, self.lines, self.baseline_at = event.round, event.items, event.baseline_at
        self.started, self.over_at, self.finished, self._begins_told = at, None, None, False
