"""A run comes to the machine that goes on with it: whose journal counts, and what becomes of the other."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from uscdr.errors import Declined, JournalError
from uscdr.files import disk_errors, private_directory, write_whole
from uscdr.journal.reader import NAME, Journal, read
from uscdr.journal.runs import WRITE_EFFECTS, hand, is_elsewhere
from uscdr.team.shelf import Shelf, count

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


def bring(state: Path, run: str, shelf: Shelf, *, take_over: bool) -> Arrived:
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
