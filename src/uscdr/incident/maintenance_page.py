"""Shows a notice on the operator's maintenance page, and takes it back. It changes no config variable and no release.

The platform shows that page while maintenance mode is on, if `MAINTENANCE_PAGE_URL` named it before the incident.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.checks.kinds.page import VARIABLE, not_set
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import Interrupted, OutcomeUnknown, ProviderError
from uscdr.pages.maintenance import PageText
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from uscdr.engine.wait import Stop
    from uscdr.models.probes import WebAnswer
    from uscdr.pages.maintenance import PageNotice
    from uscdr.providers.ports.pages import PublicPage
    from uscdr.providers.ports.platform import Platform
    from uscdr.scenarios.config_page import MaintenancePage
    from uscdr.wiring.maintenance_page import PageAccess

SPARE = 15.0
"""Seconds beyond what caches may take, for the space itself."""
_OK = 200


@dataclass(frozen=True)
class PageShown:
    """How showing the page ended. It is written in each case; `seen` says whether its public address shows it."""

    url: str
    place: str
    mark: str
    """The version, as the page names it."""
    seen: bool
    found: str = ""
    """What the public address shows instead, in words."""

    @property
    def words(self) -> str:
        """One sentence, or two, for people."""
        if self.seen:
            return f"{self.url} shows the page (version {self.mark})."
        return f"The page is written to {self.place}, but {self.found}. Look: curl --silent {self.url}"


def show(
    page: PageAccess, notice: PageNotice | None, *, now: datetime, stop: Stop, say: Callable[[str], None]
) -> PageShown:
    """Write the page with the notice, or with its normal text (None), and wait until its public address shows it.

    Waits as long as caches may keep the old page, and a little longer. `say` is told what is waited for. Raises
    MachineError when the page was not written, Interrupted when it was written and the wait was interrupted.
    """
    mark = secrets.token_hex(8)
    text = PageText(page.application, notice, mark, now, page.settings.timezone)
    page.space.replace(text.html())
    limit = page.settings.cache_seconds + SPARE
    say(f"The page is written to {page.space.place}. uscdr waits up to {duration(limit)} for {page.settings.url}.")
    reader = _Reader(page.public, mark)
    try:
        until(reader.look, reader.is_new, WaitLimit("the page", limit, f"curl {page.settings.url}"), stop)
    except OutcomeUnknown:
        return PageShown(page.settings.url, page.space.place, mark, seen=False, found=reader.found)
    except Interrupted as error:
        raise Interrupted(
            f"{stop.told(error).rstrip('.')}. The page is written; uscdr does not know whether {page.settings.url} "
            "shows it.",
            next_action=f"Look: curl --silent {page.settings.url}",
        ) from None
    return PageShown(page.settings.url, page.space.place, mark, seen=True)


@dataclass
class _Reader:
    """Looks at the public address, and keeps in words what it showed last."""

    page: PublicPage
    mark: str
    found: str = field(default="its public address was not asked", init=False)

    def look(self) -> WebAnswer:
        try:
            answer = self.page.look()
        except ProviderError as error:
            self.found = f"its public address does not answer: {error.reason.rstrip('.')}"
            raise
        told = f"its public address answers with status {answer.status}"
        self.found = "its public address still shows the old page" if answer.status == _OK else told
        return answer

    def is_new(self, answer: WebAnswer) -> bool:
        """Whether this is the version that was just written."""
        return answer.status == _OK and self.mark.encode() in answer.body


def page_missing(platform: Platform, app: str, settings: MaintenancePage | None) -> str:
    """The finding that the platform has no maintenance page for the application, and the fix; empty if it has one.

    Reads the names of the application's config variables, no value. Raises ProviderError.
    """
    if VARIABLE in platform.config_vars(app):
        return ""
    return not_set(app, settings.url if settings else "")
