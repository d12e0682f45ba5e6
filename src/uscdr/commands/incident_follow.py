"""A recovery and its incident: the run opens one or joins the open one, reminds of notices, and says when it is over.

Nothing of this stops a recovery: what fails here is a warning.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from uscdr import clock
from uscdr.commands.housekeeping import state
from uscdr.commands.incident import resolved
from uscdr.commands.incident_desk import IncidentDesk, OpeningFacts, reports_of
from uscdr.errors import UscdrError
from uscdr.incident.follow_up import overdue
from uscdr.incident.ledger import new_incident_id
from uscdr.incident.notice_clock import notices_due
from uscdr.incident.open_incidents import damaged_incidents, newest_open, open_incidents
from uscdr.incident.times import times_of
from uscdr.journal.runs import WRITE_EFFECTS, scenario_in
from uscdr.models.base import elapsed
from uscdr.models.events import PlanReady, RunFinished, StepStarted
from uscdr.models.incidents import IncidentChanged, IncidentReopened, RunLinked
from uscdr.models.runs import RunKind
from uscdr.report.objectives import build
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.incident.state import Incident
    from uscdr.models.events import Stamped
    from uscdr.models.forecast import RunForecast
    from uscdr.models.incidents import Severity
    from uscdr.scenarios.adapters import Request
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

OPENS: dict[str, Severity] = {"db": "critical", "app": "critical", "infra": "critical", "media": "major"}
"""Recoveries of an outage, and how severe it is until somebody says more; others join an open incident."""
BRING_BACK = ("db", "app", "infra")
"""Recoveries that shut users out, and whose proof ends any outage. Another one ends only the outage that it opened."""
LOOK_SECONDS = 5.0
"""Between two looks at the incident's journal, to which others append."""
SAME_SECONDS = 24 * 3600.0
"""After a restoration, the time in which another recovery belongs to the same incident."""
SAME_OUTAGE_SECONDS = 60.0
"""Two times of one outage that differ by less are the same."""
MOVED_SECONDS = 300.0
"""A forecast that moves by less is not news."""


def joined(target: Target, output: Output, request: Request, *, dry_run: bool) -> Request:
    """The request with its incident: the open one of the target, or the id of one that the run will open.

    The outage that the incident knows is the run's, unless the command line says another one.
    """
    desk = IncidentDesk(target, output)
    desk.refresh()
    known = newest_open(state(), target.key)
    if known is None or _is_past(known):
        opens = request.scenario in OPENS and not dry_run
        return replace(request, incident=new_incident_id() if opens else "")
    outage = known.down_since if known.is_down else None
    if request.since and outage:
        _warn_apart(output, known.id, outage, datetime.fromisoformat(request.since))
    since = request.since or (outage.isoformat() if outage else None)
    return replace(request, incident=known.id, since=since)


def _warn_apart(output: Output, incident: str, known: datetime, typed: datetime) -> None:
    """Say that the incident and the command line do not agree since when service is down."""
    if abs((known - typed).total_seconds()) > SAME_OUTAGE_SECONDS:
        output.warn(
            f"The incident {incident} says that the outage began {moment(known)}; this run counts from "
            f"{moment(typed)}, as you say. If you are right: uscdr incident update --since {typed.isoformat()}"
        )


def _is_past(incident: Incident) -> bool:
    """Whether a recovery now is about another outage: service was restored long ago, and only follow-ups are open."""
    restored = incident.restored_at
    return restored is not None and elapsed(restored, clock.system_time()) > SAME_SECONDS


def link(target: Target, output: Output, run: str, scenario: str) -> None:
    """Let a verification or a watch belong to the open incident of the target, if there is one."""
    try:
        known = newest_open(state(), target.key)
        if known is not None:
            IncidentDesk(target, output).append(known, RunLinked(run=run, scenario=scenario))
    except UscdrError as error:
        output.warn_once(f"This run is not linked to the incident: {error.message}")


def reminder(target: Target) -> str:
    """The open incident of the target in one line: its clock, and what is overdue; empty without one."""
    try:
        known = newest_open(state(), target.key)
        if known is None:
            damaged = damaged_incidents(state(), target.key)
            return f"{damaged[0].message} See: uscdr incident list" if damaged else ""
        now = clock.system_time()
        recoveries = [run for run in known.runs if not RunKind(scenario_in(run)).only_looks]
        words = times_of(known, reports_of(recoveries)).words(now, known.opened.rto_seconds)
        late = overdue(known, now)
    except UscdrError as error:
        return f"uscdr cannot read an incident: {error.message} See: uscdr incident list"
    more = f" OVERDUE: {late[0]}" + (f" and {len(late) - 1} more." if len(late) > 1 else ".") if late else ""
    stands = "is open" if known.is_down else "is not closed; service is restored"
    return f"Incident {known.id} {stands}: {words}.{more} See: uscdr incident status"


@dataclass
class RunFollower:
    """Watches the events of one recovery. `outage_at`: as the command line says."""

    desk: IncidentDesk
    run: str
    request: Request
    title: str
    outage_at: datetime | None
    _linked: bool = False
    _seen: list[Stamped] = field(default_factory=list)
    _read_at: float = -LOOK_SECONDS
    _known: Incident | None = None
    _forecast: RunForecast | None = None
    _expected: datetime | None = None

    def __call__(self, stamped: Stamped) -> None:
        """Take one event; the first write of the run opens or joins the incident."""
        if stamped.seq is not None:
            self._seen.append(stamped)
        try:
            match stamped.event:
                case PlanReady() as plan:
                    self._forecast = plan.forecast
                case StepStarted() as event:
                    if event.effect in WRITE_EFFECTS and not self._linked:
                        self._begin(stamped.at)
                    self._expect(stamped.at, event.step)
                case RunFinished() if self._linked:
                    self._end()
        except UscdrError as error:
            self.desk.output.warn_once(f"The incident is not up to date: {error.message}")

    def prime(self, history: Sequence[Stamped]) -> None:
        """Take in a resumed run's earlier events."""
        for stamped in history:
            self._seen.append(stamped)
            event = stamped.event
            self._forecast = event.forecast if isinstance(event, PlanReady) else self._forecast
            self._linked = self._linked or (isinstance(event, StepStarted) and event.effect in WRITE_EFFECTS)

    def _begin(self, at: datetime) -> None:
        self._linked = True
        found = next((one for one in open_incidents(state(), self.desk.target.key)
                      if one.id == self.request.incident), None)  # fmt: skip
        if found is None:
            severity = OPENS.get(self.request.scenario, "major")
            facts = OpeningFacts(
                f"{self.title} (opened by the recovery)", severity, self.outage_at, at, by_run=self.run
            )
            found = self.desk.open(facts, self.request.incident)
        again = not found.is_down and self.request.scenario in BRING_BACK
        if again:
            self.desk.append(found, IncidentReopened(why=f"the recovery {self.run} began"))
        if self.outage_at is not None and (again or found.down_since is None):
            self.desk.append(found, IncidentChanged(outage_at=self.outage_at))
        self.desk.append(found, RunLinked(run=self.run, scenario=self.request.scenario))

    def _expect(self, at: datetime, step: str) -> None:
        """Tell the incident when service is expected back, by earlier runs; again when that moves."""
        window = self._forecast.window(at, step, back=True) if self._forecast and self._linked else None
        if window is None or (self._expected and abs((window.high - self._expected).total_seconds()) < MOVED_SECONDS):
            return
        self._expected = window.high
        changed = IncidentChanged(expected_from=window.low, expected_until=window.high)
        self.desk.ledger(self.request.incident).append(changed)

    def _end(self) -> None:
        """The restoration, if the run proved it, and its follow-ups; also if an objective was missed."""
        report = build(self._seen)
        if report.verified_at is None or report.restored_at is None:
            return
        found = self.desk.current(self.request.incident)
        ends = found.ended_by(report.restored_at)  # not if service is down again since, and the run only ended later
        if ends and (self.request.scenario in BRING_BACK or found.opened.by_run == self.run):
            resolved(self.desk, found, report.restored_at)
        elif found.is_down:
            self.desk.output.warn(
                f"The incident {found.id} is open: this run cannot tell whether all of the service is back. "
                "If it is: uscdr incident resolve"
            )

    def reminders(self, now: datetime) -> list[str]:
        """What is due or overdue, in words; looks at the journal every few seconds. Never raises UscdrError."""
        if not self._linked:
            return []
        if time.monotonic() - self._read_at >= LOOK_SECONDS:
            self._read_at = time.monotonic()
            try:
                self._known = self.desk.current(self.request.incident)
            except UscdrError:
                return []
        due = notices_due(self._known) if self._known else ()
        shown = [one.words(now) for one in due if one.is_offered(now)]
        return [f"{'; '.join(shown)}. In another terminal: uscdr incident notify"] if shown else []
