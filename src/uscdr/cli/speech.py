"""How a command that is no run of its own speaks: a sentence at a time on stderr, progress now and then."""

from __future__ import annotations

import time
from typing import Literal

from uscdr.ui.console import Output
from uscdr.words import size

TELL_EVERY = 5.0
"""Seconds between two words about the progress of one thing."""


class Speech:
    """A step's way to speak (`uscdr.engine.step.Tell`), for a command."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._what = ""
        self._told = 0.0

    def accepted(self, provider_id: str) -> None:
        """The provider took it; there is no journal that would keep that."""
        self._output.detail(f"accepted as {provider_id}")

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """What is new is said at once, how far it got only now and then."""
        at = time.monotonic()
        if note == self._what and (done is None or at - self._told < TELL_EVERY):
            return
        amounts = [_amount(one, unit) for one in (done, total) if one is not None] if note == self._what else []
        self._what, self._told = note, at
        self._output.say(f"{note}: {' of '.join(amounts)}" if amounts else note)

    def warn(self, text: str) -> None:
        """Something the operator should know."""
        self._output.warn(text)

    def check(self, name: str, verdict: Literal["pass", "fail", "inconclusive", "not checked"], evidence: str) -> None:
        """One check's verdict."""
        self._output.detail(f"{name}: {verdict}; {evidence}")


def _amount(value: float, unit: str) -> str:
    return size(int(value)) if unit == "B" else f"{value:,.0f} {unit}".rstrip()
