"""Reads one line at a terminal that can move its cursor: arrow keys edit it, and a paste is text, not an answer."""

from __future__ import annotations

import os
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


_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
"""Let the terminal mark what is pasted, and no longer."""
_SETTINGS = ("set enable-bracketed-paste on", "set enable-active-region off")
"""Of GNU readline: Python turns the first one off. A paste is not shown in reverse video."""
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
    readline.set_completer(_no_completion)
    marks = "libedit" not in (readline.__doc__ or "")
    for setting in _SETTINGS if marks else ():
        readline.parse_and_bind(setting)
    on, off = (_PASTE_ON, _PASTE_OFF) if marks else ("", "")
    try:
        with _stoppable(lambda: f"{on}{mark}{readline.get_line_buffer()}", off), _woken():
            return input(mark) + "\n"
    except EOFError:
        return ""


def _no_completion(text: str, state: int) -> None:
    """No Tab offers the names of files."""


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


def _at_once(text: str) -> None:
    """Write past the buffer: what a signal interrupts there is written once more when the process ends."""
    os.write(sys.stdout.fileno(), text.encode(sys.stdout.encoding, "backslashreplace"))


@contextmanager
def _stoppable(drawn: Callable[[], str], ended: str) -> Iterator[None]:
    """Ctrl-Z while a line is edited: write `ended`, restore the terminal's modes, stop; then go on with `drawn`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminal = sys.stdin.fileno()
    before, modes = signal.getsignal(signal.SIGTSTP), termios.tcgetattr(terminal)

    def stop(number: int, frame: FrameType | None) -> None:
        editing = termios.tcgetattr(terminal)
        _at_once(ended)
        termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
        if callable(before):
            before(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)  # stops here until SIGCONT
            signal.signal(number, stop)
        termios.tcsetattr(terminal, termios.TCSADRAIN, editing)
        _at_once(drawn())

    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)
