"""A step's voice: its words become events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from uscdr.models.events import CheckFinished, Note, StepAccepted, StepProgress, StepSending

if TYPE_CHECKING:
    from uscdr.events import Bus


class Teller:
    """Speaks for one step on the bus."""

    def __init__(self, bus: Bus, step: str, name: str = "") -> None:
        self._bus = bus
        self._step = step
        self._name = name

    def sending(self) -> None:
        """To the journal before the request goes out."""
        self._bus.emit(StepSending(step=self._step))

    def accepted(self, provider_id: str) -> None:
        """To the journal at once."""
        self._bus.emit(StepAccepted(step=self._step, name=self._name, provider_id=provider_id))

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """To the screen only."""
        self._bus.emit(StepProgress(step=self._step, note=note, done=done, total=total, unit=unit))

    def warn(self, text: str) -> None:
        """To journal and screen."""
        self._bus.emit(Note(level="warning", text=text))

    def check(self, name: str, verdict: Literal["pass", "fail", "inconclusive", "not checked"], evidence: str) -> None:
        """To journal and screen."""
        self._bus.emit(CheckFinished(step=self._step, check=name, verdict=verdict, evidence=evidence))
