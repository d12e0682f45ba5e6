"""Journals in the team's store: pieces of whole lines, each created once, named by the number of its first line.

Two processes that go on from the same line want the same name, and only one gets it: a run cannot go on in two ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from uscdr.errors import CheckFailed, MachineError
from uscdr.pool import run_all
from uscdr.vault.store import Store

RUNS = "runs"
AT_ONCE = 8
"""Pieces that are read at the same time."""
_NAME = re.compile(rf"{RUNS}/(?P<run>\d{{8}}T\d{{6}}Z-[a-z0-9_-]+-[0-9a-f]{{6}})/(?P<first>\d{{8}})\.jsonl")
"""Others may write into the store: nothing but this becomes a path of this machine."""


@dataclass(frozen=True)
class Piece:
    """Some lines of a run's journal; `first` is the number of the first one, from 0."""

    run: str
    first: int

    @property
    def name(self) -> str:
        """In the store."""
        return f"{RUNS}/{self.run}/{self.first:08d}.jsonl"


@dataclass(frozen=True)
class Shelf:
    """Every journal of the team. All methods raise MachineError and OutcomeUnknown as the store does."""

    store: Store

    def pieces(self, run: str | None = None) -> tuple[Piece, ...]:
        """Of one run or of all, in order."""
        names = self.store.names(RUNS if run is None else f"{RUNS}/{run}")
        found = (_NAME.fullmatch(name) for name in names)
        return tuple(Piece(match["run"], int(match["first"])) for match in found if match)

    def lines(self, pieces: Sequence[Piece]) -> list[bytes]:
        """What stands in each."""
        try:
            return run_all([partial(self.store.read, piece.name) for piece in pieces], workers=AT_ONCE)
        except CheckFailed as error:
            raise MachineError(
                error.message, why="A piece of a run's journal was removed.", next_action="Give the command again."
            ) from error

    def joined(self, pieces: Sequence[Piece], first: int = 0) -> Iterator[bytes]:
        """What stands in each, as far as every line from `first` on is there.

        A directory that is read while others write may show a later piece and not yet the one before.
        """
        for piece, there in zip(pieces, self.lines(pieces), strict=True):
            if piece.first != first:
                return
            first += count(there)
            yield there

    def journal(self, run: str) -> bytes:
        """All lines of a run; nothing when the team knows no such run. Raises MachineError for a gap."""
        pieces = self.pieces(run)
        found = list(self.joined(pieces))
        if len(found) < len(pieces):
            raise MachineError(
                f"{pieces[len(found)].name} in {self.store.place} is there, but not the lines before it.",
                why=f"A piece of the journal of {run} was removed, or cannot be seen yet.",
                next_action="Give the command again. If it says the same: that run can only be settled by hand.",
            )
        return b"".join(found)

    def put(self, piece: Piece, lines: bytes) -> None:
        """Store a piece. Raises NameTaken when the run has gone on otherwise."""
        self.store.put_once(piece.name, lines)


def count(lines: bytes) -> int:
    """How many lines these are."""
    return lines.count(b"\n")
