"""The journal of an incident: a hash chain to which every operator of the team appends.

A run has one owner; an incident has many writers. With a shared state the chain there is the one that counts: each
line is created once, under its number, so that two writers cannot both write line 7. The one who comes second takes
over the other's lines and appends after them. Lines that the shared state could not take wait in a file of this
machine and are appended by the next command; an intent to send is never among them.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from uscdr import clock, files
from uscdr.errors import BadInput, JournalError, MachineError, OutcomeUnknown
from uscdr.files import disk_errors, private_directory, turn, write_whole
from uscdr.incident.state import ordered
from uscdr.journal.chain import FIRST, LinePlace, decoded, encode, is_whole, line_hash
from uscdr.journal.runs import new_run_id
from uscdr.models.incidents import INCIDENT_ENTRY, Entry, IncidentOpened, NoticeSending, Recorded
from uscdr.shared.journals import JournalStore, Piece
from uscdr.store.store import NameTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from uscdr.settings import Operator

ROOM = "incidents"
"""The directory of incidents, in the state directory and in the shared state."""
NAME, WAITING, LOCK = "journal.jsonl", "waiting.jsonl", "lock"
LARGEST = 1 << 26
_TRIES = 50
"""How often a line is appended anew after another writer was faster."""
_LOOK = (
    "Its readable part: uscdr incident status {run}. Restore the file from a backup, or another machine's. "
    'To go on without it: uscdr incident open --what "…"'
)


@dataclass(frozen=True)
class IncidentJournal:
    """A chain that was read: its records in order, and what is needed to append to it."""

    path: Path
    records: tuple[Recorded, ...]
    good_bytes: int
    last_hash: str
    damage: JournalError | None = None
    """Why the lines after `records` are unreadable; None for an intact chain."""

    @property
    def incident(self) -> str:
        """The incident's id: the name of the directory."""
        return self.path.parent.name

    @classmethod
    def read(cls, path: Path) -> IncidentJournal:
        """Read and check the whole chain; a torn last line is left out. Raises JournalError that names the place."""
        found = cls.salvage(path)
        if found.damage is not None:
            raise found.damage
        return found

    @classmethod
    def salvage(cls, path: Path) -> IncidentJournal:
        """Like `read`, but with the records before a damage."""
        try:
            data = files.whole(path, LARGEST)
        except OSError as error:
            return cls(path, (), 0, FIRST, _unreadable(path, error.strerror or type(error).__name__))
        return cls.of_bytes(path, data)

    @classmethod
    def of_bytes(cls, path: Path, data: bytes) -> IncidentJournal:
        """The chain in `data`, as if it stood in `path`."""
        end = data.rfind(b"\n") + 1
        records: list[Recorded] = []
        run, previous, offset = path.parent.name, FIRST, 0
        advice = _LOOK.format(run=run)
        for number, line in enumerate(data[:end].split(b"\n")[:-1], start=1):
            try:
                records.append(_record(LinePlace(path, run, number, offset, advice), line, previous))
            except JournalError as error:
                return cls(path, tuple(records), offset, previous, error)
            previous, offset = line_hash(line), offset + len(line) + 1
        damage = None if records else _unreadable(path, "The file is empty, or has only a part of its first line.")
        rest = data[end:].removesuffix(data[-1:])
        if is_whole(rest):
            damage = LinePlace(path, run, len(records) + 1, end, advice).damage("something overwrote the line's end")
        return cls(path, tuple(records), end, previous, damage)


def _record(place: LinePlace, line: bytes, previous: str) -> Recorded:
    """One line of the chain. Raises JournalError."""
    place.require_whole(line)
    record = place.chained(line, previous)
    known = {name: value for name, value in record.items() if name not in ("prev", "sum")}
    try:
        found = Recorded.model_validate(known)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]["loc"]
        raise JournalError(
            f"The journal {place.path} has content that this version of uscdr does not write "
            f"(line {place.number}: {'.'.join(map(str, wrong))}).",
            why="Another version wrote it.",
            next_action=place.advice,
        ) from None
    if found.incident != place.run:
        raise place.damage(f"it belongs to {found.incident}")
    place.require_number(found.seq)
    if (place.number == 1) != isinstance(found.event, IncidentOpened):
        raise place.damage(f"a line of the kind {found.event.kind} cannot stand there")
    return found


def _unreadable(path: Path, why: str) -> JournalError:
    return JournalError(
        f"uscdr cannot read the journal {path}.", why=why, next_action=_LOOK.format(run=path.parent.name)
    )


def new_incident_id() -> str:
    """An id that sorts by time, e.g. `20261128T021500Z-incident-4f2a9c`."""
    return new_run_id("incident")


@dataclass(frozen=True)
class Ledger:
    """Appends to one incident's journal, for the team where state is shared."""

    state: Path
    incident: str
    who: Operator
    shelf: JournalStore | None = None
    """The team's journals of incidents; None for an operator alone."""
    now: Callable[[], datetime] = clock.system_time
    redact: Callable[[Any], Any] = field(default=lambda data: data)
    warn: Callable[[str], None] = field(default=lambda _: None)

    @cached_property
    def directory(self) -> Path:
        """Where this machine keeps the incident."""
        return self.state / ROOM / self.incident

    @property
    def path(self) -> Path:
        """This machine's journal of the incident."""
        return self.directory / NAME

    def read(self) -> IncidentJournal:
        """What this machine has. Raises JournalError for damage."""
        return IncidentJournal.read(self.path)

    def records(self) -> tuple[Recorded, ...]:
        """The records, also those that wait to be shared, in the order in which they count."""
        return ordered([*self.read().records, *(Recorded.model_validate(one) for one in self._waiting())])

    def append(self, *entries: Entry) -> None:
        """Append the entries, durably and for the team.

        Raises JournalError for a damaged chain, MachineError when this disk fails, or when the shared state cannot be
        reached and an intent to send is among them. Other entries then wait on this machine.
        """
        private_directory(self.directory)
        with turn(self.directory / LOCK, f"uscdr cannot write the journal of the incident {self.incident}."):
            events = [self._enveloped(entry) for entry in entries]
            try:
                self._flush(lambda: events)
            except (MachineError, OutcomeUnknown) as error:
                if isinstance(error, JournalError) or self.shelf is None or _has_intent(entries):
                    raise
                self._keep(events)
                self.warn(f"The team cannot see this yet: {error.message} The next uscdr incident command shares it.")

    def keep(self, entry: Entry) -> None:
        """Keep one entry durably on this machine; the next `append` puts it into the chain.

        For answers of a batch, which come faster than a shared state takes them. Raises MachineError.
        """
        private_directory(self.directory)
        with turn(self.directory / LOCK, f"uscdr cannot write the journal of the incident {self.incident}."):
            self._keep([self._enveloped(entry)])

    def sync(self) -> None:
        """Take over the team's lines and share those that wait. Raises as `append`; does nothing alone."""
        if self.shelf is None and not self._waiting():
            return
        private_directory(self.directory)
        with turn(self.directory / LOCK, f"uscdr cannot write the journal of the incident {self.incident}."):
            self._flush(list)

    def decide(self, decision: Callable[[tuple[Recorded, ...]], Sequence[Entry]]) -> Sequence[Entry]:
        """Append what `decision` makes of all records, which no other writer can change meanwhile; returns it.

        Raises as `append`, and never lets an entry wait: another operator may decide the same.
        """
        private_directory(self.directory)
        made: Sequence[Entry] = ()

        def events() -> Sequence[dict[str, Any]]:
            nonlocal made
            made = decision(self.records())
            return [self._enveloped(entry) for entry in made]

        with turn(self.directory / LOCK, f"uscdr cannot write the journal of the incident {self.incident}."):
            self._flush(events)
        return made

    def _enveloped(self, entry: Entry) -> dict[str, Any]:
        event = INCIDENT_ENTRY.validate_python(self.redact(entry.model_dump(mode="json")))
        return {
            "incident": self.incident, "at": self.now().isoformat(), "user": self.who.user, "host": self.who.host,
            "event": event.model_dump(mode="json"),
        }  # fmt: skip

    def _flush(self, events: Callable[[], Sequence[dict[str, Any]]]) -> None:
        """Append what waits, then `events`; again after other writers' lines if they were faster."""
        for _ in range(_TRIES):
            self._meet()
            wanted = [*self._not_shared_yet(), *events()]
            if not wanted:
                self._forget_waiting()
                return
            lines, first = self._chained(wanted)
            try:
                if self.shelf is not None:
                    self.shelf.put(Piece(self.incident, first, ROOM), lines)
            except NameTaken:
                continue
            self._write(lines)
            self._forget_waiting()
            return
        raise MachineError(
            f"uscdr could not append to the journal of the incident {self.incident}.",
            why=f"Other operators appended {_TRIES} times meanwhile.",
            next_action="Run the command again.",
        )

    def _chained(self, events: Sequence[dict[str, Any]]) -> tuple[bytes, int]:
        """The lines after the last one, and the number of the first of them."""
        known = self.read() if self.path.exists() else None
        previous, first = (known.last_hash, len(known.records)) if known else (FIRST, 0)
        lines = b""
        for number, event in enumerate(events, start=first):
            line = encode({"incident": event["incident"], "seq": number, **event}, previous)
            previous, lines = line_hash(line), lines + line
        return lines, first

    def _write(self, lines: bytes) -> None:
        before = files.whole(self.path, LARGEST)[: self.read().good_bytes] if self.path.exists() else b""
        write_whole(self.path, before + lines)

    def _meet(self) -> None:
        """Make this machine's chain and the team's the same; lines that only this machine has are appended anew."""
        if self.shelf is None:
            return
        own, pieces = self._own(), self.shelf.pieces(self.incident)
        last = pieces[-1].first if pieces else 0
        lines = own.splitlines(keepends=True)
        if not lines and not pieces:
            return
        if len(lines) <= last or not lines:
            news = b"".join(self.shelf.joined([one for one in pieces if one.first >= len(lines)], len(lines)))
            if news and IncidentJournal.of_bytes(self.path, own + news).damage is None:
                self._replace(own + news)
                return
        elif self._has_all(lines, pieces):
            return
        self._merge(own, self.shelf.journal(self.incident))

    def _has_all(self, lines: Sequence[bytes], pieces: Sequence[Piece]) -> bool:
        """Whether the team's last piece is in our `lines`, and the team has those that follow it."""
        shelf, first = self.shelf, pieces[-1].first if pieces else 0
        shared = shelf.lines(pieces[-1:])[0] if shelf and pieces else b""
        mine = b"".join(lines[first:])
        if shelf is None or not mine.startswith(shared):
            return False
        if mine == shared:
            return True
        try:
            shelf.put(Piece(self.incident, first + shared.count(b"\n"), ROOM), mine[len(shared) :])
        except NameTaken:
            return False
        return True

    def _merge(self, own: bytes, shared: bytes) -> None:
        """The team's chain counts. Raises JournalError if it is damaged."""
        checked = IncidentJournal.of_bytes(self.path, shared)
        if checked.damage is not None:
            raise checked.damage
        if own and not shared.startswith(own):
            self._set_aside(own, shared)
        self._replace(shared)

    def _replace(self, data: bytes) -> None:
        private_directory(self.directory)
        write_whole(self.path, data)

    def _own(self) -> bytes:
        if not self.path.exists():
            return b""
        return files.whole(self.path, LARGEST)[: self.read().good_bytes]

    def _set_aside(self, own: bytes, shared: bytes) -> None:
        """Keep the lines that only this machine has, to be appended after the team's."""
        theirs = set(shared.splitlines())
        lost = [line for line in own.splitlines() if line not in theirs]
        envelopes = [
            {name: one[name] for name in ("incident", "at", "user", "host", "event")} for one in map(decoded, lost)
        ]
        known = self._waiting(drop_seq=True)  # a process may have ended right after it kept them
        keep = _renumbered(envelopes, mark=line_hash(lost[0])[:4] if lost else "")
        self._keep([one for one in keep if one["event"]["kind"] != "incident.opened" and one not in known])
        with disk_errors(f"uscdr cannot rename {self.path}."):
            self.path.rename(self.path.with_name(f"aside-{secrets.token_hex(4)}.jsonl"))

    def _keep(self, events: Sequence[Mapping[str, Any]]) -> None:
        waiting = [*self._waiting(drop_seq=True), *events]
        lines = b"".join(encode(dict(event), FIRST) for event in waiting)
        write_whole(self.directory / WAITING, lines)

    def _waiting(self, *, drop_seq: bool = False) -> list[dict[str, Any]]:
        """The entries that wait to be shared; a number is given for reading only."""
        path = self.directory / WAITING
        if not path.exists():
            return []
        with disk_errors(f"uscdr cannot read {path}."):
            lines = files.whole(path, LARGEST).splitlines()
        found = []
        for number, line in enumerate(lines, start=1):
            LinePlace(path, self.incident, number, 0, _LOOK.format(run=self.incident)).require_whole(line)
            record = {name: value for name, value in decoded(line).items() if name not in ("prev", "sum")}
            found.append(record if drop_seq else {**record, "seq": number})
        return found

    def _not_shared_yet(self) -> list[dict[str, Any]]:
        """What waits and is not in the chain: a process may have ended after it had appended and before it forgot."""
        waiting = self._waiting(drop_seq=True)
        there = self.read().records if waiting and self.path.exists() else ()
        known = [(one.at, one.user, one.host, one.event) for one in there]
        found = [(Recorded.model_validate({**one, "seq": 0}), one) for one in waiting]
        return [one for read, one in found if (read.at, read.user, read.host, read.event) not in known]

    def _forget_waiting(self) -> None:
        with disk_errors(f"uscdr cannot remove {self.directory / WAITING}."), suppress(FileNotFoundError):
            (self.directory / WAITING).unlink()


def _renumbered(events: Sequence[dict[str, Any]], *, mark: str) -> list[dict[str, Any]]:
    """Entries made without the team; what they gave a number has one that the team does not have, as `n1-4f2a`."""
    made = {one["event"][name] for one in events for name in _NUMBERED.get(one["event"]["kind"], ())}

    def marked(event: dict[str, Any]) -> dict[str, Any]:
        own = {name: f"{event[name]}-{mark}" for name in ("notice", "action") if event.get(name) in made}
        return event | own

    return [one | {"event": marked(one["event"])} for one in events]


_NUMBERED = {"notice.prepared": ("notice",), "action.added": ("action",)}
"""Kinds of entries that give something a number, and the field of the number."""


def _has_intent(entries: Sequence[Entry]) -> bool:
    return any(isinstance(entry, NoticeSending | IncidentOpened) for entry in entries)


def incidents_here(state: Path) -> Iterator[Path]:
    """The journal of every incident that this machine knows, oldest first. Raises JournalError."""
    place = state / ROOM
    try:
        names = sorted(entry.name for entry in place.iterdir()) if place.exists() else []
    except OSError as error:
        raise JournalError(
            f"uscdr cannot read {place}.",
            why=error.strerror or "",
            next_action=f"Fix its permissions: chmod u+rwx {place}",
        ) from error
    return (place / name / NAME for name in names if (place / name / NAME).exists())


def find_incident(state: Path, wanted: str) -> Path:
    """The journal of the incident `wanted` (its id or a unique part of it). Raises BadInput."""
    found = [path for path in incidents_here(state) if wanted in path.parent.name]
    if len(found) != 1:
        what = "No incident on this machine matches" if not found else f"{len(found)} incidents on this machine match"
        raise BadInput(f"{what} “{wanted}”.", next_action="See: uscdr incident list")
    return found[0]
