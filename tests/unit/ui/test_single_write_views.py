"""A single write as it is seen: what it is, without a recovery's clock and objective, and stdout left alone."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from uscdr.models import events as ev
from uscdr.models.events import Stamped
from uscdr.models.runs import OPERATIONS
from uscdr.ui.board import Board
from uscdr.ui.console import Output
from uscdr.ui.screen import headline
from uscdr.ui.text import _bare
from uscdr.ui.viewers import open_viewers

AT = datetime(2026, 11, 28, 4, 2, tzinfo=UTC)


def begun(scenario: str) -> Stamped:
    event = ev.RunStarted(
        scenario=scenario, target="production", app="usc-pis", request={}, version="0", user="ada", host="here",
        scenario_digest="d", rto_seconds=7200, rpo_seconds=14400,
    )  # fmt: skip
    return Stamped(run="r-1", seq=0, at=AT, mono=0.0, event=event)


def shown(scenario: str, *, json_lines: bool = False, stdout: bool = False) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    for viewer in open_viewers(Output(stdout=out, stderr=err, json_lines=json_lines), stdout=stdout):
        viewer(begun(scenario))
        viewer.close()
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize("scenario", OPERATIONS)
@pytest.mark.parametrize("json_lines", [True, False])
def test_it_says_what_it_is_on_stderr_alone(scenario: str, json_lines: bool) -> None:
    out, err = shown(scenario, json_lines=json_lines)
    assert out == ""
    assert err == f"04:02:00Z {scenario} of usc-pis (production): run r-1 by ada on here, uscdr 0\n"


def test_a_recovery_has_its_clock_and_its_objective_and_its_events_on_stdout() -> None:
    out, err = shown("db", json_lines=True, stdout=True)
    assert '"run.started"' in out
    assert " of 2 h] db recovery" in err
    assert "objective: service back within 2 h" in err


@pytest.mark.parametrize(("scenario", "lines"), [("capture", 1), ("db", 2)])
def test_only_a_recovery_has_a_clock_on_the_moving_screen(scenario: str, lines: int) -> None:
    board = Board()
    board.apply(begun(scenario))
    found = [_bare(line) for line in headline(board, AT, 100)]
    assert len(found) == lines
    assert ("Clock" in found[-1]) is (scenario == "db")
