"""What an app's log says is wrong: known platform codes, and the types of Python errors. Pure.

Log lines may hold personal data: none is returned, nor any text of an application. Only lines of the platform
itself are read for codes, since an application can print anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from uscdr.scenarios.log_words import CODES, ERRORS, OTHER_CODE, OTHER_ERROR, Words
from uscdr.verify.loglines import LogLine, read

_CRASH = re.compile(r"^State changed from [\w-]+ to crashed\b")
_TRACEBACK = "Traceback (most recent call last):"
_NAME = re.compile(
    r"(?P<name>(?:[A-Za-z_]\w*\.){0,8}[A-Za-z_]\w{0,60}"
    r"(?:Error|Exception|Exit|Interrupt|Warning|DoesNotExist|Refused|Timeout|DisallowedHost|ImproperlyConfigured"
    r"|SuspiciousOperation|PermissionDenied|NotFound))(?::|$)"
)
_MOST = 200
"""How many different codes are told; a log of 1,500 lines holds fewer."""


@dataclass(frozen=True)
class LogCode:
    """One kind of trouble in a log: how often and when last it was seen, what it means, what to look at.

    `last_seen` is aware UTC, None when no line of it had a readable time.
    """

    code: str
    count: int
    last_seen: datetime | None
    meaning: str
    hint: str


@dataclass
class _Tally:
    seen: dict[str, tuple[int, datetime | None]] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    """Processes in the middle of a traceback: their lines come mixed with those of others."""

    def add(self, code: str, at: datetime | None) -> None:
        if code not in self.seen and len(self.seen) >= _MOST:
            return
        count, last = self.seen.get(code, (0, None))
        self.seen[code] = count + 1, max((one for one in (at, last) if one is not None), default=None)


def explain(lines: Iterable[str]) -> tuple[LogCode, ...]:
    """The known codes in `lines` (oldest first, as the platform writes them), the most frequent first."""
    tally = _Tally()
    for line in read(lines):
        if line.of_platform:
            _platform(tally, line)
        else:
            _application(tally, line.process, line.text, line.at)
    found = (_code(code, count, last) for code, (count, last) in tally.seen.items())
    return tuple(sorted(found, key=lambda one: (-one.count, one.code)))


def _platform(tally: _Tally, line: LogLine) -> None:
    if line.code:
        tally.add(line.code, line.at)
    elif _CRASH.match(line.text):
        tally.add("crashed", line.at)


def _application(tally: _Tally, process: str, text: str, at: datetime | None) -> None:
    """Follow a process's traceback to its last line, which names the error; its message is passed over."""
    if text.strip() == _TRACEBACK:
        tally.open.add(process)
    elif process in tally.open and text.strip() and not text.startswith(" "):
        tally.open.discard(process)
        named = _NAME.match(text)
        tally.add(named["name"] if named else "error", at)
    elif "[CRITICAL] WORKER TIMEOUT" in text:
        tally.add("worker timeout", at)


def _code(code: str, count: int, last: datetime | None) -> LogCode:
    words = _words(code)
    return LogCode(code, count, last, words.meaning, words.hint)


def _words(code: str) -> Words:
    if re.fullmatch(r"[HRL]\d\d", code):
        return CODES.get(code, OTHER_CODE)
    return CODES.get(code) or ERRORS.get(code.rpartition(".")[2], OTHER_ERROR)
