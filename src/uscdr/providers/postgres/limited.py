"""Connections on which no single answer is waited for without end: the server's own time-outs end with the server.

A process of the server that stands still (stopped, swapped out, on a machine that froze) keeps its connection alive.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.waiting import READY_NONE
from typing_extensions import override

V = TypeVar("V")
MARGIN = 15.0
"""Seconds for the way, beyond what the server allows a statement."""


class LimitedConnection(psycopg.Connection[tuple[Any, ...]]):
    """psycopg's. An answer that takes longer than `limit` seconds closes it: OperationalError, as when it is lost.

    A stream of rows is one answer a piece.
    """

    limit = float("inf")

    @override
    def wait(self, gen: PQGen[V], *args: Any, **more: Any) -> V:
        return super().wait(self._limited(gen), *args, **more)

    def _limited(self, gen: PQGen[V]) -> PQGen[V]:
        begun = time.monotonic()
        try:
            state = next(gen)
            while True:
                ready = yield state
                if ready == READY_NONE and time.monotonic() - begun > self.limit:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server stands still")
                state = gen.send(ready)
        except StopIteration as ended:
            found: V = ended.value
            return found
