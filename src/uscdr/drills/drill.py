"""The life of every drill: baseline, break, recover, compare with the baseline, report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from uscdr.drills.account import Drill, drill_summary
from uscdr.drills.application import ApplicationDisaster
from uscdr.drills.backups import BackupsDisaster
from uscdr.drills.beyond import beyond, of, planned_calls
from uscdr.drills.database import DatabaseDisaster
from uscdr.drills.disaster import Aftermath, Disaster
from uscdr.drills.infrastructure import InfrastructureDisaster
from uscdr.drills.media import MediaDisaster
from uscdr.drills.publish import publish
from uscdr.drills.stage import DrillRequest, Stage, stage
from uscdr.drills.truth import Content, Finding, content, losses
from uscdr.engine.conduct import Ending
from uscdr.errors import ExitCode
from uscdr.journal import runs
from uscdr.journal.reader import NAME, read
from uscdr.report.build import build
from uscdr.scenarios.deps import Request
from uscdr.ui.console import Output
from uscdr.ui.errors import render_error

DISASTERS: dict[str, type[Disaster]] = {
    "db": DatabaseDisaster,
    "app": ApplicationDisaster,
    "media": MediaDisaster,
    "infra": InfrastructureDisaster,
    "backups": BackupsDisaster,
}


@dataclass(frozen=True)
class Outcome:
    """What became of one disaster, before the sandbox is gone."""

    ending: Ending
    before: Content
    damage: dict[str, Any]
    writes: list[dict[str, Any]]
    after: Content = field(default_factory=Content)
    findings: tuple[Finding, ...] = ()


def drill(scenario: str, request: DrillRequest, output: Output) -> int:
    """The exit code of the recovery, or 1 when what it left is not what was lost."""
    run = runs.new_run_id(scenario)
    with stage(request, output) as place:
        outcome = _carry_out(DISASTERS[scenario](request.how), place, run)
    done = _account(scenario, request, run, outcome)
    publish(done, drill_summary(done, request.report), request.report, output)
    if outcome.ending.error is not None:
        render_error(outcome.ending.error, output)
    return int(outcome.ending.code) or (0 if done.sound else int(ExitCode.CHECK_FAILED))


def _carry_out(disaster: Disaster, place: Stage, run: str) -> Outcome:
    disaster.prepare(place)
    with place.look(Request(disaster.scenario)) as deps:
        before = content(deps)
    place.output.say(f"Breaking {disaster.scenario}: {place.request.how}")
    damage, mark = disaster.damage(place), place.mark()
    request = disaster.request()
    ending = place.recover(request, run, disaster.identity)
    writes = place.writes(mark)
    if ending.code is not ExitCode.DONE:
        return Outcome(ending, before, damage, writes)
    with place.look(request, disaster.identity) as deps:
        after = content(deps)
    journal = read(place.request.state / "runs" / run / NAME)
    report = build(journal.records, last_hash=journal.last_hash)
    return Outcome(
        ending, before, damage, writes, after, disaster.judge(place, Aftermath(before, after, report, writes))
    )


def _account(scenario: str, request: DrillRequest, run: str, outcome: Outcome) -> Drill:
    journal = read(request.state / "runs" / run / NAME)
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
        report=build(journal.records, last_hash=journal.last_hash),
    )
