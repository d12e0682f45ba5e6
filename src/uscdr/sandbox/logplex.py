"""The log service: keeps the last lines of an app and streams them as server-sent events."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

_QUEUE = 2_000
_UNUSED_SECONDS = 300.0
_CONNECTED_SECONDS = 3_600.0


@dataclass(frozen=True)
class LogLine:
    """One line: `source` is "app" or "heroku", `dyno` such as "web.1" or "router"."""

    at: datetime
    source: str
    dyno: str
    text: str

    def __str__(self) -> str:
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        return f"{at} {self.source}[{self.dyno}]: {self.text}"

    def matches(self, dyno: str | None, source: str | None) -> bool:
        """Whether a filter wants it. `dyno` may be a name ("web.1") or a process type ("web")."""
        of_dyno = not dyno or self.dyno == dyno or self.dyno.partition(".")[0] == dyno
        return of_dyno and (not source or self.source == source)


class LogBuffer:
    """The last `limit` lines of one app. To be used from one event loop."""

    def __init__(self, limit: int = 1_500, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._lines: deque[LogLine] = deque(maxlen=limit)
        self._subscribers: set[asyncio.Queue[LogLine]] = set()
        self._now = now

    def append(self, source: str, dyno: str, text: str) -> None:
        """Adds a line, stamped now, and gives it to all subscribers."""
        line = LogLine(self._now(), source, dyno, text)
        self._lines.append(line)
        for queue in self._subscribers:
            # A reader that does not keep up loses its oldest lines rather than hold everybody's memory.
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(line)

    def lines(self, n: int = 100, dyno: str | None = None, source: str | None = None) -> list[str]:
        """The last `n` lines that match, oldest first."""
        wanted = [line for line in self._lines if line.matches(dyno, source)]
        return [str(line) for line in wanted[max(0, len(wanted) - n) :]]

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Queue[LogLine]]:
        """A queue of the lines appended from now on."""
        queue: asyncio.Queue[LogLine] = asyncio.Queue(_QUEUE)
        self._subscribers.add(queue)
        try:
            yield queue
        finally:
            self._subscribers.discard(queue)


@dataclass(frozen=True)
class LogSession:
    """What a client asked for with POST /apps/{app}/log-sessions."""

    buffer: LogBuffer
    lines: int = 100
    tail: bool = False
    dyno: str | None = None
    source: str | None = None


class LogSessions:
    """The sessions in existence. One lives five minutes until it is first read, then an hour."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions: dict[str, tuple[LogSession, float]] = {}
        self._read: set[str] = set()
        self._clock = clock

    def create(self, session: LogSession) -> str:
        """Registers a session and returns its unguessable id, for the path of `logplex_url`."""
        self._expire()
        identity = secrets.token_urlsafe(24)
        self._sessions[identity] = (session, self._clock() + _UNUSED_SECONDS)
        return identity

    def find(self, identity: str) -> LogSession | None:
        """The session, for a client that opens its stream now; None if unknown or expired (404)."""
        self._expire()
        if identity not in self._sessions:
            return None
        session, _ = self._sessions[identity]
        if identity not in self._read:
            self._read.add(identity)
            self._sessions[identity] = (session, self._clock() + _CONNECTED_SECONDS)
        return session

    def _expire(self) -> None:
        now = self._clock()
        for identity in [name for name, (_, end) in self._sessions.items() if end <= now]:
            del self._sessions[identity]
            self._read.discard(identity)


async def events(session: LogSession, *, limit: float = _CONNECTED_SECONDS) -> AsyncIterator[bytes]:
    """The stream as server-sent events: the past, then with `tail` the present for `limit` seconds."""
    numbers = itertools.count(1)
    with session.buffer.subscribe() as queue:
        for text in session.buffer.lines(session.lines, session.dyno, session.source):
            yield _event(next(numbers), text)
        if not session.tail:
            return
        deadline = time.monotonic() + limit
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = await asyncio.wait_for(queue.get(), left)
            except TimeoutError:
                return
            if line.matches(session.dyno, session.source):
                yield _event(next(numbers), str(line))


def _event(number: int, text: str) -> bytes:
    data = "\n".join(f"data: {part}" for part in text.splitlines() or [""])
    return f"id: {number}\n{data}\n\n".encode()
