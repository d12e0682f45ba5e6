"""Event files x widths -> text: what the operator sees, reviewed as a diff."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from uscdr.models.events import PlanReady, Stamped
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
    plan = plan.model_copy(update={"phrase": "postgresql-curved-1234 of usc-pis: 81234 rows -> … rows of b118"})
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
