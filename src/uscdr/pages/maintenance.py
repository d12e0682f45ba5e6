"""The page that users see while the application is down: a notice, or the normal text. It holds only given values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from uscdr.models.base import Fact, Moment
from uscdr.pages.rendering import rendered

if TYPE_CHECKING:
    from datetime import datetime

NORMAL_TITLE = "Maintenance"


class PageNotice(Fact):
    """What users are told. Everybody can read it: no patient's data, no secret, no names of persons.

    `text` may have several lines; `contact` says how the service is reached another way. Empty: nothing is said of it.
    """

    title: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(min_length=1, max_length=5000)]
    at: Moment
    """When the notice was given."""
    expected_from: Moment | None = None
    expected_until: Moment | None = None
    """When the service is expected again: not before, and at the latest."""
    contact: Annotated[str, Field(max_length=500)] = ""


@dataclass(frozen=True)
class PageText:
    """One version of the page. `mark` tells versions apart: by it a reader knows that the page is the new one."""

    application: str
    notice: PageNotice | None
    """None: the normal text, which says that nothing is known to be wrong."""
    mark: str
    written_at: datetime
    timezone: str = "UTC"

    def html(self) -> str:
        """The whole document; it loads nothing, and every value is escaped."""
        notice = self.notice
        return rendered(
            "maintenance",
            title=notice.title if notice else NORMAL_TITLE,
            application=self.application,
            notice=notice,
            given=self._shown(notice.at) if notice else "",
            expected=self._expected(notice) if notice else "",
            mark=self.mark,
            written=self._shown(self.written_at),
        )

    def _expected(self, notice: PageNotice) -> str:
        first, last = notice.expected_from, notice.expected_until
        if first and last:
            return f"between {self._shown(first)} and {self._shown(last)}"
        if last:
            return f"by {self._shown(last)}"
        return f"not before {self._shown(first)}" if first else ""

    def _shown(self, at: datetime) -> str:
        """In the users' time zone, which is named: `2026-11-28 11:09 (Asia/Manila)`."""
        return f"{at.astimezone(ZoneInfo(self.timezone)):%Y-%m-%d %H:%M} ({self.timezone})"
