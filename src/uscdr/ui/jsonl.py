"""The machine's view: one JSON object a line on stdout for each event, progress included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from uscdr.ui.console import Output, json_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uscdr.models.events import Stamped


class JsonLinesViewer:
    """Writes each event as it comes and flushes; raises OSError when stdout is closed."""

    def __init__(self, output: Output) -> None:
        self._stream = output.out

    def __call__(self, stamped: Stamped) -> None:
        """Write one event: `run`, `seq` (null for progress), `at`, `mono`, `event`."""
        self._stream.write(json_line(stamped.model_dump(mode="json")))

    def prime(self, history: Iterable[Stamped]) -> None:
        """Earlier events of a resumed run are in the journal; they are not repeated here."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing to pause: prompts are on stderr."""
        yield

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Nothing to give back."""
        yield

    def close(self) -> None:
        """Nothing to release: every line is flushed."""
