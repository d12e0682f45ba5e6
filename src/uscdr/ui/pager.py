"""Shows long text, or a page of Markdown: paged on a terminal, as it is in a pipe."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from uscdr.settings import program
from uscdr.ui.console import environment

if TYPE_CHECKING:
    from uscdr.ui.console import Output

_USUAL = "less"
_LESS = "FRX"
"""Options of less: no pager for what fits, colours, and the text stays on the screen."""
_WIDEST = 100
"""Columns of text that people read well."""


def show_markdown(text: str, output: Output) -> None:
    """Show `text` on stdout. On a terminal $PAGER, else less, pages it; without either it is only printed."""
    if not output.out.is_tty:
        output.out.offer(text)
        return
    show_text(_formatted(text, output), output)


def show_text(text: str, output: Output) -> None:
    """Show text that is laid out. What is longer than the terminal is paged."""
    fits = text.count("\n") < shutil.get_terminal_size().lines
    pager = None if fits or not output.out.is_tty else _pager()
    if pager is None or not _paged(pager, text):
        output.out.offer(text)


def _formatted(text: str, output: Output) -> str:
    from rich.console import Console
    from rich.markdown import Markdown

    color = output.color_on(output.out)
    console = Console(
        width=min(output.out.width, _WIDEST), force_terminal=color, no_color=not color, highlight=False,
        _environ=environment(),
    )  # fmt: skip
    with console.capture() as capture:
        console.print(Markdown(text, code_theme="ansi_dark"))  # the terminal's own colours and background
    return capture.get()


def _pager() -> list[str] | None:
    """The words of the pager's command; None if there is none, or $PAGER names a program that does not exist."""
    try:
        name, *more = shlex.split(os.environ.get("PAGER") or _USUAL) or [_USUAL]
    except ValueError:
        return None
    found = program(name)
    return [str(found), *more] if found else None


def _paged(pager: list[str], text: str) -> bool:
    """Whether the pager ran. Ctrl-C is the pager's while it runs."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = subprocess.run(pager, input=text.encode(), env={"LESS": _LESS, **os.environ}, check=False)
    except OSError:
        return False
    finally:
        signal.signal(signal.SIGINT, before)
    return done.returncode == 0
