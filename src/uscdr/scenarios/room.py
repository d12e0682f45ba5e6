"""How much room a proof needs on this machine, and whether there is so much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.errors import MachineError
from uscdr.words import size

if TYPE_CHECKING:
    from uscdr.providers.ports.probes import Room

_MIB = 1 << 20
_RESTORED = 3
"""A restored dump takes about this many times its size, unless the database is known to be larger."""
_CLUSTER = 256 * _MIB
"""Bytes of an empty server with its log."""
LEAST = 100 * _MIB
"""Bytes for journals, reports and source code."""
_ROOM = "Free disk space there, or set USCDR_STATE_DIR to another directory"
_FILES = "Free disk space there, or set USCDR_SCRATCH to a PostgreSQL server of your own"
"""For a private server that stores its files apart from the run's: their directory cannot be changed."""


@dataclass(frozen=True)
class Demand:
    """Bytes that are needed here: for the downloaded dumps, and for the restored databases (0: nothing is restored)."""

    dump: int = LEAST
    restored: int = 0

    @classmethod
    def of_proof(cls, dump: int, live: int = 0) -> Demand:
        """To restore dumps of so many bytes; `live` is the size of the database, if it is known."""
        return cls(dump, max(_RESTORED * dump, live) + _CLUSTER)

    @property
    def whole(self) -> int:
        """Of both together."""
        return self.dump + self.restored

    def lacking(self, here: Room, there: Room | None, *, less: str = "") -> list[MachineError]:
        """What is missing `here`, where dumps go, and `there`, where databases go; None: on a server elsewhere.

        `less`: what else the operator can do to need less.
        """
        more = f"{_ROOM}; {less}" if less else _ROOM
        download, proof = f"the download ({size(self.dump)})", f"the proof ({size(self.restored)})"
        if not self.restored:
            return _missing(here, self.dump, "this run", _ROOM)
        if there is None:
            return _missing(here, self.dump, download, _ROOM)
        if there.device == here.device:
            return _missing(here, self.whole, f"{download} and {proof}", more)
        return [*_missing(here, self.dump, download, more), *_missing(there, self.restored, proof, _FILES)]


def _missing(room: Room, needed: int, purpose: str, advice: str) -> list[MachineError]:
    if room.free >= needed:
        return []
    verb = "need" if " and " in purpose else "needs"
    return [
        MachineError(
            f"{room.place} has {size(room.free)} free; {purpose} {verb} about {size(needed)}.", next_action=advice
        )
    ]
