"""Verifications x widths -> text: the table that moves, plain lines, the result, the reports."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from uscdr.models.events import CheckFinished, ChecksFinished, Stamped
from uscdr.report.junit import to_junit
from uscdr.report.markdown import to_markdown
from uscdr.report.objectives import build
from uscdr.report.summary import MOST_LINES, summarise
from uscdr.ui.board import Board
from uscdr.ui.console import Output
from uscdr.ui.screen import frame
from uscdr.ui.sentences import _result_lines
from uscdr.ui.text import _bare, cells
from uscdr.ui.viewers import _PlainViewer

Golden = Callable[[str, str], None]
Replay = Callable[[str], list[str]]
RUNS = ("verify-good", "verify-failing", "verify-sixty", "watch")
ENDED = ("verify-good", "verify-failing")
HEIGHT = 23
EVERY = {"verify-failing": 2, "verify-sixty": 26, "verify-good": 9, "watch": 3}
"""A frame after so many events."""


def events(lines: list[str]) -> list[Stamped]:
    return [Stamped.model_validate_json(line) for line in lines]


def frames(stream: list[Stamped], width: int, every: int) -> str:
    board, text = Board(), list[str]()
    for number, stamped in enumerate(stream, start=1):
        board.apply(stamped)
        if number % every and stamped.event.kind not in {"checks.finished", "run.finished"}:
            continue
        lines = [_bare(spans) for spans in frame(board, stamped.at, width, HEIGHT)]
        assert len(lines) <= HEIGHT
        assert all(cells(line) <= width for line in lines)
        text += [f"=== after line {number}: {stamped.event.kind}", *lines]
    return "\n".join(text) + "\n"


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("run", RUNS)
def test_check_table(run: str, width: int, golden: Golden, replay: Replay) -> None:
    golden(f"{run}-live-{width}.txt", frames(events(replay(run)), width, EVERY[run]))


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("run", RUNS)
def test_plain_check_lines(run: str, quiet: bool, golden: Golden, replay: Replay) -> None:
    stderr = io.StringIO()
    viewer = _PlainViewer(Output(stderr=stderr, stdout=io.StringIO(), quiet=quiet))
    for stamped in events(replay(run)):
        viewer(stamped)
    golden(f"{run}-{'quiet' if quiet else 'plain'}.txt", stderr.getvalue())


@pytest.mark.parametrize("width", [60, 80, 120, None])
@pytest.mark.parametrize("run", ENDED)
def test_check_result(run: str, width: int | None, golden: Golden, replay: Replay) -> None:
    stream = [stamped.event for stamped in events(replay(run))]
    (finished,) = (event for event in stream if isinstance(event, ChecksFinished))
    checks = [event for event in stream if isinstance(event, CheckFinished)]
    lines = [_bare(spans) for spans in _result_lines(finished, checks, width)]
    assert width is None or all(cells(line) <= width for line in lines)
    golden(f"{run}-result-{width or 'pipe'}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("run", RUNS)
def test_check_reports(run: str, golden: Golden, replay: Replay) -> None:
    report = build(events(replay(run)), last_hash="c0ffee" * 10 + "abcd")
    golden(f"{run}-report.md", to_markdown(report))
    golden(f"{run}-junit.xml", to_junit(report))
    summary = summarise(report, journal="/state/runs/r/journal.jsonl")
    assert len(summary.splitlines()) <= MOST_LINES
    golden(f"{run}-summary.txt", summary + "\n")
