"""Commands of one-off dynos: under a terminal or on pipes for an attached client, or detached.

Each command leads a session and a process group of its own. When it has ended, what it left running
in its group is killed, as a dyno is.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_CHUNK = 65536
_LONGEST_LINE = 10_000  # bytes; Heroku cuts log lines there too
_END_OF_TRANSMISSION = b"\x04"
# A session's leader that opens a terminal gets it as its controlling one: job control and Ctrl-C work.
_ON_TERMINAL = ("/bin/sh", "-c", 'exec "$@" <>"$0" >&0 2>&1')


class _Command:
    """A started command, its end, and how it is ended."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ended = asyncio.create_task(self._reap())

    @property
    def pid(self) -> int:
        """Process id, and id of the process group."""
        return self._process.pid

    async def wait(self) -> int:
        """Waits for the end; any number of callers may. Exit status, 128 + n after signal n."""
        return await asyncio.shield(self._ended)

    async def hang_up(self, *, first: signal.Signals = signal.SIGHUP, grace: float = 2.0) -> int:
        """Sends `first` to the group, and SIGKILL after `grace` seconds. Returns the exit status."""
        self._signal(first)
        try:
            return await asyncio.wait_for(self.wait(), grace)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            return await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def _reap(self) -> int:
        code = await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return code if code >= 0 else 128 - code


class PtyProcess(_Command):
    """A command whose input and output an attached client holds.

    On a terminal output and errors are one stream with CR LF ends and 0x04 is the end of input; on
    pipes they are one stream as written, and a last 0x04 closes the input.
    """

    def __init__(self, process: asyncio.subprocess.Process, *, output: int, input_: int, theirs: Sequence[int]) -> None:
        self._output = output
        self._input = input_
        # The command's ends stay open here until it has ended: before its start, and between two of
        # its children, nobody else may hold them, which must not look like the end of its output.
        self._theirs = theirs
        self._closed = False
        for descriptor in {output, input_}:
            os.set_blocking(descriptor, False)
        super().__init__(process)

    async def read(self) -> bytes:
        """The next output, at most 64 KiB; empty when the command has ended and all was read."""
        while not self._closed:
            try:
                return os.read(self._output, _CHUNK)
            except BlockingIOError:
                await _ready(self._output, writing=False)
            except OSError as error:
                # A terminal whose other side is closed answers EIO where a pipe answers its end.
                if error.errno != errno.EIO:
                    raise
                return b""
        return b""

    async def write(self, data: bytes) -> None:
        """Gives the command input. Dropped when nobody reads any more."""
        ends = self._input != self._output and data.endswith(_END_OF_TRANSMISSION)
        view = memoryview(data[:-1] if ends else data)
        while view and not self._closed:
            try:
                view = view[os.write(self._input, view) :]
            except BlockingIOError:
                await _ready(self._input, writing=True)
            except OSError as error:
                if error.errno not in {errno.EIO, errno.EPIPE, errno.EBADF}:
                    raise
                return
        if ends and not self._closed and self._input >= 0:
            os.close(self._input)
            self._input = -1

    def close(self) -> None:
        """Closes our ends. To be called when the command has ended; harmless twice."""
        if self._closed:
            return
        self._closed = True
        for descriptor in {self._output, self._input} - {-1}:
            os.close(descriptor)

    async def _reap(self) -> int:
        try:
            return await super()._reap()
        finally:
            for descriptor in self._theirs:
                os.close(descriptor)


class DetachedProcess(_Command):
    """A command without input, whose output goes line by line to `on_line`."""

    def __init__(self, process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        super().__init__(process)

    async def _reap(self) -> int:
        lines = asyncio.create_task(self._read_lines())
        code = await super()._reap()
        await lines
        return code

    async def _read_lines(self) -> None:
        source = self._process.stdout
        rest = b""
        while source is not None and (chunk := await source.read(_CHUNK)):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                self._say(line)
            if len(rest) > _LONGEST_LINE:
                self._say(rest[:_LONGEST_LINE])
                rest = rest[_LONGEST_LINE:]
        if rest:
            self._say(rest)

    def _say(self, line: bytes) -> None:
        text = line.rstrip(b"\r")
        for start in range(0, len(text) or 1, _LONGEST_LINE):
            self._on_line(text[start : start + _LONGEST_LINE].decode("utf-8", "replace"))


async def spawn(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, tty: bool = True, lines: int = 24, columns: int = 80
) -> PtyProcess:
    """Starts `argv` with exactly the environment `env` for an attached client.

    `tty=False` gives it pipes instead of a terminal of `lines` x `columns`.

    Raises:
        OSError: it could not be started.
    """
    if not tty:
        return await _spawn_on_pipes(argv, env=env, cwd=cwd)
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        wrapped = (*_ON_TERMINAL, os.ttyname(theirs), *argv)
        process = await asyncio.create_subprocess_exec(
            *wrapped, stdin=asyncio.subprocess.DEVNULL, env=env, cwd=cwd, start_new_session=True
        )
    except OSError:
        os.close(ours)
        os.close(theirs)
        raise
    return PtyProcess(process, output=ours, input_=ours, theirs=[theirs])


async def _spawn_on_pipes(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> PtyProcess:
    their_input, our_input = os.pipe()
    our_output, their_output = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=their_input, stdout=their_output, stderr=their_output, env=env, cwd=cwd, start_new_session=True
        )
    except OSError:
        for descriptor in (their_input, our_input, our_output, their_output):
            os.close(descriptor)
        raise
    os.close(their_input)
    return PtyProcess(process, output=our_output, input_=our_input, theirs=[their_output])


async def spawn_detached(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, on_line: Callable[[str], None]
) -> DetachedProcess:
    """Starts `argv` with exactly the environment `env`; each line of its output goes to `on_line`.

    Raises:
        OSError: it could not be started.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    return DetachedProcess(process, on_line)


async def _ready(descriptor: int, *, writing: bool) -> None:
    """Waits until the descriptor can be read or written, or has been hung up."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    add(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        remove(descriptor)
