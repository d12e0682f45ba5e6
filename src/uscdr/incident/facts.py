"""The facts of a notice, in words, from the incident's records and its runs' reports."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from uscdr.incident.notice_clock import next_update
from uscdr.incident.notices import NoticeFacts
from uscdr.words import duration, moment, plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from uscdr.incident.state import Incident
    from uscdr.incident.times import IncidentTimes
    from uscdr.report.model import RunReport

REVIEWED = timedelta(days=7)
"""From the restoration to the review."""
NOT_KNOWN = "not known yet"
MOST_ISSUES = 3


def notice_facts(
    incident: Incident, times: IncidentTimes, reports: Sequence[RunReport], now: datetime, *,
    service: str, contact: str, message: str = "", summary: str = "",
) -> NoticeFacts:  # fmt: skip
    """What the templates of notices can say at the moment `now`."""
    recoveries = [one for one in reports if one.recovers and not one.dry_run]
    newest = recoveries[-1] if recoveries else None
    return NoticeFacts(
        incident=incident.id, service=service, target=incident.opened.target, what=incident.what,
        severity=incident.severity, impact=incident.opened.impact or "not stated", lead=incident.lead,
        outage=_outage(times),
        detected=moment(incident.opened.detected_at), down_for=duration(times.down_for(now)),
        expected=_expected(incident, now), next_update=moment(next_update(incident, now)),
        progress=_progress(newest), issues=_issues(recoveries),
        restored=moment(times.restored_at) if times.restored_at else "",
        verified=moment(times.verified_at) if times.verified_at else "",
        lost=_lost(newest), entries_lost=_when_lost(newest), summary=summary or incident.summary, contact=contact,
        review_by=moment((times.restored_at or now) + REVIEWED), message=message,
    )  # fmt: skip


def _outage(times: IncidentTimes) -> str:
    began = times.down_again_at or times.outage_at
    if began is not None:
        return moment(began)
    return f"{moment(times.counts_from)} at the latest"


def _expected(incident: Incident, now: datetime) -> str:
    """The expected time; one that has passed is not repeated."""
    if incident.expected is None or incident.expected[1] < now:
        return NOT_KNOWN
    return span_of_times(*incident.expected)


def span_of_times(first: datetime, last: datetime) -> str:
    """For a person, with the date once if it is the same: `2026-11-28 03:25 to 03:40 UTC`."""
    if first.date() == last.date() and first != last:
        return f"{moment(first).removesuffix(' UTC')} to {last:%H:%M} UTC"
    return moment(first) if first == last else f"{moment(first)} to {moment(last)}"


def _progress(report: RunReport | None) -> str:
    """The step that runs or ran last, with its number."""
    if report is None:
        return ""
    begun = [step for step in report.steps if step.started_at]
    if not begun:
        return "the recovery is being planned"
    last = max(begun, key=lambda step: step.started_at or report.started_at)  # type: ignore[arg-type,return-value]
    where = f"step {last.number} of {len(report.steps)}, " if last.number else ""
    return f"{where}{last.title}: {last.status}"


def _issues(reports: Sequence[RunReport]) -> tuple[str, ...]:
    """What failed in the recoveries so far: the titles of the steps, never what a database said."""
    failed = [step.title for one in reports for step in one.steps if step.status in ("failed", "unknown")]
    return tuple(f"“{title}” failed" for title in dict.fromkeys(failed[-MOST_ISSUES:]))


def _lost(report: RunReport | None) -> str:
    if report is None or report.data.rows_lost is None:
        return "not known" if report is None or report.data.backup else "none that uscdr knows of"
    if report.data.rows_lost == 0 and not report.data.at_least:
        return "nothing"
    least = "at least " if report.data.at_least else ""
    return f"{least}{plural(report.data.rows_lost, 'row')}, written after backup {report.data.backup}"


def _when_lost(report: RunReport | None) -> str:
    if report is None or not report.data.backup or report.data.rows_lost == 0 or report.started_at is None:
        return ""
    since = report.data.backup_finished_at[:16].replace("T", " ")
    return f"between {since} and {moment(report.started_at)}" if since else f"before {moment(report.started_at)}"
