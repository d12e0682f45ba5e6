"""Uploads in several requests: each chunk is written where it belongs, and the last one completes the file."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.sandbox.media.database import transaction
from uscdr.sandbox.media.errors import bad

if TYPE_CHECKING:
    from uscdr.sandbox.media.calls import UploadCall
    from uscdr.sandbox.media.library import Library

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|-1)")
_SMALLEST = 5_000_000  # bytes of every chunk but the last


@dataclass(frozen=True)
class Range:
    """Which bytes of the whole a request carries; `total` is None while the client does not know."""

    start: int
    end: int
    total: int | None

    @property
    def last(self) -> bool:
        """Whether nothing comes after it."""
        return self.total is not None and self.end + 1 == self.total


def requested(call: UploadCall) -> Range | None:
    """The range of a chunk; None for an upload in one piece. Raises 400."""
    header = call.request.headers.get("content-range")
    if not header or "x-unique-upload-id" not in call.request.headers:
        return None
    found = _RANGE.fullmatch(header)
    if not found:
        raise bad(f"Invalid Content-Range {header}")
    start, end, total = (int(one) for one in found.groups())
    return Range(start, end, None if total < 0 else total)


class Assembly:
    """The chunks of one upload."""

    def __init__(self, library: Library, cloud: str, upload_id: str) -> None:
        self._key = hashlib.sha256(f"{cloud}\n{upload_id}".encode()).hexdigest()
        self._library = library

    @property
    def file(self) -> Path:
        """Where they are put together."""
        return self._library.root / f"{self._key}.part"

    def add(self, part: Range, content: bytes | memoryview) -> bool:
        """Write one chunk; true when the file is whole. Raises 400."""
        if len(content) != part.end - part.start + 1:
            raise bad("Content-Range does not match the size of the chunk")
        if not part.last and len(content) < _SMALLEST:
            raise bad("All parts except EOF-chunk must be larger than 5mb")
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.seek(part.start)
            file.write(content)
        with transaction(self._library.connection):
            statement = "INSERT OR REPLACE INTO chunks (upload, start, size) VALUES (?, ?, ?)"
            self._library.connection.execute(statement, [self._key, part.start, len(content)])
        return part.total is not None and self.received() >= part.total

    def received(self) -> int:
        """Bytes so far."""
        query = "SELECT coalesce(sum(size), 0) AS n FROM chunks WHERE upload = ?"
        return int(self._library.connection.execute(query, [self._key]).fetchone()["n"])

    def forget(self) -> None:
        """Remove what is left of it."""
        self._library.connection.execute("DELETE FROM chunks WHERE upload = ?", [self._key])
        self.file.unlink(missing_ok=True)
