"""Reads one line at a terminal that can move its cursor: arrow keys edit it, and a paste is text, not an answer."""

from __future__ import annotations

import signal
import sys
import termios
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from uscdr.ui.console import Output


WAKE = 0.1
"""Seconds after which a signal is noticed at the latest."""


def can_edit(output: Output, stdin: object) -> bool:
    """Whether stdin, stdout and stderr are this process's own terminal, which moves its cursor.

    The editor writes to stdout, so that with `>file` a question is read as it is typed.
    """
    own = stdin is sys.stdin and output.out.raw is sys.stdout and output.err.raw is sys.stderr
    return own and output.out.is_tty and output.err.can_redraw and _has_editor()


def _has_editor() -> bool:
    """Whether this Python was built with a line editor."""
    try:
        import readline  # noqa: F401 - its import lets `input` edit
    except ImportError:
        return False
    return True


def edited_line(mark: str) -> str:
    """The line that the operator ended with Enter, with its end; empty at the end of input (Ctrl-D on an empty line).

    Raises what the signal handlers raise. Ctrl-Z gives the shell a terminal as it was, and `fg` draws the line again.
    """
    import readline

    readline.set_auto_history(False)
    try:
        with _stoppable(lambda: f"{mark}{readline.get_line_buffer()}"), _woken():
            return input(mark) + "\n"
    except EOFError:
        return ""


@contextmanager
def _woken() -> Iterator[None]:
    """Interrupt the editor's wait at intervals: it would not notice a signal that came just before it waits."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ended, main = threading.Event(), threading.get_ident()

    def wake() -> None:
        while not ended.wait(WAKE):
            signal.pthread_kill(main, signal.SIGURG)

    before = signal.signal(signal.SIGURG, lambda *_: None)
    waking = threading.Thread(target=wake, daemon=True)
    waking.start()
    try:
        yield
    finally:
        ended.set()
        waking.join()
        signal.signal(signal.SIGURG, before)


@contextmanager
def _stoppable(drawn: Callable[[], str]) -> Iterator[None]:
    """Ctrl-Z while a line is edited: restore the terminal's modes, stop, and go on as before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminal = sys.stdin.fileno()
    before, modes = signal.getsignal(signal.SIGTSTP), termios.tcgetattr(terminal)

    def stop(number: int, frame: FrameType | None) -> None:
        editing = termios.tcgetattr(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
        if callable(before):
            before(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)  # stops here until SIGCONT
            signal.signal(number, stop)
        termios.tcsetattr(terminal, termios.TCSADRAIN, editing)
        sys.stdout.write(drawn())
        sys.stdout.flush()

    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)
