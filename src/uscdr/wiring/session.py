"""This process as a run sees it: output, prompts and signals."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING

from uscdr.engine.wait import Stop
from uscdr.ui.prompts import Prompter
from uscdr.wiring.context import Process

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.engine.gate import Asker
    from uscdr.models.events import Stamped
    from uscdr.ui.board import Reminders
    from uscdr.ui.console import Output
    from uscdr.ui.viewers import RunViewer

CAUSES = {
    signal.SIGINT: "by the operator",
    signal.SIGQUIT: "by the operator",
    signal.SIGTERM: "by a termination request (SIGTERM)",
    signal.SIGHUP: "by the end of the terminal session (SIGHUP)",
}
"""Signals that ask a run to stop, and how the journal names them."""
AT_ONCE = (signal.SIGINT, signal.SIGQUIT)
"""Signals that end the process at once when they arrive a second time."""
OUTLASTS = (signal.SIGHUP, signal.SIGQUIT)
"""Signals that stay ignored if they were ignored at the start: `nohup uscdr …` must outlive its terminal."""


@contextmanager
def process(
    output: Output, state: Path, env: Mapping[str, str], *, asker: Asker | None = None, stdout: bool = True
) -> Iterator[Process]:
    """This process with prompts, viewers and signal handlers. A first Ctrl-C asks the run to stop, a second one exits.

    An `asker` replaces the prompts, and then the plan is not shown. Without `stdout`, neither plan nor events go to
    stdout, which belongs to the command's result.
    """
    from uscdr.ui.viewers import open_viewers

    stop = Stop()
    with ExitStack() as stack:
        viewers = open_viewers(output, stdout=stdout)
        for viewer in viewers:
            stack.callback(viewer.close)
        prompter = Prompter(output, still=lambda: _still(viewers))
        stack.enter_context(_stopping(stop))
        stack.enter_context(_suspending(viewers))
        shown = () if asker or not stdout else (_PlanShown(output, viewers),)
        yield Process(
            state=state,
            env=env,
            asker=asker or prompter,
            ask=prompter.ask,
            viewers=(*viewers, *shown),
            prime=lambda history: _prime(viewers, history),
            stop=stop,
            remind=lambda reminders: _remind(viewers, reminders),
        )


@contextmanager
def looking(output: Output, state: Path, env: Mapping[str, str]) -> Iterator[Process]:
    """This process without a journal and without viewers. A first Ctrl-C asks it to stop."""
    stop, prompter = Stop(), Prompter(output, still=nullcontext)
    with _stopping(stop):
        yield Process(
            state=state, env=env, asker=prompter, ask=prompter.ask, viewers=(), prime=lambda _: None, stop=stop
        )


@contextmanager
def _still(viewers: Sequence[RunViewer]) -> Iterator[None]:
    with ExitStack() as stack:
        for viewer in viewers:
            stack.enter_context(viewer.paused())
        yield


def _prime(viewers: Sequence[RunViewer], history: Sequence[Stamped]) -> None:
    for viewer in viewers:
        viewer.prime(history)


def _remind(viewers: Sequence[RunViewer], reminders: Reminders) -> None:
    for viewer in viewers:
        viewer.remind(reminders)


class _PlanShown:
    """Shows the plan on stdout, unless the events go there."""

    def __init__(self, output: Output, viewers: Sequence[RunViewer]) -> None:
        from uscdr.ui.board import Board

        self._output = output
        self._viewers = viewers
        self._board = Board()

    def __call__(self, stamped: Stamped) -> None:
        from uscdr.models.events import PlanReady
        from uscdr.ui.planview import show_plan

        event = stamped.event
        self._board.apply(stamped)
        if isinstance(event, PlanReady) and (event.dry_run or not self._output.json_lines):
            begun = self._board.begun if self._board.recovers else None
            passed = begun.rto_words(self._board.elapsed(stamped.at)) if begun else ""
            with _still(self._viewers):
                show_plan(event, self._output, passed=passed)


@contextmanager
def _stopping(stop: Stop) -> Iterator[None]:
    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.event.is_set() and number in AT_ONCE:
            raise KeyboardInterrupt
        if not stop.event.is_set():
            stop.cause = CAUSES[signal.Signals(number)]
        stop.event.set()

    kept = {number for number in OUTLASTS if signal.getsignal(number) is signal.SIG_IGN}
    with _handled(dict.fromkeys(CAUSES.keys() - kept, ask_to_stop)):
        yield


@contextmanager
def _suspending(viewers: Sequence[RunViewer]) -> Iterator[None]:
    """Make Ctrl-Z restore the terminal for the shell, and SIGCONT take it again."""

    def suspend(number: int, frame: FrameType | None) -> None:
        del frame
        with ExitStack() as stack:
            for viewer in viewers:
                stack.enter_context(viewer.suspended())
            with _handled({number: signal.SIG_DFL}):
                signal.raise_signal(number)  # stops here until SIGCONT

    wanted = signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL
    with _handled({signal.SIGTSTP: suspend} if wanted else {}):
        yield


Handler = Callable[[int, FrameType | None], None] | signal.Handlers


@contextmanager
def _handled(handlers: Mapping[int, Handler]) -> Iterator[None]:
    before: Mapping[int, object] = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
