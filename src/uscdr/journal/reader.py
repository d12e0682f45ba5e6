"""Read a journal: drop and report a torn last line; refuse damage anywhere else and name its line and byte.

This is the only reader. The events it returns are complete and validated by `models.events`: callers may rely on the
types of their fields. `Journal.salvage` also returns the lines before a damage.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from uscdr import files
from uscdr.errors import ExitCode, JournalError
from uscdr.journal.chain import FIRST, LinePlace, decoded, is_whole, line_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pydantic import ValidationError

    from uscdr.models.events import Stamped

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


class _Line(NamedTuple):
    """One line without its newline, and its event. `odd`: an argument in it has bytes that are not UTF-8."""

    text: bytes
    found: Stamped
    odd: bool

    @property
    def event(self) -> dict[str, Any]:
        """The payload with the defaults of all fields."""
        whole: dict[str, Any] = self.found.event.model_dump(mode="json")
        return {**whole, **decoded(self.text)["event"]} if self.odd else whole

    @property
    def record(self) -> dict[str, Any]:
        """The line, decoded, with that payload."""
        return {**decoded(self.text), "event": self.event}


@dataclass(frozen=True)
class Journal:
    """A journal that was read: its lines in order, and the state needed to append to it."""

    path: Path
    lines: tuple[_Line, ...]
    good_bytes: int
    torn_bytes: int
    last_hash: str
    damage: JournalError | None = None
    """Why the lines after `lines` are unreadable; None for an intact journal."""

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
        lines: list[_Line] = []
        run, previous, offset = path.parent.name, FIRST, 0
        advice = _LOOK.format(run=run)
        for number, line in enumerate(data[:end].split(b"\n")[:-1], start=1):
            try:
                lines.append(_line(LinePlace(path, run, number, offset, advice), line, previous))
            except JournalError as error:
                return cls(path, tuple(lines), offset, 0, previous, error)
            previous, offset = line_hash(line), offset + len(line) + 1
        damage = None if lines else _unreadable(path, "The file is empty, or has only a part of its first line.")
        if is_whole(data[end:-1]):
            damage = LinePlace(path, run, len(lines) + 1, end, advice).damage("something overwrote the end of the line")
        return cls(path, tuple(lines), end, len(data) - end, previous, damage)

    @cached_property
    def records(self) -> tuple[dict[str, Any], ...]:
        """The lines, decoded, with the defaults of all fields."""
        return tuple(line.record for line in self.lines)

    @property
    def stamped(self) -> Iterator[Stamped | Mapping[str, Any]]:
        """The events with their envelopes, in order; a line with an odd argument as its record."""
        return (line.record if line.odd else line.found for line in self.lines)

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
        return (line.event for line in self.lines)

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


def _line(place: LinePlace, line: bytes, previous: str) -> _Line:
    """One line of the chain. Raises JournalError."""
    place.require_whole(line)
    odd, clean = _LONELY in line, line
    if odd or not line.startswith(b'{"prev":"%s",' % previous.encode()):  # else it is as `encode` writes it
        record = place.chained(line, previous)
        clean = json.dumps(record, ensure_ascii=False).encode(errors="replace") if odd else line
    found = _stamped(place, clean, line, previous)
    place.require_number(found.seq)
    return _Line(line, found, odd)


@cache
def _model() -> tuple[Callable[..., Stamped], type[ValidationError]]:
    """What validates a line (the model's own function takes half as long again): listing no runs needs none."""
    from pydantic import ValidationError

    from uscdr.models.events import Stamped

    Stamped.model_rebuild()
    return Stamped.__pydantic_validator__.validate_json, ValidationError


def _stamped(place: LinePlace, clean: bytes, line: bytes, previous: str) -> Stamped:
    """The line's event. Raises ForeignJournal."""
    path, number = place.path, place.number
    validate, invalid = _model()
    try:
        found = validate(clean, strict=True)
    except invalid as error:
        place.chained(line, previous)  # damage is named first
        field = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        raise ForeignJournal(path, f"line {number}: {field or 'not JSON'}") from None
    if found.run != place.run:
        raise ForeignJournal(path, f"line {number} belongs to run {found.run}")
    if (number == 1) != (found.event.kind == "run.started"):
        raise ForeignJournal(path, f"line {number}: {found.event.kind}")
    return found


_LOOK = (
    "Show the readable part: uscdr runs show {run}. The run counts as unfinished. Check at the provider what it did, "
    "then begin a new run: uscdr recover … --new"
)


def _unreadable(path: Path, why: str) -> JournalError:
    return JournalError(
        f"uscdr cannot read the journal {path}.", why=why, next_action=_LOOK.format(run=path.parent.name)
    )


# The kind of an event's step, also for journals of version 0.1, whose events have only the step's id.


BY_ID: Mapping[str, str] = {
    "choose": "backup.choose",
    "prove": "backup.prove",
    "ledger": "data.ledger",
    "safety": "backup.capture_safety",
    "restore": "backup.restore",
    "load": "infra.load",
    "compare": "data.compare",
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
