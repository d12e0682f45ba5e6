"""Messages of a command that is not a run: single sentences on stderr, and progress at intervals."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal

from uscdr.words import amount

if TYPE_CHECKING:
    from uscdr.ui.console import Output

TELL_EVERY = 5.0
"""Seconds between two progress messages about the same work."""


class ConsoleReporter:
    """Shows messages of a step (`uscdr.engine.step.Reporter`) or a kit build on stderr. Thread-safe."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._turn = threading.Lock()
        self._told: dict[str, float] = {}

    def sending(self) -> None:
        """Does nothing: there is no journal."""

    def accepted(self, provider_id: str) -> None:
        """Show that the provider accepted the request; there is no journal."""
        self._output.detail(f"accepted as {provider_id}")

    def say(self, text: str) -> None:
        """Show one sentence."""
        with self._turn:
            self._output.say(text)

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """Show new work at once, and its progress at intervals."""
        with self._turn:
            at = time.monotonic()
            if note in self._told and (done is None or at - self._told[note] < TELL_EVERY):
                return
            self._told[note] = at
            amounts = " of ".join(amount(one, unit) for one in (done, total) if one is not None)
            self._output.say(f"{note}: {amounts}" if amounts else note)

    def warn(self, text: str) -> None:
        """Show a warning."""
        self._output.warn(text)

    def check(self, name: str, verdict: Literal["pass", "fail", "inconclusive", "not checked"], evidence: str) -> None:
        """Show one check's verdict."""
        self._output.detail(f"{name}: {verdict}; {evidence}")
