"""What is written into an incident's journal: a closed set of entries, and their envelope.

Texts of people are checked for secrets and patients' data before they become an entry.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from uscdr.models.base import Count, Moment, Span

Severity = Literal["critical", "major", "minor"]
SEVERITIES: tuple[Severity, ...] = ("critical", "major", "minor")
Stage = Literal["first", "update", "completion"]
"""Of a notice: the first one, an update during the recovery, or the notice that service is restored."""
Readers = Literal["internal", "users"]
READERS: tuple[Readers, ...] = ("internal", "users")
"""Internal: the team and the stakeholders. Users: everybody with an account."""
OUTBOX = "outbox"
"""The channel that is always there: files on this machine. Nobody is told by a file alone."""
PAGE = "page"
"""The channel that is the maintenance page, where scenarios.yaml has one."""
ActionState = Literal["open", "done", "dropped"]


class Entry(BaseModel):
    """Base of all entries. `kind` names the entry."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
    kind: str


class IncidentOpened(Entry):
    """The first line: what happened, since when, on which target, and the promises that hold for it."""

    kind: Literal["incident.opened"] = "incident.opened"
    what: str
    severity: Severity
    target: str
    app: str
    key: str
    """The target's key: two names of one application are the same target."""
    outage_at: Moment | None = None
    """When the outage began; None when nobody has said so yet."""
    detected_at: Moment
    rto_seconds: Span
    rpo_seconds: Span
    first_seconds: Span
    """From the detection to the first notice."""
    update_seconds: Span
    """Between two notices while the service is down."""
    completion_seconds: Span
    """From the restoration to the notice of it."""
    rehearsal: bool = False
    """On a sandbox: nothing is sent outside this machine."""
    lead: str = ""
    impact: str = ""
    """What an outage concerns, and how critical that is; empty if scenarios.yaml does not say."""
    by_run: str = ""
    """The recovery that opened it; empty if a person did."""
    version: str


class IncidentChanged(Entry):
    """Facts that are known better now; None leaves one as it was."""

    kind: Literal["incident.changed"] = "incident.changed"
    what: str | None = None
    severity: Severity | None = None
    outage_at: Moment | None = None
    expected_from: Moment | None = None
    expected_until: Moment | None = None
    lead: str | None = None


class NoteWritten(Entry):
    """A person's line in the timeline."""

    kind: Literal["note"] = "note"
    text: str


class RunLinked(Entry):
    """A run (recovery, verification, watch) that belongs to the incident."""

    kind: Literal["run.linked"] = "run.linked"
    run: str
    scenario: str


class NoticePrepared(Entry):
    """A notice as it was shown to the operator and confirmed, before anything is sent."""

    kind: Literal["notice.prepared"] = "notice.prepared"
    notice: str
    """Its number in the incident: `n1`."""
    stage: Stage
    readers: Readers
    subject: str
    text: str
    channels: tuple[str, ...]
    recipients: Count = 0
    """The number of messages that it needs, over all channels whose recipients were known."""
    list_key: str = ""
    """Which key the digests of its recipients have; empty if it goes to no list."""


class NoticeSending(Entry):
    """The intent: from here on the message may arrive at these recipients, even without an answer."""

    kind: Literal["notice.sending"] = "notice.sending"
    notice: str
    channel: str
    recipients: tuple[str, ...] = ("",)
    """Keyed digests of the addresses; one empty text for a channel with a place of its own."""


class NoticeSent(Entry):
    """The channel's receipt for one recipient."""

    kind: Literal["notice.sent"] = "notice.sent"
    notice: str
    channel: str
    recipient: str = ""
    receipt: str = ""


class NoticeFailed(Entry):
    """One recipient certainly did not get it. `final`: repeating it would not help."""

    kind: Literal["notice.failed"] = "notice.failed"
    notice: str
    channel: str
    recipient: str = ""
    reason: str
    final: bool = False
    retry_at: Moment | None = None


class NoticeDoubted(Entry):
    """The message may have arrived: its answer was lost."""

    kind: Literal["notice.doubted"] = "notice.doubted"
    notice: str
    channel: str
    recipient: str = ""
    reason: str


class NoticeSettled(Entry):
    """A person's answer about a message that may have arrived."""

    kind: Literal["notice.settled"] = "notice.settled"
    notice: str
    channel: str
    recipient: str = ""
    decision: Literal["sent", "not sent"]


class NoticeGiven(Entry):
    """People were told in another way: by telephone, in person."""

    kind: Literal["notice.given"] = "notice.given"
    stage: Stage
    readers: Readers
    how: str


class ActionAdded(Entry):
    """A follow-up that is tracked until it is done."""

    kind: Literal["action.added"] = "action.added"
    action: str
    """Its number in the incident: `a1`."""
    title: str
    due: Moment | None = None
    owner: str = ""
    origin: str = ""
    """Where it comes from: a run, a review, a person."""


class ActionChanged(Entry):
    """News of an action; None leaves a fact as it was."""

    kind: Literal["action.changed"] = "action.changed"
    action: str
    state: ActionState | None = None
    owner: str | None = None
    due: Moment | None = None
    evidence: str | None = None


class ReviewAnswered(Entry):
    """An answer to a question of the review, or the reason why there is none."""

    kind: Literal["review.answered"] = "review.answered"
    question: str
    answer: str
    waived: bool = False


class IncidentResolved(Entry):
    """Service is restored, by a person's word or by a run's proof."""

    kind: Literal["incident.resolved"] = "incident.resolved"
    restored_at: Moment
    summary: str = ""


class IncidentReopened(Entry):
    """The service is down again."""

    kind: Literal["incident.reopened"] = "incident.reopened"
    why: str


class IncidentClosed(Entry):
    """Every question is answered or waived; nothing but the report follows."""

    kind: Literal["incident.closed"] = "incident.closed"


IncidentEntry = Annotated[
    IncidentOpened
    | IncidentChanged
    | NoteWritten
    | RunLinked
    | NoticePrepared
    | NoticeSending
    | NoticeSent
    | NoticeFailed
    | NoticeDoubted
    | NoticeSettled
    | NoticeGiven
    | ActionAdded
    | ActionChanged
    | ReviewAnswered
    | IncidentResolved
    | IncidentReopened
    | IncidentClosed,
    Field(discriminator="kind"),
]
INCIDENT_ENTRY: TypeAdapter[IncidentEntry] = TypeAdapter(IncidentEntry, config=ConfigDict(defer_build=True))


class Recorded(BaseModel):
    """An entry with its envelope: who wrote it, where and when. `seq` is its place in the chain, from 0."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, defer_build=True)
    incident: str
    seq: Count
    at: Moment
    user: str
    host: str
    event: IncidentEntry
