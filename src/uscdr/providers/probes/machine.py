"""Adapter of the port `Machine`: the machine that this process runs on."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr import settings
from uscdr.files import disk_errors
from uscdr.pgserver.cluster import find_server, find_tool
from uscdr.pgserver.server import files_under
from uscdr.providers.ports.probes import Programs, Room
from uscdr.providers.postgres.archive import first_reader

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ThisMachine:
    """`work` is the run's private directory, where dumps go; `own_server`: whether they are restored elsewhere."""

    work: Path
    own_server: bool = False

    def postgres(self, server_major: int) -> Programs:
        """As `providers.scratch` and `providers.postgres.archive` find them. Raises MachineError."""
        restores = find_tool("pg_restore", minimum_major=first_reader(server_major))
        if self.own_server:
            return Programs(restores.version[0], None)
        server = find_tool("postgres", configured=find_server())
        return Programs(restores.version[0], server.version[0])

    def program(self, name: str) -> Path | None:
        """By PATH."""
        return settings.program(name)

    def downloads(self) -> Room:
        """Tried with a file that is gone at once. Raises MachineError."""
        with (
            disk_errors(f"Nothing can be written to {self.work}.", "Make room there, or name another: USCDR_STATE_DIR"),
            tempfile.TemporaryFile(dir=self.work) as file,
        ):
            file.write(b"\0" * 4096)
            file.flush()
        return room(self.work)

    def databases(self) -> Room | None:
        """The private server of a proof keeps its files there."""
        return None if self.own_server else room(files_under(self.work))

    def memory(self) -> int | None:
        """As psutil tells; None where the system does not."""
        import psutil

        try:
            return psutil.virtual_memory().available
        except (OSError, RuntimeError):
            return None


def room(place: Path) -> Room:
    """What a file system has left for this user."""
    return Room(place, shutil.disk_usage(place).free, place.stat().st_dev)
