"""This process's own two outputs: what they could not take is remembered, whoever wrote it, and decides the end.

Everything that is printed, by us, the argument parser or a table, goes through here. Import-light.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from uscdr.errors import MachineError

if TYPE_CHECKING:
    from typing_extensions import Buffer

OUT, ERR = 1, 2
NAMES = {OUT: "Standard output", ERR: "Standard error"}
_LEFT = frozenset({errno.EPIPE, errno.ECONNRESET})
_HUNG_UP = frozenset({errno.EIO, errno.ENXIO})


class Outlet(io.RawIOBase):
    """A descriptor that is written to. It waits for a slow reader, never raises, and keeps the first error."""

    def __init__(self, descriptor: int, *, absent: bool = False) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.absent = absent
        """Whether it was closed before this process began: nobody wants it."""
        self.error: OSError | None = None

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """1 or 2."""
        return self.descriptor

    def isatty(self) -> bool:
        """Whether a terminal is at the other end."""
        return not self.absent and os.isatty(self.descriptor)

    def write(self, data: Buffer, /) -> int:
        """Write some bytes; how many. What cannot be written is dropped: who must know asks for `error`."""
        if self.absent and self.error is None:
            self.error = OSError(errno.EBADF, "it is closed")
        while self.error is None:
            try:
                return os.write(self.descriptor, data)
            except BlockingIOError:  # another process made the pipe or terminal so, for itself
                select.select([], [self.descriptor], [])
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes

    def settled(self) -> bool:
        """Whether all arrived; some file systems tell of a quota or a lost server only when a file is closed."""
        if self.error is None and not self.absent:
            try:
                os.close(os.dup(self.descriptor))
            except OSError as error:
                self.error = error
        return self.error is None

    @property
    def unread(self) -> bool:
        """Whether nobody reads: a pipe's other end is gone, or a terminal, or narration was unwanted from the start."""
        number = self.error.errno if self.error else None
        if number in _HUNG_UP:
            return stat.S_ISCHR(os.fstat(self.descriptor).st_mode)
        return number in _LEFT or (self.absent and self.descriptor == ERR)


_OURS: dict[int, Outlet] = {}


def install() -> None:
    """Take both outputs over. A closed descriptor 0, 1 or 2 is filled first: no file opened later may get its number.

    What an encoding cannot spell is written as an escape.
    """
    filled = {number for number in (0, OUT, ERR) if _fill(number)}
    sys.stdout = _text(OUT, sys.stdout, absent=OUT in filled)
    sys.stderr = _text(ERR, sys.stderr, absent=ERR in filled)


def _text(number: int, before: TextIO | None, *, absent: bool) -> TextIO:
    outlet = _OURS[number] = Outlet(number, absent=absent)
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=before.encoding if before is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=number == ERR or outlet.isatty(),
    )


def _fill(number: int) -> bool:
    """Whether the descriptor was closed; it leads nowhere then."""
    try:
        os.fstat(number)
    except OSError:
        sink = os.open(os.devnull, os.O_RDWR)
        if sink != number:
            os.dup2(sink, number)
            os.close(sink)
        os.set_inheritable(number, True)  # noqa: FBT003 - as a shell leaves the three
        return True
    return False


def outlet_of(stream: TextIO | None) -> Outlet | None:
    """The outlet that the stream leads to; None for a stream that is not this process's own."""
    try:
        return _OURS.get(stream.fileno()) if stream is not None else None
    except (OSError, ValueError):
        return None


def unwritten() -> MachineError | None:
    """What to tell of an output that did not take everything; None when both did, or nobody wants to read it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    lost = [outlet for outlet in _OURS.values() if not outlet.settled() and not outlet.unread]
    return _cut(lost[0]) if lost else None


def drop() -> None:
    """Nothing more is written, nor waited for: whoever asked this process to end does not want the rest."""
    for outlet in _OURS.values():
        outlet.error = outlet.error or OSError(errno.EINTR, os.strerror(errno.EINTR))


def _cut(outlet: Outlet) -> MachineError:
    why = outlet.error.strerror if outlet.error else ""
    return MachineError(
        f"{NAMES[outlet.descriptor]} could not be written: {why}.",
        why="What arrived of it is cut off.",
        next_action="Make room or write elsewhere, then give a command that only reads again. "
        "A run needs no repeating: uscdr runs show",
    )
