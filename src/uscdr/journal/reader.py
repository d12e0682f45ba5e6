"""Read a journal: a torn last line is dropped and reported; damage anywhere else is refused with its place.

There is one reader. What it hands out is whole and of the shape of `models.events`: whoever asks for a field of an
event may rely on its type. `look` hands out what stands before a damage, too.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uscdr import files
from uscdr.errors import ExitCode, JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# The line format: one JSON object a line, with the SHA-256 of the line before and a checksum of its own.


FIRST = "0" * 64
"""What the first line carries in place of a hash."""
_ENDING = re.compile(rb',"sum":"(?P<sum>[0-9a-f]{8})"}\Z')


def encode(record: dict[str, Any], previous: str) -> bytes:
    """The line for `record`, newline included."""
    text = json.dumps({"prev": previous, **record}, ensure_ascii=False, separators=(",", ":"))
    body = text.removesuffix("}").encode(errors="backslashreplace")  # an argument may hold bytes that are no UTF-8
    return body + b',"sum":"%08x"}\n' % zlib.crc32(body)


def _is_whole(line: bytes) -> bool:
    """Whether `line`, without its newline, is as it was written."""
    ending = _ENDING.search(line)
    return ending is not None and int(ending["sum"], 16) == zlib.crc32(line[: ending.start()])


def line_hash(line: bytes) -> str:
    """The hash that the next line must carry."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


NAME = "journal.jsonl"
LARGEST = 1 << 28
"""Bytes; a run of a night has a hundredth of that."""
_LONELY = b"\\ud"
"""How half a character begins where a name was no UTF-8."""


class ForeignJournal(JournalError):
    """Every line is as it was written, and what stands there is not what this uscdr writes."""

    exit_code = ExitCode.BAD_INPUT


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


@dataclass(frozen=True)
class Look:
    """What can be read: all of a whole journal, else what stands before the `damage`."""

    journal: Journal
    damage: JournalError | None = None


def read(path: Path) -> Journal:
    """Read and check the whole chain. Raises JournalError naming line and byte of any damage.

    A journal of which nothing is there is damage as well: its first line appears with its name.
    """
    found = look(path)
    if found.damage is not None:
        raise found.damage
    return found.journal


def look(path: Path) -> Look:
    """As `read`, up to the damage."""
    try:
        data = files.whole(path, LARGEST)
    except OSError as error:
        return Look(Journal(path, (), 0, 0, FIRST), _unreadable(path, error.strerror or type(error).__name__))
    end = data.rfind(b"\n") + 1
    records: list[dict[str, Any]] = []
    previous, offset = FIRST, 0
    for number, line in enumerate(data[:end].split(b"\n")[:-1], start=1):
        try:
            records.append(_record(path, line, previous, (number, offset)))
        except JournalError as error:
            return Look(Journal(path, tuple(records), offset, 0, previous), error)
        previous, offset = line_hash(line), offset + len(line) + 1
    found = Journal(path, tuple(records), end, len(data) - end, previous)
    if _is_whole(data[end:-1]):
        return Look(found, _damage(path, (len(records) + 1, end), "the end of the line was overwritten"))
    return Look(
        found, None if records else _unreadable(path, "It is empty, or only a piece of its first line is there.")
    )


def _record(path: Path, line: bytes, previous: str, place: tuple[int, int]) -> dict[str, Any]:
    number, offset = place
    if not _is_whole(line):
        raise _damage(path, place, "the line is not as it was written")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise _damage(path, place, "the line is not JSON") from None
    if not isinstance(record, dict) or not isinstance(record.get("event"), dict):
        raise _damage(path, place, "the line is not a journal record")
    if record.get("prev") != previous:
        raise _damage(path, place, "the hash of the line before does not match")
    if record.get("seq") != number - 1:
        raise _damage(
            path, (number, offset), f"sequence number {record.get('seq')!r:.20} stands where {number - 1} belongs"
        )
    return {**record, "event": _shaped(path, line, record, number)}


def _shaped(path: Path, line: bytes, record: dict[str, Any], number: int) -> dict[str, Any]:
    """The event, with every field that it has by default. Imported here: the list of no runs needs no models."""
    from pydantic import ValidationError

    from uscdr.models.events import Stamped

    clean = line if _LONELY not in line else json.dumps(record, ensure_ascii=False).encode(errors="replace")
    try:
        found = Stamped.model_validate_json(clean, strict=True)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        raise foreign(path, f"line {number}: {place or 'no JSON'}") from None
    if found.run != path.parent.name:
        raise foreign(path, f"line {number} is of the run {found.run}")
    if (number == 1) != (found.event.kind == "run.started"):
        raise foreign(path, f"line {number}: {found.event.kind}")
    whole: dict[str, Any] = found.event.model_dump(mode="json")
    return whole if clean is line else {**whole, **record["event"]}


def foreign(path: Path, what: str) -> ForeignJournal:
    """A journal that was not written by this uscdr, or not for this run."""
    return ForeignJournal(
        f"The journal {path} holds what this uscdr does not write there ({what}).",
        why="Another version wrote it, or it was copied from elsewhere.",
        next_action=_LOOK.format(run=path.parent.name),
    )


_LOOK = (
    "What can be read of it: uscdr runs show {run}. It counts as unfinished: see what was done at the provider, then "
    "begin anew, on purpose: uscdr recover … --new"
)


def _unreadable(path: Path, why: str) -> JournalError:
    return JournalError(f"The journal {path} cannot be read.", why=why, next_action=_LOOK.format(run=path.parent.name))


def _damage(path: Path, place: tuple[int, int], what: str) -> JournalError:
    number, offset = place
    return JournalError(
        f"The journal {path} is damaged at line {number} (byte {offset}): {what}.",
        why="It was edited, or the disk lost what had been written.",
        next_action=f"Keep the file as evidence. {_LOOK.format(run=path.parent.name)}",
    )


# What kind of step an event tells of, also in journals of version 0.1, whose events have the step's id only.


BY_ID: Mapping[str, str] = {
    "choose": "backup.choose",
    "prove": "backup.prove",
    "ledger": "data.ledger",
    "safety": "backup.capture_safety",
    "drain": "heroku.stop",
    "stop_old": "infra.stop_old",
    "verify_data": "data.verify",
    "maintenance_on": "heroku.maintenance",
    "maintenance_off": "heroku.maintenance",
    "check_new": "app.check",
    "check_app": "app.check",
    "switch": "dns.switch",
    "media_restore": "media.restore_backups",
    "media_upload": "media.upload",
}
"""The packaged ids of that version, as far as a reader asks for them."""


RENAMED: Mapping[str, str] = {
    "heroku.drain": "heroku.stop",
    "heroku.refill": "heroku.start",
    "infra.unsilence": "infra.enable_mail",
}
"""What older journals call a step, and its name now."""


def name_of(name: str, step_id: str) -> str:
    """The step's name now, else what the packaged id stood for; empty when that is not known."""
    return RENAMED.get(name, name) or BY_ID.get(step_id, "")
