"""A backup as a stream: from the signed link straight to whoever reads, with nothing on this machine's disk."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from uscdr.models.heroku import SignedUrl
from uscdr.providers.heroku import download


class DumpStream:
    """The chunks of one download, to be read in pieces of any size."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, none at the end. Raises ProviderError (a short body, too), Interrupted."""
        if not self._left:
            self._left = memoryview(next(self._chunks, b""))
        amount = len(self._left) if size < 0 else size
        data, self._left = bytes(self._left[:amount]), self._left[amount:]
        return data


@contextmanager
def opened(link: SignedUrl, *, verify: ssl.SSLContext, stop: threading.Event) -> Iterator[DumpStream]:
    """As `download.opened`, as a stream."""
    with download.opened(link, verify=verify, stop=stop) as body:
        yield DumpStream(body.chunks())
