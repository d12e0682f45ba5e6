"""The stream of events: each is stamped and redacted once, then sent to the ledgers, then to the viewers.

A ledger (the journal) that fails aborts the run; a viewer (screen, JSON lines) that fails is detached.
Progress events are not given to ledgers and take no sequence number, so a gap in the numbers means loss.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from uscdr import clock
from uscdr.models.events import PAYLOAD, Note, RunFinished, Stamped, StepProgress, Waited
from uscdr.spent import WATCH

if TYPE_CHECKING:
    from uscdr.models.base import Event
    from uscdr.redaction import Redactor


class EventSink(Protocol):
    """A receiver whose failure aborts the run."""

    def record(self, stamped: Stamped) -> None:
        """Make the event durable before returning."""
        ...


Viewer = Callable[[Stamped], None]


class Bus:
    """Stamps, redacts and delivers events, one at a time, on the caller's thread."""

    def __init__(self, run: str, redactor: Redactor, *, first_seq: int = 0) -> None:
        self.run = run
        """The run's id."""
        self._redactor = redactor
        self._seq = first_seq
        self._ledgers: list[EventSink] = []
        self._viewers: list[Viewer] = []
        self._turn = threading.RLock()

    def add_ledger(self, ledger: EventSink) -> None:
        """Give every numbered event to `ledger`, before any viewer."""
        self._ledgers.append(ledger)

    def add_viewer(self, viewer: Viewer) -> None:
        """Show every event to `viewer` until it fails."""
        self._viewers.append(viewer)

    def emit(self, event: Event) -> Stamped:
        """Send one event; returns it as stamped. Raises what a ledger raises."""
        with self._turn:
            stamped = self._stamp(event)
            if stamped.seq is not None:
                for ledger in self._ledgers:
                    ledger.record(stamped)
                self._seq = stamped.seq + 1
            self._show(stamped)
            return stamped

    def _stamp(self, event: Event) -> Stamped:
        payload = PAYLOAD.validate_python(self._redactor.data(event.model_dump(mode="json")))
        if isinstance(event, StepProgress):
            return Stamped(run=self.run, seq=None, at=clock.now(), mono=time.monotonic(), event=payload)
        spent = WATCH.read()
        waited = Waited(provider=round(spent.provider, 3), person=round(spent.person, 3))
        return Stamped(
            run=self.run, seq=self._seq, at=clock.now(), mono=time.monotonic(), waited=waited, event=payload
        )  # fmt: skip

    def _show(self, stamped: Stamped) -> None:
        lost = []
        for viewer in tuple(self._viewers):
            try:
                viewer(stamped)
            except Exception as error:  # noqa: BLE001 - a closed or defective screen must not stop a recovery
                self._viewers.remove(viewer)
                lost.append((isinstance(error, OSError) and error.strerror) or type(error).__name__)
        if isinstance(stamped.event, RunFinished):
            return  # the journal ends here, and the run stops
        for kind in lost:
            words = f"A screen, or what tells the incident, failed ({kind}) and gets nothing more; the run continues."
            self.emit(Note(level="warning", text=words))
