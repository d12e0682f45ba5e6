"""Views of a run: JSON lines, the live screen or plain lines."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TextIO

from uscdr.clock import now as present
from uscdr.models.events import CheckFinished, PlanReady, RunFinished, Stamped, StepProgress, StepSkipped, StepSucceeded
from uscdr.ui.board import Board, Reminders
from uscdr.ui.console import environment
from uscdr.ui.schemas import Schema
from uscdr.ui.screen import frame, headline
from uscdr.ui.sentences import progress_words, sentences
from uscdr.ui.text import Line, Sentence, Span, Tone, clock, line, painted
from uscdr.words import MINUTE, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from uscdr.models.forecast import TimeRange
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

    def remind(self, reminders: Reminders) -> None:
        """Show what the operator is to be reminded of, whenever there is something."""
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
    return (_LiveViewer(output),)


# The view for logs, pipes and simple terminals: one line per event on stderr.


PROGRESS_EVERY = 5.0
"""Seconds without output after which progress is shown again."""
REMIND_EVERY = 300.0
"""Seconds between two lines of reminders."""
PROGRESS_STEP = 10
"""Percent after which progress is shown again."""


class _PlainViewer:
    """Each line has the UTC time and the recovery clock; progress is shown every 5 s or 10 %."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._board = Board()
        self._told: tuple[str, float, int] = ("", 0.0, 0)
        self._reminded = -REMIND_EVERY
        self._expected: TimeRange | None = None
        self._late = False

    def remind(self, reminders: Reminders) -> None:
        """Write a line at intervals while there is something."""
        self._board.reminders = reminders

    def prime(self, history: Iterable[Stamped]) -> None:
        """Take in a resumed run's earlier events without showing them."""
        for stamped in history:
            self._board.apply(stamped)

    def __call__(self, stamped: Stamped) -> None:
        """Show one event. Raises OSError when stderr is closed."""
        self._board.apply(stamped)
        self._remind(stamped)
        if isinstance(stamped.event, StepProgress):
            if not self._board.only_looks:  # the start of a check gets no line
                self._progress(stamped.event, stamped)
            return
        for sentence in sentences(stamped.event, self._board):
            self._write(sentence, stamped)
        self._move(stamped)

    def _move(self, stamped: Stamped) -> None:
        """After a step, say when the service is expected back if that moved by a minute; warn once of a missed RTO."""
        back, at = self._board.expected(stamped.at, back=True), stamped.at
        if back is None or not isinstance(stamped.event, PlanReady | StepSucceeded | StepSkipped):
            return
        late, told = self._board.at_risk(at), self._expected
        fresh, self._late = bool(late) and not self._late, bool(late)
        moved = told is None or any(
            abs((new - old).total_seconds()) >= MINUTE for new, old in zip(back, told, strict=True)
        )
        self._expected = back if moved else told
        if isinstance(stamped.event, PlanReady):  # its own sentences say all that
            return
        if fresh:
            self._write(Sentence(line(Span("warning", "warn"), f" {late}."), "loud"), stamped)
        elif moved:
            self._write(Sentence(line(Span("expected", "dim"), f" service back {back.words}")), stamped)

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

    def _remind(self, stamped: Stamped) -> None:
        if stamped.mono - self._reminded < REMIND_EVERY:
            return
        for text in self._board.reminders(stamped.at):
            self._reminded = stamped.mono
            self._write(Sentence(line(Span("NOTICE ", "warn"), text), "loud"), stamped)

    def _progress(self, event: StepProgress, stamped: Stamped) -> None:
        progress = self._board.progress
        mark = round(((progress.share if progress else None) or 0.0) * 100) // PROGRESS_STEP
        step, mono, told = self._told
        fresh = step != event.step or stamped.mono - mono >= PROGRESS_EVERY or mark > told
        if not fresh:
            return
        self._told = (event.step, stamped.mono, mark)
        words = progress_words(event, progress.eta if progress else None)
        pace, late = self._board.pace(stamped.at)
        words += f"; {pace}" if late else ""
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
        self._stream.write_json(Schema.EVENT, stamped.model_dump(mode="json"))

    def remind(self, reminders: Reminders) -> None:
        """Does nothing: a program asks `uscdr incident status --json`."""

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


# The live view on a terminal: a screen that a timer redraws, with finished steps above it.


REFRESH_SECONDS = 0.5
_SHOW_CURSOR, _HIDE_CURSOR, _CLEAR = "\x1b[?25h", "\x1b[?25l", "\x1b[H\x1b[2J"
_KEPT = 100
"""Lines above the screen that are drawn again after a change of its size."""
_STYLES: dict[Tone, str] = {
    "plain": "",
    "strong": "bold",
    "dim": "dim",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "title": "bold cyan",
}


class _LiveViewer:
    """A rich screen on stderr. If the terminal is gone, the next event raises OSError.

    `now` is the clock of the screen; tests pass their own.
    """

    def __init__(self, output: Output, *, now: Callable[[], datetime] = present) -> None:
        self._output = output
        self._now = now
        self._board = Board()
        self._console = _console(output)
        self._live: Live | None = None
        self._broken: OSError | None = None
        self._height = 0
        self._size = (0, 0)
        """Width and height for which the screen was drawn."""
        self._above: deque[Line] = deque(maxlen=_KEPT)
        """The newest lines above the screen."""
        self._turn = threading.RLock()
        self._stop = threading.Event()
        self._timer = threading.Thread(target=self._tick, name="uscdr-screen", daemon=True)

    def remind(self, reminders: Reminders) -> None:
        """Show it below the clock."""
        self._board.reminders = reminders

    def prime(self, history: Iterable[Stamped]) -> None:
        """Process a resumed run's earlier events without showing them."""
        for stamped in history:
            self._board.apply(stamped)

    def __call__(self, stamped: Stamped) -> None:
        """Show one event: finished steps scroll above, the rest changes in place."""
        with self._turn:
            self._output.err.check()
            if self._broken:
                raise self._broken
            self._board.apply(stamped)  # before the first frame, which depends on the kind of run
            self._fit()
            self._open()
            if not isinstance(stamped.event, StepProgress | RunFinished):  # the last frame shows the end
                self._scroll(stamped)

    def pause(self) -> None:
        """Remove the screen while a prompt is shown."""
        with self._turn:
            live, self._live = self._live, None
            if live:
                live.stop()

    def resume(self) -> None:
        """Show the screen again."""
        with self._turn:
            self._open()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Remove the screen inside this context; a copy of the clock stays above."""
        self._if_there(self.pause)
        self._if_there(self._leave_clock)
        try:
            yield
        finally:
            self._if_there(self.resume)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Give the terminal to the shell inside this context; afterwards draw the screen below the shell's output.

        Writes bytes directly: the signal may have come in the middle of a frame.
        """
        moving = self._live is not None
        if moving:
            self._bytes(_SHOW_CURSOR)
        try:
            yield
        finally:
            if moving and self._in_front():
                self._bytes("\r" + "\n" * self._height + _HIDE_CURSOR)

    def close(self) -> None:
        """Stop the timer and release the terminal; the last frame of a finished run stays visible."""
        self._stop.set()
        if self._timer.is_alive():
            self._timer.join()
        if self._live and self._board.finished:
            self._live.transient = False
        self._if_there(self.pause)

    def _if_there(self, work: Callable[[], None]) -> None:
        """Do `work` if the terminal is there. The next event reports a lost terminal to the bus; the run continues."""
        try:
            work()
        except OSError as error:
            self._broken = error

    def _bytes(self, text: str) -> None:
        with suppress(OSError):
            os.write(self._console.file.fileno(), text.encode("ascii"))

    def _in_front(self) -> bool:
        """Whether this process is in the foreground: not after `bg`."""
        try:
            return os.tcgetpgrp(self._console.file.fileno()) == os.getpgrp()
        except OSError:
            return False

    def _open(self) -> None:
        from rich.live import Live

        if self._live or self._stop.is_set():
            return
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._size = self._now_size
        self._live.start(refresh=True)
        if self._timer.ident is None:
            self._timer.start()

    def _tick(self) -> None:
        while not self._stop.wait(REFRESH_SECONDS):
            with self._turn:
                try:
                    self._fit()
                    if self._live:
                        self._live.refresh()
                except OSError as error:  # the next event reports it to the bus
                    self._broken = error
                    return

    @property
    def _now_size(self) -> tuple[int, int]:
        return self._console.size.width, self._console.size.height

    def _fit(self) -> None:
        """After a change of the terminal's size, draw everything again: the terminal has broken the old lines anew."""
        if self._live is None or self._now_size == self._size:
            return
        self._live.stop()
        self._live = None
        self._bytes(_CLEAR)
        for spans in list(self._above)[-self._console.height :]:
            self._console.print(_text(spans))
        self._open()

    def _render(self) -> Text:
        width, height = self._console.size
        lines = frame(self._board, self._now(), width, max(4, height - 1))
        self._height = len(lines)
        return _joined([_text(spans) for spans in lines])

    def _leave_clock(self) -> None:
        board, now, width = self._board, self._now(), self._console.width
        with self._turn:
            for spans in headline(board, now, width):
                self._console.print(_text(spans))

    def _scroll(self, stamped: Stamped) -> None:
        if self._board.only_looks and isinstance(stamped.event, CheckFinished):
            return  # the table shows it
        least = {"loud"} if self._output.quiet else {"normal", "loud"}
        shown = [item.spans for item in sentences(stamped.event, self._board) if item.weight in least]
        for spans in shown:
            told: Line = (Span(f"{stamped.at.astimezone(UTC):%H:%M}Z ", "dim"), *spans)
            self._above.append(told)
            self._console.print(_text(told))


def _console(output: Output) -> Console:
    from rich.console import Console

    class TerminalConsole(Console):
        """A console that reports a closed pipe instead of ending the process."""

        def on_broken_pipe(self) -> None:
            raise OSError("the terminal is gone")

    stream: TextIO | None = output.err.raw
    color = output.color_on(output.err)
    return TerminalConsole(
        file=stream, no_color=not color, highlight=False, markup=False, emoji=False, _environ=environment()
    )


def _text(spans: Line) -> Text:
    from rich.text import Text

    return Text.assemble(*((span.text, _STYLES[span.tone]) for span in spans))


def _joined(lines: list[Text]) -> Text:
    from rich.text import Text

    return Text("\n", no_wrap=True, overflow="ellipsis", end="").join(lines)
