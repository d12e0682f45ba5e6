"""The operator's maintenance page as a channel: it shows each notice to users while it holds, and then goes back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.commands.housekeeping import state
from uscdr.engine.wait import Stop
from uscdr.errors import UscdrError
from uscdr.incident.maintenance_page import page_missing, show
from uscdr.journal.runs import new_run_id
from uscdr.pages.maintenance import PageNotice
from uscdr.scenarios.adapters import Request
from uscdr.wiring import adapters
from uscdr.wiring.maintenance_page import page_access
from uscdr.wiring.session import looking

if TYPE_CHECKING:
    from uscdr.commands.incident_desk import IncidentDesk
    from uscdr.incident.state import Incident
    from uscdr.providers.ports.notices import Letter


@dataclass
class PageChannel:
    """Replaces the content of the page; doing it twice does no harm."""

    desk: IncidentDesk
    incident: Incident

    def send(self, letter: Letter, to: str = "") -> str:
        """Show the letter's text. Raises MachineError and BadInput where it could not be written."""
        del to
        expected = self.incident.expected or (None, None)
        notice = PageNotice(
            title=letter.subject, text=letter.text, at=self.desk.now, expected_from=expected[0],
            expected_until=expected[1], contact=self.desk.target.config.communication.contact,
        )  # fmt: skip
        return _show(self.desk, notice)

    def close(self) -> None:
        """Nothing stays open."""


def _show(desk: IncidentDesk, notice: PageNotice | None) -> str:
    """Write the page; the receipt says which version. Warns if its public address does not show it."""
    with page_access(desk.target, os.environ) as access:
        if access is None:
            return ""
        shown = show(access, notice, now=desk.now, stop=Stop(), say=desk.output.say)
    if not shown.seen:
        desk.output.warn(shown.words)
    return f"version {shown.mark}"


def page_goes_back(desk: IncidentDesk) -> None:
    """Give the page its normal text again: service is restored. What fails is a warning."""
    if desk.target.config.maintenance_page is None:
        return
    try:
        _show(desk, None)
    except UscdrError as error:
        desk.output.warn(f"The maintenance page still shows a notice: {error.message} {error.next_action}")


def page_finding(desk: IncidentDesk) -> str:
    """Why users would see no notice on the platform's maintenance page; empty if they would, or if nobody can say."""
    app = desk.target.services.heroku.app
    try:
        with looking(desk.output, state(), os.environ) as this:
            context = this.on(desk.target, Request("incident"), new_run_id("look"), dry_run=True)
            with adapters.opened(context) as deps:
                return page_missing(deps.platform, app, desk.target.config.maintenance_page)
    except UscdrError as error:
        return f"uscdr does not know whether the application has a maintenance page. {error.message}"
