"""What a broker holds: values by key, in a few numbered databases, each for as long as it is to be kept."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from copy import copy
from typing import TypeVar

from uscdr.sandbox.broker.protocol import Failure

DATABASES = 16


class Refused(Exception):
    """A command that cannot be done; the client gets `failure`."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.failure = Failure(text)


class Scores(dict[bytes, float]):
    """A sorted set: member -> score."""

    def ranked(self) -> list[tuple[bytes, float]]:
        """By score, then by member."""
        return sorted(self.items(), key=lambda pair: (pair[1], pair[0]))


class Hash(dict[bytes, bytes]):
    """Field -> value."""


Value = bytes | deque[bytes] | set[bytes] | Hash | Scores
V = TypeVar("V", deque[bytes], set[bytes], Hash, Scores)
KINDS: dict[type, str] = {bytes: "string", deque: "list", set: "set", Hash: "hash", Scores: "zset"}


class Store:
    """Everything of one broker, in memory: it is lost when the broker stops, as that of the smallest plan is."""

    def __init__(self) -> None:
        self._databases: list[dict[bytes, Value]] = [{} for _ in range(DATABASES)]
        self._ends: list[dict[bytes, float]] = [{} for _ in range(DATABASES)]
        self._pushed = asyncio.Event()
        self.scripts: dict[str, bytes] = {}
        """By digest."""

    def keys(self, database: int) -> list[bytes]:
        """The names of what is there."""
        return [key for key in list(self._databases[database]) if self.get(database, key) is not None]

    def get(self, database: int, key: bytes) -> Value | None:
        """The value; None when there is none, or none any more. What is empty is not there."""
        held = self._databases[database].get(key)
        ended = self._ends[database].get(key, float("inf")) <= time.monotonic()
        if held is None or ended or (not held and not isinstance(held, bytes)):
            self.remove(database, key)
            return None
        return held

    def put(self, database: int, key: bytes, value: Value, *, keep_end: bool = False) -> None:
        """Replace a value, and until when it is kept unless `keep_end`."""
        self._databases[database][key] = value
        if not keep_end:
            self._ends[database].pop(key, None)

    def text(self, database: int, key: bytes) -> bytes | None:
        """A text. Raises Refused when the value is something else."""
        held = self.get(database, key)
        if held is not None and not isinstance(held, bytes):
            raise _wrong_kind()
        return held

    def held(self, database: int, key: bytes, kind: type[V]) -> V:
        """The value to look at or to change: an empty one is made where there is none. Raises Refused."""
        found = self.get(database, key)
        if found is None:
            found = self._databases[database][key] = kind()
        if not isinstance(found, kind) or (kind is not Scores and isinstance(found, Scores)):
            raise _wrong_kind()
        return found

    def remove(self, database: int, key: bytes) -> bool:
        """Drop a key; whether there was one."""
        self._ends[database].pop(key, None)
        return self._databases[database].pop(key, None) is not None

    def end(self, database: int, key: bytes, seconds: float | None) -> bool:
        """Keep a key for so long from now, or for good; whether it is there, and with None whether it had an end."""
        if self.get(database, key) is None:
            return False
        if seconds is None:
            return self._ends[database].pop(key, None) is not None
        self._ends[database][key] = time.monotonic() + seconds
        return True

    def left(self, database: int, key: bytes) -> float | None:
        """For how many seconds it is still kept; None: for good."""
        end = self._ends[database].get(key)
        return None if end is None else max(0.0, end - time.monotonic())

    def snapshot(self, database: int, key: bytes) -> Value | None:
        """A copy, to see later whether it was changed."""
        return copy(self.get(database, key))

    def clear(self, database: int | None = None) -> None:
        """Forget everything, or one database."""
        for number in range(DATABASES) if database is None else (database,):
            self._databases[number].clear()
            self._ends[number].clear()

    # the queue of background jobs

    def values(self, database: int, key: bytes) -> list[bytes]:
        """A list from its head to its tail; empty when there is none."""
        return list(self.held(database, key, deque)) if self.get(database, key) is not None else []

    def push(self, database: int, key: bytes, values: list[bytes], *, head: bool = False) -> int:
        """Append, or put before the head one by one; how long the list is now."""
        held = self.held(database, key, deque)
        (held.extendleft if head else held.extend)(values)
        self._pushed.set()
        self._pushed = asyncio.Event()
        return len(held)

    def pop(self, database: int, key: bytes, most: int = 1, *, tail: bool = False) -> list[bytes]:
        """Take from the head, or from the tail; a list that is empty is gone."""
        if self.get(database, key) is None:
            return []
        held = self.held(database, key, deque)
        return [held.pop() if tail else held.popleft() for _ in range(min(most, len(held)))]

    async def pushed(self) -> None:
        """Wait until something is appended to any list."""
        await self._pushed.wait()


def _wrong_kind() -> Refused:
    return Refused("WRONGTYPE Operation against a key holding the wrong kind of value")
