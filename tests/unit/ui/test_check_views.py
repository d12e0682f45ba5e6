"""A verification as it is seen: the table that moves, its lines in a log, and what never leaves the screen."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pexpect
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uscdr.models import events as ev
from uscdr.models.events import Stamped
from uscdr.models.runs import VERDICTS
from uscdr.report.objectives import build
from uscdr.ui.board import Board, CheckBoard
from uscdr.ui.console import Output
from uscdr.ui.screen import frame, headline
from uscdr.ui.text import Line, _bare, cells, painted
from uscdr.ui.viewers import _LiveViewer, _PlainViewer

EVENTS = Path(__file__).parents[2] / "golden" / "events"
T0 = datetime(2026, 11, 24, 4, 2, tzinfo=UTC)
RUNS = ("verify-good", "verify-failing", "verify-sixty", "watch")


def stream(name: str) -> list[Stamped]:
    return [Stamped.model_validate_json(line) for line in (EVENTS / f"{name}.jsonl").read_text().splitlines()]


def stamped(event: ev.Payload, seconds: float = 0) -> Stamped:
    return Stamped(run="r", seq=0, at=T0 + timedelta(seconds=seconds), mono=seconds, event=event)


def begun(scenario: str = "verify all") -> ev.RunStarted:
    return ev.RunStarted(
        scenario=scenario, target="t", app="usc-pis", request={}, version="0", user="ada", host="here",
        scenario_digest="d", rto_seconds=7200, rpo_seconds=14400,
    )  # fmt: skip


def ended(check: str, verdict: str = "pass", evidence: str = "seen", seconds: float = 0.5) -> ev.CheckFinished:
    facts = {"step": "verify", "check": check, "verdict": verdict, "evidence": evidence, "seconds": seconds}
    return ev.CheckFinished.model_validate(facts)


def board(*events: ev.Payload) -> Board:
    """A verification with these events, a second apart."""
    found = Board()
    for number, event in enumerate((begun(), *events)):
        found.apply(stamped(event, number))
    return found


def rows(found: Board, at: float = 60, width: int = 80, height: int = 23) -> list[str]:
    return [_bare(spans) for spans in frame(found, T0 + timedelta(seconds=at), width, height)]


def plain(events: list[Stamped], *, quiet: bool = False) -> list[str]:
    err = io.StringIO()
    viewer = _PlainViewer(Output(stdout=io.StringIO(), stderr=err, quiet=quiet))
    for item in events:
        viewer(item)
    return err.getvalue().splitlines()


def test_failures_stay_when_there_is_no_room_for_the_rest() -> None:
    found, failed = Board(), set[str]()
    for item in stream("verify-sixty"):
        found.apply(item)
        if isinstance(item.event, ev.CheckFinished) and item.event.verdict != "pass":
            failed.add(item.event.check)
        for height in (9, 12, 23):
            text = "\n".join(rows(found, width=60, height=height))
            assert all(re.search(rf"^(fail|inconclusive) +{name}", text, re.MULTILINE) for name in failed)
    assert len(failed) == 3


def test_passes_give_way_before_what_is_under_way() -> None:
    names = tuple(f"c{number}" for number in range(13))
    found = board(ev.ChecksStarted(checks=names, items=1), *(ended(name) for name in names[:6]))
    wide, small = rows(found, height=40), rows(found, height=12)
    assert sum(line.startswith("pass ") for line in wide) == 6
    assert sum(line.startswith("running") for line in small) == 7
    assert not any(line.startswith("pass ") for line in small)
    assert small[-1] == "and 6 passed"


def test_more_failures_than_lines_are_counted_in_red() -> None:
    names = tuple(f"c{number}" for number in range(40))
    found = board(ev.ChecksStarted(checks=names, items=1), *(ended(name, "fail") for name in names))
    lines = frame(found, T0, 80, 10)
    assert sum(_bare(spans).startswith("fail ") for spans in lines) + int(_bare(lines[-1]).split()[1]) == 40
    assert lines[-1][0].tone == "bad"
    assert any("40 failed" in _bare(spans) for spans in lines)


def test_what_has_not_begun_is_waiting_once_beginnings_are_told() -> None:
    wanted = ev.ChecksStarted(checks=("a", "b"), items=1)
    untold, told = board(wanted), board(wanted, ev.StepProgress(step="verify", note="a"))
    assert [line.split()[0] for line in rows(untold)[-2:]] == ["running", "running"]
    running, waiting = rows(told, at=12)[-2:]
    assert re.fullmatch(r"running [|/\\-] +a +10 s", running)
    assert re.fullmatch(r"waiting +b +-", waiting)


def test_the_mark_and_the_seconds_move() -> None:
    found = board(ev.ChecksStarted(checks=("a",), items=1))
    assert len({rows(found, at=at)[-1].split()[1] for at in (10, 10.5, 11, 11.5)}) == 4
    assert [rows(found, at=at)[-1].split()[-2] for at in (10, 41)] == ["9", "40"]


def test_the_clock_of_a_round_stops_with_it() -> None:
    end = ev.ChecksFinished(items=(), seconds=1, passed=0)
    found = board(ev.ChecksStarted(checks=("a",), items=1), ended("a"), end)
    assert rows(found, at=5)[1] == rows(found, at=500)[1] == "1 of 1 ended, 1 passed, 0 failed, 00:00:02"


def test_a_check_that_never_ended_is_not_shown_as_running_nor_as_passed() -> None:
    end = ev.RunFinished(outcome="interrupted", exit_code=130, summary="Interrupted.")
    found = board(ev.ChecksStarted(checks=("a", "b"), items=1), ended("a"), end)
    text = "\n".join(rows(found))
    assert re.search(r"^cut off +b ", text, re.MULTILINE)
    assert "running" not in text
    assert "and 1 passed" in text
    assert "Ended    interrupted: Interrupted." in text


def test_a_round_shows_what_failed_in_the_one_before() -> None:
    wanted = ev.ChecksStarted(checks=("a", "b"), items=1)
    end = ev.ChecksFinished(items=(), seconds=1, passed=0, next_at=T0 + timedelta(seconds=600))
    first = (wanted, ended("a", "fail"), ended("b"), end)
    assert "next round at 04:12Z, in 9 min" in rows(board(*first))[-1]
    again = rows(board(*first, wanted.model_copy(update={"round": 2})))
    assert again[0].endswith(", round 2")
    assert "before: fail" in again[-2]
    assert "before" not in again[-1]
    assert not any("next round" in line for line in again)


def test_without_a_baseline_it_says_so() -> None:
    without, taken = ev.ChecksStarted(checks=("a",), items=1), datetime(2026, 11, 20, 3, 10, tzinfo=UTC)
    assert "no baseline: counts are not compared" in rows(board(without))
    with_one = without.model_copy(update={"baseline_at": taken})
    assert "compared with the baseline of 2026-11-20 03:10 UTC" in rows(board(with_one))


def test_a_run_that_ended_before_its_checks_says_so() -> None:
    end = ev.RunFinished(outcome="failed", exit_code=3, summary="The token was refused.")
    text = "\n".join(rows(board(end)))
    assert "no round of checks started" in text
    assert "The token was refused." in text
    assert "preparing" in "\n".join(rows(board()))


ALL = [item for name in (*RUNS, "failing") for item in stream(name)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(ALL), max_size=40), st.integers(20, 130), st.integers(4, 40))
def test_no_order_of_events_breaks_the_table(events: list[Stamped], width: int, height: int) -> None:
    found, log = Board(), _PlainViewer(Output(stdout=io.StringIO(), stderr=io.StringIO()))
    for item in events:
        found.apply(item)
        log(item)
        lines = [_bare(spans) for spans in frame(found, item.at, width, height)]
        assert len(lines) <= height
        assert all(cells(text) <= width for text in lines)
    build(events)


def without_colour(spans: Line) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", painted(spans, color=True)).rstrip()


def test_a_verdict_is_a_word_and_a_colour() -> None:
    found = board(
        ev.ChecksStarted(checks=("a", "b", "c", "d"), items=1),
        *(ended(name, verdict) for name, verdict in zip("abcd", VERDICTS, strict=True)),
    )
    lines = frame(found, T0, 80, 23)[-4:]
    assert [(spans[0].text.strip(), spans[0].tone) for spans in lines] == [
        ("fail", "bad"), ("inconclusive", "warn"), ("not checked", "warn"), ("pass", "good"),
    ]  # fmt: skip
    assert [without_colour(spans) for spans in lines] == [_bare(spans) for spans in lines]


def test_foreign_evidence_cannot_reach_the_terminal_raw() -> None:
    evil = "bell\x07 \x1b[2J \u202eright\nleft"
    found = board(ev.ChecksStarted(checks=("a",), items=1), ended("a", "fail", evil))
    lines = plain(
        [stamped(begun()), stamped(ev.ChecksStarted(checks=("a",), items=1)), stamped(ended("a", "fail", evil))]
    )
    for text in (*rows(found, width=120), *lines):
        assert not {"\x1b", "\u202e", "\x07", "\n"} & set(text)
    assert r"\x1b[2J" in lines[-1]


def test_a_log_has_a_line_a_check_and_why_it_failed() -> None:
    lines = plain(stream("verify-failing"))
    assert "04:02:00Z pass homepage: /: 200, 812 bytes in 0.08 s (0.1 s)" in lines
    failed = next(number for number, text in enumerate(lines) if " fail medical-records: " in text)
    assert lines[failed + 1].startswith("04:02:01Z   why Doctors cannot read records.")
    assert not any(" of 2 h]" in text for text in lines), "a verification has no recovery clock"


def test_a_beginning_is_no_line_in_a_log() -> None:
    assert sum("check-01:" in text for text in plain(stream("verify-sixty"))) == 1
    progress = stamped(ev.StepProgress(step="verify", note="of a recovery"))
    assert len(plain([stamped(begun("db")), progress])) == 3


def test_quiet_tells_failures_and_the_end_only() -> None:
    assert plain(stream("verify-good"), quiet=True) == ["04:02:01Z finished: All 22 checks passed. (exit code 0)"]
    told = plain(stream("verify-failing"), quiet=True)
    assert any(" fail medical-records" in text for text in told)
    assert not any(" pass " in text for text in told)


def test_a_watch_tells_changes_and_one_line_a_round() -> None:
    lines = [text.partition(" ")[2] for text in plain(stream("watch"))]
    second = lines.index("changed medical-records: pass -> fail: status 500, expected 200")
    assert lines[second - 1] == "round 1: 4 checks, 0 failing; next at 04:12Z"
    assert lines[second + 1] == "  why Doctors cannot read records."
    assert lines[second + 2] == "round 2: 4 checks, 1 failing (medical-records); next at 04:22Z"
    assert lines[-2] == "round 3: 4 checks, 0 failing, 1 inconclusive; next at 04:32Z"
    assert sum("homepage" in text for text in lines) == 1


def test_a_change_of_a_check_that_is_not_known_is_told_as_it_is() -> None:
    end = ev.ChecksFinished(round=2, items=(), seconds=1, passed=0, changed=("gone: pass -> fail",))
    lines = plain([stamped(begun("watch db")), stamped(end)])
    assert lines[-2:] == [
        "04:02:00Z changed gone: pass -> fail",
        "04:02:00Z round 2: 0 checks, 0 failing; that was the last round",
    ]


def test_checks_of_a_recovery_are_told_as_before() -> None:
    events = [stamped(begun("db")), stamped(ended("homepage")), stamped(ended("signed-in", "fail"))]
    lines = plain(events)
    assert lines[-2:] == [
        "04:02:00Z [00:00:00 of 2 h] pass homepage: seen",
        "04:02:00Z [00:00:00 of 2 h] fail signed-in: seen",
    ]


def test_a_late_verdict_changes_no_round_that_ended() -> None:
    checks = CheckBoard()
    end = ev.ChecksFinished(items=(), seconds=1, passed=0)
    for event in (ev.ChecksStarted(checks=("a",), items=1), ended("a", "fail"), end, ended("a")):
        checks.apply(stamped(event))
    assert checks.verdicts == ["fail"]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def words(terminal: Terminal) -> str:
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", terminal.getvalue()).rstrip()


def until(condition: Callable[[], bool], limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_the_table_moves_by_itself_and_stands_still_for_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, clock = Terminal(), [T0]
    output = Output(stdout=io.StringIO(), stderr=terminal, color=False)
    viewer = _LiveViewer(output, now=lambda: clock[0])
    try:
        viewer(stamped(begun()))
        viewer(stamped(ev.ChecksStarted(checks=("a", "b"), items=1)))
        clock[0] = T0 + timedelta(seconds=77)
        until(lambda: "1 min 17 s" in terminal.getvalue())
        with viewer.paused():
            assert words(terminal).endswith("0 of 2 ended, 0 passed, 0 failed, 00:01:17")
        until(lambda: words(terminal).endswith("1 min 17 s"))
    finally:
        viewer.close()


ON_A_TERMINAL = f"""
import sys
from uscdr.models.events import Stamped
from uscdr.ui.console import Output
from uscdr.ui.viewers import open_viewers
(viewer,) = open_viewers(Output())
assert type(viewer).__name__ == "_LiveViewer"
for line in open({str(EVENTS)!r} + "/" + sys.argv[1] + ".jsonl"):
    viewer(Stamped.model_validate_json(line))
viewer.close()
print("THE END")
"""


@pytest.mark.parametrize(
    ("run", "size"), [("verify-failing", (24, 80)), ("verify-sixty", (12, 60)), ("watch", (24, 80))]
)
def test_a_verification_on_a_real_terminal(run: str, size: tuple[int, int]) -> None:
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", 'exec "$0" -c "$1" "$2"', sys.executable, ON_A_TERMINAL, run],
        dimensions=size,
        timeout=30,
        encoding="utf-8",
        env={"TERM": "xterm-256color", "PYTHONUTF8": "1", "PATH": "/usr/bin:/bin"},
    )
    try:
        child.expect("THE END")
        seen = child.before
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert child.exitstatus == 0
    assert "\x1b[?25h" in seen, "the cursor is given back"
    last = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", seen[seen.rindex("\x1b[2K") :])
    assert "Ended" in last
    assert re.search(r"^fail ", last, re.MULTILINE)
    changes = re.findall(r"04:\d\dZ .{0,12}changed", seen)
    assert len(changes) == (3 if run == "watch" else 0)


def test_the_sum_so_far_is_broken_at_a_narrow_width() -> None:
    found = board(ev.ChecksStarted(checks=("a",), items=1), ended("a", "inconclusive"))
    lines = [_bare(spans) for spans in headline(found, T0 + timedelta(seconds=9), 40)]
    assert lines == ["1 of 1 ended, 0 passed, 0 failed,", "1 inconclusive, 00:00:08"]
