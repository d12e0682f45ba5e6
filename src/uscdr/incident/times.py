"""The times of an incident, each apart: outage, detection, start, restoration, verification; and its timeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from uscdr.incident.state import DeliveryState, TimelineLine
from uscdr.models.base import elapsed
from uscdr.models.incidents import OUTBOX
from uscdr.report.model import ObjectiveReport
from uscdr.words import duration, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from uscdr.incident.state import Incident, PastOutage
    from uscdr.report.model import RunReport, Verdict


@dataclass(frozen=True)
class IncidentTimes:
    """When what happened; None for what did not happen yet or is not known."""

    outage_at: datetime | None
    detected_at: datetime
    started_at: datetime | None
    """The first recovery's start."""
    restored_at: datetime | None
    verified_at: datetime | None
    back_at: datetime | None = None
    """When the RTO stops counting: a recovery's own checks passed, or else service was restored."""
    down_again_at: datetime | None = None
    """When the newest outage began, if it is not the first one."""
    past_outages: tuple[PastOutage, ...] = ()

    @property
    def counts_from(self) -> datetime:
        """From when on the RTO counts: the newest outage, or else the first recovery's start, or else the detection."""
        return self.down_again_at or self.outage_at or self.started_at or self.detected_at

    def basis(self) -> str:
        """What the RTO counts from, in words."""
        if self.down_again_at is not None:
            return f"from the newest outage, {moment(self.down_again_at)}"
        if self.outage_at is not None:
            return f"from the outage, {moment(self.outage_at)}"
        if self.started_at is not None:
            return "from the start of the run"
        return "from the detection"

    def down_for(self, now: datetime) -> float:
        """Seconds until the restoration, or until now."""
        return elapsed(self.counts_from, self.restored_at or now)

    def objective(self, now: datetime, target: float) -> ObjectiveReport:
        """The RTO of the longest outage; unknown while service is not back and the time is not over."""
        spent, longest = elapsed(self.counts_from, self.back_at or now), self._longest()
        if longest is not None and longest[0] > spent and (self.back_at is not None or longest[0] > target):
            return ObjectiveReport.measured(target, *longest)
        if self.back_at is None:
            late: Verdict = "missed" if spent > target else "not known"
            basis = f"{self.basis()}; service is not restored"
            return ObjectiveReport(target_seconds=target, achieved_seconds=None, verdict=late, basis=basis)
        checked = " and its checks passed" if self.verified_at and self.verified_at <= self.back_at else ""
        basis = f"{self.basis()}, until service was restored{checked}"
        return ObjectiveReport.measured(target, spent, basis)

    def _longest(self) -> tuple[float, str] | None:
        """The longest past outage, in seconds and in words."""
        if not self.past_outages:
            return None
        one = max(self.past_outages, key=lambda outage: elapsed(outage.began_at, outage.restored_at))
        words = (
            f"the longest of {len(self.past_outages) + 1} outages, {moment(one.began_at)} to {moment(one.restored_at)}"
        )
        return elapsed(one.began_at, one.restored_at), words

    def words(self, now: datetime, objective: float) -> str:
        """`down for 41 min from the outage, 2026-11-28 02:10 UTC; RTO 2 h: 1 h 19 min left`.

        Service is down until it is restored; the RTO counts until its checks passed, too.
        """
        spent = elapsed(self.counts_from, self.back_at or now)
        left = objective - spent
        down, rest = duration(self.down_for(now)), f"{duration(left)} left" if left >= 0 else f"{duration(-left)} OVER"
        if self.back_at is None:
            return f"down for {down} {self.basis()}; RTO {duration(objective)}: {rest}"
        rest = "met" if left >= 0 else f"MISSED by {duration(-left)}"
        checked = f", {duration(spent)} until its checks passed" if duration(spent) != down else ""
        return f"was down for {down} {self.basis()}; RTO {duration(objective)}: {rest}{checked}"


def times_of(incident: Incident, reports: Sequence[RunReport]) -> IncidentTimes:
    """The times by the incident's records and by the reports of its runs."""
    recoveries = [one for one in reports if one.recovers and not one.dry_run]
    starts = [one.started_at for one in recoveries if one.started_at]
    restored = incident.restored_at
    checked = [one.verified_at for one in recoveries if one.verified_at and one.restored_at == restored]
    return IncidentTimes(
        incident.outage_at, incident.opened.detected_at, min(starts, default=None), restored,
        _verified(restored, reports), max(checked, default=restored) if restored else None,
        incident.down_again_at, tuple(incident.past_outages),
    )  # fmt: skip


def _verified(restored: datetime | None, reports: Sequence[RunReport]) -> datetime | None:
    """The end of the first checks that passed after the restoration: of a recovery, or of a verification."""
    if restored is None:
        return None
    of_recoveries = [one.verified_at for one in reports if one.verified_at]
    of_checks = [one.ended_at for one in reports if one.only_looks and one.passed and one.ended_at]
    return min((at for at in (*of_recoveries, *of_checks) if at >= restored), default=None)


def timeline(incident: Incident, reports: Iterable[RunReport]) -> list[TimelineLine]:
    """Everything that happened, in order: facts, runs, notices, notes."""
    lines = [*_facts(incident), *incident.notes, *_notices(incident)]
    for report in reports:
        lines += _run(report)
    return sorted(lines, key=lambda line: line.at)


def _facts(incident: Incident) -> Iterator[TimelineLine]:
    by, opened = incident.opened_by, incident.opened
    if incident.outage_at:
        yield TimelineLine(incident.outage_at, by, "The outage began")
    yield TimelineLine(opened.detected_at, by, f"Detected: {incident.what} ({incident.severity})")
    if incident.opened_at != opened.detected_at:
        yield TimelineLine(incident.opened_at, by, "Incident opened")
    if incident.restored_at:
        yield TimelineLine(incident.restored_at, "", "Service restored")
    if incident.closed_at:
        yield TimelineLine(incident.closed_at, incident.closed_by, "Incident closed")
    for answer in incident.answers.values():
        yield TimelineLine(
            answer.at, answer.by, f"Review: {answer.question} {'waived' if answer.waived else 'answered'}"
        )


def _notices(incident: Incident) -> Iterator[TimelineLine]:
    for notice in incident.notices.values():
        people = [one for one in notice.deliveries if one.channel != OUTBOX]
        counts = {state: sum(one.state == state for one in people) for state in get_args(DeliveryState)}
        said = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "only in a file"
        yield TimelineLine(notice.at, notice.by, f"Notice {notice.id} ({notice.stage}, {notice.readers}): {said}")
    for told in incident.given:
        yield TimelineLine(told.at, "", f"Told ({told.stage}, {told.readers}): {told.how}")


def _run(report: RunReport) -> Iterator[TimelineLine]:
    name, by = f"{report.scenario} ({report.run})", report.operator
    if report.started_at:
        yield TimelineLine(report.started_at, by, f"Run begun: {name}")
    for gate in report.gates:
        answer = {True: "confirmed", False: "declined", None: "not answered"}[gate.confirmed]
        yield TimelineLine(gate.asked_at, gate.by, f"Decision: “{gate.phrase}” {answer}")
    for step in report.steps:
        if step.ended_at and (step.effect != "read" or step.status in ("failed", "unknown")):
            yield TimelineLine(step.ended_at, "", f"{step.title}: {step.status}")
    if report.ended_at:
        yield TimelineLine(report.ended_at, by, f"Run ended: {name}: {report.outcome}")
