"""Calendar periods: months, quarters and years of plain dates, and the time zone in which days begin and end.

There is no clock here: callers give local dates.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from uscdr.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.scenarios.config import Config
    from uscdr.scenarios.config_exercises import Every

MONTHS: Mapping[Every, int] = {"monthly": 1, "quarterly": 3, "yearly": 12}
"""Months in a period."""
YEAR = 12


def zone_of(config: Config) -> ZoneInfo:
    """The time zone of the target: `recovery.backup_timezone`. Raises BadInput for an unknown one."""
    name = config.recovery.backup_timezone
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise BadInput(
            f"recovery.backup_timezone “{name}” is not a time zone.",
            next_action="Write a name of the IANA database in scenarios.yaml, such as Asia/Manila.",
        ) from None


@dataclass(frozen=True, order=True)
class Period:
    """One calendar period. `number` counts periods of the same kind from the year 0."""

    every: Every
    number: int

    @classmethod
    def of(cls, every: Every, day: date) -> Period:
        """The period that the day is in."""
        return cls(every, (day.year * YEAR + day.month - 1) // MONTHS[every])

    @property
    def start(self) -> date:
        """Its first day."""
        year, month = divmod(self.number * MONTHS[self.every], YEAR)
        return date(year, month + 1, 1)

    @property
    def end(self) -> date:
        """Its last day."""
        return self.later(1).start - timedelta(days=1)

    def later(self, periods: int) -> Period:
        """The period so many after it."""
        return Period(self.every, self.number + periods)

    def __str__(self) -> str:
        """`2026-11`, `2026 Q4` or `2026`."""
        start = self.start
        if self.every == "monthly":
            return f"{start:%Y-%m}"
        return (
            f"{start.year} Q{start.month // MONTHS['quarterly'] + 1}" if self.every == "quarterly" else f"{start.year}"
        )


def after(day: date, every: Every) -> date:
    """The same day one period later; the last day of a month that is too short for it (29 February, 31 January)."""
    year, month = divmod(day.year * YEAR + day.month - 1 + MONTHS[every], YEAR)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
