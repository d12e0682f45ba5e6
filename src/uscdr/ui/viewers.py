"""Views of a run: JSON lines, the live screen or plain lines."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Protocol

from uscdr.models.events import Stamped, StepProgress
from uscdr.ui.board import Board
from uscdr.ui.sentences import progress_words, sentences
from uscdr.ui.text import Line, Sentence, Span, clock, line, painted
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from uscdr.ui.console import Output


class RunViewer(Protocol):
    """A viewer for `Bus.add_viewer`, with methods for the rest of the run."""

    def __call__(self, stamped: Stamped) -> None:
        """Show one event; OSError means that the output is closed."""
        ...

    def prime(self, history: Iterable[Stamped]) -> None:
        """Take in a resumed run's earlier events without showing them."""
        ...

    def paused(self) -> AbstractContextManager[None]:
        """Stop redrawing inside this context, for a prompt."""
        ...

    def suspended(self) -> AbstractContextManager[None]:
        """Give the terminal to the shell inside this context. A signal may enter it at any moment."""
        ...

    def close(self) -> None:
        """Release the terminal."""
        ...


def open_viewers(output: Output, *, stdout: bool = True) -> tuple[RunViewer, ...]:
    """The views for `output`; the caller closes each one when the run ends. `stdout` false: write nothing there."""
    if output.json_lines and stdout and not output.out.absent:
        machine = _JsonLinesViewer(output)
        return (machine,) if output.out.is_tty or output.quiet else (machine, _PlainViewer(output))
    if output.quiet or output.json_lines or not output.err.can_redraw:
        return (_PlainViewer(output),)
    from uscdr.ui.live import LiveViewer

    return (LiveViewer(output),)


# The view for logs, pipes and simple terminals: one line per event on stderr.


PROGRESS_EVERY = 5.0
"""Seconds without output after which progress is shown again."""
PROGRESS_STEP = 10
"""Percent after which progress is shown again."""


class _PlainViewer:
    """Each line has the UTC time and the recovery clock; progress is shown every 5 s or 10 %."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._board = Board()
        self._told: tuple[str, float, int] = ("", 0.0, 0)

    def prime(self, history: Iterable[Stamped]) -> None:
        """Take in a resumed run's earlier events without showing them."""
        for stamped in history:
            self._board.apply(stamped)

    def __call__(self, stamped: Stamped) -> None:
        """Show one event. Raises OSError when stderr is closed."""
        self._board.apply(stamped)
        if isinstance(stamped.event, StepProgress):
            if not self._board.only_looks:  # the start of a check gets no line
                self._progress(stamped.event, stamped)
            return
        for sentence in sentences(stamped.event, self._board):
            self._write(sentence, stamped)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing to pause: lines do not move."""
        yield

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Nothing to give back."""
        yield

    def close(self) -> None:
        """Nothing to release."""

    def _progress(self, event: StepProgress, stamped: Stamped) -> None:
        progress = self._board.progress
        mark = round(((progress.share if progress else None) or 0.0) * 100) // PROGRESS_STEP
        step, mono, told = self._told
        fresh = step != event.step or stamped.mono - mono >= PROGRESS_EVERY or mark > told
        if not fresh:
            return
        self._told = (event.step, stamped.mono, mark)
        words = progress_words(event, progress.eta if progress else None)
        name = self._board.label_of(event.step)
        self._write(Sentence(line(Span("...", "dim"), f" {name}: {words}"), "quiet"), stamped)

    def _write(self, sentence: Sentence, stamped: Stamped) -> None:
        if self._output.quiet and sentence.weight != "loud":
            return
        spans = (*self._stamp(stamped), *sentence.spans)
        self._output.err.write(painted(spans, color=self._output.color_on(self._output.err)) + "\n")

    def _stamp(self, stamped: Stamped) -> Line:
        utc = f"{stamped.at.astimezone(UTC):%H:%M:%S}Z"
        if self._board.begun is None or not self._board.recovers:
            return line(Span(f"{utc} ", "dim"))
        spent, objective = self._board.elapsed(stamped.at), self._board.begun.rto_seconds
        over = Span(f"[{clock(spent)} of {duration(objective)}]", "bad" if spent > objective else "dim")
        return line(Span(f"{utc} ", "dim"), over, " ")


# The view for programs: one JSON object per event on stdout, including progress.


class _JsonLinesViewer:
    """Writes and flushes each event; raises OSError if stdout is closed."""

    def __init__(self, output: Output) -> None:
        self._stream = output.out

    def __call__(self, stamped: Stamped) -> None:
        """Write one event: `run`, `seq` (null for progress), `at`, `mono`, `event`."""
        self._stream.write_json(stamped.model_dump(mode="json"))

    def prime(self, history: Iterable[Stamped]) -> None:
        """Does nothing: earlier events of a resumed run are in the journal."""

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
