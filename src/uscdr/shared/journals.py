"""Journals in the team's store: pieces of whole lines, each created once, named by the number of its first line.

Two processes that go on from the same line want the same name, and only one gets it: a run cannot go on in two ways.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from uscdr import files as reading
from uscdr.errors import CheckFailed, Declined, JournalError, MachineError
from uscdr.files import disk_errors, private_directory, write_whole
from uscdr.journal.reader import LARGEST, NAME, Journal, look, read
from uscdr.journal.runs import COPY, SHARED, WRITE_EFFECTS, hand, is_elsewhere
from uscdr.threads import run_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from uscdr.store.store import Store

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
class JournalStore:
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


# Copies of the team's journals on this machine: what is in a store never changes, so only what is new is fetched.


def home(state: Path, shelf: JournalStore) -> Path:
    """Where this machine keeps what it knows of one store."""
    return state / SHARED / hashlib.sha256(shelf.store.place.encode()).hexdigest()[:16]


def refresh(state: Path, shelf: JournalStore) -> None:
    """Bring the copies up to date. Raises MachineError when the store cannot be read."""
    for run, pieces in groupby(shelf.pieces(), key=lambda piece: piece.run):
        _refresh_one(home(state, shelf) / "runs" / run / COPY, shelf, tuple(pieces))


def _refresh_one(path: Path, shelf: JournalStore, pieces: Sequence[Piece]) -> None:
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


# A run comes to the machine that goes on with it: whose journal counts, and what becomes of the other.


ARRIVING = "arriving.jsonl"
"""The team's journal, until it is known to be whole; what is damaged stays there as evidence."""


@dataclass(frozen=True)
class Arrived:
    """The journal at `path` is the one that counts.

    `unseen`: its last lines, which the team does not have yet. `aside`: lines of this machine that do not belong to it
    any more, kept under that name.
    """

    path: Path
    shipped: int
    unseen: bytes
    aside: Path | None = None


def bring(state: Path, run: str, shelf: JournalStore, *, take_over: bool) -> Arrived:
    """Make `<state>/runs/<run>` the journal as the team has it. The lease must be held.

    Lines that only this machine has go on with it. Where the two went on differently, the team's counts: an intent is
    in the store before it is on this disk, so what is set aside is no write that would be forgotten.

    Raises Declined when another machine went on with the run and `take_over` was not wished, JournalError for damage,
    and for writes that were begun without the team's knowledge.
    """
    own, shared = state / "runs" / run / NAME, shelf.journal(run)
    here = _whole(own)
    if here.startswith(shared):
        return Arrived(own, count(shared), here[len(shared) :])
    journal = _checked(own.with_name(ARRIVING), shared)
    if not take_over and is_elsewhere(here, shared):
        raise Declined(
            f"Run {run} is not this machine's: {hand(list(journal.events()))} had it last, "
            "and does not hold it any more.",
            why="That machine took it up after this one; the team has its lines, and they count.",
            next_action=f"To go on with it here: uscdr runs resume {run} --take-over",
        )
    aside = None if shared.startswith(here) else _set_aside(own, here, shared)
    write_whole(own, shared)
    return Arrived(own, count(shared), b"", aside)


def _checked(arriving: Path, shared: bytes) -> Journal:
    """The team's journal, its whole chain looked at before it replaces anything. Raises JournalError."""
    private_directory(arriving.parent)
    write_whole(arriving, shared)
    journal = read(arriving)
    arriving.unlink()
    return journal


def _whole(path: Path) -> bytes:
    """A journal's good lines; nothing when there is none."""
    return path.read_bytes()[: read(path).good_bytes] if path.is_file() else b""


def _set_aside(own: Path, here: bytes, shared: bytes) -> Path:
    pairs = zip(here.splitlines(), shared.splitlines(), strict=False)
    same = next((number for number, (mine, theirs) in enumerate(pairs) if mine != theirs), 0)
    begun = [
        record["event"]["step"]
        for record in read(own).records[same:]
        if record["event"]["kind"] == "step.started" and record["event"]["effect"] in WRITE_EFFECTS
    ]
    if begun:
        raise JournalError(
            f"Run {own.parent.name} went on in two places: here without the shared state, and on another machine.",
            why=f"Begun here, and unknown to the team: {', '.join(dict.fromkeys(begun))}.",
            next_action="Look at the provider, settle it by hand, then begin a new run: uscdr recover … --new",
        )
    aside = own.with_name(f"aside-{secrets.token_hex(4)}.jsonl")
    with disk_errors(f"{own} cannot be renamed."):
        own.rename(aside)
    return aside
