"""Which views a run gets: JSON lines, the live screen or plain lines."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from uscdr.models.events import Stamped
from uscdr.ui.console import Output, simple_terminal


class RunViewer(Protocol):
    """A viewer for `Bus.add_viewer`, with what a run needs around it."""

    def __call__(self, stamped: Stamped) -> None:
        """Show one event; OSError means that nobody can see it any more."""
        ...

    def prime(self, history: Iterable[Stamped]) -> None:
        """Take in a resumed run's earlier events without showing them."""
        ...

    def paused(self) -> AbstractContextManager[None]:
        """Stand still inside this context, for a prompt."""
        ...

    def suspended(self) -> AbstractContextManager[None]:
        """The terminal is a shell's inside this context. Entered by a signal, in the middle of anything."""
        ...

    def close(self) -> None:
        """Give the terminal back."""
        ...


def open_viewers(output: Output, *, stdout: bool = True) -> tuple[RunViewer, ...]:
    """The views for `output`; each is to be closed when the run ends. Without `stdout` nothing is written there."""
    from uscdr.ui.jsonl import JsonLinesViewer
    from uscdr.ui.plain import PlainViewer

    if output.json_lines and stdout and not output.out.absent:
        machine = JsonLinesViewer(output)
        return (machine,) if output.out.is_tty or output.quiet else (machine, PlainViewer(output))
    if output.quiet or output.json_lines or not can_move(output):
        return (PlainViewer(output),)
    from uscdr.ui.live import LiveViewer

    return (LiveViewer(output),)


def can_move(output: Output) -> bool:
    """Whether stderr is a terminal that can redraw and spell the screen's bars."""
    encoding = getattr(output.err.raw, "encoding", None) or ""
    return output.err.is_tty and not simple_terminal() and encoding.lower().replace("-", "") == "utf8"
