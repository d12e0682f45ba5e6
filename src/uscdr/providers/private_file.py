"""Writing a stream to a private file: hashed on the way, and named only when it is whole."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uscdr.errors import MachineError
from uscdr.files import arriving


@dataclass(frozen=True)
class Written:
    """Size in bytes and SHA-256 in hex."""

    size: int
    sha256: str


def require_new(destination: Path, *, shown: str) -> None:
    """Raise `MachineError`, which calls the file `shown`, when there is something already."""
    if destination.exists():
        raise MachineError(f"{shown} exists already.", next_action="Move it away or choose another name.")


def write(chunks: Iterable[bytes], destination: Path, *, shown: str) -> Written:
    """Write `chunks` to `destination` (0600, replaced if it is there); no partial file is left.

    Raises `MachineError`, which calls the file `shown`: a file's name can say whose it is.
    """
    digest, size = hashlib.sha256(), 0
    with disk_faults(shown), arriving(destination) as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
    return Written(size, digest.hexdigest())


@contextmanager
def disk_faults(shown: str) -> Iterator[None]:
    """What the disk refuses within, as `MachineError`."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        # `from None`: the cause names the file.
        raise MachineError(
            f"{shown} could not be written.",
            why=f"{error.strerror or 'unknown cause'}.",
            next_action="Free some space or choose another disk." if full else "Choose a directory you may write to.",
        ) from None
