"""Copies of the team's journals on this machine: what is in a store never changes, so only what is new is fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from uscdr.files import private_directory, write_whole
from uscdr.journal.runs import COPY, SHARED
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
        private_directory(path.parent)
        write_whole(path, known + new)
