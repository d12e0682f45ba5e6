"""A bounded pool of threads for jobs that wait on a network: results keep the order of the jobs."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from uscdr.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

_LOOK = 0.1
"""Seconds between two checks of the stop token."""


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
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(tasks)))) as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            _watch(futures, stop)
        except BaseException:
            for future in futures:
                future.cancel()
            if abandon is not None:
                abandon()
            raise
    return [future.result() for future in futures]


def _watch(futures: Sequence[Future[T]], stop: threading.Event | None) -> None:
    """Wait for the end of all; raise as soon as one has failed or `stop` is set."""
    while True:
        done, pending = wait(futures, timeout=_LOOK if stop else None, return_when=FIRST_EXCEPTION)
        for future in futures:
            if future in done and (error := future.exception()) is not None:
                raise error
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
