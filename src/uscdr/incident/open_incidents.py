"""The incidents that this machine knows, and the open one of a target; brings the team's up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.errors import BadInput, JournalError
from uscdr.incident.ledger import LARGEST, ROOM, IncidentJournal, Ledger, incidents_here
from uscdr.incident.state import folded, ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from uscdr.incident.state import Incident
    from uscdr.shared.journals import JournalStore

_CLOSING = b'"event":{"kind":"incident.closed"'
_TAIL = 1 << 12


def known_incidents(state: Path) -> Iterator[Incident]:
    """Every incident, oldest first; of a damaged journal the readable part. Raises JournalError for the directory."""
    for path in incidents_here(state):
        found = IncidentJournal.salvage(path)
        if found.records:
            yield folded(ordered(found.records))


def open_incidents(state: Path, key: str | None = None) -> list[Incident]:
    """Those that are not closed and whose chains are whole, of one target or of all.

    Reads no journal that ends with the closing.
    """
    known = (folded(ordered(one.records)) for one in _not_closed(state) if one.damage is None)
    return [one for one in known if one.is_open and key in (None, one.opened.key)]


def damaged_incidents(state: Path, key: str) -> list[JournalError]:
    """Of incidents that may be open on the target, and to whose journals nothing can be added: where the damage is."""
    damaged = [one for one in _not_closed(state) if one.damage is not None]
    return [one.damage for one in damaged if one.damage and (not one.records or _may_be_open(one, key))]


def _may_be_open(journal: IncidentJournal, key: str) -> bool:
    found = folded(ordered(journal.records))
    return found.is_open and found.opened.key == key


def _not_closed(state: Path) -> Iterator[IncidentJournal]:
    return (IncidentJournal.salvage(path) for path in incidents_here(state) if not _ends_closed(path))


def _ends_closed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            last = file.read(_TAIL).rstrip(b"\n").rpartition(b"\n")[2]
    except OSError:
        return False
    return size <= LARGEST and _CLOSING in last


def newest_open(state: Path, key: str) -> Incident | None:
    """The incident that commands on the target belong to: one that is down comes before one that is restored."""
    found = open_incidents(state, key)
    return max([one for one in found if one.is_down] or found, key=lambda one: one.opened_at, default=None)


def the_open_one(state: Path, key: str) -> Incident:
    """The same. Raises BadInput without one, or if service is down in more than one; JournalError if it is damaged."""
    down = [one.id for one in open_incidents(state, key) if one.is_down]
    if len(down) > 1:
        raise BadInput(
            f"{len(down)} incidents are open on this target: {', '.join(down)}.",
            why="Two operators opened one at the same time.",
            next_action="Close the one that you do not need: uscdr incident close --incident ID --duplicate-of ID",
        )
    found = newest_open(state, key)
    if found is None:
        for damage in damaged_incidents(state, key):
            raise damage
        raise BadInput("No incident is open on this target.", next_action='Open one: uscdr incident open --what "…"')
    return found


def refresh_incidents(state: Path, shelf: JournalStore, ledger: Callable[[str], Ledger]) -> None:
    """Take over what the team wrote into its incidents. Raises MachineError and OutcomeUnknown."""
    newest = {piece.run: piece.first for piece in shelf.pieces()}
    for incident, last in newest.items():
        path = state / ROOM / incident / "journal.jsonl"
        try:
            known = len(IncidentJournal.read(path).records) if path.exists() else 0
        except JournalError:
            continue  # its own command says so
        if known <= last:
            ledger(incident).sync()
