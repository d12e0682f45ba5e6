"""A broker of the sandbox alone, in a thread of the test process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from uscdr.sandbox.broker.server import Broker
from uscdr.sandbox.faults.rules import FaultRules, Rule

LIMIT = 60.0
T = TypeVar("T")


@dataclass
class Place:
    """A broker and the loop that it runs in."""

    broker: Broker
    faults: FaultRules
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return self.broker.url

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self.broker.start(), self.loop).result(LIMIT)

    def stop(self) -> None:
        self.call(self.broker.stop)

    def call(self, work: Callable[[], T]) -> T:
        done: Future[T] = Future()
        self.loop.call_soon_threadsafe(lambda: done.set_result(work()))
        return done.result(LIMIT)

    def fault(self, kind: str, **rule: Any) -> None:
        self.faults.rules.append(Rule(kind, provider="broker", **rule))

    def waiting(self) -> list[bytes]:
        """What the queue of the background jobs holds."""
        return self.call(lambda: self.broker.store.values(0, b"celery"))


@contextmanager
def broker() -> Iterator[Place]:
    """A broker that answers."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(LIMIT)

    async def made() -> Place:
        faults = FaultRules()
        one = Broker(faults)
        await one.start()
        return Place(one, faults, loop)

    async def ended(place: Place) -> None:
        place.broker.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    place = run(made())
    try:
        yield place
    finally:
        run(ended(place))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
