"""A large file goes to the disk while it is written, so that the last sync has little left to wait for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

STEP = 64 << 20
"""Bytes between two syncs: a file that is smaller gets none from here."""
_EVERY = 0.1
"""Seconds between two looks at how much was written."""


@contextmanager
def synced_meanwhile(file: IO[bytes]) -> Iterator[None]:
    """Sync what is written inside the context now and then, in a thread that ends with it.

    Raises OSError at the end when such a sync failed: the system tells of a failure once, and so a later sync
    of the same file would say that all is well.
    """
    done, failed = threading.Event(), list[OSError]()

    def sync() -> None:
        synced = 0
        while not done.wait(_EVERY):
            size = os.fstat(file.fileno()).st_size
            if size - synced >= STEP:
                try:
                    os.fsync(file.fileno())
                except OSError as error:
                    failed.append(error)
                    return
                synced = size

    thread = threading.Thread(target=sync, name="sync", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    if failed:
        raise failed[0]
