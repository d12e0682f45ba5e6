"""When people must be told: a first notice, an update at intervals while the service is down, and its restoration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from uscdr.models.incidents import GROUPS
from uscdr.words import duration, moment

if TYPE_CHECKING:
    from uscdr.incident.state import Incident
    from uscdr.models.incidents import Group, Stage

SOON = timedelta(minutes=5)
"""How long before its time a notice is offered."""
STAGE_WORDS: dict[Stage, str] = {
    "first": "first notice",
    "update": "update",
    "completion": "notice that service is restored",
}


@dataclass(frozen=True)
class NoticeDue:
    """The next notice to one group: which, and by when."""

    stage: Stage
    group: Group
    due_at: datetime

    def is_overdue(self, now: datetime) -> bool:
        """Whether its time has passed."""
        return now > self.due_at

    def is_offered(self, now: datetime) -> bool:
        """Whether it is time to write it."""
        return now >= self.due_at - SOON or self.stage != "update"

    def words(self, now: datetime) -> str:
        """For a person: `update to users overdue for 4 min`, `first notice to the team due in 12 min`."""
        what = f"{STAGE_WORDS[self.stage]} to {whom(self.group)}"
        apart = abs((now - self.due_at).total_seconds())
        if self.is_overdue(now):
            return f"{what} overdue for {duration(apart)}"
        return f"{what} due in {duration(apart)} ({moment(self.due_at)})"


def whom(group: Group) -> str:
    """The group in words."""
    return "users" if group == "users" else "the team"


def notices_due(incident: Incident) -> tuple[NoticeDue, ...]:
    """The next notice to each group, the earliest first. Nothing is due once the restoration was announced.

    A group that was never told needs its first notice even if service is restored by then: the completion follows it,
    because a message that something is over must say what it was; one notice of restoration does both.
    """
    found = (_next(incident, group) for group in GROUPS if incident.is_open)
    return tuple(sorted((one for one in found if one), key=lambda one: one.due_at))


def _next(incident: Incident, group: Group) -> NoticeDue | None:
    told = [one for one in incident.told if one.group == group]
    restored = incident.restored_at
    if any(one.stage == "completion" and (restored is None or one.at >= _announced(incident)) for one in told):
        return None if restored is not None else _update(incident, group, told[-1].at)
    if restored is not None:
        since = max(restored, incident.resolved_at or restored)
        return NoticeDue("completion", group, since + timedelta(seconds=incident.opened.completion_seconds))
    if not told:
        due = incident.opened.detected_at + timedelta(seconds=incident.opened.first_seconds)
        return NoticeDue("first", group, due)
    return _update(incident, group, told[-1].at)


def _announced(incident: Incident) -> datetime:
    """From when on a notice of restoration is about this restoration."""
    return incident.restored_at or incident.opened_at


def _update(incident: Incident, group: Group, last: datetime) -> NoticeDue:
    return NoticeDue("update", group, last + timedelta(seconds=incident.opened.update_seconds))


def next_update(incident: Incident, now: datetime) -> datetime:
    """When people hear more, for the text of a notice that is sent now."""
    return now + timedelta(seconds=incident.opened.update_seconds)
