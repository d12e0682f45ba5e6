"""Adapter of the port `Machine`: the machine that this process runs on."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr import settings
from uscdr.files import disk_errors
from uscdr.pgserver.cluster import Tool, find_server
from uscdr.pgserver.server import files_under
from uscdr.providers.ports.probes import Programs, Room
from uscdr.providers.postgres.archive import first_reader

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ThisMachine:
    """`work` is the run's private directory for dumps; `own_server`: whether they are restored on another server."""

    work: Path
    own_server: bool = False

    def postgres(self, server_major: int) -> Programs:
        """As `scratch` and `archive` find them. Raises MachineError."""
        restores = Tool.find("pg_restore", minimum_major=first_reader(server_major))
        if self.own_server:
            return Programs(restores.version[0], None)
        server = Tool.find("postgres", configured=find_server())
        return Programs(restores.version[0], server.version[0])

    def program(self, name: str) -> Path | None:
        """By PATH."""
        return settings.program(name)

    def downloads(self) -> Room:
        """Tests it with a temporary file. Raises MachineError."""
        with (
            disk_errors(
                f"uscdr cannot write to {self.work}.",
                "Free disk space there, or set USCDR_STATE_DIR to another directory.",
            ),
            tempfile.TemporaryFile(dir=self.work) as file,
        ):
            file.write(b"\0" * 4096)
            file.flush()
        return room(self.work)

    def databases(self) -> Room | None:
        """A proof's private server has its files there."""
        return None if self.own_server else room(files_under(self.work))

    def memory(self) -> int | None:
        """By psutil; None where the system does not report it."""
        import psutil

        try:
            return psutil.virtual_memory().available
        except (OSError, RuntimeError):
            return None


def room(place: Path) -> Room:
    """The free space of a file system for this user."""
    return Room(place, shutil.disk_usage(place).free, place.stat().st_dev)
