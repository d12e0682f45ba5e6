"""Event files x widths -> text: what the operator sees, reviewed as a diff."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta

import pytest

from uscdr.models.events import PlanReady, Stamped
from uscdr.report.durations import EarlierRun, StepTime
from uscdr.report.fold import Fold
from uscdr.report.forecast import Outset, foresee
from uscdr.report.markdown import to_markdown
from uscdr.report.objectives import build
from uscdr.ui.board import Board
from uscdr.ui.console import Output
from uscdr.ui.planview import _plan_lines
from uscdr.ui.screen import frame
from uscdr.ui.text import _bare, cells
from uscdr.ui.viewers import _PlainViewer

Golden = Callable[[str, str], None]
Replay = Callable[[str], list[str]]
RUNS = ("good", "failing", "resumed")
SHOWN = {"run.started", "plan.ready", "gate.asked", "run.resumed", "step.settled", "step.failed", "run.finished"}
HEIGHT = 23


def events(lines: list[str]) -> list[Stamped]:
    return [Stamped.model_validate_json(line) for line in lines]


def screens(stream: list[Stamped], width: int) -> str:
    board, text = Board(), list[str]()
    for number, stamped in enumerate(stream, start=1):
        board.apply(stamped)
        kind = stamped.event.kind
        if kind in SHOWN or (kind == "step.progress" and number % 4 == 0):
            lines = [_bare(spans) for spans in frame(board, stamped.at, width, HEIGHT)]
            assert len(lines) <= HEIGHT
            assert all(cells(line) <= width for line in lines)
            text += [f"=== after line {number}: {kind}", *lines]
    return "\n".join(text) + "\n"


def forecast(stream: list[Stamped], runs: int, *, faster: float = 1.0, since: float = 0.0) -> list[Stamped]:
    """The run with a forecast from earlier runs, each a little slower than the one before, beside this run's pace."""
    steps = Fold.of(stream).steps.values()
    paces = [faster * (0.8 + 0.03 * number) for number in range(runs)]
    past = [EarlierRun({("", step.id): StepTime((step.seconds or 5.0) * pace) for step in steps}, {}) for pace in paces]

    def told(item: Stamped) -> Stamped:
        if not isinstance(item.event, PlanReady):
            return item
        outset = Outset(item.event.steps, item.at, stream[0].at - timedelta(seconds=since), 7200.0)
        return item.model_copy(update={"event": item.event.model_copy(update={"forecast": foresee(outset, past)})})

    return [told(item) for item in stream]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_live_screen_with_a_forecast(width: int, golden: Golden, replay: Replay) -> None:
    golden(f"forecast-live-{width}.txt", screens(forecast(events(replay("good")), 12), width))


def test_live_screen_of_a_slow_and_late_run(golden: Golden, replay: Replay) -> None:
    golden("forecast-late-80.txt", screens(forecast(events(replay("good")), 3, faster=0.4, since=6600), 80))


@pytest.mark.parametrize(("runs", "faster", "since"), [(12, 1.0, 0), (3, 0.4, 6600), (0, 1.0, 0)])
def test_forecasts_in_plain_lines(runs: int, faster: float, since: float, golden: Golden, replay: Replay) -> None:
    stderr = io.StringIO()
    viewer = _PlainViewer(Output(stderr=stderr, stdout=io.StringIO()))
    for stamped in forecast(events(replay("good")), runs, faster=faster, since=since):
        viewer(stamped)
    golden(f"forecast-{runs}-plain.txt", stderr.getvalue())


@pytest.mark.parametrize(("runs", "since", "width"), [(12, 0, 80), (3, 6600, 80), (3, 6600, None), (0, 0, 80)])
def test_plan_with_a_forecast(runs: int, since: float, width: int | None, golden: Golden, replay: Replay) -> None:
    stream = forecast(events(replay("good")), runs, since=since)
    plan = next(item.event for item in stream if isinstance(item.event, PlanReady))
    lines = [_bare(line) for line in _plan_lines(plan, width)]
    assert width is None or all(cells(line) <= width for line in lines if "earlier run" in line or "RTO" in line)
    golden(f"plan-forecast-{runs}-{width or 'pipe'}.txt", "\n".join(lines) + "\n")


def test_report_with_a_forecast(golden: Golden, replay: Replay) -> None:
    golden("forecast-report.md", to_markdown(build(forecast(events(replay("good")), 12))))


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("run", RUNS)
def test_live_screen(run: str, width: int, golden: Golden, replay: Replay) -> None:
    golden(f"{run}-live-{width}.txt", screens(events(replay(run)), width))


@pytest.mark.parametrize("run", RUNS)
def test_plain_lines(run: str, golden: Golden, replay: Replay) -> None:
    stderr = io.StringIO()
    viewer = _PlainViewer(Output(stderr=stderr, stdout=io.StringIO()))
    for stamped in events(replay(run)):
        viewer(stamped)
    golden(f"{run}-plain.txt", stderr.getvalue())


@pytest.mark.parametrize("width", [40, 80, 120, None])
def test_plan(width: int | None, golden: Golden, replay: Replay) -> None:
    plan = next(item.event for item in events(replay("good")) if isinstance(item.event, PlanReady))
    facts = {
        "database": "postgresql-curved-1234, owned by usc-pis", "rows now": "81234", "rows in b118": "81256",
        "backup taken": "2026-11-23 00:00 UTC, 2 h 10 min ago", "rows lost": "at least 22",
        "writes lost": "at most those of 2 h 10 min; the times of the lost rows of authentication_user are not known",
    }  # fmt: skip
    made = {"phrase": "usc-pis b118 lose at least 22", "facts": facts, "dry_run": True}
    plan = plan.model_copy(update={**made, "command": "uscdr recover db --backup b118"})
    golden(f"plan-{width or 'pipe'}.txt", "\n".join(_bare(line) for line in _plan_lines(plan, width)) + "\n")


def test_blocked_dry_run_plan(golden: Golden, replay: Replay) -> None:
    plan = next(item.event for item in events(replay("good")) if isinstance(item.event, PlanReady))
    steps = list(plan.steps)
    steps[6] = steps[6].model_copy(update={"action": "blocked", "summary": "A capture is under way already: b120"})
    steps[4] = steps[4].model_copy(update={"action": "skip", "summary": "nothing can be read from the database"})
    steps[5] = steps[5].model_copy(update={"action": "noop", "summary": "maintenance is on already"})
    plan = plan.model_copy(update={"steps": tuple(steps), "dry_run": True})
    golden("plan-blocked-80.txt", "\n".join(_bare(line) for line in _plan_lines(plan, 80)) + "\n")


def test_height_of_a_small_window_is_respected(replay: Replay) -> None:
    board = Board()
    for stamped in events(replay("failing")):
        board.apply(stamped)
    for height in range(4, 24):
        assert len(frame(board, stamped.at, 60, height)) <= height
