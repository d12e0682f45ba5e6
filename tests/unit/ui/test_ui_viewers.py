"""The views of a run: JSON lines, plain lines, the live screen; and what they do when nobody looks."""

from __future__ import annotations

import errno
import io
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pexpect
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uscdr.events import Bus
from uscdr.models import events as ev
from uscdr.models.events import PlanReady, Stamped
from uscdr.redaction import Redactor
from uscdr.report.objectives import build
from uscdr.ui.board import Board
from uscdr.ui.console import Output
from uscdr.ui.planview import show_plan
from uscdr.ui.screen import frame
from uscdr.ui.text import _bare, cells
from uscdr.ui.viewers import _JsonLinesViewer, _LiveViewer, _PlainViewer, open_viewers

EVENTS = Path(__file__).parents[2] / "golden" / "events"
T0 = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)


def stream(name: str) -> list[Stamped]:
    return [Stamped.model_validate_json(line) for line in (EVENTS / f"{name}.jsonl").read_text().splitlines()]


def stamped(event: ev.Payload, seconds: float = 0) -> Stamped:
    return Stamped(run="r", seq=0, at=T0 + timedelta(seconds=seconds), mono=seconds, event=event)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Gone(Terminal):
    """A terminal whose other end hung up after a while."""

    gone = False

    def write(self, text: str) -> int:
        if self.gone:
            raise OSError(errno.EIO, "hung up")
        return super().write(text)


def until(condition: Callable[[], bool], limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def of_this_version(item: Stamped) -> Stamped:
    """Without the results of an earlier version's steps, which nothing prints as events any more."""
    event = item.event
    return (
        item.model_copy(update={"event": event.model_copy(update={"result": {}})}) if hasattr(event, "result") else item
    )


def unnamed(line: str) -> dict[str, Any]:
    """The object without its schema."""
    value: dict[str, Any] = json.loads(line)
    assert value.pop("schema").startswith("uscdr.")
    return value


def test_json_lines_parse_and_hold_every_event() -> None:
    out = io.StringIO()
    viewer = _JsonLinesViewer(Output(stdout=out, stderr=io.StringIO()))
    events = [of_this_version(item) for item in stream("good")]
    for item in events:
        viewer(item)
    assert [Stamped.model_validate(unnamed(line)) for line in out.getvalue().splitlines()] == events


def test_the_bus_goes_on_when_a_viewer_loses_its_reader() -> None:
    out = io.StringIO()
    other: list[Stamped] = []
    bus = Bus("r", Redactor())
    bus.add_viewer(_JsonLinesViewer(Output(stdout=out, stderr=io.StringIO())))
    bus.add_viewer(other.append)
    bus.emit(ev.Note(level="info", text="one"))
    out.close()
    bus.emit(ev.Note(level="info", text="two"))
    bus.emit(ev.Note(level="info", text="three"))
    said = [one.event.text for one in other if isinstance(one.event, ev.Note)]
    assert (said[:2], said[3:]) == (["one", "two"], ["three"])
    assert "and gets nothing more; the run continues" in said[2]


def test_progress_is_throttled_by_time_and_by_share() -> None:
    err = io.StringIO()
    viewer = _PlainViewer(Output(stdout=io.StringIO(), stderr=err))
    for number in range(101):
        progress = ev.StepProgress(step="s", done=number, total=100, unit="files")
        viewer(stamped(progress, number * 0.01))
    told = err.getvalue().splitlines()
    assert len(told) == 11
    assert "100 of 100 files, 100%" in told[-1]
    for number in range(20):
        viewer(stamped(ev.StepProgress(step="t", note="still going"), 10 + number))
    assert len(err.getvalue().splitlines()) == 11 + 4


def test_quiet_lines_are_only_what_matters() -> None:
    err = io.StringIO()
    viewer = _PlainViewer(Output(stdout=io.StringIO(), stderr=err, quiet=True))
    for item in stream("failing"):
        viewer(item)
    text = err.getvalue()
    assert "FAILED 8/11 Restore" in text
    assert "maintenance: on" in text
    assert " start " not in text
    assert "..." not in text


def test_a_resumed_run_keeps_its_clock() -> None:
    err = io.StringIO()
    viewer = _PlainViewer(Output(stdout=io.StringIO(), stderr=err))
    events = stream("resumed")
    at = next(index for index, item in enumerate(events) if item.event.kind == "run.resumed")
    viewer.prime(events[:at])
    for item in events[at:]:
        viewer(item)
    assert err.getvalue().splitlines()[0].startswith("02:35:32Z [00:25:32 of 2 h] resumed by grace")


def test_an_interrupted_write_is_never_shown_as_planned_or_done() -> None:
    board = Board()
    for item in stream("resumed"):
        board.apply(item)
        if item.event.kind == "run.resumed":
            break
    step = board.step("restore")
    assert step is not None
    assert step.status == "unknown"
    text = "\n".join(_bare(spans) for spans in frame(board, item.at, 80, 23))
    assert "checking the outcome of 8/11" in text
    assert "MAY HAVE DESTROYED" in text


def test_an_overrun_is_red_and_said_in_words() -> None:
    board = Board()
    board.apply(stream("good")[0])
    lines = frame(board, T0 + timedelta(hours=2, minutes=5), 80, 23)
    assert any(span.tone == "bad" and span.text == "5 min OVER" for spans in lines for span in spans)


def test_budgets_that_do_not_fit_any_more_are_told_in_time() -> None:
    board = Board()
    for item in stream("good")[:3]:
        board.apply(item)
    fits = "\n".join(_bare(spans) for spans in frame(board, T0 + timedelta(minutes=30), 80, 23))
    late = "\n".join(_bare(spans) for spans in frame(board, T0 + timedelta(minutes=40), 80, 23))
    assert "AT RISK" not in fits
    assert "1 h 20 min left" in late
    assert "AT RISK: the remaining budgets add up to 1 h 25 min" in late


ALL = [item for name in ("good", "failing", "resumed") for item in stream(name)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(ALL), max_size=40), st.integers(20, 130), st.integers(4, 40))
def test_no_order_of_events_breaks_a_view(events: list[Stamped], width: int, height: int) -> None:
    board, plain = Board(), _PlainViewer(Output(stdout=io.StringIO(), stderr=io.StringIO()))
    for item in events:
        board.apply(item)
        plain(item)
        lines = [_bare(spans) for spans in frame(board, item.at, width, height)]
        assert len(lines) <= height
        assert all(cells(text) <= width for text in lines)
    build(events)


def test_what_was_destroyed_never_leaves_the_screen() -> None:
    board = Board()
    for item in stream("good"):
        board.apply(item)
    for number in range(9):
        step = f"later {number}"
        board.apply(stamped(ev.StepStarted(step=step, title=step, phase="confirm", effect="idempotent"), 2000))
        board.apply(stamped(ev.StepSucceeded(step=step, seconds=1, summary="changed"), 2000))
    text = "\n".join(_bare(spans) for spans in frame(board, T0, 80, 23))
    assert "DESTROYED Restore the backup into DATABASE" in text
    assert "later 8: changed" in text
    assert "and 8 more" in text


def test_foreign_text_cannot_reach_the_screen_raw() -> None:
    board = Board()
    for item in stream("good")[:3]:
        board.apply(item)
    board.apply(stamped(ev.StepStarted(step="x", title="evil\x1b[2J\u202e", phase="p\x00", effect="once")))
    board.apply(stamped(ev.Note(level="warning", text="bell\x07")))
    text = "\n".join(_bare(spans) for spans in frame(board, T0, 80, 23))
    assert not {"\x1b", "\u202e", "\x00", "\x07"} & set(text)


def live(terminal: Terminal, now: Callable[[], datetime]) -> _LiveViewer:
    return _LiveViewer(Output(stdout=io.StringIO(), stderr=terminal, color=False), now=now)


def test_the_clock_moves_without_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, clock = Terminal(), [T0]
    viewer = live(terminal, lambda: clock[0])
    try:
        viewer(stream("good")[0])
        clock[0] = T0 + timedelta(minutes=41, seconds=7)
        until(lambda: "00:41:07 of 2 h" in terminal.getvalue())
    finally:
        viewer.close()


class Ticks(threading.Event):
    """The timer's stop sign, which counts how often the timer looked at it."""

    seen = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.seen += 1
        return super().wait(timeout and 0.01)


def test_nothing_is_drawn_while_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, ticks = Terminal(), Ticks()
    viewer = live(terminal, lambda: T0)
    viewer._stop = ticks
    try:
        viewer(stream("good")[0])
        with viewer.paused():
            before, first = terminal.getvalue(), ticks.seen
            until(lambda: ticks.seen > first + 5)
            assert terminal.getvalue() == before
        until(lambda: len(terminal.getvalue()) > len(before))
    finally:
        viewer.close()


def test_a_terminal_that_hangs_up_detaches_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Gone()
    viewer = live(terminal, lambda: T0)
    viewer(stream("good")[0])
    terminal.gone = True
    with pytest.raises(OSError, match="hung up"):
        viewer(stream("good")[0])
    viewer.close()


def test_a_hang_up_that_the_timer_meets_is_told_by_the_next_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Gone()
    viewer = live(terminal, lambda: T0)
    viewer(stream("good")[0])
    terminal.gone = True
    until(lambda: not viewer._timer.is_alive())
    with pytest.raises(OSError, match="hung up"):
        viewer(stamped(ev.StepProgress(step="quiet")))
    viewer.close()


def test_which_view(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")

    def kinds(output: Output) -> list[str]:
        viewers = open_viewers(output)
        for viewer in viewers:
            viewer.close()
        return [type(viewer).__name__ for viewer in viewers]

    assert kinds(Output(stdout=Terminal(), stderr=Terminal())) == ["_LiveViewer"]
    assert kinds(Output(stdout=Terminal(), stderr=Terminal(), quiet=True)) == ["_PlainViewer"]
    assert kinds(Output(stdout=io.StringIO(), stderr=io.StringIO())) == ["_PlainViewer"]
    assert kinds(Output(stdout=io.StringIO(), stderr=Terminal(), json_lines=True)) == [
        "_JsonLinesViewer",
        "_PlainViewer",
    ]
    assert kinds(Output(stdout=Terminal(), stderr=Terminal(), json_lines=True)) == ["_JsonLinesViewer"]
    monkeypatch.setenv("TERM", "dumb")
    assert kinds(Output(stdout=Terminal(), stderr=Terminal())) == ["_PlainViewer"]


def test_the_plan_for_machines_is_one_object() -> None:
    out = io.StringIO()
    plan = next(item.event for item in stream("good") if isinstance(item.event, PlanReady))
    show_plan(plan, Output(stdout=out, stderr=io.StringIO(), json_lines=True))
    assert PlanReady.model_validate(unnamed(out.getvalue())) == plan


def test_colour_adds_nothing_to_the_plans_words() -> None:
    plan = next(item.event for item in stream("good") if isinstance(item.event, PlanReady))
    plain, coloured = io.StringIO(), io.StringIO()
    show_plan(plan, Output(stdout=plain, stderr=io.StringIO(), color=False))
    show_plan(plan, Output(stdout=coloured, stderr=io.StringIO(), color=True))
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured.getvalue()) == plain.getvalue()


ON_A_TERMINAL = f"""
import sys
from uscdr.models.events import Stamped
from uscdr.ui.console import Output
from uscdr.ui.prompts import Prompter
from uscdr.ui.viewers import open_viewers
output = Output()
(viewer,) = open_viewers(output)
prompter = Prompter(output, still=viewer.paused)
for line in open({str(EVENTS / "good.jsonl")!r}):
    item = Stamped.model_validate_json(line)
    viewer(item)
    if item.event.kind == "gate.asked":
        print("ANSWER", prompter.confirm_phrase(item.event.facts, item.event.phrase))
viewer.close()
print("THE END")
"""


def test_a_whole_run_on_a_real_terminal() -> None:
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", 'exec "$0" -c "$1"', sys.executable, ON_A_TERMINAL],
        dimensions=(24, 80),
        timeout=30,
        encoding="utf-8",
        env={"TERM": "xterm-256color", "PYTHONUTF8": "1", "PATH": "/usr/bin:/bin"},
    )
    try:
        child.expect("81,234 now, 81,213 in the backup")
        child.expect("destroy 81234 rows of postgresql-curved-1234 for b118")
        child.expect("> ")
        child.sendline("destroy 81234 rows of postgresql-curved-1234 for b118")
        child.expect("ANSWER True")
        child.expect("Ended")
        child.expect("THE END")
        assert "\x1b[?25h" in child.before, "the cursor is given back"
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert child.exitstatus == 0
