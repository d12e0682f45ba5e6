"""Copies of the team's journals on this machine: what is in a store never changes, so only what is new is fetched."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from uscdr.errors import MachineError
from uscdr.journal.runs import COPY, SHARED
from uscdr.settings import PRIVATE_FILE, private_directory
from uscdr.team.shelf import Piece, Shelf, count


def home(state: Path, shelf: Shelf) -> Path:
    """Where this machine keeps what it knows of one store."""
    return state / SHARED / hashlib.sha256(shelf.store.place.encode()).hexdigest()[:16]


def refresh(state: Path, shelf: Shelf) -> None:
    """Bring the copies up to date. Raises MachineError when the store cannot be read."""
    for run, pieces in groupby(shelf.pieces(), key=lambda piece: piece.run):
        _refresh_one(home(state, shelf) / "runs" / run / COPY, shelf, tuple(pieces))


def _refresh_one(path: Path, shelf: Shelf, pieces: Sequence[Piece]) -> None:
    known = path.read_bytes() if path.is_file() else b""
    lines = count(known)
    new = b"".join(shelf.joined([piece for piece in pieces if piece.first >= lines], lines))
    if new:
        write_whole(path, known + new)


def write_whole(path: Path, data: bytes) -> None:
    """Put a file in its place at once and durably, private. Raises MachineError."""
    private_directory(path.parent)
    draft = path.with_name(f".{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise MachineError(
            f"{path} cannot be written.", why=error.strerror or type(error).__name__, next_action="Make room."
        ) from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
