"""Works beside a running recovery: tries again what a service did not take, and with leave sends what is due."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from typing_extensions import override

from uscdr import clock
from uscdr.commands.housekeeping import state
from uscdr.commands.incident_desk import IncidentDesk
from uscdr.errors import UscdrError
from uscdr.incident.notice_clock import notices_due
from uscdr.incident.open_incidents import open_incidents
from uscdr.ui.console import Output
from uscdr.ui.text import painted
from uscdr.words import duration

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.commands.incident_notices import NoticeDesk
    from uscdr.engine.wait import Stop
    from uscdr.incident.notice_clock import NoticeDue
    from uscdr.incident.state import Incident
    from uscdr.ui.text import Line
    from uscdr.wiring.target import Target

LOOK_SECONDS = 5.0
"""Between two looks at the incident's journal."""
RETRY_SECONDS = 60.0
"""Between two attempts to send what a service did not take."""
LAST_SECONDS = 120.0
"""How long the end of the run waits for notices that are being sent."""
_SAID_SECONDS = 1.0
BROKEN = "uscdr sends no more notices beside this run, because of an internal error. See: uscdr incident status"


@dataclass(frozen=True)
class SenderOptions:
    """What the sender may do."""

    composes: bool
    """Send the notices that are due without asking (`--send-notices`)."""
    identity: Path | None = None
    """Opens the list of recipients."""
    alone: bool = False
    """Work without the team's shared state."""


class _Kept(Output):
    """Keeps what would be said, for the operator to read when the screen is free."""

    def __init__(self) -> None:
        super().__init__(stdout=io.StringIO(), stderr=io.StringIO())
        self.lines: list[str] = []

    @override
    def warn(self, text: str | Line) -> None:
        self.lines.append(text if isinstance(text, str) else painted(text, color=False))


@dataclass
class NoticeSender:
    """A thread beside one recovery; its end waits for what is being sent, with a limit."""

    target: Target
    output: Output
    incident: str
    stop: Stop
    options: SenderOptions
    _ending: threading.Event = field(default_factory=threading.Event)
    _halt: threading.Event = field(default_factory=threading.Event)
    _retried_at: float = -RETRY_SECONDS
    _said: tuple[str, ...] = ()
    _broken: bool = True
    """Whether the thread ended before its work; a thread that runs is not there yet."""

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._work, name="uscdr-notices", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._await()
        for line in self.reminders():
            self.output.warn(line)

    def reminders(self) -> list[str]:
        """What became of the last notices that were tried, for the live view."""
        stopped = self._broken and not self._thread.is_alive()
        return [*self._said, *([BROKEN] if stopped else [])]

    def _await(self) -> None:
        """Wait for the thread. A request to stop, or the limit, ends it between two messages."""
        began = time.monotonic()
        told = False
        while self._thread.is_alive():
            self._thread.join(0.1)
            passed = time.monotonic() - began
            if not told and passed > _SAID_SECONDS:
                told = True
                self.output.say(f"uscdr is sending notices, for at most {duration(LAST_SECONDS)}. Ctrl-C: they wait.")
            if self.stop.event.is_set() or passed > LAST_SECONDS:
                self._halt.set()
            if passed > 2 * LAST_SECONDS:
                self.output.warn("A notice is still being sent and may be in doubt. See: uscdr incident status")
                return

    def _work(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            self._look()
        if not self.stop.event.is_set():
            self._look()  # the end of the run has made the last notice due
        self._broken = False

    def _look(self) -> None:
        kept = _Kept()
        try:
            desk = IncidentDesk(self.target, kept, alone=self.options.alone, identity=self.options.identity)
            known = open_incidents(state(), self.target.key)
            for found in (one for one in known if one.id == self.incident):
                self._send(desk, found)
        except UscdrError as error:
            kept.lines.append(f"A notice was not sent: {error.message} {error.next_action}".rstrip())
        if kept.lines:
            self._said = tuple(dict.fromkeys(kept.lines))

    def _send(self, desk: IncidentDesk, found: Incident) -> None:
        from uscdr.commands.incident_notices import NoticeDesk

        post = NoticeDesk(desk, stopped=self._halt.is_set)
        if time.monotonic() - self._retried_at >= RETRY_SECONDS:
            self._retried_at = time.monotonic()
            post.retry(desk.current(found.id))
        if self.options.composes:
            self._compose(desk, post, found.id)

    def _compose(self, desk: IncidentDesk, post: NoticeDesk, incident: str) -> None:
        from uscdr.commands.incident_notices import NotifyOptions

        for due in notices_due(desk.current(incident)):
            found = desk.current(incident)
            if due.is_offered(clock.system_time()) and not _was_written(found, due):
                asked = NotifyOptions(due.readers, due.stage, send=True)
                post.offer(found, due.stage, due.readers, post.draft(found, due.stage, due.readers, asked), asked)


def _was_written(incident: Incident, due: NoticeDue) -> bool:
    """Whether the notice that is due was written and did not reach anybody: a person must see why."""
    told = [one for one in incident.notices.values() if (one.stage, one.readers) == (due.stage, due.readers)]
    return bool(told) and told[-1].reached is None
