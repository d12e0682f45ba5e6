"""Follow-ups as actions: when each is due, what is overdue, and what keeps an incident from being closed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from uscdr.incident.notice_clock import STAGE_WORDS, notices_due, whom
from uscdr.models.incidents import ActionAdded, ActionChanged
from uscdr.words import duration, moment, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from uscdr.incident.state import Incident
    from uscdr.models.incidents import Entry
    from uscdr.report.model import RunReport
    from uscdr.scenarios.config_incident import ReviewQuestion

_TIMED = re.compile(
    r"(?:Within (?:(?P<hours>\d{1,3}) h|(?P<days>\d{1,2}) days?|a (?P<span>day|week|month))|(?P<now>At once)): "
)
_SPANS = {"day": 1, "week": 7, "month": 30}
WATCH = "uscdr watch"
WATCHED = 24 * 3600.0
"""Seconds that a watch must have lasted to count as the 24 hours after a restoration."""


@dataclass(frozen=True)
class DatedTask:
    """A task of the runbook: its words without the time, and the time from the restoration."""

    title: str
    within: timedelta


def dated_task(text: str) -> DatedTask | None:
    """The task in `Within 24 h: …`; None for a caution without a time, which nobody can finish."""
    match = _TIMED.match(text)
    if match is None:
        return None
    if match["hours"]:
        within = timedelta(hours=int(match["hours"]))
    elif match["now"]:
        within = timedelta()
    else:
        within = timedelta(days=int(match["days"] or _SPANS[match["span"]]))
    return DatedTask(text[match.end() :], within)


def actions_after(incident: Incident, tasks: Iterable[tuple[str, str]], restored: datetime) -> list[Entry]:
    """The actions that these tasks (text, origin) make, without those that are there already."""
    known = {action.title for action in incident.actions.values()}
    made: list[Entry] = []
    for text, origin in tasks:
        task = dated_task(text)
        if task is not None and task.title not in known:
            known.add(task.title)
            number = f"a{len(incident.actions) + len(made) + 1}"
            made.append(ActionAdded(action=number, title=task.title, due=restored + task.within, origin=origin))
    return made


def watches_done(incident: Incident, reports: Sequence[RunReport]) -> list[Entry]:
    """The end of the action that asks for a watch, where a linked watch lasted long enough: its result is attached."""
    waiting = [one for one in incident.actions.values() if one.state == "open" and WATCH in one.title]
    found = next((words for report in reports if (words := _watched(incident, report))), "")
    return [ActionChanged(action=one.id, state="done", evidence=found) for one in waiting] if found else []


def _watched(incident: Incident, report: RunReport) -> str:
    """What a watch after the restoration found; empty if it was too short, or has not ended."""
    if not report.scenario.startswith("watch") or not report.rounds or report.ended_at is None:
        return ""
    begun, ended = report.rounds[0].started_at, report.ended_at
    if incident.restored_at is None or begun < incident.restored_at or (ended - begun).total_seconds() < WATCHED - 900:
        return ""
    changed = sum(bool(one.changed) for one in report.rounds)
    return (
        f"run {report.run}: {plural(len(report.rounds), 'round')} in {duration((ended - begun).total_seconds())}, "
        f"{changed} with a change; at the end: {report.result}"
    )


def overdue(incident: Incident, now: datetime) -> list[str]:
    """What is late: notices and actions, in words."""
    late = [due.words(now) for due in notices_due(incident) if due.is_overdue(now)]
    for action in incident.actions.values():
        if action.is_overdue(now) and action.due:
            owner = f", {action.owner}" if action.owner else ", nobody owns it"
            late.append(f"action {action.id} “{action.title}” overdue since {moment(action.due)}{owner}")
    return late


def unfinished(incident: Incident, questions: Iterable[ReviewQuestion]) -> list[str]:
    """What is open before the incident can be closed, in words."""
    return [*_not_restored(incident), *_not_told(incident), *_not_done(incident), *_not_answered(incident, questions)]


def _not_restored(incident: Incident) -> Iterator[str]:
    if incident.restored_at is None:
        yield "service is not restored (uscdr incident resolve)"


def _not_told(incident: Incident) -> Iterator[str]:
    for due in notices_due(incident):
        yield f"the {STAGE_WORDS[due.stage]} to {whom(due.readers)} is missing (uscdr incident notify)"
    for notice, one in incident.doubtful:
        settle = f"uscdr incident settle {notice.id} {one.channel} sent, or not-sent"
        yield f"notice {notice.id} may have arrived over {one.channel} ({settle})"


def _not_done(incident: Incident) -> Iterator[str]:
    for action in incident.actions.values():
        if action.state == "open":
            yield f"action {action.id} is open: {action.title} (uscdr incident actions --done {action.id})"


def _not_answered(incident: Incident, questions: Iterable[ReviewQuestion]) -> Iterator[str]:
    for one in questions:
        if one.id not in incident.answers:
            yield f"the review has no answer to “{one.question}” (uscdr incident review --answer {one.id}=TEXT)"
