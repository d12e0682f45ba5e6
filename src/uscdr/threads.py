"""A bounded pool of threads for jobs that wait on a network: results keep the order of the jobs."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import Interrupted

if TYPE_CHECKING:
    import threading
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
