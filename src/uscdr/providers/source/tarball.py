"""Packing a tar stream: gzipped, hashed on the way, private, and named only when it is whole."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from uscdr.providers import private_file

_LEVEL = 6


def pack(tar: Iterable[bytes], destination: Path) -> private_file.Written:
    """Write `tar` gzipped to `destination` (0600, replaced if it is there).

    The same tar gives the same bytes: no name and no time are in the header. `MachineError`.
    """
    shown = str(destination)
    with private_file.disk_faults(shown):
        destination.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return private_file.write(_gzipped(tar), destination, shown=shown)


def _gzipped(tar: Iterable[bytes]) -> Iterator[bytes]:
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=packed, mtime=0) as file:
        for chunk in tar:
            file.write(chunk)
            yield _drained(packed)
    yield _drained(packed)


def _drained(buffer: io.BytesIO) -> bytes:
    data = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return data
