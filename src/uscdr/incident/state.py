"""What an incident's records say: its facts, notices, actions and answers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from uscdr.models import incidents as entries
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from uscdr.models.incidents import ActionState, Readers, Recorded, Stage

DeliveryState = Literal["sending", "sent", "failed", "refused", "in doubt", "not sent"]
"""`sending`: the intent has no answer, so the message may have arrived. `refused`: repeating would not help."""
UNKNOWN_FATE: tuple[DeliveryState, ...] = ("sending", "in doubt")
"""States that only a person can settle."""
QUEUED: tuple[DeliveryState, ...] = ("failed", "not sent")
"""States after which the message may be sent (again)."""


@dataclass(frozen=True)
class Delivery:
    """One message of a notice: to one recipient (keyed digest, or empty) on one channel."""

    channel: str
    recipient: str
    state: DeliveryState
    at: datetime
    detail: str = ""
    """The receipt, or the reason of a failure."""
    retry_at: datetime | None = None
    tries: int = 0
    by: str = ""
    """Whose record this state is."""


@dataclass(frozen=True)
class NoticeRecord:
    """A notice that was confirmed, with its deliveries by channel and recipient."""

    id: str
    stage: Stage
    readers: Readers
    subject: str
    text: str
    channels: tuple[str, ...]
    recipients: int
    list_key: str
    at: datetime
    by: str
    deliveries: tuple[Delivery, ...] = ()

    @property
    def reached(self) -> datetime | None:
        """When the first message surely arrived at people; None if none did."""
        told = (one.at for one in self.deliveries if one.state == "sent" and one.channel != entries.OUTBOX)
        return min(told, default=None)

    def of(self, *states: DeliveryState) -> tuple[Delivery, ...]:
        """The deliveries in these states."""
        return tuple(one for one in self.deliveries if one.state in states)

    def find(self, channel: str, recipient: str) -> Delivery | None:
        """The delivery to that recipient on that channel."""
        return next((one for one in self.deliveries if (one.channel, one.recipient) == (channel, recipient)), None)

    def with_delivery(self, found: Delivery) -> NoticeRecord:
        """The same with that delivery in the place of an older one."""
        rest = tuple(one for one in self.deliveries if (one.channel, one.recipient) != (found.channel, found.recipient))
        return replace(self, deliveries=(*rest, found))


@dataclass(frozen=True)
class TimelineLine:
    """One thing that happened: when, by whom, and a sentence."""

    at: datetime
    by: str
    text: str


@dataclass(frozen=True)
class Told:
    """The team or users were told: by a notice that arrived, or in another way."""

    at: datetime
    stage: Stage
    readers: Readers
    how: str


@dataclass(frozen=True)
class ActionRecord:
    """A follow-up with its owner, due time and state."""

    id: str
    title: str
    due: datetime | None
    owner: str
    origin: str
    state: ActionState = "open"
    evidence: str = ""
    changed_at: datetime | None = None

    def is_overdue(self, now: datetime) -> bool:
        """Whether it is open after its time."""
        return self.state == "open" and self.due is not None and self.due < now


@dataclass(frozen=True)
class ReviewAnswer:
    """The answer to a question of the review, or the reason why it is waived."""

    question: str
    text: str
    waived: bool
    by: str
    at: datetime


@dataclass(frozen=True)
class PastOutage:
    """An outage after which service was restored, before it was down again."""

    began_at: datetime
    restored_at: datetime


@dataclass
class Incident:
    """The state after all records, in the order of their times."""

    id: str
    opened: entries.IncidentOpened
    opened_at: datetime
    opened_by: str
    what: str
    severity: entries.Severity
    outage_at: datetime | None
    lead: str
    expected: tuple[datetime, datetime] | None = None
    runs: dict[str, str] = field(default_factory=dict)
    """Run -> scenario, in the order in which they were linked."""
    notices: dict[str, NoticeRecord] = field(default_factory=dict)
    given: list[Told] = field(default_factory=list)
    actions: dict[str, ActionRecord] = field(default_factory=dict)
    answers: dict[str, ReviewAnswer] = field(default_factory=dict)
    notes: list[TimelineLine] = field(default_factory=list)
    resolved_at: datetime | None = None
    """When a person or a run said that service is restored."""
    restored_at: datetime | None = None
    """Since when service is restored."""
    down_again_at: datetime | None = None
    """Since when service is down, or was down last, after an earlier restoration; None in the first outage."""
    past_outages: list[PastOutage] = field(default_factory=list)
    summary: str = ""
    closed_at: datetime | None = None
    closed_by: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is not closed."""
        return self.closed_at is None

    @property
    def down_since(self) -> datetime | None:
        """When the newest outage began; None if nobody has said so yet."""
        return self.down_again_at or self.outage_at

    def ended_by(self, restored: datetime) -> bool:
        """Whether a restoration at that time ends the newest outage, and not one that was over before."""
        return self.down_again_at is None or restored >= self.down_again_at

    @property
    def is_down(self) -> bool:
        """Whether service is not restored yet, by what is recorded."""
        return self.is_open and self.restored_at is None

    @property
    def doubtful(self) -> tuple[tuple[NoticeRecord, Delivery], ...]:
        """Messages that may have arrived: a person must say."""
        return tuple((notice, one) for notice in self.notices.values() for one in notice.of(*UNKNOWN_FATE))

    @property
    def told(self) -> list[Told]:
        """When who was told, oldest first."""
        arrived = [
            Told(notice.reached, notice.stage, notice.readers, f"notice {notice.id}")
            for notice in self.notices.values()
            if notice.reached
        ]
        return sorted([*arrived, *self.given], key=lambda told: told.at)

    @property
    def next_notice(self) -> str:
        """The id of the next notice."""
        return f"n{len(self.notices) + 1}"

    @property
    def next_action(self) -> str:
        """The id of the next action."""
        return f"a{len(self.actions) + 1}"


def ordered(records: Iterable[Recorded]) -> tuple[Recorded, ...]:
    """Records of the chain, and after them those that wait, in the order in which they count.

    That is by time, so that what waited on a machine has its place. But clocks of machines differ, so the chain says
    what came first where that is sure: the opening before all, one notice and one action after the former, what became
    of a notice after its intent, and a change after its action.
    """
    counts: dict[str, datetime] = {}

    def at(record: Recorded) -> datetime:
        """The time that counts: its own, or that of a record that surely came before it."""
        after, marks = _chained(record.event)
        found = max([record.at, *(counts[name] for name in after if name in counts)])
        counts.update(dict.fromkeys(marks, found))
        return found

    timed = [(at(record), number, record) for number, record in enumerate(records)]
    return tuple(record for _, _, record in sorted(timed, key=lambda one: one[:2]))


def _chained(event: entries.Entry) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a record surely comes after, and what surely comes after it."""
    about = _subject(event)
    match event:
        case entries.IncidentOpened():
            return (), (_OPENING,)
        case entries.NoticePrepared() | entries.ActionAdded():
            return (_OPENING, event.kind, about), (event.kind, about)
        case entries.ActionChanged():
            return (_OPENING, about), ()
        case _:
            return (_OPENING, about), (about,) if about else ()


_OPENING = "opening"


def _subject(event: entries.Entry) -> str:
    """The notice or the action that a record is about; empty for another one."""
    return str(getattr(event, "notice", "") or getattr(event, "action", ""))


def folded(records: Iterable[Recorded]) -> Incident:
    """The incident that the records tell; the first one opens it. Raises ValueError without one."""
    last = deque(unfolded(records), maxlen=1)
    if not last:
        raise ValueError("an incident begins with the line that opens it")
    return last[0][1]


def unfolded(records: Iterable[Recorded]) -> Iterator[tuple[Recorded, Incident]]:
    """Each record with the incident as it was right after it: one object, which the next record changes."""
    found: Incident | None = None
    for record in records:
        match record.event:
            case entries.IncidentOpened() as opened if found is None:
                found = _opened(record, opened)
            case _ if found is not None:
                _take(found, record)
        if found is not None:
            yield record, found


def _by(record: Recorded) -> str:
    return f"{record.user} on {record.host}"


def _opened(record: Recorded, opened: entries.IncidentOpened) -> Incident:
    return Incident(
        record.incident, opened, record.at, _by(record), opened.what, opened.severity, opened.outage_at, opened.lead
    )


def _take(incident: Incident, record: Recorded) -> None:
    match record.event:
        case entries.IncidentChanged() as event:
            _change(incident, event)
            incident.notes += [TimelineLine(record.at, _by(record), words) for words in _changes(event)]
        case entries.NoteWritten() as event:
            incident.notes.append(TimelineLine(record.at, _by(record), event.text))
        case entries.RunLinked() as event:
            incident.runs.setdefault(event.run, event.scenario)
        case entries.NoticePrepared() as event:
            _prepare(incident, event, record)
        case entries.NoticeGiven() as event:
            incident.given.append(Told(record.at, event.stage, event.readers, event.how))
        case entries.ActionAdded() | entries.ActionChanged() as event:
            _act(incident, event, record)
        case entries.ReviewAnswered() as event:
            answer = ReviewAnswer(event.question, event.answer, event.waived, _by(record), record.at)
            incident.answers[event.question] = answer
        case entries.IncidentResolved() as event:
            incident.resolved_at, incident.restored_at = record.at, event.restored_at
            incident.summary = event.summary or incident.summary
        case entries.IncidentReopened() as event:
            if incident.restored_at is not None:
                began = incident.down_since or incident.opened.detected_at
                incident.past_outages.append(PastOutage(began, incident.restored_at))
                incident.down_again_at = record.at
            incident.resolved_at = incident.restored_at = incident.closed_at = None
            incident.notes.append(TimelineLine(record.at, _by(record), f"Service is down again: {event.why}"))
        case entries.IncidentClosed():
            incident.closed_at, incident.closed_by = record.at, _by(record)
        case _:
            _deliver(incident, record)


def _change(incident: Incident, event: entries.IncidentChanged) -> None:
    incident.what = event.what or incident.what
    incident.severity = event.severity or incident.severity
    if incident.down_again_at is None:
        incident.outage_at = event.outage_at or incident.outage_at
    else:
        incident.down_again_at = event.outage_at or incident.down_again_at
    incident.lead = incident.lead if event.lead is None else event.lead
    if event.expected_from is not None and event.expected_until is not None:
        incident.expected = event.expected_from, event.expected_until


def _changes(event: entries.IncidentChanged) -> Iterator[str]:
    """What a person changed, in words."""
    if event.what:
        yield f"What happened: {event.what}"
    if event.severity:
        yield f"Severity: {event.severity}"
    if event.outage_at:
        yield f"Since when is known: the outage began {moment(event.outage_at)}"
    if event.lead is not None:
        yield f"Lead: {event.lead or 'nobody'}"
    if event.expected_until is not None:
        yield f"Service expected back by {moment(event.expected_until)}"


def _prepare(incident: Incident, event: entries.NoticePrepared, record: Recorded) -> None:
    facts = event.model_dump(include={"stage", "readers", "subject", "text", "channels", "recipients", "list_key"})
    incident.notices[event.notice] = NoticeRecord(id=event.notice, at=record.at, by=_by(record), **facts)


def _deliver(incident: Incident, record: Recorded) -> None:
    """An intent, a receipt, a failure, a doubt, or the answer to a doubt."""
    event, at, by = record.event, record.at, _by(record)
    match event:
        case entries.NoticeSending():
            for recipient in event.recipients:
                _record(incident, event.notice, Delivery(event.channel, recipient, "sending", at, by=by))
        case entries.NoticeSent():
            sent = Delivery(event.channel, event.recipient, "sent", at, event.receipt, by=by)
            _record(incident, event.notice, sent)
        case entries.NoticeFailed():
            state: DeliveryState = "refused" if event.final else "failed"
            failed = Delivery(event.channel, event.recipient, state, at, event.reason, event.retry_at, by=by)
            _record(incident, event.notice, failed)
        case entries.NoticeDoubted():
            doubted = Delivery(event.channel, event.recipient, "in doubt", at, event.reason, by=by)
            _record(incident, event.notice, doubted)
        case entries.NoticeSettled():
            _settle(incident, event, at)


def _settle(incident: Incident, event: entries.NoticeSettled, at: datetime) -> None:
    """An answer counts only for a message that is in doubt: a receipt is not overruled."""
    notice = incident.notices.get(event.notice)
    known = notice.find(event.channel, event.recipient) if notice else None
    if known and known.state in UNKNOWN_FATE:
        state: DeliveryState = "sent" if event.decision == "sent" else "not sent"
        settled = Delivery(event.channel, event.recipient, state, at, "a person's answer")
        _record(incident, event.notice, settled)


def _record(incident: Incident, notice: str, delivery: Delivery) -> None:
    known = incident.notices.get(notice)
    if known is None:
        return
    before = known.find(delivery.channel, delivery.recipient)
    if before is not None and _is_outdated(delivery, before):
        return
    tries = (before.tries if before else 0) + (delivery.state == "sending")
    incident.notices[notice] = known.with_delivery(replace(delivery, tries=tries))


def _is_outdated(answer: Delivery, known: Delivery) -> bool:
    """Whether a state comes too late to count: the message arrived, or another machine tries again by now.

    A machine that could not reach the shared state shares the answers of its own attempt later.
    """
    others = known.state in UNKNOWN_FATE and known.by != answer.by
    return known.state == "sent" or (others and answer.state in ("failed", "refused", "in doubt"))


def _act(incident: Incident, event: entries.ActionAdded | entries.ActionChanged, record: Recorded) -> None:
    if isinstance(event, entries.ActionAdded):
        incident.actions[event.action] = ActionRecord(
            event.action, event.title, event.due, event.owner, event.origin, changed_at=record.at
        )
        return
    known = incident.actions.get(event.action)
    if known is not None:
        facts = {name: value for name in ("state", "owner", "due", "evidence")
                 if (value := getattr(event, name)) is not None}  # fmt: skip
        incident.actions[event.action] = replace(known, **facts, changed_at=record.at)
