"""Notes in a process's own directory about what it makes outside of it, so that the next process can remove that.

A note is written before the thing and struck out after it. It holds no secret.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uscdr.files import PRIVATE_DIRECTORY, disk_errors, new_file, sync
from uscdr.reading import whole

_NOTES = ".elsewhere"
_LARGEST = 1 << 16
Kind = Literal["directory", "staging", "database"]


@dataclass(frozen=True)
class Note:
    """One thing that lies elsewhere: what it is, and what is needed to find it."""

    path: Path
    kind: str
    facts: Mapping[str, str]

    def strike(self) -> None:
        """The thing is gone. Raises MachineError."""
        with disk_errors(f"{self.path} cannot be removed."):
            self.path.unlink(missing_ok=True)
            with suppress(OSError):
                self.path.parent.rmdir()


def note(place: Path, kind: Kind, facts: Mapping[str, str]) -> Note:
    """Writes down, durably, what is about to be made for the owner of `place`. Raises MachineError."""
    above = place / _NOTES
    made = Note(above / f"{secrets.token_hex(8)}.json", kind, facts)
    with disk_errors(f"Nothing can be written to {place}."):
        above.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        with new_file(made.path) as file:
            file.write(json.dumps({"kind": kind, **facts}).encode())
            file.flush()
            os.fsync(file.fileno())
        sync(above)
    return made


def notes(place: Path) -> Iterator[Note]:
    """What is noted in `place`. One that was torn is passed over: its thing was not made yet."""
    for path in sorted((place / _NOTES).glob("*.json")):
        with suppress(OSError, ValueError, RecursionError):
            found = json.loads(whole(path, _LARGEST))
            if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
                yield Note(path, found.pop("kind", ""), found)
