"""Between the last look and the request: a process that was stopped right there, by real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from uscdr.errors import LockHeld, MachineError
from uscdr.write_guard import WriteGuard

STANDS_STILL = """
import os, signal, sys, threading
from uscdr.write_guard import WriteGuard
leave = WriteGuard()
def send():
    with leave.of(lambda: "", lambda: 0.4), leave.sending():
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        os.write(1, b"sent")
if sys.argv[1] == "main":
    send()
else:
    thread = threading.Thread(target=send)
    thread.start()
    thread.join()
os.write(1, b" and done")
"""


@pytest.mark.parametrize("thread", ["main", "another"])
@pytest.mark.parametrize("stands", [0.0, 0.5])
def test_one_that_stands_still_there_for_too_long_is_ended_before_it_sends(thread: str, stands: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", STANDS_STILL, thread], stdout=subprocess.PIPE)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    continues = time.monotonic() + stands
    while time.monotonic() < continues:
        time.sleep(0.01)  # an interval between two looks at the clock
    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=30)
    assert (said, process.returncode) == ((b"", -signal.SIGALRM) if stands else (b"sent and done", 0))


def test_what_was_sent_in_time_leaves_no_timer() -> None:
    leave = WriteGuard()
    with leave.of(lambda: "", lambda: 60.0):
        with leave.sending():
            assert 59 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60
            with leave.sending():
                pass
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 59
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        with pytest.raises(ZeroDivisionError), leave.sending():
            raise ZeroDivisionError
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_timer_of_somebody_else_is_left_alone() -> None:
    before = signal.signal(signal.SIGALRM, lambda number, frame: None)
    try:
        leave = WriteGuard()
        with leave.of(lambda: "", lambda: 60.0), leave.sending():
            assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_one_that_stood_still_before_the_timer_was_set_is_asked_again() -> None:
    leave, asked, left = WriteGuard(), [], [60.0, 0.0]

    def answer() -> str:
        asked.append(True)
        if len(asked) > 1:
            raise LockHeld("Run r-1 is no longer this process's.")
        return ""

    sent = []
    with leave.of(answer, lambda: left.pop(0)), pytest.raises(LockHeld), leave.sending():
        sent.append(True)
    assert sent == []
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_one_that_never_has_the_time_to_send_says_so() -> None:
    leave, sent = WriteGuard(), []
    with (
        leave.of(lambda: "", lambda: 0.01),
        pytest.raises(MachineError, match="was suspended so often"),
        leave.sending(),
    ):
        sent.append(True)
    assert sent == []


def test_of_several_the_one_that_ends_first_counts() -> None:
    leave = WriteGuard()
    with leave.of(lambda: "", lambda: 90.0), leave.of(lambda: ""), leave.of(lambda: "", lambda: 30.0), leave.sending():
        assert 29 < signal.getitimer(signal.ITIMER_REAL)[0] <= 30


def test_words_are_told_and_who_is_gone_is_not_asked() -> None:
    leave, told = WriteGuard(), list[str]()
    leave.tell = told.append
    with leave.of(lambda: "taken again"):
        leave()
    leave()
    assert told == ["taken again"]
