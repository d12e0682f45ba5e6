"""Runs a drill: record the baseline, break, recover, compare with the baseline, report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from uscdr.drills.baseline import Comparison, Losses, TableContents, content, losses
from uscdr.drills.disasters import (
    Aftermath,
    ApplicationDisaster,
    BackupsDisaster,
    DatabaseDisaster,
    Disaster,
    InfrastructureDisaster,
    MediaDisaster,
    beyond,
    of,
    planned_calls,
)
from uscdr.drills.environment import DrillRequest, Stage, stage
from uscdr.errors import ExitCode
from uscdr.files import disk_errors, write_whole
from uscdr.journal import runs
from uscdr.journal.reader import NAME, Journal
from uscdr.report.markdown import to_markdown
from uscdr.report.objectives import build
from uscdr.scenarios.adapters import Request
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from uscdr.drills.own_data import DrillData
    from uscdr.engine.run import Outcome
    from uscdr.report.model import PhaseReport, RunReport
    from uscdr.ui.console import Output

# The result of a drill: the recovery's report and, because the healthy state is known, the real loss.


@dataclass(frozen=True)
class Drill:
    """A finished drill. Row numbers exclude volatile tables; `writes` counts the recovery's writes."""

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
    """Writes that the plan did not announce."""
    findings: tuple[Comparison, ...]
    """Comparisons with the healthy state; empty when the recovery did not end as done."""
    journal: str
    report: RunReport
    data: DrillData | None = None
    """The masked copy of the operator's own database, if that was damaged and not the clinic's."""

    @property
    def of(self) -> str:
        """Whose data it was, in a few words."""
        return f"a copy of {self.data.backup}" if self.data else f"{self.patients:,} patients"

    @property
    def rows_lost(self) -> int:
        """Rows of the healthy state that the recovery did not restore."""
        return sum(max(0, loss.before - loss.after) for loss in self.losses)

    @property
    def sound(self) -> bool:
        """Whether the recovery is done, every comparison holds, and the plan announced every write."""
        compared = bool(self.findings) and all(finding.holds for finding in self.findings)
        return self.report.outcome == "done" and compared and not self.beyond


def _drill_summary(drill: Drill, directory: Path) -> str:
    """The summary for the screen."""
    report = drill.report
    verdict = "passed" if drill.sound else "FAILED"
    return "\n".join(
        [
            f"Drill {drill.scenario} ({drill.how}, {drill.of}): {verdict}",
            *([f"Data: {drill.data.words}"] if drill.data else []),
            f"Achieved RTO: {report.rto.words}",
            f"Achieved RPO: {report.rpo.words}",
            f"Rows: {_rows(drill)}",
            *(f"{'Holds' if one.holds else 'DOES NOT HOLD'}: {one.name} ({one.evidence})" for one in drill.findings),
            f"Writes sent to the providers: {drill.writes}, beyond the plan: {'; '.join(drill.beyond) or 'none'}",
            f"Report: {directory / f'drill-{drill.scenario}.md'} and .json",
        ]
    )


def _rows(drill: Drill) -> str:
    if not drill.findings:
        return f"{drill.rows_before:,} before the disaster; not counted afterwards, because the recovery is not done"
    words = f"{drill.rows_before:,} before the disaster, {drill.rows_after:,} after the recovery"
    return f"{words}, {drill.rows_lost:,} lost"


def _drill_markdown(drill: Drill) -> str:
    """The whole report: the drill's numbers, then the recovery's report."""
    lines = [f"# Drill: {drill.scenario}, {drill.how}", "", _drill_figures(drill), ""]
    lines += _table(("compared with the healthy state", "holds", "evidence"), [
        (one.name, "yes" if one.holds else "**no**", one.evidence) for one in drill.findings
    ])  # fmt: skip
    lines += _table(("phase", "budget", "took"), [_phase(one) for one in drill.report.phases])
    if drill.findings:
        lost = [(loss.table, f"{loss.before:,}", f"{loss.after:,}") for loss in drill.losses]
        lines += _table(("table", "before the disaster", "after the recovery"), lost)
    lines += _masking(drill.data) if drill.data else []
    return "\n".join([*lines, to_markdown(drill.report)])


def _masking(data: DrillData) -> list[str]:
    """Every column by its rule, and how many rows its table has; never a value."""
    done = data.masked
    lines = [f"The drill used {data.words}. The copy stays as it is; the sandbox never held its own values.", ""]
    lines += _table(("column", "rule", "why", "rows"), [
        (f"{one.table}.{one.column}", one.rule, one.why or "by its type", f"{done.rows[one.table]:,}")
        for one in sorted(done.columns, key=lambda one: (one.rule == "keep", one.table))
    ])  # fmt: skip
    return lines + _table(("not in the drill's database",), [(one,) for one in done.left_out])


def _phase(phase: PhaseReport) -> tuple[str, ...]:
    budget = "none" if phase.budget_seconds is None else duration(phase.budget_seconds)
    return phase.name, budget, "not finished" if phase.seconds is None else duration(phase.seconds)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def _drill_figures(drill: Drill) -> str:
    """One paragraph of numbers."""
    whose = f"Data: {drill.data.words}" if drill.data else f"{drill.patients:,} synthetic patients"
    return (
        f"{whose}. Rows: {_rows(drill)}. Writes sent to the providers: {drill.writes}; "
        f"not in the plan: {'; '.join(drill.beyond) or 'none'}. Verdict: {'passed' if drill.sound else 'failed'}."
    )


def _drill_json(drill: Drill) -> str:
    """The report as JSON."""
    data = {name: value for name, value in asdict(drill).items() if name not in ("report", "data")}
    data |= {"data": drill.data.document()} if drill.data else {}
    data |= {"rows_lost": drill.rows_lost, "sound": drill.sound, "recovery": json.loads(drill.report.to_json())}
    return json.dumps(data, ensure_ascii=False, default=str)


# Writes the report of a drill to files and to the screen.


def _publish(done: Drill, summary: str, directory: Path, output: Output) -> None:
    """Write Markdown and JSON files, then the result on stdout. Raises MachineError when a file cannot be written."""
    data = _drill_json(done)
    _write(directory, f"drill-{done.scenario}.md", _drill_markdown(done))
    _write(directory, f"drill-{done.scenario}.json", data)
    output.result(data if output.json_lines else summary)


def _write(directory: Path, name: str, text: str) -> None:
    fix = "Pass another directory with --report. For the report of the run: uscdr runs report"
    with disk_errors(f"uscdr could not write the report to {directory}.", fix):
        directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / name, f"{text}\n".encode(), fix)


DISASTERS: dict[str, type[Disaster]] = {
    "db": DatabaseDisaster,
    "app": ApplicationDisaster,
    "media": MediaDisaster,
    "infra": InfrastructureDisaster,
    "backups": BackupsDisaster,
}


@dataclass(frozen=True)
class _DrillOutcome:
    """The result of one disaster, collected before the sandbox is removed."""

    ending: Outcome
    before: TableContents
    damage: dict[str, Any]
    writes: list[dict[str, Any]]
    data: DrillData | None = None
    after: TableContents = field(default_factory=TableContents)
    findings: tuple[Comparison, ...] = ()


def drill(scenario: str, request: DrillRequest, output: Output) -> int:
    """Run a drill; return the recovery's exit code, or 1 when the recovery is done but a comparison does not hold."""
    run = runs.new_run_id(scenario)
    with stage(request, output) as sandbox:
        outcome = _carry_out(DISASTERS[scenario](request.how), sandbox, run)
    done = _account(scenario, request, run, outcome)
    _publish(done, _drill_summary(done, request.report), request.report, output)
    if outcome.ending.error is not None:
        output.error(outcome.ending.error)
    return int(outcome.ending.code) or (0 if done.sound else int(ExitCode.CHECK_FAILED))


def _carry_out(disaster: Disaster, sandbox: Stage, run: str) -> _DrillOutcome:
    disaster.prepare(sandbox)
    with sandbox.look(Request(disaster.scenario)) as deps:
        before = content(deps)
    sandbox.output.say(f"Damaging {disaster.scenario}: {sandbox.request.how}")
    damage, mark = disaster.damage(sandbox), sandbox.mark()
    request = disaster.request()
    ending = sandbox.recover(request, run, disaster.identity)
    writes = sandbox.writes(mark)
    if ending.code is not ExitCode.DONE:
        return _DrillOutcome(ending, before, damage, writes, sandbox.data)
    with sandbox.look(request, disaster.identity) as deps:
        after = content(deps)
    journal = Journal.read(sandbox.request.state / "runs" / run / NAME)
    report = build(journal.stamped, last_hash=journal.last_hash)
    return _DrillOutcome(
        ending, before, damage, writes, sandbox.data, after,
        disaster.judge(sandbox, Aftermath(before, after, report, writes)),
    )  # fmt: skip


def _account(scenario: str, request: DrillRequest, run: str, outcome: _DrillOutcome) -> Drill:
    journal = Journal.read(request.state / "runs" / run / NAME)
    unplanned = beyond(outcome.writes, planned_calls(journal.events()))
    return Drill(
        scenario=scenario,
        how=request.how,
        patients=request.patients,
        damage=outcome.damage,
        rows_before=outcome.before.rows,
        rows_after=outcome.after.rows,
        losses=losses(outcome.before, outcome.after),
        restores=len(of(outcome.writes, "POST", "*/restores")),
        writes=len(outcome.writes),
        beyond=unplanned,
        findings=outcome.findings,
        journal=str(journal.path),
        report=build(journal.stamped, last_hash=journal.last_hash),
        data=outcome.data,
    )
