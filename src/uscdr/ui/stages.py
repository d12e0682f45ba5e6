"""What a long command does now, and for how long: so that nobody takes it for dead."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from uscdr.ui.text import cells, shortened
from uscdr.words import duration, escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uscdr.ui.console import Output

_TICK, _REMIND = 1.0, 15.0
"""Seconds between two looks at the clock; and without a new line in a log."""


@contextmanager
def stages(output: Output) -> Iterator[_Stages]:
    """Call it with each stage as it begins; a terminal sees the seconds pass, a log a line at intervals."""
    told = _Stages(output)
    try:
        yield told
    finally:
        told.end()


class _Stages:
    """The present stage on the last line of a terminal; in a log, a line for each."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._moves = output.err.can_redraw and not output.quiet
        self._text = ""
        self._begun = self._told = time.monotonic()
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._timer = threading.Thread(target=self._tick, name="uscdr-stages", daemon=True)

    def __call__(self, text: str) -> None:
        """The stage before is over, and this one begins."""
        with self._turn:
            self._leave()
            self._text, self._begun = escape(text), time.monotonic()
            if self._moves:
                self._draw()
            else:
                self._say(self._text)
        if self._timer.ident is None:
            self._timer.start()

    def end(self) -> None:
        """The last stage is over."""
        self._stop.set()
        if self._timer.is_alive():
            self._timer.join()
        with self._turn:
            self._leave()

    def _leave(self) -> None:
        if self._text and self._moves:
            self._draw()
            self._output.err.offer("\n")
        self._text = ""

    def _tick(self) -> None:
        while not self._stop.wait(_TICK):
            with self._turn:
                if self._text and self._moves:
                    self._draw()
                elif self._text and time.monotonic() - self._told >= _REMIND:
                    self._say(f"{self._text}: {self._spent} so far")

    def _draw(self) -> None:
        spent = f" ({self._spent})"
        room = self._output.err.width - cells(spent) - 1
        self._output.err.offer(f"\r{shortened(self._text, room)}{spent}\x1b[K")

    def _say(self, text: str) -> None:
        self._told = time.monotonic()
        self._output.say(text)

    @property
    def _spent(self) -> str:
        return duration(int(time.monotonic() - self._begun))
