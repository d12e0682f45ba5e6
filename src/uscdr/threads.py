"""A bounded pool of threads for jobs that wait on a network, and the pace that a service allows."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from uscdr.errors import Interrupted, ProviderError, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

_LOOK = 0.1
"""Seconds between two checks of the stop token."""
LEAST, FIRST, MOST = 4, 16, 32
"""Calls of one service under way at once: at least, at first, at most."""
_ROOM = 32_000_000
"""Bytes that those calls hold in memory together; one larger call goes alone."""
_SERVER_ERROR = 500


def run_all(
    tasks: Sequence[Callable[[], T]],
    *,
    workers: int,
    stop: threading.Event | None = None,
    abandon: Callable[[], None] | None = None,
) -> list[T]:
    """Run `tasks` on at most `workers` threads and return their results in the order of the tasks.

    After an error, a set `stop` or Ctrl-C no further task starts, and the call waits for the running ones.
    `abandon` is called once to end those early; it runs on the caller's thread while tasks still run. Each call
    has its own pool: a task that calls `run_all` cannot wait for the thread that it occupies.

    Raises:
        Interrupted: `stop` was set before all tasks were done.
        BaseException: the error of the first task that failed.
    """
    if not tasks:
        return []
    queue, crew = _Queue(tasks), max(1, min(workers, len(tasks)))
    with ThreadPoolExecutor(max_workers=crew) as pool:
        futures = [pool.submit(queue.work) for _ in range(crew)]
        try:
            _watch(futures, queue, stop)
        except BaseException:
            queue.close()
            if abandon is not None:
                abandon()
            raise
    return queue.results()


class _Queue(Generic[T]):
    """Tasks that workers take one by one: waiting for them costs the same for ten and for a million."""

    def __init__(self, tasks: Sequence[Callable[[], T]]) -> None:
        self._tasks = tasks
        self._results: dict[int, T] = {}
        self._next = 0
        self._turn = threading.Lock()
        self.error: BaseException | None = None
        """Of the first task that failed."""

    def work(self) -> None:
        """Take tasks until none is left; after an error nobody takes another one."""
        while (number := self._take()) is not None:
            try:
                self._results[number] = self._tasks[number]()
            except BaseException as error:
                with self._turn:
                    self.error = self.error or error
                self.close()
                raise

    def _take(self) -> int | None:
        with self._turn:
            if self._next >= len(self._tasks):
                return None
            self._next += 1
            return self._next - 1

    def close(self) -> None:
        """Hand out no further task."""
        with self._turn:
            self._next = len(self._tasks)

    def results(self) -> list[T]:
        """Of all tasks, in their order."""
        return [self._results[number] for number in range(len(self._tasks))]


def _watch(futures: Sequence[Future[None]], queue: _Queue[T], stop: threading.Event | None) -> None:
    """Wait for the end of all; raise as soon as one has failed or `stop` is set."""
    while True:
        _, pending = wait(futures, timeout=_LOOK if stop else None, return_when=FIRST_EXCEPTION)
        if queue.error is not None:
            raise queue.error
        if not pending:
            return
        if stop is not None and stop.is_set():
            raise Interrupted("Interrupted before all tasks were done.", next_action="Run the command again.")


# Few looks, such as those of one check, on threads that hold up no end of the process.


class Ahead(Generic[T]):
    """A look that begins now, on a thread of its own, and whose answer is needed later.

    The thread is a daemon: a look that hangs holds up no end of the process.
    """

    def __init__(self, ask: Callable[[], T], name: str = "look ahead") -> None:
        self._value: T | None = None
        self._error: BaseException | None = None
        self._there = threading.Event()
        threading.Thread(target=self._fetch, args=(ask,), daemon=True, name=name).start()

    def ended(self, within: float | None = None) -> bool:
        """Wait for the end, at most so many seconds; whether it is there."""
        return self._there.wait(within)

    def result(self) -> T:
        """The answer, once it is there. Raises the look's error."""
        self._there.wait()
        if self._error is not None:
            raise self._error
        return cast("T", self._value)

    def _fetch(self, ask: Callable[[], T]) -> None:
        try:
            self._value = ask()
        except BaseException as error:  # noqa: BLE001 - kept, and raised again to everybody who asks
            self._error = error
        finally:
            self._there.set()


def side_by_side(looks: Sequence[Callable[[], T]], *, workers: int) -> list[T]:
    """The answers of independent looks, each on a daemon thread, at most `workers` at once, in the order of the looks.

    Raises the error of the first look that failed, once all have ended.
    """
    room = threading.Semaphore(workers)

    def one(look: Callable[[], T]) -> T:
        with room:
            return look()

    begun = [Ahead(partial(one, look)) for look in looks]
    for each in begun:
        each.ended()
    return [each.result() for each in begun]


class Pace:
    """How many calls of one service may be under way at once. Thread-safe.

    It begins with FIRST. Until the service first refuses, each call that it takes allows one more; afterwards a whole
    round of them does. A refusal (420, 429) or an error of the server (5xx) halves the number, once for all calls of
    the round. Between LEAST and MOST.
    """

    def __init__(self, stop: threading.Event, *, least: int = LEAST, first: int = FIRST, most: int = MOST) -> None:
        self._stop = stop
        self._least, self._most = least, most
        self.allowed = first
        """Calls that may be under way now."""
        self._change = threading.Condition()
        self._under_way = self._bytes = 0
        self._taken = 0
        """Calls that were taken since the number last changed."""
        self._halvings = 0

    @contextmanager
    def turn(self, size: int = 0) -> Iterator[None]:
        """Wait for a turn, and make one call inside, which holds `size` bytes in memory. Its errors pass through.

        Raises Interrupted if the stop token is set while it waits.
        """
        round_ = self._begin(size)
        try:
            yield
        except BaseException as error:
            self._end(size, round_, _refuses(error))
            raise
        self._end(size, round_, refused=False)

    def _begin(self, size: int) -> int:
        with self._change:
            while self._under_way and (self._under_way >= self.allowed or self._bytes + size > _ROOM):
                if self._stop.is_set():
                    raise Interrupted("Interrupted before a call to the provider.", next_action="uscdr runs resume")
                self._change.wait(_LOOK)
            self._under_way += 1
            self._bytes += size
            return self._halvings

    def _end(self, size: int, round_: int, refused: bool) -> None:  # noqa: FBT001 - private
        with self._change:
            self._under_way -= 1
            self._bytes -= size
            if not refused:
                self._count()
            elif round_ == self._halvings:
                self.allowed, self._taken = max(self._least, self.allowed // 2), 0
                self._halvings += 1
            self._change.notify(2)

    def _count(self) -> None:
        self._taken += 1
        if self._taken >= (self.allowed if self._halvings else 1):
            self.allowed, self._taken = min(self._most, self.allowed + 1), 0


def _refuses(error: BaseException) -> bool:
    """Whether the service asks for fewer calls."""
    if isinstance(error, RateLimited):
        return True
    return isinstance(error, ProviderError) and (error.status or 0) >= _SERVER_ERROR
