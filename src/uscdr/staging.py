"""Notes in a process's directory about what it creates elsewhere, so that the next process can remove it.

A note is written before the thing exists and removed after it. It contains no secret.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from uscdr.files import PRIVATE_DIRECTORY, clear_away, disk_errors, new_file, own_directory, sync, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NOTES = ".elsewhere"
_LARGEST = 1 << 16
Kind = Literal["directory", "staging", "database"]


@dataclass(frozen=True)
class CleanupNote:
    """One thing elsewhere: its kind, and how to find it."""

    path: Path
    kind: str
    facts: Mapping[str, str]

    def strike(self) -> None:
        """Remove the note, because the thing is gone. Raises MachineError."""
        with disk_errors(f"uscdr cannot remove {self.path}."):
            self.path.unlink(missing_ok=True)
            with suppress(OSError):
                self.path.parent.rmdir()

    @classmethod
    def write(cls, place: Path, kind: Kind, facts: Mapping[str, str]) -> CleanupNote:
        """Note, durably, what is about to be created for the owner of `place`. Raises MachineError."""
        above = place / _NOTES
        made = CleanupNote(above / f"{secrets.token_hex(8)}.json", kind, facts)
        with disk_errors(f"uscdr cannot write to {place}."):
            above.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            with new_file(made.path) as file:
                file.write(json.dumps({"kind": kind, **facts}).encode())
                file.flush()
                os.fsync(file.fileno())
            sync(above)
        return made

    @classmethod
    def all_in(cls, place: Path) -> Iterator[CleanupNote]:
        """The notes in `place`. An incomplete note is skipped: its thing was not created yet."""
        for path in sorted((place / _NOTES).glob("*.json")):
            with suppress(OSError, ValueError, RecursionError):
                found = json.loads(whole(path, _LARGEST))
                if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
                    yield CleanupNote(path, found.pop("kind", ""), found)


# Temporary files: private directories that end with their process.


STAGING = ".staging"


@contextmanager
def staging_below(above: Path) -> Iterator[Path]:
    """A private directory in the existing directory `above`; what killed processes left there is removed.

    Raises MachineError.
    """
    with ExitStack() as own:
        with disk_errors(f"uscdr cannot write to {above}.", "Free disk space or fix the permissions."):
            clear_away(above)
            place = own.enter_context(own_directory(above / secrets.token_hex(8)))
        yield place


@contextmanager
def noted(store: str, work: Path | None) -> Iterator[None]:
    """Note in `work`, this process's directory, that files are staged in the store `store`, if it is a directory."""
    with ExitStack() as own:
        if work is not None and "://" not in store:
            own.callback(CleanupNote.write(work, "staging", {"path": str(Path(store) / STAGING)}).strike)
        yield
