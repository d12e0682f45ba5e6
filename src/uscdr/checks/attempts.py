"""What this machine sent to somebody who counts it, so that checks lock nobody out: kept across runs."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import Field

from uscdr.checks.verdict import Finding
from uscdr.errors import MachineError, ProviderError, RateLimited
from uscdr.files import PRIVATE_FILE, disk_errors, open_lock, private_directory, try_lock, whole, write_whole
from uscdr.models.base import Duration, Fact
from uscdr.words import duration, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEPT = timedelta(days=8)
"""What is older is forgotten, once the book has grown to LARGE bytes."""
AHEAD = timedelta(days=1)
"""What lies further ahead was written by a clock that was wrong; no refusal is taken to last longer either."""
LARGE, LARGEST = 64 * 1024, 1 << 24
REFUSED = "sign-in"
"""Where refused logins of the check account are noted besides."""
TO_THE_MINUTE = timedelta(seconds=59)
"""Somebody who comes back at the minute that was named is not too early."""
UNTIL = "until="
TURN_SECONDS, TURN_INTERVAL = 10.0, 0.05
T = TypeVar("T")
UNREADABLE = "What was sent to the application before cannot be counted."


class AttemptLimit(Fact):
    """After `times` refused attempts `within` a while the application refuses right ones too, to the whole address."""

    times: Annotated[int, Field(ge=2, le=10_000)]
    within: Duration
    of: Annotated[str, Field(min_length=1, max_length=40)] = "attempts"
    """What is counted, in words for people."""

    @property
    def room(self) -> int:
        """How many of them checks may use up; the others are left to the people behind the same address."""
        return self.times // 2


LOGINS = AttemptLimit.model_validate({"times": 5, "within": "15m", "of": "logins"})
"""What an application is taken to allow when scenarios.yaml does not tell."""
HOUR = 3600.0
"""Seconds for which somebody who is over a limit is not asked again, if he does not tell."""


@dataclass(frozen=True)
class _Line:
    at: datetime
    subject: str
    until: datetime | None = None
    """The subject answered that it takes no more; so long it is left alone."""


class Attempts:
    """The book of one place: by path, when it was tried. Each machine has its own, as each machine has its address.

    One object is one run: of what is counted it sends one.
    """

    def __init__(self, state: Path, place: str, now: Callable[[], datetime]) -> None:
        self._path = state / "attempts" / f"{sha256(place.encode()).hexdigest()[:16]}.txt"
        self._now = now
        self._sent: set[str] = set()
        self._lock = threading.Lock()

    def count(self, path: str, limit: AttemptLimit, send: Callable[[], Finding]) -> Finding:
        """What `send` finds, unless it may lock people out: then it is not sent. Raises MachineError.

        It is noted before it is sent: what cannot be counted is not sent.
        """
        with self._turn():
            if path in self._sent:
                words = f"not sent again: this run sent one, and the application allows {limit.times} {limit.of}"
                return Finding.beyond_limit(f"{words} in {duration(limit.within)} ({path})")
            if why := self.held(path) or self.spent(path, limit):
                return Finding.beyond_limit(f"not sent: {why} ({path})")
            self._sent.add(path)
            self.note(path)
        return self.heed(path, send, limit.within)

    def heed(self, subject: str, ask: Callable[[], T], seconds: float = HOUR) -> T:
        """What `ask` gives. Raises RateLimited when `subject` said that it takes no more for now, now or lately.

        `seconds` is for how long it is left alone then, if it does not tell.
        """
        if held := self.held(subject):
            raise RateLimited(f"Not asked: {held}.", provider=subject)
        try:
            return ask()
        except RateLimited as error:
            wait = seconds if error.retry_after is None else error.retry_after
            self.note(subject, until=self._now() + timedelta(seconds=min(wait, AHEAD.total_seconds())))
            raise

    def login(self, path: str, limit: AttemptLimit, sign_in: Callable[[], T]) -> T:
        """What `sign_in` gives, unless one of this machine was refused lately and one more could lock the address out.

        A right login uses nothing up; a refused one counts with what else is sent to `path`. Raises ProviderError.
        """
        if self.used(REFUSED, limit) and (spent := self.spent(path, limit)):
            raise ProviderError(
                f"The check account was not signed in, as its last login was refused: {spent}.",
                provider="the application",
                next_action="Check USCDR_CHECK_EMAIL and USCDR_CHECK_PASSWORD, and wait.",
            )
        try:
            return self.heed(path, sign_in, limit.within)
        except RateLimited:
            raise
        except ProviderError as error:
            if error.sent:
                self.note(path)
                self.note(REFUSED)
            raise

    def held(self, subject: str) -> str:
        """Why `subject` is left alone for now, as it said that it takes no more; empty when it is not."""
        now = self._now()
        last = max(
            (one for one in self._lines() if one.subject == subject and one.until is not None and one.until > now),
            key=lambda one: one.until or one.at,
            default=None,
        )
        if last is None or last.until is None:
            return ""
        return (
            f"it took no more at {moment(last.at)} (429), and is left alone until {moment(last.until + TO_THE_MINUTE)}"
        )

    def spent(self, path: str, limit: AttemptLimit) -> str:
        """Why nothing more may be sent to `path` for now; empty when something may. Raises MachineError."""
        times = self._times(path, limit)
        if len(times) < limit.room:
            return ""
        again = times[-limit.room] + timedelta(seconds=limit.within)
        used = f"checks used {len(times)} of {limit.times} {limit.of} in {duration(limit.within)}"
        return f"{used}, the others are left to people; one is free again at {moment(again + TO_THE_MINUTE)}"

    def used(self, path: str, limit: AttemptLimit) -> int:
        """How often `path` was tried while the limit looks. Raises MachineError."""
        return len(self._times(path, limit))

    def _times(self, path: str, limit: AttemptLimit) -> list[datetime]:
        since = self._now() - timedelta(seconds=limit.within)
        return sorted(one.at for one in self._lines() if one.subject == path and one.at > since and one.until is None)

    def note(self, subject: str, *, until: datetime | None = None) -> None:
        """Write down, durably, that `subject` is tried now, or with `until` that it takes no more.

        Raises MachineError.
        """
        private_directory(self._path.parent)
        self._shorten()
        line = _written(_Line(self._now(), subject, until)).encode()
        with disk_errors(UNREADABLE):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
            try:
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Two checks, or two processes, do not both take the last one."""
        private_directory(self._path.parent)
        with self._lock:
            descriptor = open_lock(self._path.with_suffix(".lock"))
            try:
                self._wait_for(descriptor)
                yield
            finally:
                os.close(descriptor)

    def _wait_for(self, descriptor: int) -> None:
        """Raises MachineError when another process keeps the book for long: it was stopped with it open."""
        end = time.monotonic() + TURN_SECONDS
        while not try_lock(descriptor):
            if time.monotonic() >= end:
                raise MachineError(
                    UNREADABLE, why="Another process of uscdr has the book open, and does not let go of it.",
                    next_action=f"See who: fuser {self._path.with_suffix('.lock')}",
                )  # fmt: skip
            time.sleep(TURN_INTERVAL)  # an interval between two looks

    def _lines(self) -> list[_Line]:
        with disk_errors(UNREADABLE):
            text = whole(self._path, LARGEST).decode(errors="replace") if self._path.exists() else ""
        latest = self._now() + AHEAD
        return [read for line in text.splitlines() if (read := _read(line)) and read.at <= latest]

    def _shorten(self) -> None:
        """Forget what no limit looks at any more."""
        with disk_errors(UNREADABLE):
            large = self._path.exists() and self._path.stat().st_size > LARGE
        if large:
            since = self._now() - KEPT
            write_whole(self._path, "".join(_written(one) for one in self._lines() if one.at > since).encode())


def _written(line: _Line) -> str:
    until = f" {UNTIL}{line.until.isoformat()}" if line.until else ""
    return f"{line.at.isoformat()} {line.subject}{until}\n"


def _read(text: str) -> _Line | None:
    """One line; None for one that was cut off."""
    when, _, rest = text.partition(" ")
    subject, _, until = rest.partition(f" {UNTIL}")
    try:
        line = _Line(datetime.fromisoformat(when), subject, datetime.fromisoformat(until) if until else None)
    except ValueError:
        return None
    zoned = line.at.tzinfo is not None and (line.until is None or line.until.tzinfo is not None)
    return line if zoned else None
