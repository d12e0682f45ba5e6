"""Read a journal: a torn last line is dropped and reported; damage anywhere else is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uscdr.errors import JournalError
from uscdr.journal.chain import FIRST, is_whole, line_hash

NAME = "journal.jsonl"


@dataclass(frozen=True)
class Journal:
    """A journal as read: its records in order, and what is needed to go on writing."""

    path: Path
    records: tuple[dict[str, Any], ...]
    good_bytes: int
    torn_bytes: int
    last_hash: str

    @property
    def run(self) -> str:
        """The run's id: the name of its directory."""
        return self.path.parent.name

    def events(self) -> Iterator[dict[str, Any]]:
        """The payloads, in order."""
        return (record["event"] for record in self.records)


def read(path: Path) -> Journal:
    """Read and check the whole chain. Raises JournalError naming line and byte of any damage."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise JournalError(
            f"The journal {path} cannot be read.", why=error.strerror or "", next_action="Check the path."
        ) from error
    end = data.rfind(b"\n") + 1
    records: list[dict[str, Any]] = []
    previous, offset = FIRST, 0
    for number, line in enumerate(data[:end].split(b"\n")[:-1], start=1):
        records.append(_record(path, line, previous, (number, offset)))
        previous, offset = line_hash(line), offset + len(line) + 1
    if is_whole(data[end:-1]):
        raise _damage(path, (len(records) + 1, end), "the end of the line was overwritten")
    return Journal(path, tuple(records), end, len(data) - end, previous)


def _record(path: Path, line: bytes, previous: str, place: tuple[int, int]) -> dict[str, Any]:
    number, offset = place
    if not is_whole(line):
        raise _damage(path, place, "the line is not as it was written")
    try:
        record = json.loads(line)
    except ValueError:
        raise _damage(path, place, "the line is not JSON") from None
    if not isinstance(record, dict) or not isinstance(record.get("event"), dict):
        raise _damage(path, place, "the line is not a journal record")
    if record.get("prev") != previous:
        raise _damage(path, place, "the hash of the line before does not match")
    if record.get("seq") != number - 1:
        raise _damage(path, (number, offset), f"sequence number {record.get('seq')} stands where {number - 1} belongs")
    return record


def _damage(path: Path, place: tuple[int, int], what: str) -> JournalError:
    number, offset = place
    return JournalError(
        f"The journal {path} is damaged at line {number} (byte {offset}): {what}.",
        why="It was edited, or the disk lost what had been written.",
        next_action="Keep the file as evidence; establish by hand what was done, then start a new run.",
    )
