"""Finding the exit status in a dyno's output: a mark that the shell prints after the command."""

from __future__ import annotations

import codecs
import re

MARK = "\uffff heroku-command-exit-status: "
_WHOLE = re.compile(re.escape(MARK) + r"([0-9]{1,3})\n")
_BEGUN = re.compile(re.escape(MARK) + r"[0-9]{0,3}")


def with_mark(command: str) -> str:
    """`command` in a subshell, so that its own `exit` does not skip the mark, and with nothing to read.

    A command that asks a question then fails, where it would hang until the time limit.
    """
    return f'({command}) </dev/null ; echo "{MARK}$?"'


class ExitMark:
    """Splits a byte stream into output and exit status, however the bytes are cut.

    Terminal line ends become plain ones. A mark without its line end does not count: digits may be missing.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._held = ""
        self.exit_status: int | None = None

    def feed(self, received: bytes) -> str:
        """Take bytes, give the output they completed; nothing more after the mark."""
        if self.exit_status is not None:
            return ""
        self._held = (self._held + self._decode(received)).replace("\r\n", "\n")
        whole = _WHOLE.search(self._held)
        if whole:
            self.exit_status = int(whole[1])
            return self._release(whole.start())
        return self._release(_safe_end(self._held))

    def finish(self) -> str:
        """What was held back when the stream ended."""
        return "" if self.exit_status is not None else self._release(len(self._held))

    def _release(self, end: int) -> str:
        output, self._held = self._held[:end], self._held[end:]
        return output


def _safe_end(text: str) -> int:
    """Up to where `text` cannot be part of a mark or of a line end that is still coming."""
    start = text.rfind(MARK[0])
    if start >= 0 and _may_become_mark(text[start:]):
        return start
    return len(text) - 1 if text.endswith("\r") else len(text)


def _may_become_mark(tail: str) -> bool:
    tail = tail.removesuffix("\r")
    return MARK.startswith(tail) or _BEGUN.fullmatch(tail) is not None
