"""Copies of the team's journals on this machine: what is in a store never changes, so only what is new is fetched."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from uscdr import reading
from uscdr.files import disk_errors, private_directory, write_whole
from uscdr.journal.reader import LARGEST, look
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
    known = _known(path)
    lines = count(known)
    new = b"".join(shelf.joined([piece for piece in pieces if piece.first >= lines], lines))
    if new:
        private_directory(path.parent)
        _make_way(path)
        write_whole(path, known + new)


def _known(path: Path) -> bytes:
    """The copy, if it is whole: what was damaged on this machine is fetched anew."""
    found = look(path)
    if found.damage is not None or found.journal.torn_bytes:
        return b""
    try:
        return reading.whole(path, LARGEST)
    except OSError:
        return b""


def _make_way(path: Path) -> None:
    """What is no file, and stands where a copy belongs, is put aside."""
    if path.is_dir():
        with disk_errors(f"{path} is no copy of a journal, and cannot be put aside."):
            path.rename(path.with_name(f"aside-{secrets.token_hex(4)}"))
