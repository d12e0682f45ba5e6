"""What a person sees of a forecast while the run goes on."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest

from recorded_runs import USUAL, Recorded, plan
from uscdr.models.events import PlanReady, Stamped, StepProgress
from uscdr.models.forecast import RunForecast
from uscdr.report.durations import EarlierRun
from uscdr.report.forecast import Outset, foresee
from uscdr.ui.board import Board
from uscdr.ui.console import Output
from uscdr.ui.screen import frame
from uscdr.ui.text import _bare
from uscdr.ui.viewers import _PlainViewer

RUN = Recorded(20, {**USUAL, "restore": 900.0})


def forecast(runs: int, *, since: float = 0.0) -> RunForecast:
    past = [EarlierRun.of(Recorded(n, {**USUAL, "restore": 300.0 + n}).fold()) for n in range(runs)]
    made, begun = RUN.begun + timedelta(seconds=4), RUN.begun - timedelta(seconds=since)
    return foresee(Outset(plan().steps, made, begun, 7200), list(filter(None, past)))


def stream(runs: int, *, since: float = 0.0) -> list[Stamped]:
    return Recorded(20, RUN.seconds, forecast=forecast(runs, since=since)).events()


def restoring(runs: int) -> tuple[Board, Stamped]:
    """The board when the restore has begun, and that event."""
    board = Board()
    for item in stream(runs):
        board.apply(item)
        if item.event.kind == "step.started" and item.event.step == "restore":
            return board, item
    raise AssertionError("the run has no restore")


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (12, "longer than in 9 of 10 earlier runs"),
        (3, "longer than in all 3 earlier runs"),
        (1, "longer than in the only earlier run"),
    ],
)
def test_a_step_that_takes_longer_says_so_in_words(runs: int, words: str) -> None:
    board, begun = restoring(runs)
    in_time, late = (begun.at + timedelta(seconds=seconds) for seconds in (200, 320))
    assert words not in "".join(_bare(line) for line in frame(board, in_time, 80, 24))
    assert words in "".join(_bare(line) for line in frame(board, late, 80, 24))


def test_the_expected_end_moves_with_a_late_step_and_with_its_progress() -> None:
    board, begun = restoring(12)
    usual, late = (board.expected(begun.at + timedelta(seconds=seconds), back=True) for seconds in (10, 800))
    assert usual is not None
    assert late is not None
    assert late.high - usual.high == pytest.approx(timedelta(seconds=800 - 311), abs=timedelta(seconds=5))
    for seconds in (0, 800):
        progress = StepProgress(step="restore", done=1 + seconds, total=1601)
        at = begun.at + timedelta(seconds=seconds)
        board.apply(Stamped(run=begun.run, seq=None, at=at, mono=seconds, event=progress))
    told = board.expected(begun.at + timedelta(seconds=800), back=True)
    assert told is not None
    assert told.low - late.low == pytest.approx(timedelta(seconds=800), abs=timedelta(seconds=5))


def test_nothing_is_expected_of_a_dry_run_a_finished_run_and_an_unknown_one() -> None:
    for runs, dry_run, upto in ((12, True, 2), (12, False, None), (0, False, 2)):
        board = Board()
        for item in Recorded(20, RUN.seconds, dry_run=dry_run, forecast=forecast(runs)).events()[:upto]:
            board.apply(item)
        assert board.expected(RUN.begun, back=True) is None


def told_quietly(events: list[Stamped]) -> str:
    stderr = io.StringIO()
    viewer = _PlainViewer(Output(stderr=stderr, stdout=io.StringIO(), quiet=True))
    for item in events:
        viewer(item)
    return stderr.getvalue()


def test_a_missed_objective_is_said_once_even_if_quiet() -> None:
    assert "RTO" not in told_quietly(stream(12))
    slow = told_quietly(stream(12, since=7200 - 1100))
    assert slow.count("The RTO of 2 h will probably be missed") == 1
    early = told_quietly(stream(12, since=7200))
    assert early.count("The RTO of 2 h will probably be missed") == 1


def test_an_old_journal_has_no_forecast() -> None:
    old = plan().model_dump(mode="json")
    del old["forecast"]
    assert PlanReady.model_validate_json(json.dumps(old), strict=True).forecast is None
    board = Board()
    for item in Recorded(20).events():
        board.apply(item)
    assert board.forecast is None
