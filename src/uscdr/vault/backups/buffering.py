"""Reading ahead and writing behind: download, encryption and disk each go on while the others do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, Full, Queue
from types import TracebackType
from typing import IO, Self

PIECE = 256 << 10
"""Bytes that are read at once."""
PIECES = 8
"""How many of them wait at most: memory stays bounded."""
_GLANCE = 0.1
"""Seconds between two looks whether the other side has given up."""


class ReadAhead:
    """Reads a stream in a thread of its own; `read` hands out what came, in order, and the stream's error in its place.

    At the end of the context nothing reads the stream any more.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._source = read
        self._come: Queue[bytes | BaseException] = Queue(PIECES)
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._fetch, name="read-ahead", daemon=True)
        self._piece = memoryview(b"")
        self._ended = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._given_up.set()
        self._thread.join()

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, none at the end. Raises what the stream raised."""
        if not self._piece and not self._ended:
            come = self._come.get()
            if isinstance(come, BaseException):
                raise come
            self._ended = not come
            self._piece = memoryview(come)
        amount = len(self._piece) if size < 0 else size
        data, self._piece = bytes(self._piece[:amount]), self._piece[amount:]
        return data

    def _fetch(self) -> None:
        come: bytes | BaseException = b"more"
        while come and not isinstance(come, BaseException) and not self._given_up.is_set():
            try:
                come = self._source(PIECE)
            except BaseException as error:  # noqa: BLE001 - handed over whole to the thread that reads
                come = error
            _put(self._come, come, self._given_up)


class WriteBehind:
    """Writes to a file in a thread of its own. `write` raises what an earlier one failed with.

    At a regular end of the context all is written, or the error is raised.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._waiting: Queue[bytes | None] = Queue(PIECES)
        self._failed = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._store, name="write-behind", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._failed.set()  # what waits is for a file that will be removed
        _put(self._waiting, None, self._failed)
        self._thread.join()
        if kind is None:
            self._raise()

    def write(self, data: bytes) -> int:
        """All of `data`, soon."""
        self._raise()
        _put(self._waiting, data, self._failed)
        return len(data)

    def flush(self) -> None:
        """The end of the context is what waits for the file."""
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _store(self) -> None:
        while not self._failed.is_set():
            try:
                data = self._waiting.get(timeout=_GLANCE)
            except Empty:
                continue
            if data is None:
                return
            try:
                self._file.write(data)
            except BaseException as error:  # noqa: BLE001 - handed over whole to the thread that writes
                self._error = error
                self._failed.set()


def _put(queue: Queue[bytes | BaseException] | Queue[bytes | None], item: object, given_up: threading.Event) -> None:
    """Wait for room, unless the other side has given up."""
    while not given_up.is_set():
        try:
            queue.put(item, timeout=_GLANCE)  # type: ignore[arg-type] # each of the two queues gets its own kind
        except Full:
            continue
        return
