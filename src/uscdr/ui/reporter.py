"""How a command that is no run of its own speaks: a sentence at a time on stderr, progress now and then."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal

from uscdr.words import amount

if TYPE_CHECKING:
    from uscdr.ui.console import Output

TELL_EVERY = 5.0
"""Seconds between two words about the progress of one thing."""


class ConsoleReporter:
    """What a step (`uscdr.engine.step.Reporter`) or a kit's build says, on stderr. Several threads may use it."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._turn = threading.Lock()
        self._told: dict[str, float] = {}

    def sending(self) -> None:
        """There is no journal that would keep that."""

    def accepted(self, provider_id: str) -> None:
        """The provider took it; there is no journal that would keep that."""
        self._output.detail(f"accepted as {provider_id}")

    def say(self, text: str) -> None:
        """One sentence."""
        with self._turn:
            self._output.say(text)

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """What is new is said at once, how far it got only now and then."""
        with self._turn:
            at = time.monotonic()
            if note in self._told and (done is None or at - self._told[note] < TELL_EVERY):
                return
            self._told[note] = at
            amounts = " of ".join(amount(one, unit) for one in (done, total) if one is not None)
            self._output.say(f"{note}: {amounts}" if amounts else note)

    def warn(self, text: str) -> None:
        """Something the operator should know."""
        self._output.warn(text)

    def check(self, name: str, verdict: Literal["pass", "fail", "inconclusive", "not checked"], evidence: str) -> None:
        """One check's verdict."""
        self._output.detail(f"{name}: {verdict}; {evidence}")
