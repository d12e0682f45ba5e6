"""Where words go: results to stdout, narration to stderr, and a closed pipe never stops a recovery."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Mapping
from typing import TextIO

from uscdr.ui.outlets import outlet_of
from uscdr.ui.style import Line, painted
from uscdr.words import escape

DEFAULT_WIDTH, NARROWEST = 80, 20
SIMPLE = frozenset({"", "dumb", "unknown"})
"""Values of TERM that promise nothing."""


def simple_terminal() -> bool:
    """Whether the terminal, if there is one, knows neither colour nor movement."""
    return os.environ.get("TERM", "") in SIMPLE


def environment() -> dict[str, str]:
    """What rich may know of ours: the terminal itself says how large it is, not a variable that somebody exported."""
    return {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}


class Stream:
    """One output stream that may be missing, closed or unable to spell a character."""

    def __init__(self, stream: TextIO | None) -> None:
        self.raw = stream
        self.broken = stream is None

    @property
    def absent(self) -> bool:
        """Whether it was closed before this process began: nobody wants it."""
        outlet = outlet_of(self.raw)
        return self.raw is None or (outlet is not None and outlet.absent)

    @property
    def is_tty(self) -> bool:
        """Whether a person's terminal is at the other end."""
        try:
            return self.raw is not None and self.raw.isatty()
        except ValueError:
            return False

    @property
    def width(self) -> int:
        """Columns of the terminal, 80 when there is none."""
        try:
            columns = os.get_terminal_size(self.raw.fileno()).columns if self.raw else 0
        except (OSError, ValueError):
            columns = 0
        return max(columns or DEFAULT_WIDTH, NARROWEST)

    def write(self, text: str) -> None:
        """Write `text` and flush. Raises OSError when nobody can receive it, now and ever after."""
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

    def check(self) -> None:
        """Raise the OSError with which something written before failed, whoever wrote it."""
        outlet = outlet_of(self.raw)
        if outlet is not None and outlet.error is not None:
            raise outlet.error

    def offer(self, text: str) -> bool:
        """Write `text` if anybody can receive it; tells whether it was written."""
        try:
            self.write(text)
        except OSError:
            return False
        return True

    def _spellable(self, text: str) -> str:
        encoding = getattr(self.raw, "encoding", None) or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)


class Output:
    """Both streams and the reader's wishes. Every text is escaped here; colour is added, never trusted."""

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
        self.out = Stream(stdout if stdout is not None else sys.stdout)
        self.err = Stream(stderr if stderr is not None else sys.stderr)
        self._color = color

    def color_on(self, stream: Stream) -> bool:
        """Whether `stream` gets colour: as asked, else a terminal that knows it, without NO_COLOR."""
        if self._color is not None:
            return self._color
        return stream.is_tty and not os.environ.get("NO_COLOR") and not simple_terminal()

    def result(self, text: str | Line) -> None:
        """A result, on stdout."""
        self.out.offer(self._text(text, self.out))

    def record(self, value: Mapping[str, object]) -> None:
        """A result as one JSON line on stdout."""
        self.out.offer(json_line(value))

    def say(self, text: str | Line) -> None:
        """Narration on stderr, unless quiet."""
        if not self.quiet:
            self.warn(text)

    def detail(self, text: str | Line) -> None:
        """Narration for the curious: only when verbose."""
        if self.verbose:
            self.warn(text)

    def warn(self, text: str | Line) -> None:
        """What must be seen even when quiet, on stderr."""
        self.err.offer(self._text(text, self.err))

    def _text(self, text: str | Line, stream: Stream) -> str:
        if isinstance(text, str):
            return escape(text, keep_newlines=True) + "\n"
        return painted(text, color=self.color_on(stream)) + "\n"


def json_line(value: Mapping[str, object]) -> str:
    """`value` as one line of JSON; times as ISO 8601, anything unknown as its text."""
    return json.dumps(value, ensure_ascii=True, default=str) + "\n"
