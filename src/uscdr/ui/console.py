"""Output: results go to stdout, messages to stderr. A closed pipe never stops a recovery."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import select
import stat
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal, TextIO

from typing_extensions import TypedDict

from uscdr.errors import ExitCode, MachineError, UscdrError
from uscdr.ui.pasted import CARRIED
from uscdr.ui.schemas import Schema
from uscdr.ui.text import Line, Span, Tone, painted
from uscdr.words import amount, escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Buffer


OUT, ERR = 1, 2
NAMES = {OUT: "standard output", ERR: "standard error"}
_LEFT = frozenset({errno.EPIPE, errno.ECONNRESET})
_HUNG_UP = frozenset({errno.EIO, errno.ENXIO})


class _Outlet(io.RawIOBase):
    """An output descriptor. It waits for a slow reader, never raises, and keeps the first error."""

    def __init__(self, descriptor: int, *, absent: bool = False) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.absent = absent
        """Whether the descriptor was closed before this process started: then nobody reads it."""
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Always true."""
        return True

    def fileno(self) -> int:
        """1 or 2."""
        return self.descriptor

    def isatty(self) -> bool:
        """Whether a terminal is at the other end."""
        return not self.absent and os.isatty(self.descriptor)

    def write(self, data: Buffer, /) -> int:
        """Write some bytes; returns their number. Drops bytes that cannot be written and sets `error`."""
        if self.absent and self.error is None:
            self.error = OSError(errno.EBADF, "it is closed")
        while self.error is None:
            try:
                return os.write(self.descriptor, data)
            except BlockingIOError:  # another process made the pipe or terminal non-blocking
                select.select([], [self.descriptor], [])
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes

    def settled(self) -> bool:
        """Whether all bytes arrived; some file systems report a quota or a lost server only when a file is closed."""
        if self.error is None and not self.absent:
            try:
                os.close(os.dup(self.descriptor))
            except OSError as error:
                self.error = error
        return self.error is None

    @property
    def unread(self) -> bool:
        """Whether nobody reads: the other end of the pipe or terminal is gone, or the descriptor was never open."""
        number = self.error.errno if self.error else None
        if number in _HUNG_UP:
            return stat.S_ISCHR(os.fstat(self.descriptor).st_mode)
        return number in _LEFT or (self.absent and self.descriptor == ERR)


class StandardOutputs:
    """This process's stdout and stderr. They keep the first write error, which decides the exit code at the end."""

    def __init__(self) -> None:
        self._outlets: dict[int, _Outlet] = {}

    def install(self) -> None:
        """Replace stdout and stderr; opens closed descriptors 0, 1 and 2 first: no later file gets their number.

        Writes an escape for a character that the encoding lacks.
        """
        filled = {number for number in (0, OUT, ERR) if _fill(number)}
        sys.stdout = self._text(OUT, sys.stdout, absent=OUT in filled)
        sys.stderr = self._text(ERR, sys.stderr, absent=ERR in filled)

    def unwritten(self) -> MachineError | None:
        """The error of an output that lost data; None if both are complete, or nobody reads them."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        lost = [outlet for outlet in self._outlets.values() if not outlet.settled() and not outlet.unread]
        return _cut(lost[0]) if lost else None

    def drop(self) -> None:
        """Write nothing more and do not wait: the user asked this process to end."""
        for outlet in self._outlets.values():
            outlet.error = outlet.error or OSError(errno.EINTR, os.strerror(errno.EINTR))

    def outlet_of(self, stream: TextIO | None) -> _Outlet | None:
        """The outlet behind the stream; None for a stream that is not this process's own."""
        try:
            return self._outlets.get(stream.fileno()) if stream is not None else None
        except (OSError, ValueError):
            return None

    def _text(self, number: int, before: TextIO | None, *, absent: bool) -> TextIO:
        outlet = self._outlets[number] = _Outlet(number, absent=absent)
        return io.TextIOWrapper(
            io.BufferedWriter(outlet),
            encoding=before.encoding if before is not None else "utf-8",
            errors="backslashreplace",
            line_buffering=number == ERR or outlet.isatty(),
        )


STANDARD = StandardOutputs()


def _fill(number: int) -> bool:
    """Whether the descriptor was closed; then it now points to /dev/null."""
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


def _cut(outlet: _Outlet) -> MachineError:
    why = outlet.error.strerror if outlet.error else ""
    return MachineError(
        f"uscdr could not write {NAMES[outlet.descriptor]}: {why}.",
        why="The output is incomplete.",
        next_action="Free disk space or redirect the output elsewhere. Then repeat a command that only reads. "
        "Do not repeat a run. Show it: uscdr runs show",
    )


DEFAULT_WIDTH, NARROWEST = 80, 20
SIMPLE = frozenset({"", "dumb", "unknown"})
"""Values of TERM without colour or cursor movement."""


def _simple_terminal() -> bool:
    """Whether the terminal, if any, has neither colour nor cursor movement."""
    return os.environ.get("TERM", "") in SIMPLE


def environment() -> dict[str, str]:
    """The environment for rich, without exported sizes: the terminal itself reports its size."""
    return {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}


class OutputStream:
    """One output stream that may be missing, closed, or limited in its encoding."""

    def __init__(self, stream: TextIO | None) -> None:
        self.raw = stream
        self.broken = stream is None

    @property
    def absent(self) -> bool:
        """Whether the descriptor was closed before this process started: then nobody reads it."""
        outlet = STANDARD.outlet_of(self.raw)
        return self.raw is None or (outlet is not None and outlet.absent)

    @property
    def is_tty(self) -> bool:
        """Whether the stream is a terminal."""
        try:
            return self.raw is not None and self.raw.isatty()
        except ValueError:
            return False

    @property
    def can_redraw(self) -> bool:
        """Whether the stream is a terminal that can redraw and show the screen's bars."""
        encoding = getattr(self.raw, "encoding", None) or ""
        return self.moves and encoding.lower().replace("-", "") == "utf8"

    @property
    def moves(self) -> bool:
        """Whether the stream is a terminal with cursor movement."""
        return self.is_tty and not _simple_terminal()

    @property
    def width(self) -> int:
        """Columns of the terminal, 80 without one."""
        try:
            columns = os.get_terminal_size(self.raw.fileno()).columns if self.raw else 0
        except (OSError, ValueError):
            columns = 0
        return max(columns or DEFAULT_WIDTH, NARROWEST)

    def write(self, text: str) -> None:
        """Write `text` and flush. Raises OSError once the output is closed, at this and every later call."""
        if self.broken or self.raw is None:
            raise OSError(errno.EBADF, "the output is closed")
        try:
            self.raw.write(self._spellable(text))
            self.raw.flush()
            self.check()
        except ValueError as error:
            self.broken = True
            raise OSError(errno.EPIPE, "the output was closed") from error
        except OSError:
            self.broken = True
            raise

    def write_json(self, schema: Schema, value: Mapping[str, object]) -> None:
        """Write `value` as one line of JSON. Raises as `write`."""
        self.write(_printed_json(schema, value))

    def check(self) -> None:
        """Raise the OSError of an earlier failed write, if any."""
        outlet = STANDARD.outlet_of(self.raw)
        if outlet is not None and outlet.error is not None:
            raise outlet.error

    def offer(self, text: str) -> bool:
        """Write `text` if the output is open; returns whether it was written."""
        try:
            self.write(text)
        except OSError:
            return False
        return True

    def _spellable(self, text: str) -> str:
        encoding = getattr(self.raw, "encoding", None) or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)


class Output:
    """Both streams and the user's output options. Escapes every text, and adds colour itself."""

    def __init__(
        self,
        *,
        json_lines: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        color: bool | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.json_lines = json_lines
        self.quiet = quiet
        self.verbose = verbose
        self.out = OutputStream(stdout if stdout is not None else sys.stdout)
        self.err = OutputStream(stderr if stderr is not None else sys.stderr)
        self._color = color
        self._warned: set[str] = set()

    def color_on(self, stream: OutputStream) -> bool:
        """Whether `stream` gets colour: as the user asked, else if it is a colour terminal and NO_COLOR is not set."""
        if self._color is not None:
            return self._color
        return stream.is_tty and not os.environ.get("NO_COLOR") and not _simple_terminal()

    def result(self, text: str | Line) -> None:
        """Write a result to stdout."""
        self.out.offer(self._text(text, self.out))

    def record(self, schema: Schema, value: Mapping[str, object]) -> None:
        """Write a result as one JSON line to stdout: an object that `schema` describes."""
        self.out.offer(_printed_json(schema, value))

    def say(self, text: str | Line) -> None:
        """Write a message to stderr, except with --quiet."""
        if not self.quiet:
            self.warn(text)

    def detail(self, text: str | Line) -> None:
        """Write a detail to stderr, only with --verbose."""
        if self.verbose:
            self.warn(text)

    def warn(self, text: str | Line) -> None:
        """Write an important message to stderr, also with --quiet."""
        self.err.offer(self._text(text, self.err))

    def error(self, error: UscdrError) -> None:
        """Lines on stderr, or with --json one object `{"error": {...}}` on stdout."""
        if self.json_lines and self.out.offer(_printed_json(Schema.ERROR, _error_object(error))):
            return
        for spans in _error_lines(error):
            self.warn(spans)

    def warn_once(self, text: str) -> None:
        """The same, unless it was written before."""
        if text not in self._warned:
            self._warned.add(text)
            self.warn(text)

    def _text(self, text: str | Line, stream: OutputStream) -> str:
        if isinstance(text, str):
            return escape(CARRIED.text(text), keep_newlines=True) + "\n"
        return painted(text, color=self.color_on(stream)) + "\n"


def json_text(schema: Schema, value: Mapping[str, object], *, indent: int | None = None) -> str:
    """`value` as JSON, its schema first, on one line without `indent`; times as ISO 8601, records as objects."""
    return json.dumps({"schema": schema.id, **value}, ensure_ascii=True, default=_as_json, indent=indent) + "\n"


def _printed_json(schema: Schema, value: Mapping[str, object]) -> str:
    """The same on one line; the commands that it advises can be pasted. What somebody wrote stays as it is."""
    return _ADVICE.sub(lambda found: CARRIED.text(found[0], in_json=True), json_text(schema, value))


_ADVICE = re.compile(r'"(?:next_action|next_command|fix|command|commands)": (?:"(?:[^"\\]|\\.)*"|\[[^\]]*\])')


def _as_json(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    dump = getattr(value, "model_dump", None)  # a model, without importing what models are made of
    return dump(mode="json") if dump else str(value)


# Shows an error: what happened, its cause if known, what to do next, the exit code.


NEXT: dict[ExitCode, str] = {
    ExitCode.DONE: "Nothing.",
    ExitCode.CHECK_FAILED: "Fix the failed checks above. Then run the command again.",
    ExitCode.BAD_INPUT: "Correct the input and run the command again. uscdr sent no request.",
    ExitCode.FAILED: "Fix the cause. Then resume (`uscdr runs resume`), or run the command again.",
    ExitCode.DECLINED: "Run the command again when you are ready to confirm it.",
    ExitCode.UNKNOWN: "Check the application at the provider first. Then resume: `uscdr runs resume`.",
    ExitCode.LOCKED: "Talk to the holder of the lock first. See the runs: `uscdr runs list`.",
    ExitCode.INTERRUPTED: "Continue the run: `uscdr runs resume`.",
}
"""The next step for an error that has none of its own."""


class _ErrorFacts(TypedDict):
    kind: str
    message: str
    why: str
    next_action: str
    exit_code: int


class _ErrorObject(TypedDict):
    error: _ErrorFacts


def _error_object(error: UscdrError) -> _ErrorObject:
    """The error as data."""
    return {
        "error": {
            "kind": type(error).__name__,
            "message": error.message,
            "why": error.why,
            "next_action": error.next_action or NEXT[error.exit_code],
            "exit_code": int(error.exit_code),
        }
    }


def _error_lines(error: UscdrError) -> list[Line]:
    """The parts, escaped; without a known cause there is no `Cause:` line. Continuation lines are indented."""
    parts: tuple[tuple[str, str, Tone], ...] = (
        ("Error", error.message, "bad"),
        *((("Cause", error.why, "plain"),) if error.why else ()),
        ("Next", error.next_action or NEXT[error.exit_code], "strong"),
    )
    lines: list[Line] = []
    for name, text, tone in parts:
        first, *rest = escape(CARRIED.text(text), keep_newlines=True).split("\n")
        lines.append((Span(f"{name + ':':<7}", "dim"), Span(first, tone)))
        lines.extend((Span(" " * 7 + more, tone),) for more in rest)
    lines.append((Span("Exit:  ", "dim"), Span(f"{int(error.exit_code)} ({_meaning(error.exit_code)})")))
    return lines


def _meaning(code: ExitCode) -> str:
    return code.name.lower().replace("_", " ")


# Messages of a command that is not a run: single sentences on stderr, and progress at intervals.


TELL_EVERY = 5.0
"""Seconds between two progress messages about the same work."""


class ConsoleReporter:
    """Shows messages of a step (`uscdr.engine.step.Reporter`) or a kit build on stderr. Thread-safe."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._turn = threading.Lock()
        self._told: dict[str, float] = {}

    def sending(self) -> None:
        """Does nothing: there is no journal."""

    def accepted(self, provider_id: str) -> None:
        """Show that the provider accepted the request; there is no journal."""
        self._output.detail(f"accepted as {provider_id}")

    def say(self, text: str) -> None:
        """Show one sentence."""
        with self._turn:
            self._output.say(text)

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """Show new work at once, and its progress at intervals."""
        with self._turn:
            at = time.monotonic()
            if note in self._told and (done is None or at - self._told[note] < TELL_EVERY):
                return
            self._told[note] = at
            amounts = " of ".join(amount(one, unit) for one in (done, total) if one is not None)
            self._output.say(f"{note}: {amounts}" if amounts else note)

    def warn(self, text: str) -> None:
        """Show a warning."""
        self._output.warn(text)

    def check(self, name: str, verdict: Literal["pass", "fail", "inconclusive", "not checked"], evidence: str) -> None:
        """Show one check's verdict."""
        self._output.detail(f"{name}: {verdict}; {evidence}")
