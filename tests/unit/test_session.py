"""The signals of a process while a run is under way: what the journal will name, and what a shell gets back."""

from __future__ import annotations

import io
import os
import pty
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from uscdr.engine.wait import Stop
from uscdr.errors import Interrupted
from uscdr.ui.console import Output
from uscdr.wiring.session import process

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextmanager
def under_way(state: Path, *ignored: signal.Signals) -> Iterator[Stop]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    try:
        with process(Output(stdout=io.StringIO(), stderr=io.StringIO()), state, {}) as around:
            yield around.stop
        for number in ignored:
            assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (signal.SIGINT, "Interrupted by the operator."),
        (signal.SIGQUIT, "Interrupted by the operator."),
        (signal.SIGTERM, "Interrupted by a termination request (SIGTERM)."),
        (signal.SIGHUP, "Interrupted by the end of the terminal session (SIGHUP)."),
    ],
)
def test_what_asked_a_run_to_stop_is_named(tmp_path: Path, number: signal.Signals, cause: str) -> None:
    with under_way(tmp_path) as stop:
        signal.raise_signal(number)
        with pytest.raises(Interrupted) as interrupted:
            stop.check()
    assert interrupted.value.message == cause
    assert stop.told(interrupted.value) == cause


def test_an_interruption_elsewhere_gets_the_cause_and_the_first_cause_stays(tmp_path: Path) -> None:
    with under_way(tmp_path) as stop:
        assert stop.told(Interrupted("Stopped.")) == "Stopped."
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        told = stop.told(Interrupted("Interrupted during the download."))
    assert told == "Interrupted during the download (by the end of the terminal session (SIGHUP))."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_the_second_one_of_the_keyboard_leaves_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with under_way(tmp_path) as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.event.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_what_was_ignored_from_the_beginning_is_outlived(tmp_path: Path, number: signal.Signals) -> None:
    with under_way(tmp_path, number) as stop:
        signal.raise_signal(number)
        assert not stop.event.is_set()


def test_a_shell_gets_its_cursor_back_when_the_run_is_suspended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    stopped: list[bytes] = []
    before = signal.getsignal(signal.SIGTSTP)

    def until(wanted: bytes) -> bytes:
        seen = b""
        while wanted not in seen:  # a terminal passes on what was written in pieces
            seen += os.read(ours, 65536)
        return seen

    def stop(number: int) -> None:
        assert signal.getsignal(number) is signal.SIG_DFL
        stopped.append(until(b"\x1b[?25h"))

    monkeypatch.setattr("uscdr.ui.viewers.os.tcgetpgrp", lambda descriptor: os.getpgrp())
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        output = Output(stdout=io.StringIO(), stderr=terminal)
        with process(output, tmp_path, {}) as around:
            around.viewers[0].resume()  # type: ignore[attr-defined]  # as the first event does
            with monkeypatch.context() as patched:
                handler = signal.getsignal(signal.SIGTSTP)
                assert callable(handler)
                patched.setattr(signal, "raise_signal", stop)
                handler(signal.SIGTSTP, None)
            assert stopped[0].rfind(b"\x1b[?25h") > stopped[0].rfind(b"\x1b[?25l") > -1
            assert until(b"\x1b[?25l")
        assert signal.getsignal(signal.SIGTSTP) is before
    os.close(ours)
