"""When people must be told: a first notice, an update at intervals while the service is down, and its restoration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from uscdr.models.incidents import READERS
from uscdr.words import duration, moment

if TYPE_CHECKING:
    from uscdr.incident.state import Incident
    from uscdr.models.incidents import Readers, Stage

SOON = timedelta(minutes=5)
"""How long before its time a notice is offered."""
STAGE_WORDS: dict[Stage, str] = {
    "first": "first notice",
    "update": "update",
    "completion": "notice that service is restored",
}


@dataclass(frozen=True)
class NoticeDue:
    """The next notice to the team or to users: which, and by when."""

    stage: Stage
    readers: Readers
    due_at: datetime

    def is_overdue(self, now: datetime) -> bool:
        """Whether its time has passed."""
        return now > self.due_at

    def is_offered(self, now: datetime) -> bool:
        """Whether it is time to write it."""
        return now >= self.due_at - SOON or self.stage != "update"

    def words(self, now: datetime) -> str:
        """For a person: `update to users overdue for 4 min`, `first notice to the team due in 12 min`."""
        what = f"{STAGE_WORDS[self.stage]} to {whom(self.readers)}"
        apart = abs((now - self.due_at).total_seconds())
        if self.is_overdue(now):
            return f"{what} overdue for {duration(apart)}"
        return f"{what} due in {duration(apart)} ({moment(self.due_at)})"


def whom(readers: Readers) -> str:
    """Who reads it, in words."""
    return "users" if readers == "users" else "the team"


def notices_due(incident: Incident) -> tuple[NoticeDue, ...]:
    """The next notice to the team and to users, the earliest first.

    Nothing is due once the restoration was announced. If service is restored before the first notice, one notice of
    the restoration does both.
    """
    found = (_next(incident, readers) for readers in READERS if incident.is_open)
    return tuple(sorted((one for one in found if one), key=lambda one: one.due_at))


def _next(incident: Incident, readers: Readers) -> NoticeDue | None:
    told = [one for one in incident.told if one.readers == readers]
    restored = incident.restored_at
    if any(one.stage == "completion" and (restored is None or one.at >= _announced(incident)) for one in told):
        return None if restored is not None else _update(incident, readers, told[-1].at)
    if restored is not None:
        since = max(restored, incident.resolved_at or restored)
        return NoticeDue("completion", readers, since + timedelta(seconds=incident.opened.completion_seconds))
    if not told:
        due = incident.opened.detected_at + timedelta(seconds=incident.opened.first_seconds)
        return NoticeDue("first", readers, due)
    return _update(incident, readers, told[-1].at)


def _announced(incident: Incident) -> datetime:
    """From when on a notice of restoration is about this restoration."""
    return incident.restored_at or incident.opened_at


def _update(incident: Incident, readers: Readers, last: datetime) -> NoticeDue:
    return NoticeDue("update", readers, last + timedelta(seconds=incident.opened.update_seconds))


def next_update(incident: Incident, now: datetime) -> datetime:
    """When people hear more, for the text of a notice that is sent now."""
    return now + timedelta(seconds=incident.opened.update_seconds)
