"""Packing a tar stream: gzipped, hashed on the way, private, and named only when it is whole."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from uscdr.errors import MachineError

_LEVEL = 6


@dataclass
class _Hashed:
    """A file that knows the SHA-256 and size in bytes of what was written."""

    file: BinaryIO
    size: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def pack(tar: Iterable[bytes], destination: Path) -> tuple[int, str]:
    """Write `tar` gzipped to `destination` (0600, replaced if it is there); its size in bytes and SHA-256 in hex.

    The same tar gives the same bytes: no name and no time are in the header. `MachineError`.
    """
    with _new_file(destination) as file:
        hashed = _Hashed(file)
        with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=hashed, mtime=0) as packed:
            for chunk in tar:
                packed.write(chunk)
        return hashed.size, hashed.digest.hexdigest()


@contextmanager
def _new_file(destination: Path) -> Iterator[BinaryIO]:
    part = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}.part")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(destination)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise MachineError(
            f"{destination} could not be written.",
            why=f"{error.strerror or 'unknown cause'}.",
            next_action="Free some space or choose another disk." if full else "Choose a directory you may write to.",
        ) from error
