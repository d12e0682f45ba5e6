"""What `uscdr incident` does: open, show, note, change, resolve, close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import TypedDict

from uscdr.commands.housekeeping import state
from uscdr.commands.incident_desk import IncidentDesk, OpeningFacts
from uscdr.commands.incident_page import page_finding, page_goes_back
from uscdr.errors import BadInput, CheckFailed, ExitCode
from uscdr.exercises import records
from uscdr.exercises.periods import zone_of
from uscdr.exercises.readiness import findings
from uscdr.incident.facts import span_of_times
from uscdr.incident.follow_up import actions_after, overdue, unfinished
from uscdr.incident.ledger import IncidentJournal, find_incident, incidents_here
from uscdr.incident.notice_clock import notices_due
from uscdr.incident.open_incidents import damaged_incidents, known_incidents, newest_open, open_incidents
from uscdr.incident.state import folded, ordered
from uscdr.incident.times import timeline
from uscdr.models.incidents import (
    SEVERITIES,
    IncidentChanged,
    IncidentClosed,
    IncidentReopened,
    IncidentResolved,
    NoteWritten,
)
from uscdr.typed_time import past_typed, window_typed
from uscdr.ui.schemas import Schema
from uscdr.words import duration, moment, plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from uscdr.incident.state import Incident
    from uscdr.models.incidents import Severity
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

SHOWN_LINES, LONGEST_LINE = 12, 200


@dataclass(frozen=True)
class OpenOptions:
    """The options of `incident open`."""

    what: str
    severity: str = "critical"
    since: str | None = None
    detected: str | None = None
    lead: str = ""


@dataclass(frozen=True)
class ChangeOptions:
    """The options of `incident update`; None leaves a fact as it is."""

    what: str | None = None
    severity: str | None = None
    since: str | None = None
    expected: str | None = None
    lead: str | None = None
    down_again: str | None = None


def severity_of(text: str) -> Severity:
    """One of the known severities. Raises BadInput."""
    for known in SEVERITIES:
        if text == known:
            return known
    raise BadInput(f"“{text}” is not a severity.", next_action=f"Pass one of: {', '.join(SEVERITIES)}.")


def open_incident(target: Target, output: Output, asked: OpenOptions) -> int:
    """Open an incident: from now on the clocks run."""
    desk = IncidentDesk(target, output)
    desk.refresh()
    known = newest_open(state(), target.key)
    if known is not None and known.is_down:
        raise BadInput(
            f"The incident {known.id} is open on this target: {known.what}.",
            next_action='See: uscdr incident status. To add what you know: uscdr incident note "…"',
        )
    for damage in damaged_incidents(state(), target.key):
        output.warn(f"{damage.message} It is kept, and a new incident is opened.")
    now = desk.now
    facts = OpeningFacts(
        what=desk.clean("--what", asked.what), severity=severity_of(asked.severity),
        outage_at=past_typed(asked.since, now, "--since") if asked.since else None,
        detected_at=past_typed(asked.detected, now, "--detected") if asked.detected else now,
        lead=desk.clean("--lead", asked.lead) if asked.lead else "",
    )  # fmt: skip
    _require_order(facts.outage_at, facts.detected_at, "Correct --since or --detected: both are UTC.")
    _show(desk, desk.open(facts), output)
    _findings(desk)
    return int(ExitCode.DONE)


def _require_order(outage_at: datetime | None, detected_at: datetime, fix: str) -> None:
    """Raises BadInput for an outage that was detected before it began."""
    if outage_at and outage_at > detected_at:
        raise BadInput(f"The outage began after it was detected, {moment(detected_at)}.", next_action=fix)


def _findings(desk: IncidentDesk) -> None:
    """What is not ready for an incident: document, contacts, the maintenance page. The incident is open by now."""
    attested = records.TeamRecords(state(), desk.env, desk.output.warn_once).read().attested
    today = desk.now.astimezone(zone_of(desk.target.config)).date()
    for one in findings(desk.target.config, attested, today):
        desk.output.warn(f"Finding: {one.message} {one.do}")
    if words := page_finding(desk):
        desk.output.warn(f"Finding: {words}")


def show_incident(target: Target, output: Output, wanted: str | None) -> int:
    """Print the state of an incident: clocks, notices, actions, the last lines of its timeline.

    Raises JournalError for a damaged journal, after its readable part.
    """
    desk = IncidentDesk(target, output)
    if wanted is not None:
        seen = IncidentJournal.salvage(find_incident(state(), wanted))
        if seen.damage is not None and seen.records:
            _show(desk, folded(ordered(seen.records)), output)
    _show(desk, desk.attach_watches(desk.find(wanted)), output)
    return int(ExitCode.DONE)


def note(target: Target, output: Output, wanted: str | None, text: str) -> int:
    """Add a line to the timeline."""
    desk = IncidentDesk(target, output)
    found = desk.append(desk.find(wanted), NoteWritten(text=desk.clean("note", text)))
    _tell(found, output)
    output.say(f"Noted in {found.id}.")
    return int(ExitCode.DONE)


def change(target: Target, output: Output, wanted: str | None, asked: ChangeOptions) -> int:
    """Change what is known: since when, how severe, when service is expected back, who leads."""
    desk = IncidentDesk(target, output)
    found = desk.find(wanted)
    now = desk.now
    expected = window_typed(asked.expected, now, "--expected") if asked.expected else (None, None)
    changed = IncidentChanged(
        what=desk.clean("--what", asked.what) if asked.what else None,
        severity=severity_of(asked.severity) if asked.severity else None,
        outage_at=past_typed(asked.since, now, "--since") if asked.since else None,
        expected_from=expected[0], expected_until=expected[1],
        lead=desk.clean("--lead", asked.lead) if asked.lead else None,
    )  # fmt: skip
    _require_order(changed.outage_at, found.opened.detected_at, "Correct --since: it is UTC.")
    entries: list[Any] = [] if changed == IncidentChanged() else [changed]
    if asked.down_again:
        entries.append(IncidentReopened(why=desk.clean("--down-again", asked.down_again)))
    if not entries:
        raise BadInput("Nothing to change.", next_action="Pass at least one option, see: uscdr incident update --help")
    _show(desk, desk.append(found, *entries), output)
    return int(ExitCode.DONE)


def resolve(target: Target, output: Output, wanted: str | None, at: str | None, summary: str) -> int:
    """Record that service is restored; the follow-ups become actions."""
    desk = IncidentDesk(target, output)
    found = desk.find(wanted)
    restored = past_typed(at, desk.now, "--at") if at else _restored_by_runs(desk, found) or desk.now
    too_early = restored < found.opened.detected_at and (found.outage_at is None or restored < found.outage_at)
    if too_early or not found.ended_by(restored):
        raise BadInput("Service was not restored before the outage.", next_action="Correct --at: it is UTC.")
    words = desk.clean("--summary", summary) if summary else ""
    _show(desk, resolved(desk, found, restored, words), output)
    return int(ExitCode.DONE)


def resolved(desk: IncidentDesk, incident: Incident, restored: datetime, summary: str = "") -> Incident:
    """The incident with its restoration and the actions that follow; the same if that is recorded already."""
    found = incident
    if incident.restored_at != restored or summary:
        found = desk.append(incident, IncidentResolved(restored_at=restored, summary=summary))
        page_goes_back(desk)
    tasks = [(text, "the runbook") for text in desk.target.config.incident.follow_up]
    for report in desk.reports(found):
        tasks += [(text, f"run {report.run}") for text in report.follow_up]
    desk.ledger(found.id).decide(lambda records: actions_after(folded(records), tasks, restored))
    return desk.current(found.id)


def _restored_by_runs(desk: IncidentDesk, incident: Incident) -> datetime | None:
    """When the incident's recoveries ended the newest outage; None if none did."""
    found = (one.restored_at for one in desk.reports(incident) if one.restored_at)
    return max(filter(incident.ended_by, found), default=None)


def close(target: Target, output: Output, wanted: str | None, duplicate_of: str | None) -> int:
    """Close an incident of which nothing is open, or one that is another one's duplicate."""
    desk = IncidentDesk(target, output)
    found = desk.attach_watches(desk.find(wanted))
    if not found.is_open:
        raise BadInput(f"The incident {found.id} is closed.", next_action=f"See: uscdr incident report {found.id}")
    if duplicate_of:
        return _close_duplicate(desk, found, desk.find(duplicate_of))
    left = unfinished(found, desk.target.config.incident.review)
    if left:
        raise CheckFailed(
            f"The incident {found.id} cannot be closed: {plural(len(left), 'thing is', 'things are')} open.",
            why="\n".join(left),
            next_action="Finish or waive each of them; then: uscdr incident close",
        )
    _tell(desk.append(found, IncidentClosed()), output)
    output.say(f"The incident {found.id} is closed. Its report: uscdr incident report {found.id}")
    return int(ExitCode.DONE)


def _close_duplicate(desk: IncidentDesk, incident: Incident, original: Incident) -> int:
    """Close one of two incidents about the same outage: what is open is followed up in the other one."""
    same, here = original.id == incident.id, original.opened.key == incident.opened.key
    left = () if original.is_open else unfinished(original, desk.target.config.incident.review)
    if same or not here or left:
        other = "that one is closed, and it was not finished" if here else "that one is of another target"
        raise BadInput(
            f"The incident {incident.id} is no duplicate of {'itself' if same else f'{original.id}: {other}'}.",
            next_action="List the incidents: uscdr incident list. To see what is open: uscdr incident close",
        )
    text = f"Closed as a duplicate of {original.id}"
    _tell(desk.append(incident, NoteWritten(text=text), IncidentClosed()), desk.output)
    desk.output.say(f"{text}.")
    return int(ExitCode.DONE)


def check(target: Target, output: Output) -> int:
    """For cron: exit code 1 if something is overdue on this target, or in doubt."""
    desk = IncidentDesk(target, output)
    desk.refresh()
    late = [one.message for one in damaged_incidents(state(), target.key)]
    for one in open_incidents(state(), target.key):
        found = desk.attach_watches(one)
        doubts = [f"notice {notice.id} may have arrived over {each.channel}" for notice, each in found.doubtful]
        late += [f"{found.id}: {words}" for words in (*overdue(found, desk.now), *dict.fromkeys(doubts))]
    if output.json_lines:
        told: _OverdueObject = {"overdue": late}
        output.record(Schema.OVERDUE, told)
    else:
        output.result("\n".join(late) or "Nothing is overdue.")
    return int(ExitCode.CHECK_FAILED if late else ExitCode.DONE)


def show_incidents(output: Output) -> None:
    """Print every incident that this machine knows, newest last; of a damaged journal the readable part."""
    found = list(known_incidents(state()))
    for path in incidents_here(state()):
        if (damage := IncidentJournal.salvage(path).damage) is not None:
            output.warn(damage.message)
    if output.json_lines:
        for one in found:
            output.record(Schema.INCIDENT, _facts(one))
        return
    rows = [f"{one.id}  {_condition(one):<8}  {one.severity:<8}  {one.opened.app} ({one.opened.target}): {one.what}"
            for one in found]  # fmt: skip
    output.result("\n".join(rows) or "No incident is known on this machine.")


def _condition(incident: Incident) -> Literal["down", "restored", "closed"]:
    if not incident.is_open:
        return "closed"
    return "down" if incident.is_down else "restored"


class _OverdueObject(TypedDict):
    overdue: Sequence[str]


class _IncidentObject(TypedDict):
    incident: str
    state: Literal["down", "restored", "closed"]
    what: str
    severity: str
    target: str
    app: str
    outage_at: datetime | None
    detected_at: datetime
    restored_at: datetime | None
    closed_at: datetime | None
    runs: Sequence[str]


class _StatusObject(_IncidentObject):
    verified_at: datetime | None
    down_seconds: float
    counts_from: str
    due: Sequence[str]
    overdue: Sequence[str]
    unfinished: Sequence[str]


def _facts(incident: Incident) -> _IncidentObject:
    return {
        "incident": incident.id, "state": _condition(incident), "what": incident.what, "severity": incident.severity,
        "target": incident.opened.target, "app": incident.opened.app, "outage_at": incident.outage_at,
        "detected_at": incident.opened.detected_at, "restored_at": incident.restored_at,
        "closed_at": incident.closed_at, "runs": list(incident.runs),
    }  # fmt: skip


def _tell(incident: Incident, output: Output) -> None:
    """The incident as it is now, for a program."""
    if output.json_lines:
        output.record(Schema.INCIDENT, _facts(incident))


def _show(desk: IncidentDesk, incident: Incident, output: Output) -> None:
    now, reports = desk.now, desk.reports(incident)
    times = desk.times(incident)
    due = [one.words(now) for one in notices_due(incident)]
    late = overdue(incident, now)
    if output.json_lines:
        facts: _StatusObject = {
            **_facts(incident),
            "verified_at": times.verified_at, "down_seconds": times.down_for(now), "counts_from": times.basis(),
            "due": due, "overdue": late, "unfinished": unfinished(incident, desk.target.config.incident.review),
        }  # fmt: skip
        output.record(Schema.INCIDENT_STATUS, facts)
        return
    lines = [
        f"Incident {incident.id} ({_condition(incident)}, {incident.severity}): {incident.what}",
        f"Clock: {times.words(now, incident.opened.rto_seconds)}",
        *_time_lines(incident, now),
        *([f"Lead: {incident.lead}"] if incident.lead else []),
        *[f"{'OVERDUE' if one in late else 'Due'}: {one}" for one in due],
        *[f"OVERDUE: {one}" for one in late if one not in due],
        *_doubts(incident),
        *_actions(incident),
        *_last(timeline(incident, reports)),
    ]
    output.result("\n".join(lines))


def _time_lines(incident: Incident, now: datetime) -> list[str]:
    expected = incident.expected
    lines = [f"Detected: {moment(incident.opened.detected_at)}"]
    if incident.is_down and expected:
        until = duration(abs((expected[1] - now).total_seconds()))
        late = f"{until} ago" if expected[1] < now else f"in {until}"
        lines.append(f"Expected back: {span_of_times(*expected)} ({late} at the latest)")
    elif incident.is_down:
        lines.append("Expected back: not known yet (uscdr incident update --expected 03:25-03:40)")
    return lines


def _doubts(incident: Incident) -> list[str]:
    named = dict.fromkeys((notice.id, one.channel) for notice, one in incident.doubtful)
    return [
        f"IN DOUBT: notice {one} over {channel}: uscdr incident settle {one} {channel} sent (or: not-sent)"
        for one, channel in named
    ]


def _actions(incident: Incident) -> list[str]:
    states = [one.state for one in incident.actions.values()]
    if not states:
        return []
    return [f"Actions: {states.count('open')} open, {states.count('done')} done, {states.count('dropped')} dropped"]


def _last(lines: Sequence[Any]) -> list[str]:
    shown = lines[-SHOWN_LINES:]
    more = [f"  … {len(lines) - len(shown)} earlier lines in the report"] if len(lines) > len(shown) else []
    return ["Timeline (UTC):", *more, *(f"  {one.at:%m-%d %H:%M}  {_short(one.text)}" for one in shown)]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}… (whole in the report)"
