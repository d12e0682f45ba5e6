"""Read a journal: drop and report a torn last line; refuse damage anywhere else and name its line and byte.

This is the only reader. The events it returns are complete and validated by `models.events`: callers may rely on the
types of their fields. `Journal.salvage` also returns the lines before a damage.
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

# The line format: one JSON object per line, with the SHA-256 of the previous line and its own checksum.


FIRST = "0" * 64
"""The first line has this in place of a hash."""
_ENDING = re.compile(rb',"sum":"(?P<sum>[0-9a-f]{8})"}\Z')


def encode(record: dict[str, Any], previous: str) -> bytes:
    """The line for `record`, newline included."""
    text = json.dumps({"prev": previous, **record}, ensure_ascii=False, separators=(",", ":"))
    body = text.removesuffix("}").encode(errors="backslashreplace")  # an argument may contain bytes that are not UTF-8
    return body + b',"sum":"%08x"}\n' % zlib.crc32(body)


def _is_whole(line: bytes) -> bool:
    """Whether the checksum of `line`, without its newline, is correct."""
    ending = _ENDING.search(line)
    return ending is not None and int(ending["sum"], 16) == zlib.crc32(line[: ending.start()])


def line_hash(line: bytes) -> str:
    """The hash that the next line must contain."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


NAME = "journal.jsonl"
COPY = "copy.jsonl"
"""The file name of a copy, from a store of the team, of another machine's journal."""
LARGEST = 1 << 28
"""Bytes; the journal of a long run has a hundredth of that."""
_LONELY = b"\\ud"
"""The escape of a byte that was not UTF-8."""


class ForeignJournal(JournalError):
    """A journal of another version of uscdr, or of another run: every line is intact, but `what` is unknown."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"The journal {path} has content that this version of uscdr does not write ({what}).",
            why="Another version wrote the journal, or somebody copied it from another run.",
            next_action=_LOOK.format(run=path.parent.name),
        )


@dataclass(frozen=True)
class Journal:
    """A journal that was read: its records in order, and the state needed to append to it."""

    path: Path
    records: tuple[dict[str, Any], ...]
    good_bytes: int
    torn_bytes: int
    last_hash: str
    damage: JournalError | None = None
    """Why the lines after `records` are unreadable; None for an intact journal."""

    @classmethod
    def read(cls, path: Path) -> Journal:
        """Read and check the whole chain. Raises JournalError that names line and byte of any damage.

        An empty journal is damaged, too: the file gets its name together with its first line.
        """
        found = cls.salvage(path)
        if found.damage is not None:
            raise found.damage
        return found

    @classmethod
    def salvage(cls, path: Path) -> Journal:
        """Like `read`, but return the lines before a damage."""
        try:
            data = files.whole(path, LARGEST)
        except OSError as error:
            return cls(path, (), 0, 0, FIRST, _unreadable(path, error.strerror or type(error).__name__))
        end = data.rfind(b"\n") + 1
        records: list[dict[str, Any]] = []
        previous, offset = FIRST, 0
        for number, line in enumerate(data[:end].split(b"\n")[:-1], start=1):
            try:
                records.append(_record(path, line, previous, (number, offset)))
            except JournalError as error:
                return cls(path, tuple(records), offset, 0, previous, error)
            previous, offset = line_hash(line), offset + len(line) + 1
        damage = None if records else _unreadable(path, "The file is empty, or has only a part of its first line.")
        if _is_whole(data[end:-1]):
            damage = _damage(path, (len(records) + 1, end), "something overwrote the end of the line")
        return cls(path, tuple(records), end, len(data) - end, previous, damage)

    @property
    def run(self) -> str:
        """The run's id: the name of its directory."""
        return self.path.parent.name

    @property
    def is_copy(self) -> bool:
        """Whether it is a copy of another machine's journal."""
        return self.path.name == COPY

    def events(self) -> Iterator[dict[str, Any]]:
        """The payloads, in order."""
        return (record["event"] for record in self.records)

    @property
    def request(self) -> Mapping[str, Any]:
        """The options of the command that began the run, and its target's `key`; empty if the first line is lost."""
        first: dict[str, Any] = next(self.events(), {})
        return dict(first["request"]) if first.get("kind") == "run.started" else {}

    @property
    def operator(self) -> str:
        """The user and machine that began the run or resumed it last."""
        begun = [event for event in self.events() if event["kind"] in ("run.started", "run.resumed")]
        return f"{begun[-1]['user']} on {begun[-1]['host']}" if begun else "another machine"


def _record(path: Path, line: bytes, previous: str, place: tuple[int, int]) -> dict[str, Any]:
    number, offset = place
    if not _is_whole(line):
        raise _damage(path, place, "the checksum of the line is wrong")
    try:
        record = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise _damage(path, place, "the line is not JSON") from None
    if not isinstance(record, dict) or not isinstance(record.get("event"), dict):
        raise _damage(path, place, "the line is not a journal record")
    if record.get("prev") != previous:
        raise _damage(path, place, "the hash of the line before does not match")
    if record.get("seq") != number - 1:
        raise _damage(
            path, (number, offset), f"its sequence number is {record.get('seq')!r:.20} instead of {number - 1}"
        )
    return {**record, "event": _shaped(path, line, record, number)}


def _shaped(path: Path, line: bytes, record: dict[str, Any], number: int) -> dict[str, Any]:
    """The event with the defaults of all fields. Imported here: listing no runs needs no models."""
    from pydantic import ValidationError

    from uscdr.models.events import Stamped

    clean = line if _LONELY not in line else json.dumps(record, ensure_ascii=False).encode(errors="replace")
    try:
        found = Stamped.model_validate_json(clean, strict=True)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        raise ForeignJournal(path, f"line {number}: {place or 'not JSON'}") from None
    if found.run != path.parent.name:
        raise ForeignJournal(path, f"line {number} belongs to run {found.run}")
    if (number == 1) != (found.event.kind == "run.started"):
        raise ForeignJournal(path, f"line {number}: {found.event.kind}")
    whole: dict[str, Any] = found.event.model_dump(mode="json")
    return whole if clean is line else {**whole, **record["event"]}


_LOOK = (
    "Show the readable part: uscdr runs show {run}. The run counts as unfinished. Check at the provider what it did, "
    "then begin a new run: uscdr recover … --new"
)


def _unreadable(path: Path, why: str) -> JournalError:
    return JournalError(
        f"uscdr cannot read the journal {path}.", why=why, next_action=_LOOK.format(run=path.parent.name)
    )


def _damage(path: Path, place: tuple[int, int], what: str) -> JournalError:
    number, offset = place
    return JournalError(
        f"The journal {path} is damaged at line {number} (byte {offset}): {what}.",
        why="Somebody edited the file, or the disk lost data.",
        next_action=f"Keep the file as evidence. {_LOOK.format(run=path.parent.name)}",
    )


# The kind of an event's step, also for journals of version 0.1, whose events have only the step's id.


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
"""The packaged ids of that version that a reader needs."""


RENAMED: Mapping[str, str] = {
    "heroku.drain": "heroku.stop",
    "heroku.refill": "heroku.start",
    "infra.unsilence": "infra.enable_mail",
}
"""By the name of a step in older journals: its current name."""


def name_of(name: str, step_id: str) -> str:
    """The step's current name, else the name that belonged to the packaged id; empty if the id is unknown."""
    return RENAMED.get(name, name) or BY_ID.get(step_id, "")
