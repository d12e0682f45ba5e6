"""Which copies stay: so many days, weeks and months that have one, and never fewer than a restore needs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from uscdr.models.base import Fact

Count = Annotated[int, Field(ge=0, le=1000)]


class Retention(Fact):
    """For how many days, weeks and months (those that have a copy at all) one copy is kept."""

    daily: Count = 7
    weekly: Count = 4
    monthly: Count = 3


@dataclass(frozen=True)
class Held:
    """A copy as retention sees it. `proven`: it is whole, and was shown to be one to restore."""

    id: str
    taken_at: datetime
    proven: bool


def removable(held: Sequence[Held], rule: Retention) -> tuple[Held, ...]:
    """What may go, oldest first: not wanted by the rule, and older than a proven copy that stays.

    Without a proven copy nothing may.
    """
    proven = [one for one in held if one.proven]
    if not proven:
        return ()
    newest = max(proven, key=_order)
    kept = wanted(held, rule)
    gone = [one for one in held if one.id not in kept and _order(one) < _order(newest)]
    return tuple(sorted(gone, key=_order))


def wanted(held: Sequence[Held], rule: Retention) -> frozenset[str]:
    """The ids that the rule keeps: of each period a proven copy before any other, then the newest."""
    kept: set[str] = set()
    for period, count in ((_day, rule.daily), (_week, rule.weekly), (_month, rule.monthly)):
        best: dict[tuple[int, ...], Held] = {}
        for one in sorted(held, key=lambda one: (one.proven, _order(one))):
            best[period(one.taken_at)] = one
        latest = sorted(best, reverse=True)[:count]
        kept |= {best[key].id for key in latest}
    return frozenset(kept)


def _order(one: Held) -> tuple[datetime, str]:
    return one.taken_at, one.id


def _day(at: datetime) -> tuple[int, ...]:
    return tuple(at.astimezone(UTC).timetuple()[:3])


def _week(at: datetime) -> tuple[int, ...]:
    return tuple(at.astimezone(UTC).isocalendar()[:2])


def _month(at: datetime) -> tuple[int, ...]:
    return tuple(at.astimezone(UTC).timetuple()[:2])
