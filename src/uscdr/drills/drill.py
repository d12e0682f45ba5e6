"""Runs a drill: record the baseline, break, recover, compare with the baseline, report."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from uscdr import __version__
from uscdr.clock import system_time
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
from uscdr.drills.surprise import Trouble
from uscdr.errors import ExitCode, MissingExtra
from uscdr.exercises.basis import Basis
from uscdr.exercises.records import DrillRecord, TeamRecords
from uscdr.files import disk_errors, write_whole
from uscdr.installation import SERVES, STORES
from uscdr.journal import runs
from uscdr.journal.reader import NAME, Journal
from uscdr.report.markdown import literal, to_markdown
from uscdr.report.objectives import build
from uscdr.report.times import RunTimes
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.config_file import load_config
from uscdr.settings import Operator
from uscdr.ui.console import json_text
from uscdr.ui.schemas import Schema
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from uscdr.drills.own_data import DrillData
    from uscdr.drills.scoring import FaultScore
    from uscdr.drills.surprise import Surprise
    from uscdr.engine.run import Outcome
    from uscdr.report.model import PhaseReport, RunReport
    from uscdr.sandbox.describe import DamageDone
    from uscdr.ui.console import Output

# The result of a drill: the recovery's report and, because the healthy state is known, the real loss.


@dataclass(frozen=True)
class Drill:
    """A finished drill. Row numbers exclude volatile tables; `writes` counts the recovery's writes."""

    scenario: str
    how: str
    patients: int
    damage: DamageDone
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
    """The path of the recovery's journal; empty if uscdr refused before it began one."""
    report: RunReport
    surprise: Surprise | None = None
    """The faults and their scores; None in a drill without faults."""
    data: DrillData | None = None
    """The masked copy of the operator's own database, if that was damaged and not the clinic's."""
    times: str = ""
    """What the time of the recovery was spent on, in one line; empty without a journal."""

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
        """Whether the recovery is done, every comparison holds, and the plan announced every write.

        In a drill with faults also whether each was handled; one that must stop uscdr for good leaves nothing to
        compare.
        """
        if self.beyond or (self.surprise is not None and not self.surprise.handled):
            return False
        if self.surprise is not None and not self.surprise.recovers:
            return True
        compared = bool(self.findings) and all(finding.holds for finding in self.findings)
        return self.report.outcome == "done" and compared


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
            *([f"Time: {drill.times}"] if drill.times else []),
            f"Rows: {_rows(drill)}",
            *_surprise_lines(drill.surprise),
            *(f"{'Holds' if one.holds else 'DOES NOT HOLD'}: {one.name} ({one.evidence})" for one in drill.findings),
            f"Writes sent to the providers: {drill.writes}, beyond the plan: {'; '.join(drill.beyond) or 'none'}",
            f"Report: {directory / f'drill-{drill.scenario}.md'} and .json",
        ]
    )


def _surprise_lines(surprise: Surprise | None) -> list[str]:
    """The seed, and one line for each fault."""
    if surprise is None:
        return []
    return [f"Surprise: seed {surprise.seed}", *(f"Fault {one.words}" for one in surprise.scores)]


def _rows(drill: Drill) -> str:
    if not drill.findings:
        return f"{drill.rows_before:,} before the disaster; not counted afterwards, because the recovery is not done"
    words = f"{drill.rows_before:,} before the disaster, {drill.rows_after:,} after the recovery"
    return f"{words}, {drill.rows_lost:,} lost"


def _drill_markdown(drill: Drill) -> str:
    """The whole report: the drill's numbers, then the recovery's report."""
    lines = [f"# Drill: {drill.scenario}, {drill.how}", "", _drill_figures(drill), ""]
    if drill.surprise is not None:
        lines += [f"Surprise: seed {drill.surprise.seed}.", ""]
        lines += _table(
            ("fault", "expected", "first effect", "detected by", "after", "outcome", "verdict"),
            [_fault_row(one) for one in drill.surprise.scores],
        )
    lines += _table(("compared with the healthy state", "holds", "evidence"), [
        (one.name, "yes" if one.holds else "**no**", one.evidence) for one in drill.findings
    ])  # fmt: skip
    lines += _table(("phase", "budget", "took"), [_phase(one) for one in drill.report.phases])
    if drill.findings:
        lost = [(loss.table, f"{loss.before:,}", f"{loss.after:,}") for loss in drill.losses]
        lines += _table(("table", "before the disaster", "after the recovery"), lost)
    lines += _masking(drill.data) if drill.data else []
    return "\n".join([*lines, to_markdown(drill.report)])


def _fault_row(one: FaultScore) -> tuple[str, ...]:
    after = "" if one.seconds is None else duration(one.seconds)
    seen = literal(one.evidence) or ("**not detected**" if one.struck else "")
    verdict = one.verdict if one.handled else f"**{one.verdict}**"
    what, struck = literal(f"{one.name}: {one.what}"), literal(one.struck)
    return what, one.expected, struck, seen, after, literal(one.outcome), verdict


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


class _SurpriseObject(TypedDict):
    seed: int
    handled: bool
    faults: Sequence[FaultScore]


class _DrillObject(TypedDict):
    scenario: str
    how: str
    patients: int
    damage: DamageDone
    rows_before: int
    rows_after: int
    rows_lost: int
    losses: Sequence[Losses]
    restores: int
    writes: int
    beyond: Sequence[str]
    findings: Sequence[Comparison]
    journal: str
    surprise: _SurpriseObject | None
    data: DrillData | None
    sound: bool
    recovery: RunReport


def _drill_object(drill: Drill) -> _DrillObject:
    """The report as data."""
    return {
        "scenario": drill.scenario,
        "how": drill.how,
        "patients": drill.patients,
        "damage": drill.damage,
        "rows_before": drill.rows_before,
        "rows_after": drill.rows_after,
        "rows_lost": drill.rows_lost,
        "losses": drill.losses,
        "restores": drill.restores,
        "writes": drill.writes,
        "beyond": drill.beyond,
        "findings": drill.findings,
        "journal": drill.journal,
        "surprise": _surprise_object(drill.surprise),
        "data": drill.data,
        "sound": drill.sound,
        "recovery": drill.report,
    }


def _surprise_object(surprise: Surprise | None) -> _SurpriseObject | None:
    if surprise is None:
        return None
    return {"seed": surprise.seed, "handled": surprise.handled, "faults": surprise.scores}


# Writes the report of a drill to files and to the screen.


def _publish(done: Drill, summary: str, directory: Path, output: Output) -> None:
    """Write Markdown and JSON files, then the result on stdout. Raises MachineError when a file cannot be written."""
    found = _drill_object(done)
    _write(directory, f"drill-{done.scenario}.md", _drill_markdown(done))
    _write(directory, f"drill-{done.scenario}.json", json_text(Schema.DRILL, found).rstrip("\n"))
    if output.json_lines:
        output.record(Schema.DRILL, found)
    else:
        output.result(summary)


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
    damage: DamageDone
    writes: list[dict[str, Any]]
    data: DrillData | None = None
    after: TableContents = field(default_factory=TableContents)
    findings: tuple[Comparison, ...] = ()
    surprise: Surprise | None = None


def drill(scenario: str, request: DrillRequest, output: Output) -> int:
    """Run a drill; return the recovery's exit code, or 1 when the recovery is done but a comparison does not hold.

    With faults: 0 only when each that struck was handled as expected, and else the same.
    """
    MissingExtra.refuse("A drill needs libraries that are not installed.", "sandbox", (*SERVES, *STORES))
    run, begun = runs.new_run_id(scenario), system_time()
    basis = Basis.of(load_config(request.config, os.environ).config, scenario)
    with stage(request, output) as sandbox:
        outcome = _carry_out(DISASTERS[scenario](request.how), sandbox, run)
    done = _account(scenario, request, run, outcome)
    code = int(outcome.ending.code) or (0 if done.sound else int(ExitCode.CHECK_FAILED))
    if done.surprise is None or done.report.outcome == "done":  # a safe stop says nothing of a recovery
        path = TeamRecords(request.state, os.environ, output.warn_once).keep(_record(done, code, basis, begun))
        output.say(f"Recorded: {path}. What is due: uscdr drill due")
    _publish(done, _drill_summary(done, request.report), request.report, output)
    if done.sound and done.surprise is not None:
        return int(ExitCode.DONE)
    if outcome.ending.error is not None:
        output.error(outcome.ending.error)
    return code


def _record(done: Drill, code: int, basis: Basis, begun: datetime) -> DrillRecord:
    """The drill as evidence for the calendar of exercises."""
    report = done.report
    return DrillRecord(
        scenario=done.scenario,
        how=done.how,
        patients=done.patients,
        sound=done.sound,
        exit_code=code,
        rto_seconds=report.rto.achieved_seconds,
        rto_verdict=report.rto.verdict,
        rpo_seconds=report.rpo.achieved_seconds,
        rpo_verdict=report.rpo.verdict,
        started_at=begun,
        ended_at=system_time(),
        run=report.run,
        by=str(Operator.of(os.environ)),
        uscdr=__version__,
        steps=basis.steps,
        configuration=basis.configuration,
        recovery_code=basis.recovery_code,
    )


def _read(state: Path, run: str) -> Journal | None:
    """The recovery's journal; None when uscdr refused before it began one."""
    path = state / "runs" / run / NAME
    return Journal.read(path) if path.exists() else None


def _carry_out(disaster: Disaster, sandbox: Stage, run: str) -> _DrillOutcome:
    disaster.prepare(sandbox)
    trouble = Trouble.planned(sandbox, disaster.scenario, run)
    trouble.prepare()
    with sandbox.look(Request(disaster.scenario)) as deps:
        before = content(deps)
    sandbox.output.say(f"Damaging {disaster.scenario}: {sandbox.request.how}")
    damage, mark = disaster.damage(sandbox), sandbox.mark()
    request = trouble.request(disaster.request())
    ending = trouble.recover(request, disaster.identity)
    writes = sandbox.writes(mark)
    journal = _read(sandbox.request.state, run)
    if ending.code is not ExitCode.DONE or journal is None:
        return _DrillOutcome(ending, before, damage, writes, sandbox.data, surprise=trouble.result(journal, ()))
    with sandbox.look(request, disaster.identity) as deps:
        after = content(deps)
    report = build(journal.stamped, last_hash=journal.last_hash)
    findings = disaster.judge(sandbox, Aftermath(before, after, report, writes)) + trouble.judge(before, after)
    told = trouble.result(journal, findings)
    return _DrillOutcome(ending, before, damage, writes, sandbox.data, after, findings, told)


def _account(scenario: str, request: DrillRequest, run: str, outcome: _DrillOutcome) -> Drill:
    journal = _read(request.state, run)
    unplanned = beyond(outcome.writes, planned_calls(journal.events() if journal else ()))
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
        journal=str(journal.path) if journal else "",
        report=build(journal.stamped, last_hash=journal.last_hash) if journal else build(()),
        surprise=outcome.surprise,
        data=outcome.data,
        times=RunTimes.of(journal.stamped).words if journal else "",
    )
