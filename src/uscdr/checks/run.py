"""Run checks in parallel: each has a time limit, all together a deadline, and each ends with a verdict."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from uscdr.checks.check import Check, Provider
from uscdr.checks.verdict import Finding
from uscdr.errors import Interrupted
from uscdr.models.causes import NO_ANSWER
from uscdr.words import duration

if TYPE_CHECKING:
    from uscdr.checks.context import CheckContext


# Tasks that may hang: each has its own time limit; a task that exceeds it is abandoned.


T = TypeVar("T")
_LOOK = 0.1
"""Seconds between two looks at the stop token."""


@dataclass(frozen=True)
class _Timed(Generic[T]):
    """One task: its function, its time limit in seconds, and its provider."""

    work: Callable[[], T]
    limit: float
    provider: str


@dataclass(frozen=True)
class _Ended(Generic[T]):
    """The end of the task at `index`: a `value`, an `error`, or `overran` for an exceeded time limit.

    `spared` names an earlier task that overran on the same provider: then this one was not started.
    """

    index: int
    seconds: float
    value: T | None = None
    error: Exception | None = None
    overran: bool = False
    spared: int | None = None


@dataclass
class _Running:
    started: float
    limit: float


def _run_timed(
    tasks: Sequence[_Timed[T]],
    *,
    workers: int,
    seconds: float,
    at_once: Mapping[str, int] | None = None,
    stop: threading.Event | None = None,
) -> Iterator[_Ended[T]]:
    """Runs the tasks on at most `workers` threads, `at_once` of each provider, and yields each as it ends.

    After `seconds` it starts no task, and abandons running ones as overrun. After a task overran on a provider that
    has not answered since, it starts no other task of that provider. Abandoned threads are daemons: they end with the
    process.

    Raises:
        Interrupted: `stop` was set.
    """
    yield from _Crew(tasks, workers, time.monotonic() + seconds, at_once or {}, stop or threading.Event()).ends()


class _Crew(Generic[T]):
    def __init__(
        self, tasks: Sequence[_Timed[T]], workers: int, end: float, at_once: Mapping[str, int], stop: threading.Event
    ) -> None:
        self._tasks = tasks
        self._workers = max(1, workers)
        self._end = end
        self._at_once = at_once
        self._stop = stop
        self._waiting = list(range(len(tasks)))
        self._running: dict[int, _Running] = {}
        self._inbox: queue.SimpleQueue[_Ended[T]] = queue.SimpleQueue()
        self._hung: dict[str, int] = {}
        self._answered: dict[str, float] = {}

    def ends(self) -> Iterator[_Ended[T]]:
        """The end of every task, in the order in which they end."""
        while self._waiting or self._running:
            yield from self._begin()
            yield from self._received()
            if self._stop.is_set():
                raise Interrupted("The operator interrupted the checks.", next_action="Run the command again.")
            yield from self._overrun()

    def _begin(self) -> Iterator[_Ended[T]]:
        while (index := self._next()) is not None:
            self._waiting.remove(index)
            hung = self._hung.get(self._tasks[index].provider)
            if hung is not None or time.monotonic() >= self._end:
                yield _Ended(index, 0.0, overran=hung is None, spared=hung)
                continue
            self._running[index] = _Running(time.monotonic(), self._tasks[index].limit)
            threading.Thread(target=self._work, args=(index,), daemon=True, name=f"timed-{index}").start()

    def _next(self) -> int | None:
        """The first waiting task that may start; after the deadline, or if its provider hangs, any may."""
        over = time.monotonic() >= self._end
        busy = Counter(self._tasks[index].provider for index in self._running)
        for index in self._waiting:
            provider = self._tasks[index].provider
            room = len(self._running) < self._workers and busy[provider] < self._at_once.get(provider, self._workers)
            if over or room or provider in self._hung:
                return index
        return None

    def _work(self, index: int) -> None:
        started = time.monotonic()
        try:
            ended = _Ended(index, 0.0, value=self._tasks[index].work())
        except Exception as error:  # noqa: BLE001 - passed to the caller that started the task
            ended = _Ended(index, 0.0, error=error)
        self._inbox.put(_Ended(index, time.monotonic() - started, value=ended.value, error=ended.error))

    def _received(self) -> Iterator[_Ended[T]]:
        limits = [one.started + one.limit for one in self._running.values()]
        patience = min([_LOOK, *(max(limit - time.monotonic(), 0.001) for limit in (*limits, self._end))])
        try:
            ended = self._inbox.get(timeout=patience)
        except queue.Empty:
            return
        if self._running.pop(ended.index, None) is not None:
            provider = self._tasks[ended.index].provider
            self._answered[provider] = time.monotonic()
            self._hung.pop(provider, None)
            yield ended

    def _overrun(self) -> Iterator[_Ended[T]]:
        now = time.monotonic()
        for index, one in list(self._running.items()):
            if now < min(one.started + one.limit, self._end):
                continue
            del self._running[index]
            provider = self._tasks[index].provider
            if self._answered.get(provider, 0.0) < one.started:
                self._hung.setdefault(provider, index)
            yield _Ended(index, now - one.started, overran=True)


WORKERS = 64
"""Parallel checks, all that there usually are: they mostly wait."""
AT_ONCE = {"application": 8, "database": 6}
"""Parallel requests: a small application has one worker and few connections, which its users need too."""
DEADLINE = 300.0
"""Seconds for all checks together."""
HOURLY: tuple[Provider, ...] = ("media", "mail")
"""Providers with rate limits per hour or day: later runs also respect a limit that was reached."""

Ask = Callable[[Check], Finding]


@dataclass(frozen=True)
class Result:
    """The result of one check."""

    check: Check
    finding: Finding
    seconds: float
    answered: bool = True
    """Whether the check itself reached its finding; False if it hung, raised or was not started."""

    @classmethod
    def measures(cls, results: Sequence[Result]) -> Mapping[str, Mapping[str, Any]]:
        """What a baseline keeps, by check: the measures of passed checks only."""
        return {
            one.check.name: one.finding.measures
            for one in results
            if one.finding.verdict == "pass" and one.finding.measures
        }


def look_at(
    context: CheckContext,
    checks: Sequence[Check],
    *,
    began: Callable[[Check], None],
    deadline: float = DEADLINE,
    stop: threading.Event | None = None,
) -> Iterator[Result]:
    """Run checks of any kind except `manual` against `context`: in `verify`, in `watch` and in every recovery.

    Yields results as checks end; calls `began` on the check's own thread. Starts the checks with the longest time limit
    first. Raises Interrupted if `stop` is set.
    """

    def ask(check: Check) -> Finding:
        began(check)
        return _asked(check, context)

    ordered = sorted(checks, key=lambda check: -check.spec.timeout)
    yield from _run_checks(ordered, ask, deadline=deadline, stop=stop)


def _asked(check: Check, context: CheckContext) -> Finding:
    """Run one check. Raises RateLimited if a provider reports a rate limit."""
    provider, book = check.spec.provider, context.attempts
    if book is None or provider not in HOURLY:
        return check.spec.run(check.name, context)
    return book.heed(provider, lambda: check.spec.run(check.name, context))


def _run_checks(
    checks: Sequence[Check],
    ask: Ask,
    *,
    workers: int = WORKERS,
    deadline: float = DEADLINE,
    stop: threading.Event | None = None,
) -> Iterator[Result]:
    """Yields each result. A check that hangs, raises or does not start is `inconclusive`, not a pass.

    Raises Interrupted if `stop` is set.
    """
    tasks = [_Timed(partial(ask, check), check.spec.timeout, check.spec.provider) for check in checks]
    for ended in _run_timed(tasks, workers=workers, seconds=deadline, at_once=AT_ONCE, stop=stop):
        yield Result(checks[ended.index], _finding(ended, checks), ended.seconds, answered=ended.value is not None)


def _finding(ended: _Ended[Finding], checks: Sequence[Check]) -> Finding:
    provider = checks[ended.index].spec.provider
    if ended.value is not None:
        return ended.value
    if ended.spared is not None:
        words = f"not asked: {provider} hung in the check {checks[ended.spared].name}"
        return Finding("inconclusive", words, cause=f"{NO_ANSWER}the {provider}")
    if ended.error is not None:
        return Finding.without_answer(ended.error)
    words = f"no answer from {provider} within {duration(ended.seconds)}"
    return Finding("inconclusive", words, cause=f"{NO_ANSWER}the {provider}")
