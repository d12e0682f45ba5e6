"""Makes the report of an incident, from its records and from the reports of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr import __version__
from uscdr.incident.follow_up import unfinished
from uscdr.incident.kept_clock import notices_kept
from uscdr.incident.mapping import mapped
from uscdr.incident.report import (
    ChainHead,
    IncidentReport,
    ReportedAction,
    ReportedAnswer,
    ReportedChecks,
    ReportedDecision,
    ReportedEvent,
    ReportedRecovery,
    ReportedStep,
    ReportedTimes,
)
from uscdr.incident.state import folded
from uscdr.incident.times import timeline, times_of
from uscdr.models.runs import Tally
from uscdr.report.model import ObjectiveReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from uscdr.incident.state import Incident
    from uscdr.incident.times import IncidentTimes
    from uscdr.models.incidents import Recorded
    from uscdr.report.model import RunReport, StepReport
    from uscdr.scenarios.config_incident import ReviewQuestion


@dataclass(frozen=True)
class IncidentEvidence:
    """What a report is made of: records in the order of their times, the runs' reports, and where the chains end."""

    records: Sequence[Recorded]
    runs: Sequence[RunReport]
    chains: tuple[ChainHead, ...]


def incident_report(
    evidence: IncidentEvidence, questions: Sequence[ReviewQuestion], now: datetime, *, version: str = __version__
) -> IncidentReport:
    """The report as of `now`. Raises ValueError without records."""
    incident, runs = folded(evidence.records), evidence.runs
    times = times_of(incident, runs)
    recoveries = tuple(_recovery(one) for one in runs if one.recovers and not one.dry_run)
    made = IncidentReport(
        incident=incident.id, made_at=now, version=version, draft=incident.is_open,
        unfinished=tuple(unfinished(incident, questions)) if incident.is_open else (), what=incident.what,
        severity=incident.severity, impact=incident.opened.impact, target=incident.opened.target,
        app=incident.opened.app,
        rehearsal=incident.opened.rehearsal, opened_by=incident.opened_by, closed_at=incident.closed_at,
        closed_by=incident.closed_by, lead=incident.lead, summary=incident.summary, times=_times(incident, times, now),
        rto=times.objective(now, incident.opened.rto_seconds), rpo=_worst(incident, recoveries), recoveries=recoveries,
        notices=notices_kept(evidence.records, now), decisions=tuple(_decisions(runs)), checks=tuple(_checks(runs)),
        actions=_actions(incident, now), review=_answers(incident, questions),
        timeline=tuple(ReportedEvent(at=one.at, by=one.by, text=one.text) for one in timeline(incident, runs)),
        mapped=(), chains=evidence.chains,
    )  # fmt: skip
    return made.model_copy(update={"mapped": mapped(made)})


def _times(incident: Incident, times: IncidentTimes, now: datetime) -> ReportedTimes:
    return ReportedTimes(
        outage_at=times.outage_at, detected_at=times.detected_at, opened_at=incident.opened_at,
        started_at=times.started_at, restored_at=times.restored_at, verified_at=times.verified_at,
        down_seconds=times.down_for(now), counts_from=times.basis(),
    )  # fmt: skip


def _worst(incident: Incident, recoveries: Sequence[ReportedRecovery]) -> ObjectiveReport:
    """The RPO of the recovery that lost most: a missed one, else an unknown one, else the longest time.

    One that restored nothing lost nothing: it counts only if no recovery of the incident restored anything.
    """
    found = [one.rpo for one in recoveries if one.rpo.verdict != "does not apply"]
    if not found:
        basis = "no recovery of this incident chose a backup"
        return ObjectiveReport(
            target_seconds=incident.opened.rpo_seconds, achieved_seconds=None, verdict="does not apply", basis=basis
        )
    order = ("not measured", "met", "not known", "missed")
    return max(found, key=lambda one: (order.index(one.verdict), one.achieved_seconds or 0.0))


def _recovery(report: RunReport) -> ReportedRecovery:
    return ReportedRecovery(
        run=report.run, scenario=report.scenario, outcome=report.outcome, operator=report.operator,
        started_at=report.started_at, ended_at=report.ended_at, rto=report.rto, rpo=report.rpo, data=report.data,
        forecast=report.forecast, no_forecast=report.no_forecast, plan_digest=report.plan_digest,
        phases=report.phases, steps=tuple(map(_step, report.steps)),
    )  # fmt: skip


def _step(step: StepReport) -> ReportedStep:
    return ReportedStep(
        number=step.number, name=step.name, title=step.title, phase=step.phase, status=step.status,
        destructive=step.destructive, started_at=step.started_at, ended_at=step.ended_at, seconds=step.seconds,
        summary="; ".join(filter(None, (step.summary, step.why, *step.settled))), provider_ids=step.provider_ids,
    )  # fmt: skip


def _decisions(runs: Sequence[RunReport]) -> Iterator[ReportedDecision]:
    for run in runs:
        titles = {step.id: step.title for step in run.steps}
        for gate in run.gates:
            yield ReportedDecision(
                run=run.run, step=titles.get(gate.step, gate.step), asked_at=gate.asked_at, facts=gate.facts,
                phrase=gate.phrase, confirmed=gate.confirmed, by=gate.by,
            )  # fmt: skip


def _checks(runs: Sequence[RunReport]) -> Iterator[ReportedChecks]:
    """The checks of each recovery, and the newest verification with a round."""
    for run in runs:
        if run.checks:
            result = Tally([one.verdict for one in run.checks]).words
            yield ReportedChecks(
                run=run.run, scenario=run.scenario, result=result, ended_at=run.checks[-1].at, checks=run.checks
            )
    newest = next((run for run in reversed(runs) if run.round is not None), None)
    if newest is not None and newest.round is not None:
        yield ReportedChecks(
            run=newest.run, scenario=newest.scenario, result=newest.result, ended_at=newest.round.ended_at,
            checks=newest.round.checks,
        )  # fmt: skip


def _actions(incident: Incident, now: datetime) -> tuple[ReportedAction, ...]:
    return tuple(
        ReportedAction(
            action=one.id, title=one.title, owner=one.owner, due=one.due, state=one.state, overdue=one.is_overdue(now),
            evidence=one.evidence, origin=one.origin,
        )
        for one in incident.actions.values()
    )  # fmt: skip


def _answers(incident: Incident, questions: Sequence[ReviewQuestion]) -> tuple[ReportedAnswer, ...]:
    """Every question of scenarios.yaml, and every answer to a question that is not there any more."""
    asked = {one.id: one.question for one in questions}
    found = []
    for name in dict.fromkeys((*asked, *incident.answers)):
        answer = incident.answers.get(name)
        found.append(
            ReportedAnswer(
                question=asked.get(name, name),
                state="open" if answer is None else "waived" if answer.waived else "answered",
                text=answer.text if answer else "", by=answer.by if answer else "", at=answer.at if answer else None,
            )
        )  # fmt: skip
    return tuple(found)
