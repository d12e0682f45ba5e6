"""Runs that ended here while the store was away: what the team lacks of them is delivered by a later command."""

from __future__ import annotations

from pathlib import Path

from uscdr.errors import JournalError
from uscdr.journal.reader import LARGEST, NAME, read
from uscdr.journal.runs import COPY
from uscdr.reading import whole
from uscdr.team.copies import home
from uscdr.team.shelf import Piece, Shelf, count
from uscdr.vault.store import NameTaken


def deliver(state: Path, shelf: Shelf) -> tuple[str, ...]:
    """Store the last lines of each such run; the runs. The copies must be up to date.

    Needs no lease: names are created once, so whoever took a run over meanwhile keeps it. A run of which the team has
    no line was made without it, and stays so. Raises MachineError and OutcomeUnknown.
    """
    copies = (home(state, shelf) / "runs").glob(f"*/{COPY}")
    return tuple(copy.parent.name for copy in sorted(copies) if _delivered(state, shelf, copy))


def _delivered(state: Path, shelf: Shelf, copy: Path) -> bool:
    run, known = copy.parent.name, whole(copy, LARGEST)
    own = _ended(state / "runs" / run / NAME)
    if len(own) <= len(known) or not own.startswith(known):
        return False
    try:
        shelf.put(Piece(run, count(known)), own[len(known) :])
    except NameTaken:
        return False
    return True


def _ended(path: Path) -> bytes:
    """The whole journal of a run whose process said how it ended; nothing of others."""
    try:
        journal = read(path)
    except JournalError:
        return b""
    over = bool(journal.records) and journal.records[-1]["event"]["kind"] == "run.finished"
    return path.read_bytes()[: journal.good_bytes] if over else b""
