"""Text that grows while a build or a release phase runs, and that many readers may follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4


class OutputStream:
    """Append-only bytes with an end."""

    def __init__(self) -> None:
        self.id = str(uuid4())
        self._data = bytearray()
        self._changed = asyncio.Event()
        self.closed = False

    def line(self, text: str) -> None:
        """Append one line."""
        self._data += text.encode() + b"\n"
        self._announce()

    def close(self) -> None:
        """No more text will come."""
        self.closed = True
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def text(self) -> str:
        """Everything so far."""
        return self._data.decode(errors="replace")

    async def follow(self, start: int = 0) -> AsyncIterator[bytes]:
        """Bytes from offset `start` until the end; ends when the stream is closed."""
        position = start
        while True:
            changed = self._changed
            if position < len(self._data):
                chunk = bytes(self._data[position:])
                position += len(chunk)
                yield chunk
            elif self.closed:
                return
            else:
                await changed.wait()
