"""What a drill gives: the recovery's report and, since the healthy state is known, the true loss."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uscdr.drills.truth import Finding, Losses
from uscdr.report.json import to_json
from uscdr.report.markdown import to_markdown
from uscdr.report.model import PhaseReport, RunReport
from uscdr.report.summary import objective_words
from uscdr.words import duration


@dataclass(frozen=True)
class Drill:
    """A finished drill. Rows leave volatile tables out; `writes` are those of the recovery."""

    scenario: str
    how: str
    patients: int
    damage: dict[str, Any]
    rows_before: int
    rows_after: int
    losses: tuple[Losses, ...]
    restores: int
    writes: int
    beyond: tuple[str, ...]
    """Writes that no line of the plan announced."""
    findings: tuple[Finding, ...]
    """Comparisons with the healthy state; none when the recovery did not end as done."""
    journal: str
    report: RunReport

    @property
    def rows_lost(self) -> int:
        """Rows of the healthy state that are gone for good."""
        return sum(max(0, loss.before - loss.after) for loss in self.losses)

    @property
    def sound(self) -> bool:
        """Whether the recovery is done, all is as it was, and nothing was written that the plan did not announce."""
        compared = bool(self.findings) and all(finding.holds for finding in self.findings)
        return self.report.outcome == "done" and compared and not self.beyond


def drill_summary(drill: Drill, directory: Path) -> str:
    """The figures for the screen."""
    report = drill.report
    verdict = "passed" if drill.sound else "FAILED"
    return "\n".join(
        [
            f"Drill {drill.scenario} ({drill.how}, {drill.patients:,} patients): {verdict}",
            f"Achieved RTO: {objective_words(report.rto)}",
            f"Achieved RPO: {objective_words(report.rpo)}",
            f"Rows: {_rows(drill)}",
            *(f"{'Holds' if one.holds else 'DOES NOT HOLD'}: {one.name} ({one.evidence})" for one in drill.findings),
            f"Writes sent to the providers: {drill.writes}, beyond the plan: {'; '.join(drill.beyond) or 'none'}",
            f"Report: {directory / f'drill-{drill.scenario}.md'} and .json",
        ]
    )


def _rows(drill: Drill) -> str:
    if not drill.findings:
        return f"{drill.rows_before:,} before the disaster; not counted afterwards, the recovery is not done"
    words = f"{drill.rows_before:,} before the disaster, {drill.rows_after:,} after the recovery"
    return f"{words}, {drill.rows_lost:,} lost"


def drill_markdown(drill: Drill) -> str:
    """The whole report: the drill's own figures, then the recovery's."""
    lines = [f"# Drill: {drill.scenario}, {drill.how}", "", drill_figures(drill), ""]
    lines += _table(("compared with the healthy state", "holds", "evidence"), [
        (one.name, "yes" if one.holds else "**no**", one.evidence) for one in drill.findings
    ])  # fmt: skip
    lines += _table(("phase", "budget", "took"), [_phase(one) for one in drill.report.phases])
    if drill.findings:
        lost = [(loss.table, f"{loss.before:,}", f"{loss.after:,}") for loss in drill.losses]
        lines += _table(("table", "before the disaster", "after the recovery"), lost)
    return "\n".join([*lines, to_markdown(drill.report)])


def _phase(phase: PhaseReport) -> tuple[str, ...]:
    budget = "none" if phase.budget_seconds is None else duration(phase.budget_seconds)
    return phase.name, budget, "not finished" if phase.seconds is None else duration(phase.seconds)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def drill_figures(drill: Drill) -> str:
    """One paragraph of figures."""
    return (
        f"{drill.patients:,} synthetic patients. Rows: {_rows(drill)}. Writes sent to the providers: {drill.writes}; "
        f"beyond the plan: {'; '.join(drill.beyond) or 'none'}. Verdict: {'passed' if drill.sound else 'failed'}."
    )


def drill_json(drill: Drill) -> str:
    """The same as JSON."""
    data = {name: value for name, value in asdict(drill).items() if name != "report"}
    data |= {"rows_lost": drill.rows_lost, "sound": drill.sound, "recovery": json.loads(to_json(drill.report))}
    return json.dumps(data, ensure_ascii=False, default=str)
