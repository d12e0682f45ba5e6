"""The record of this machine's rate-limited requests, kept across runs, so that checks never block users."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import Field

from uscdr.checks.verdict import Finding
from uscdr.errors import ProviderError, RateLimited
from uscdr.files import PRIVATE_FILE, disk_errors, private_directory, turn, whole, write_whole
from uscdr.models.base import Duration, Fact
from uscdr.words import duration, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEPT = timedelta(days=8)
"""Older entries are removed once the record has LARGE bytes."""
AHEAD = timedelta(days=1)
"""A later time in the record comes from a wrong clock; no rate limit is taken to last longer either."""
LARGE, LARGEST = 64 * 1024, 1 << 24
REFUSED = "sign-in"
"""The subject that also counts refused logins of the check account."""
TO_THE_MINUTE = timedelta(seconds=59)
"""Added to a time that is shown to the minute, so that a retry at that minute is not too early."""
UNTIL = "until="
T = TypeVar("T")
UNREADABLE = "uscdr cannot count its earlier requests to the application."


class AttemptLimit(Fact):
    """After `times` refused attempts `within` seconds, the application also refuses valid ones from that address."""

    times: Annotated[int, Field(ge=2, le=10_000)]
    within: Duration
    of: Annotated[str, Field(min_length=1, max_length=40)] = "attempts"
    """The kind of attempts, in words."""

    @property
    def room(self) -> int:
        """The number of attempts that checks may use; the others are left to users behind the same address."""
        return self.times // 2


LOGINS = AttemptLimit.model_validate({"times": 5, "within": "15m", "of": "logins"})
"""The assumed limit if scenarios.yaml has none."""
HOUR = 3600.0
"""Seconds before a rate-limited subject is asked again, if it does not say."""


@dataclass(frozen=True)
class _Line:
    at: datetime
    subject: str
    until: datetime | None = None
    """The end of the rate limit that the subject reported."""


class Attempts:
    """The record of one target: the times of attempts by path. Each machine has its own, as it has its own address.

    One object belongs to one run, which sends each counted request once.
    """

    def __init__(self, state: Path, place: str, now: Callable[[], datetime]) -> None:
        self._path = state / "attempts" / f"{sha256(place.encode()).hexdigest()[:16]}.txt"
        self._now = now
        self._sent: set[str] = set()
        self._lock = threading.Lock()

    def count(self, path: str, limit: AttemptLimit, send: Callable[[], Finding]) -> Finding:
        """The result of `send`, unless it may block users: then it is not sent. Raises MachineError.

        Records the request before sending it: a request that cannot be recorded is not sent.
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
        """The result of `ask`. Raises RateLimited if `subject` reports a rate limit, now or in a recent run.

        `seconds`: the duration of the limit if the subject does not say.
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
        """The result of `sign_in`, unless a recent login was refused and one more could block this address.

        A valid login does not count; a refused one counts with other requests to `path`. Raises ProviderError.
        """
        if self.used(REFUSED, limit) and (spent := self.spent(path, limit)):
            raise ProviderError(
                f"uscdr did not sign in the check account, because its last login was refused: {spent}.",
                provider="the application",
                next_action="Check USCDR_CHECK_EMAIL and USCDR_CHECK_PASSWORD. Wait until that time.",
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
        """The rate limit of `subject` that is in force, in words; empty without one."""
        now = self._now()
        last = max(
            (one for one in self._lines() if one.subject == subject and one.until is not None and one.until > now),
            key=lambda one: one.until or one.at,
            default=None,
        )
        if last is None or last.until is None:
            return ""
        return f"rate limited at {moment(last.at)} (429); uscdr waits until {moment(last.until + TO_THE_MINUTE)}"

    def spent(self, path: str, limit: AttemptLimit) -> str:
        """Why no request may be sent to `path` now; empty if one may. Raises MachineError."""
        times = self._times(path, limit)
        if len(times) < limit.room:
            return ""
        again = times[-limit.room] + timedelta(seconds=limit.within)
        used = f"checks used {len(times)} of {limit.times} {limit.of} in {duration(limit.within)}"
        return f"{used}; the others are reserved for users. The next one is free at {moment(again + TO_THE_MINUTE)}"

    def used(self, path: str, limit: AttemptLimit) -> int:
        """The number of attempts on `path` within the limit's time. Raises MachineError."""
        return len(self._times(path, limit))

    def _times(self, path: str, limit: AttemptLimit) -> list[datetime]:
        since = self._now() - timedelta(seconds=limit.within)
        return sorted(one.at for one in self._lines() if one.subject == path and one.at > since and one.until is None)

    def note(self, subject: str, *, until: datetime | None = None) -> None:
        """Record durably that `subject` is tried now, or with `until` that it is rate limited.

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
        """Lock the record, so that two checks or processes do not both use the last attempt."""
        private_directory(self._path.parent)
        with self._lock, turn(self._path.with_suffix(".lock"), UNREADABLE):
            yield

    def _lines(self) -> list[_Line]:
        with disk_errors(UNREADABLE):
            text = whole(self._path, LARGEST).decode(errors="replace") if self._path.exists() else ""
        latest = self._now() + AHEAD
        return [read for line in text.splitlines() if (read := _read(line)) and read.at <= latest]

    def _shorten(self) -> None:
        """Remove entries that no limit needs."""
        with disk_errors(UNREADABLE):
            large = self._path.exists() and self._path.stat().st_size > LARGE
        if large:
            since = self._now() - KEPT
            write_whole(self._path, "".join(_written(one) for one in self._lines() if one.at > since).encode())


def _written(line: _Line) -> str:
    until = f" {UNTIL}{line.until.isoformat()}" if line.until else ""
    return f"{line.at.isoformat()} {line.subject}{until}\n"


def _read(text: str) -> _Line | None:
    """Parse one line; None for a truncated one."""
    when, _, rest = text.partition(" ")
    subject, _, until = rest.partition(f" {UNTIL}")
    try:
        line = _Line(datetime.fromisoformat(when), subject, datetime.fromisoformat(until) if until else None)
    except ValueError:
        return None
    zoned = line.at.tzinfo is not None and (line.until is None or line.until.tzinfo is not None)
    return line if zoned else None
