"""The report of an incident: complete and immutable, the only source of its Markdown, JSON and HTML."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from uscdr.models.base import Fact
from uscdr.models.incidents import ActionState, Readers, Severity, Stage
from uscdr.report.model import CheckReport, DataReport, ForecastReport, ObjectiveReport, Outcome, PhaseReport

NoticeVerdict = Literal["in time", "late", "no clock", "not received", "missed", "overdue", "due"]
"""`no clock`: none was due. `not received`: nobody is known to have it. `missed`: its time came and went without it."""


class ReportedTimes(Fact):
    """When what happened, each apart; None for what did not happen yet or is not known."""

    outage_at: datetime | None
    detected_at: datetime
    opened_at: datetime
    started_at: datetime | None
    restored_at: datetime | None
    verified_at: datetime | None
    down_seconds: float
    """Until the restoration, or until the report was made."""
    counts_from: str
    """What `down_seconds` and the RTO count from, in words."""


class ReportedStep(Fact):
    """A step of a recovery; `seconds` is None if it did not end."""

    number: int | None
    name: str
    """The kind of step, e.g. `backup.restore`."""
    title: str
    phase: str
    status: str
    destructive: bool
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    summary: str
    provider_ids: tuple[str, ...]


class ReportedRecovery(Fact):
    """A recovery of the incident: its outcome, objectives, data, and its steps against their budgets."""

    run: str
    scenario: str
    outcome: Outcome
    operator: str
    started_at: datetime | None
    ended_at: datetime | None
    rto: ObjectiveReport
    rpo: ObjectiveReport
    forecast: ForecastReport | None = None
    """What was forecast at its plan and at its confirmation, and what happened; None without a forecast."""
    no_forecast: str = ""
    """Why there is none."""
    data: DataReport
    plan_digest: str
    phases: tuple[PhaseReport, ...]
    steps: tuple[ReportedStep, ...]


class ReportedNotice(Fact):
    """A notice against the clock: sent, or only due. The counts are messages to people, never files."""

    notice: str
    """Its number in the incident, `by hand` for people who were told in another way, or empty for one only due."""
    stage: Stage
    readers: Readers
    due_stage: Stage | None
    due_at: datetime | None
    """By when the clock wanted one; None if it wanted none."""
    sent_at: datetime | None
    """When the first message surely arrived; None if none did."""
    verdict: NoticeVerdict
    late_seconds: float
    subject: str
    channels: tuple[str, ...]
    by: str
    sent: int = 0
    failed: int = 0
    refused: int = 0
    in_doubt: int = 0


class ReportedDecision(Fact):
    """A question of a run: what the operator saw, and the answer (None without one)."""

    run: str
    step: str
    asked_at: datetime
    facts: dict[str, str]
    phrase: str
    confirmed: bool | None
    by: str


class ReportedChecks(Fact):
    """The newest round of a verification, or the checks of a recovery, with their evidence."""

    run: str
    scenario: str
    result: str
    ended_at: datetime | None
    checks: tuple[CheckReport, ...]


class ReportedAction(Fact):
    """A follow-up; an open one after its time is overdue."""

    action: str
    title: str
    owner: str
    due: datetime | None
    state: ActionState
    overdue: bool
    evidence: str
    origin: str


class ReportedAnswer(Fact):
    """A question of the review. `state` is `open` without an answer."""

    question: str
    state: Literal["answered", "waived", "open"]
    text: str
    by: str
    at: datetime | None


class ReportedEvent(Fact):
    """One line of the timeline; `by` is empty where nobody is recorded."""

    at: datetime
    by: str
    text: str


class MappedEvidence(Fact):
    """One requirement, and what in this report is evidence for it; nothing if there is none."""

    source: str
    reference: str
    title: str
    asks: str
    evidence: tuple[str, ...]


class ChainHead(Fact):
    """The end of a journal's chain: with it nobody can change the journal unseen."""

    journal: str
    events: int
    last_hash: str
    """SHA-256 of the last line."""
    waiting: int = 0
    """Entries of this machine that the shared state does not have yet."""


class IncidentReport(Fact):
    """The complete content of an incident's report. A draft says what is open."""

    incident: str
    made_at: datetime
    version: str
    draft: bool
    unfinished: tuple[str, ...]
    what: str
    severity: Severity
    impact: str = ""
    """What the outage concerns; empty if nobody said."""
    target: str
    app: str
    rehearsal: bool
    opened_by: str
    closed_at: datetime | None
    closed_by: str
    lead: str
    summary: str
    times: ReportedTimes
    rto: ObjectiveReport
    rpo: ObjectiveReport
    recoveries: tuple[ReportedRecovery, ...]
    notices: tuple[ReportedNotice, ...]
    decisions: tuple[ReportedDecision, ...]
    checks: tuple[ReportedChecks, ...]
    actions: tuple[ReportedAction, ...]
    review: tuple[ReportedAnswer, ...]
    timeline: tuple[ReportedEvent, ...]
    mapped: tuple[MappedEvidence, ...]
    chains: tuple[ChainHead, ...]

    @property
    def title(self) -> str:
        """`Incident of usc-pis: the database is damaged`; a draft says so first."""
        return f"{'DRAFT: ' if self.draft else ''}Incident of {self.app}: {self.what}"
