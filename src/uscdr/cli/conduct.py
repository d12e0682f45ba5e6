"""From a command to a run: output, prompts, signals, and the words at the end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

from uscdr import wiring
from uscdr.cli.context import Globals, state
from uscdr.engine.conduct import Ending
from uscdr.engine.gate import Asker
from uscdr.engine.wait import Stop
from uscdr.errors import BadInput
from uscdr.journal import runs
from uscdr.journal.reader import NAME, read
from uscdr.models.events import PlanReady, Stamped
from uscdr.report.build import build
from uscdr.report.summary import summarise
from uscdr.scenarios.deps import Request
from uscdr.ui.console import Output
from uscdr.ui.errors import render_error
from uscdr.ui.planview import show_plan
from uscdr.ui.prompts import Prompter
from uscdr.ui.viewers import RunViewer, open_viewers

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def recover(given: Globals, request: Request, *, confirm: str | None, dry_run: bool, as_json: bool) -> int:
    """A new run of `request`; its exit code."""
    place = given.place()
    job = wiring.Job(place, request, runs.new_run_id(request.scenario), confirm, dry_run)
    output = given.output(json_lines=as_json)
    with surroundings(output, asker=None) as around:
        ending = wiring.begin(job, around)
    return _farewell(ending, job.run, output)


def resume(given: Globals, wanted: str | None, *, confirm: str | None, as_json: bool) -> int:
    """Take a run up again; its exit code."""
    path = runs.find(state(), wanted)
    journal = read(path)
    first = next(journal.events(), None)
    if first is None:
        raise BadInput(
            f"Run {journal.run} was ended before it wrote anything.", next_action="Begin anew: uscdr recover …"
        )
    if not runs.resumable(runs.summarize(journal)):
        raise BadInput(f"Run {journal.run} is finished.", next_action=f"See: uscdr runs show {journal.run}")
    asked = dict(first["request"])
    asked.pop("key")
    confirmed = asked.pop("confirm")
    place = given.place(first["target"])
    job = wiring.Job(place, Request(**asked), journal.run, confirm or confirmed, dry_run=False)
    output = given.output(json_lines=as_json)
    with surroundings(output, asker=None) as around:
        ending = wiring.resume(job, around, path)
    return _farewell(ending, job.run, output)


@contextmanager
def surroundings(output: Output, asker: Asker | None) -> Iterator[wiring.Surroundings]:
    """This process as a run sees it. The first Ctrl-C asks the run to stop, the second one leaves."""
    stop = Stop()
    with ExitStack() as stack:
        viewers = open_viewers(output)
        for viewer in viewers:
            stack.callback(viewer.close)
        prompter = Prompter(output, still=lambda: _still(viewers))
        stack.enter_context(_stopping(stop))
        yield wiring.Surroundings(
            state=state(),
            env=os.environ,
            asker=asker or prompter,
            ask=prompter.ask,
            viewers=(*viewers, _PlanShown(output, viewers)),
            prime=lambda history: _prime(viewers, history),
            stop=stop,
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


class _PlanShown:
    """Shows the plan where it belongs: on stdout, unless the events go there."""

    def __init__(self, output: Output, viewers: Sequence[RunViewer]) -> None:
        self._output = output
        self._viewers = viewers

    def __call__(self, stamped: Stamped) -> None:
        event = stamped.event
        if isinstance(event, PlanReady) and not self._output.json_lines:
            with _still(self._viewers):
                show_plan(event, self._output)


@contextmanager
def _stopping(stop: Stop) -> Iterator[None]:
    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.event.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.event.set()

    before: Mapping[int, object] = {number: signal.signal(number, ask_to_stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


def _farewell(ending: Ending, run: str, output: Output) -> int:
    if not output.json_lines:
        journal = read(state() / "runs" / run / NAME)
        output.say(summarise(build(journal.records, last_hash=journal.last_hash), journal=str(journal.path)))
    if ending.error is not None:
        render_error(ending.error, output)
    return int(ending.code)
