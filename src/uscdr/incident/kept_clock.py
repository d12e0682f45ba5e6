"""Whether people were told in time: the clock of notices, replayed over the records of an incident."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.incident.notice_clock import NoticeDue, notices_due
from uscdr.incident.report import NoticeVerdict, ReportedNotice
from uscdr.incident.state import QUEUED, UNKNOWN_FATE, NoticeRecord, Told, unfolded
from uscdr.models import incidents as entries
from uscdr.models.base import elapsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from uscdr.incident.state import Incident
    from uscdr.models.incidents import Readers, Recorded

BY_HAND = "by hand"
_TURNS = (entries.IncidentResolved, entries.IncidentReopened, entries.IncidentClosed)
_TELLS = (entries.NoticeSent, entries.NoticeSettled, entries.NoticeGiven)


def notices_kept(records: Iterable[Recorded], now: datetime) -> tuple[ReportedNotice, ...]:
    """Every notice with the time by which it was due, and every one that was due and not sent; in order of time."""
    replay = _Replay()
    for record, incident in unfolded(records):
        replay.take(record, incident)
    rows = [(row.sent_at or row.due_at or now, row) for row in replay.rows]
    if (last := replay.incident) is not None:
        rows += [(one.at, _unreceived(one)) for one in last.notices.values() if one.reached is None]
        rows += [(due.due_at, _only_due(due, "overdue" if due.is_overdue(now) else "due", elapsed(due.due_at, now)))
                 for due in notices_due(last)]  # fmt: skip
    return tuple(row for _, row in sorted(rows, key=lambda one: one[0]))


@dataclass
class _Replay:
    """What was due before each record. Files alone tell nobody, so they end nothing."""

    incident: Incident | None = None
    due: dict[Readers, NoticeDue] = field(default_factory=dict)
    arrived: set[str] = field(default_factory=set)
    told: list[tuple[str, Told, NoticeDue | None]] = field(default_factory=list)
    missed: list[ReportedNotice] = field(default_factory=list)

    @property
    def rows(self) -> list[ReportedNotice]:
        """The notices that arrived, with their deliveries as they are now, and those that were missed."""
        known = self.incident.notices if self.incident else {}
        return [*self.missed, *(_told(told, due, known.get(name)) for name, told, due in self.told)]

    def take(self, record: Recorded, incident: Incident) -> None:
        """Compare what this record did with what was due before it."""
        first, self.incident = self.incident is None, incident
        if not first and not isinstance(record.event, (*_TURNS, *_TELLS)):
            return
        if isinstance(record.event, _TELLS) and not self._tell(record.event, incident):
            return
        due = {one.readers: one for one in notices_due(incident)}
        if isinstance(record.event, _TURNS):
            self._turn(due, record.at)
        self.due = due

    def _tell(self, event: entries.Entry, incident: Incident) -> bool:
        """Whether people were told by it for the first time."""
        if isinstance(event, entries.NoticeGiven):
            self.told.append((BY_HAND, incident.given[-1], self.due.get(event.readers)))
            return True
        name = getattr(event, "notice", "")
        notice = incident.notices.get(name)
        if name in self.arrived or notice is None or notice.reached is None:
            return False
        self.arrived.add(name)
        told = Told(notice.reached, notice.stage, notice.readers, notice.subject)
        self.told.append((name, told, self.due.get(notice.readers)))
        return True

    def _turn(self, after: dict[Readers, NoticeDue], at: datetime) -> None:
        """What was overdue when service was restored or went down, or the incident was closed, was missed."""
        for readers, due in self.due.items():
            follows = after.get(readers)
            if due.is_overdue(at) and (follows is None or follows.stage != due.stage):
                self.missed.append(_only_due(due, "missed", elapsed(due.due_at, at)))


def _only_due(due: NoticeDue, verdict: NoticeVerdict, late: float) -> ReportedNotice:
    return ReportedNotice(
        notice="", stage=due.stage, readers=due.readers, due_stage=due.stage, due_at=due.due_at, sent_at=None,
        verdict=verdict, late_seconds=late, subject="", channels=(), by="",
    )  # fmt: skip


def _told(told: Told, due: NoticeDue | None, record: NoticeRecord | None) -> ReportedNotice:
    late = due is not None and due.is_overdue(told.at)
    row = ReportedNotice(
        notice=BY_HAND, stage=told.stage, readers=told.readers, due_stage=due.stage if due else None,
        due_at=due.due_at if due else None, sent_at=told.at,
        verdict="no clock" if due is None else "late" if late else "in time",
        late_seconds=elapsed(due.due_at, told.at) if due else 0.0, subject=told.how, channels=(), by="",
    )  # fmt: skip
    return row.model_copy(update=_delivered(record)) if record else row


def _unreceived(record: NoticeRecord) -> ReportedNotice:
    row = ReportedNotice(
        notice=record.id, stage=record.stage, readers=record.readers, due_stage=None, due_at=None, sent_at=None,
        verdict="not received", late_seconds=0.0, subject=record.subject, channels=(), by="",
    )  # fmt: skip
    return row.model_copy(update=_delivered(record))


def _delivered(record: NoticeRecord) -> dict[str, object]:
    def counted(states: Sequence[str]) -> int:
        return sum(one.state in states and one.channel != entries.OUTBOX for one in record.deliveries)

    return {
        "notice": record.id, "channels": record.channels, "by": record.by, "sent": counted(("sent",)),
        "failed": counted(QUEUED), "refused": counted(("refused",)), "in_doubt": counted(UNKNOWN_FATE),
    }  # fmt: skip
