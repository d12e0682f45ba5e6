"""What a broker holds: lists by name, in a few numbered databases."""

from __future__ import annotations

import asyncio
from collections import deque

DATABASES = 16


class Lists:
    """Everything of one broker, in memory: it is lost when the broker stops, as that of the smallest plan is."""

    def __init__(self) -> None:
        self._databases: list[dict[bytes, deque[bytes]]] = [{} for _ in range(DATABASES)]
        self._pushed = asyncio.Event()

    def keys(self, database: int) -> list[bytes]:
        """The names of the lists that are there."""
        return list(self._databases[database])

    def values(self, database: int, key: bytes) -> list[bytes]:
        """A list from its head to its tail; empty when there is none."""
        return list(self._databases[database].get(key, ()))

    def push(self, database: int, key: bytes, values: list[bytes]) -> int:
        """Append; how long the list is now."""
        held = self._databases[database].setdefault(key, deque())
        held.extend(values)
        self._pushed.set()
        self._pushed = asyncio.Event()
        return len(held)

    def pop(self, database: int, key: bytes, most: int = 1) -> list[bytes]:
        """Take from the head; a list that is empty is gone."""
        held = self._databases[database].get(key)
        taken = [held.popleft() for _ in range(min(most, len(held)))] if held else []
        if not held:
            self._databases[database].pop(key, None)
        return taken

    def remove(self, database: int, key: bytes) -> bool:
        """Drop a list; whether there was one."""
        return self._databases[database].pop(key, None) is not None

    def clear(self) -> None:
        """Forget everything."""
        for one in self._databases:
            one.clear()

    async def pushed(self) -> None:
        """Wait until something is appended to any list."""
        await self._pushed.wait()
