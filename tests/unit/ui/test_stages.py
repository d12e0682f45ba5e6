"""What a long command does now: a line that counts on a terminal, lines with reminders in a log."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable

import pytest

from uscdr.ui import stages as module
from uscdr.ui.console import Output
from uscdr.ui.stages import stages
from uscdr.ui.text import cells, shortened


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


def until(condition: Callable[[], bool], limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)  # an interval between two looks


def timers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "uscdr-stages"]


def test_a_log_has_a_line_for_each_stage() -> None:
    log = io.StringIO()
    with stages(Output(stdout=io.StringIO(), stderr=log)) as tell:
        tell("Making a key")
        tell("Starting \x1b[31mPostgreSQL")
    assert log.getvalue() == "Making a key\nStarting \\x1b[31mPostgreSQL\n"
    assert timers() == []


def test_a_log_is_reminded_of_a_long_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TICK", 0.001)
    monkeypatch.setattr(module, "_REMIND", 0.0)
    log = io.StringIO()
    with stages(Output(stdout=io.StringIO(), stderr=log)) as tell:
        tell("Loading")
        until(lambda: "Loading: 0 s so far\n" in log.getvalue())
    assert timers() == []


def test_a_log_is_not_reminded_before_it_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TICK", 0.001)
    log, looked = io.StringIO(), threading.Event()
    output = Output(stdout=io.StringIO(), stderr=log)
    with stages(output) as tell:
        tell("Loading")
        real = time.monotonic
        looks = iter(range(20))

        def clock() -> float:
            if next(looks, None) is None:
                looked.set()
            return real()

        monkeypatch.setattr("uscdr.ui.stages.time.monotonic", clock)
        assert looked.wait(20)
    assert log.getvalue() == "Loading\n"


def test_a_terminal_counts_on_one_line_and_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TICK", 0.001)
    terminal = Terminal()
    with stages(Output(stdout=io.StringIO(), stderr=terminal)) as tell:
        tell("Making a key")
        until(lambda: terminal.getvalue().count("\rMaking a key (0 s)\x1b[K") >= 3)
        tell("Loading")
    first, second, rest = terminal.getvalue().split("\n")
    assert set(first.split("\r")[1:]) == {"Making a key (0 s)\x1b[K"}
    assert set(second.split("\r")[1:]) == {"Loading (0 s)\x1b[K"}
    assert rest == ""


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_quiet_says_nothing(stream: type[io.StringIO]) -> None:
    said = stream()
    with stages(Output(quiet=True, stdout=io.StringIO(), stderr=said)) as tell:
        tell("Loading")
    assert said.getvalue() == ""


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    with stages(Output(stdout=io.StringIO(), stderr=terminal)) as tell:
        tell("Loading")
    assert terminal.getvalue() == "Loading\n"


def test_nothing_was_told_and_nothing_is_left() -> None:
    terminal = Terminal()
    with stages(Output(stdout=io.StringIO(), stderr=terminal)):
        pass
    assert terminal.getvalue() == ""
    assert timers() == []


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_a_failure_ends_the_line_and_the_timer(stream: type[io.StringIO]) -> None:
    said = stream()

    def fail() -> None:
        with stages(Output(stdout=io.StringIO(), stderr=said)) as tell:
            tell("Loading")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert said.getvalue().endswith("\n")
    assert timers() == []


@pytest.mark.parametrize("text", ["a" * 200, "漢" * 100, "b漢" * 60, "e\u0301" * 200])
def test_a_long_stage_stays_on_its_line(text: str) -> None:
    terminal = Terminal()
    output = Output(stdout=io.StringIO(), stderr=terminal)
    with stages(output) as tell:
        tell(text)
    shown = terminal.getvalue().rpartition("\r")[2].removesuffix("\x1b[K\n")
    assert shown.endswith("… (0 s)")
    assert output.err.width - 3 <= cells(shown) < output.err.width


@pytest.mark.parametrize(
    ("text", "width", "kept"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("漢字", 3, "漢…"), ("漢", 1, "…"), ("abc", 0, ""), ("", 0, "")],
)
def test_shortened(text: str, width: int, kept: str) -> None:
    assert shortened(text, width) == kept
