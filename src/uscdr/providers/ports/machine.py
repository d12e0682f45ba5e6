"""This machine, as far as a recovery needs it: programs, room, memory. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Programs:
    """PostgreSQL's programs that a proof would use; majors, such as 17."""

    pg_restore: int
    server: int | None
    """None for a server of the operator's own, which is asked when it is used."""


@dataclass(frozen=True)
class Room:
    """Free bytes in a place; places on the same `device` share them."""

    place: Path
    free: int
    device: int


class Machine(Protocol):
    """What is asked before anything is changed."""

    def postgres(self, server_major: int) -> Programs:
        """What a dump of a server of that major version (0: unknown) would be restored with.

        Raises MachineError: there is none, or it is too old; the message names the command that installs it.
        """
        ...

    def program(self, name: str) -> Path | None:
        """Where a program is on PATH."""
        ...

    def downloads(self) -> Room:
        """Where dumps and files are downloaded to. Raises MachineError when it cannot be written."""
        ...

    def databases(self) -> Room | None:
        """Where a dump is restored; None when that is a server of the operator's own."""
        ...

    def memory(self) -> int | None:
        """Bytes that programs can have now; None where the system does not tell."""
        ...
