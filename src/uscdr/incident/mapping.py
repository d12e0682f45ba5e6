"""What in a report is evidence for HIPAA, NIST SP 800-34 and the Philippine Data Privacy Act. Not legal advice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from uscdr.incident.report import MappedEvidence
from uscdr.report.model import UNKNOWN, span
from uscdr.report.objectives import DOORS
from uscdr.words import duration, moment, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from uscdr.incident.report import IncidentReport, ReportedRecovery

    Evidence = Callable[[IncidentReport], Iterator[str]]

NOTHING = "no evidence in this incident"
NOT_ADVICE = "Evidence, not legal advice: the table names what this report holds, and does not say that it is enough."
_BREACH = timedelta(hours=72)
"""From the knowledge of a personal data breach to its notification, where one is required."""
_TESTS = ("uscdr drill", "uscdr backup prove", "test of the recovery")


def mapped(report: IncidentReport) -> tuple[MappedEvidence, ...]:
    """Each requirement with the lines of the report that are evidence for it."""
    return tuple(
        MappedEvidence(source=source, reference=reference, title=title, asks=asks, evidence=tuple(evidence(report)))
        for source, reference, title, asks, evidence in _ROWS
    )


def _backups(report: IncidentReport) -> Iterator[str]:
    for one in report.recoveries:
        if one.data.backup:
            digest = f", SHA-256 {one.data.backup_sha256}" if one.data.backup_sha256 else ", no digest recorded"
            yield f"run {one.run}: backup {one.data.backup}{digest}"
        if one.data.tables_checked is not None:
            matching = UNKNOWN if one.data.tables_matching is None else f"{one.data.tables_matching:,}"
            yield f"run {one.run}: {matching} of {plural(one.data.tables_checked, 'table')} match the backup"


def _recovered(report: IncidentReport) -> Iterator[str]:
    for one in report.recoveries:
        yield f"run {one.run}: recovery of {one.scenario}, {one.outcome}, {_finished(one)}"
        if one.data.backup:
            yield f"run {one.run}: rows lost: {one.data.lost}"


def _finished(recovery: ReportedRecovery) -> str:
    done = sum(step.status in ("done", "skipped") for step in recovery.steps)
    return f"{done} of {plural(len(recovery.steps), 'step')} finished"


def _emergency(report: IncidentReport) -> Iterator[str]:
    """Service was closed on purpose while data were repaired, and people knew how to go on."""
    for one in report.recoveries:
        for step in one.steps:
            if step.name == DOORS and step.status == "done" and step.ended_at:
                yield f"run {one.run}: {step.title}, {moment(step.ended_at)}"
    users = sum(one.readers == "users" and one.sent_at is not None for one in report.notices)
    if users:
        yield f"{plural(users, 'notice')} to users while service was down or restored"


def _tested(report: IncidentReport) -> Iterator[str]:
    if report.rehearsal:
        yield "this incident is a rehearsal on a sandbox"
    for action in report.actions:
        if action.state != "dropped" and any(words in action.title for words in _TESTS):
            yield f"action {action.action}, {action.state}: {action.title}"
    yield from _reviewed(report)


def _reviewed(report: IncidentReport) -> Iterator[str]:
    answered = sum(one.state == "answered" for one in report.review)
    waived = sum(one.state == "waived" for one in report.review)
    if answered or waived:
        yield f"review: {answered} of {plural(len(report.review), 'question')} answered, {waived} waived"


def _criticality(report: IncidentReport) -> Iterator[str]:
    yield f"severity of this incident: {report.severity}"
    rpo = f"RPO {span(report.rpo.target_seconds)}"
    yield f"objectives of {report.app}: RTO {span(report.rto.target_seconds)}, {rpo}"


def _activated(report: IncidentReport) -> Iterator[str]:
    yield f"detected {moment(report.times.detected_at)}, opened {moment(report.times.opened_at)} by {report.opened_by}"
    if report.times.started_at:
        yield f"recovery begun {moment(report.times.started_at)}"
    yield from _told(report)


def _told(report: IncidentReport) -> Iterator[str]:
    told = [one for one in report.notices if one.sent_at]
    late = sum(one.verdict == "late" for one in told)
    missed = sum(one.verdict in ("missed", "overdue") for one in report.notices)
    if told or missed:
        yield f"notices: {len(told)} sent, {late} of them late, {missed} missed or overdue"


def _reconstituted(report: IncidentReport) -> Iterator[str]:
    times = report.times
    if times.restored_at:
        yield f"service restored {moment(times.restored_at)}"
    if times.verified_at:
        yield f"verified {moment(times.verified_at)}"
    for one in report.checks:
        yield f"run {one.run} ({one.scenario}): {one.result}"
    if report.actions:
        done = sum(one.state == "done" for one in report.actions)
        yield f"follow-up: {done} of {plural(len(report.actions), 'action')} done"
    yield from _reviewed(report)
    if report.closed_at:
        yield f"incident closed {moment(report.closed_at)} by {report.closed_by}"


def _measures(report: IncidentReport) -> Iterator[str]:
    yield from _backups(report)
    confirmed = sum(one.confirmed is True for one in report.decisions)
    if confirmed:
        yield f"{plural(confirmed, 'destructive step')} confirmed by name, after the facts were shown"
    events = sum(one.events for one in report.chains)
    yield f"{plural(len(report.chains), 'journal')} with {plural(events, 'event')}, each a chain of SHA-256 digests"


def _corrective(report: IncidentReport) -> Iterator[str]:
    yield f"noticed {_after(report)}"
    yield from (f"action {one.action}, {one.state}: {one.title}" for one in report.actions if one.state != "dropped")


def _after(report: IncidentReport) -> str:
    times = report.times
    if times.outage_at is None:
        return f"{moment(times.detected_at)}; since when service was down is not known"
    late = (times.detected_at - times.outage_at).total_seconds()
    return f"{moment(times.detected_at)}, {duration(late)} after the outage began"


def _breach(report: IncidentReport) -> Iterator[str]:
    """Uscdr cannot know whether anybody saw personal data: it names the time, if so."""
    yield (
        f"{NOTHING}: uscdr records neither whether a breach happened nor whom the clinic told. If one was known at the "
        f"detection, 72 hours end {moment(report.times.detected_at + _BREACH)}"
    )
    yield from (f"run {one.run}: rows lost: {one.data.lost}" for one in report.recoveries if one.data.backup)


_HIPAA, _NIST = "HIPAA Security Rule", "NIST SP 800-34 Rev. 1"
_DPA, _NPC = "Data Privacy Act (RA 10173)", "NPC Circular 16-03"
_PLAN = "45 CFR 164.308(a)(7)(ii)"
_ROWS: tuple[tuple[str, str, str, str, Evidence], ...] = (
    (_HIPAA, f"{_PLAN}(A)", "Data backup plan", "Exact copies of health data are kept and can be read back.", _backups),
    (_HIPAA, f"{_PLAN}(B)", "Disaster recovery plan", "There are procedures that restore lost data.", _recovered),
    (
        _HIPAA, f"{_PLAN}(C)", "Emergency mode operation plan",
        "Critical processes that protect health data go on during an emergency.", _emergency,
    ),
    (
        _HIPAA, f"{_PLAN}(D)", "Testing and revision procedures",
        "The plans are tested from time to time, and revised.", _tested,
    ),
    (
        _HIPAA, f"{_PLAN}(E)", "Applications and data criticality analysis",
        "It is assessed how critical each application and its data are.", _criticality,
    ),
    (
        _NIST, "Section 4.2", "Activation and notification",
        "The outage is assessed, the plan is activated, and people are told.", _activated,
    ),
    (_NIST, "Section 4.3", "Recovery", "The system is restored by ordered procedures.", _recovered),
    (
        _NIST, "Section 4.4", "Reconstitution",
        "Data and functions are validated, normal operation is announced, and the event is documented.",
        _reconstituted,
    ),
    (
        _DPA, "Section 20(a), (b)", "Security measures",
        "Reasonable measures protect personal data against loss, destruction and alteration.", _measures,
    ),
    (
        _DPA, "Section 20(c)", "Monitoring and corrective action",
        "Incidents are looked for, and preventive and corrective action is taken.", _corrective,
    ),
    (
        _NPC, "Sections 17 and 18", "Notification of a personal data breach",
        "Where it is required: the Commission and the persons affected are told within 72 hours of knowledge.",
        _breach,
    ),
)  # fmt: skip
