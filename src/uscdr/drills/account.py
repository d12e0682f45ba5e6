"""What a drill gives: the recovery's report and, since the healthy state is known, the true loss."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uscdr.report.json import to_json
from uscdr.report.markdown import to_markdown
from uscdr.report.model import RunReport
from uscdr.report.summary import objective_words


@dataclass(frozen=True)
class Losses:
    """One table that has not the rows it had before the disaster."""

    table: str
    before: int
    after: int


@dataclass(frozen=True)
class Drill:
    """A finished drill. Rows leave volatile tables out."""

    scenario: str
    how: str
    patients: int
    damage: dict[str, Any]
    rows_before: int
    rows_after: int
    losses: tuple[Losses, ...]
    restores: int
    journal: str
    report: RunReport

    @property
    def rows_lost(self) -> int:
        """Rows of the healthy state that are gone for good."""
        return sum(max(0, loss.before - loss.after) for loss in self.losses)

    @property
    def sound(self) -> bool:
        """Whether the recovery ended as it should: done, and with exactly one restore."""
        return self.report.outcome == "done" and self.restores == 1


def drill_summary(drill: Drill, directory: Path) -> str:
    """The figures for the screen."""
    report = drill.report
    verdict = "passed" if drill.sound else "FAILED"
    rows = f"Rows: {drill.rows_before:,} before the disaster, {drill.rows_after:,} after the recovery"
    return "\n".join(
        [
            f"Drill {drill.scenario} ({drill.how}, {drill.patients:,} patients): {verdict}",
            f"Achieved RTO: {objective_words(report.rto)}",
            f"Achieved RPO: {objective_words(report.rpo)}",
            f"{rows}, {drill.rows_lost:,} lost",
            f"Restores sent to the provider: {drill.restores}",
            f"Report: {directory / f'drill-{drill.scenario}.md'} and .json",
        ]
    )


def drill_markdown(drill: Drill) -> str:
    """The whole report: the drill's own figures, then the recovery's."""
    lines = [f"# Drill: {drill.scenario}, {drill.how}", "", drill_figures(drill), ""]
    if drill.losses:
        lines += ["| table | before the disaster | after the recovery |", "|---|---:|---:|"]
        lines += [f"| {loss.table} | {loss.before:,} | {loss.after:,} |" for loss in drill.losses]
        lines += [""]
    return "\n".join([*lines, to_markdown(drill.report)])


def drill_figures(drill: Drill) -> str:
    """One paragraph of figures."""
    return (
        f"{drill.patients:,} synthetic patients. Rows before the disaster: {drill.rows_before:,}; after the recovery: "
        f"{drill.rows_after:,}; lost: {drill.rows_lost:,} (written after the backup was taken). "
        f"Restores sent: {drill.restores}. Verdict: {'passed' if drill.sound else 'failed'}."
    )


def drill_json(drill: Drill) -> str:
    """The same as JSON."""
    data = {name: value for name, value in asdict(drill).items() if name != "report"}
    data |= {"rows_lost": drill.rows_lost, "sound": drill.sound, "recovery": json.loads(to_json(drill.report))}
    return json.dumps(data, ensure_ascii=False, default=str)
