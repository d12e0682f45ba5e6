"""Records of drills and of what people attest: one private object each, created once, never changed.

    exercises/records/<time>-<kind>-<name>-<nonce>.json     in the state directory, and in the team's shared state

A record carries a SHA-256 of its content: one that was changed by mistake is refused. Records are not signed: who can
write the state directory can write a record.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from uscdr.errors import CheckFailed, UscdrError
from uscdr.models.base import Count, Fact, Moment, Span
from uscdr.settings import SHARED_STATE
from uscdr.store.directory import LocalStore
from uscdr.store.store import NameTaken
from uscdr.threads import run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from uscdr.store.store import Store

VERSION = 1
RECORDS = "records"
SHARED = "exercises"
"""The room of these records in the shared state."""
READERS = 8
"""Records of the team that are read in parallel."""
STAMP = "%Y%m%dT%H%M%SZ"


class DrillRecord(Fact):
    """One finished drill. Digests as in `basis.Basis`; times in UTC, durations in seconds, None where unknown."""

    version: Literal[1] = 1
    kind: Literal["drill"] = "drill"
    scenario: str
    how: str
    """The kind of damage."""
    patients: Count
    sound: bool
    """Whether the recovery is done, every comparison holds, and the plan announced every write."""
    exit_code: int
    rto_seconds: Span | None
    rto_verdict: str
    rpo_seconds: Span | None
    rpo_verdict: str
    started_at: Moment
    ended_at: Moment
    run: str
    """The id of the recovery's run."""
    by: str
    """The operator and the machine."""
    uscdr: str
    steps: str
    """The digest of the scenario's steps."""
    configuration: str
    """The digest of the configuration that the drill used."""
    recovery_code: int

    @property
    def name(self) -> str:
        """The scenario."""
        return self.scenario

    @property
    def written_at(self) -> datetime:
        """When it was recorded."""
        return self.ended_at


AttestedKind = Literal["review", "communication", "training", "supply", "approval"]


class Evidence(Fact):
    """What a person points to: a text, or a file by its name, size in bytes and SHA-256. The file is not copied."""

    text: str
    size: Count | None = None
    sha256: str = ""


class AttestedRecord(Fact):
    """What a person attests by name and date. A communication drill writes one of kind `communication`."""

    version: Literal[1] = 1
    kind: AttestedKind
    name: str
    """The exercise or supply, or `document-approval`."""
    by: Annotated[str, Field(min_length=1)]
    on: date
    """The day on which it was done, in the time zone of the target."""
    note: str = ""
    attendees: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    document: str = ""
    """The version of the document at that time; empty without one."""
    written_at: Moment
    operator: str = ""
    """Who ran uscdr, on which machine."""
    uscdr: str


ExerciseRecord = Annotated[DrillRecord | AttestedRecord, Field(discriminator="kind")]


@dataclass(frozen=True)
class ExerciseLog:
    """All records, oldest first, and an error for each one that was refused."""

    records: tuple[DrillRecord | AttestedRecord, ...] = ()
    refused: tuple[UscdrError, ...] = field(default=())

    @property
    def drills(self) -> tuple[DrillRecord, ...]:
        """The recorded drills."""
        return tuple(one for one in self.records if isinstance(one, DrillRecord))

    @property
    def attested(self) -> tuple[AttestedRecord, ...]:
        """What people attested."""
        return tuple(one for one in self.records if isinstance(one, AttestedRecord))


def store_of(state: Path) -> Store:
    """The records below a state directory."""
    return LocalStore(state / SHARED)


def keep(store: Store, record: DrillRecord | AttestedRecord) -> str:
    """Write a record; returns its path. Raises MachineError."""
    body = record.model_dump(mode="json")
    name = f"{record.written_at.astimezone(UTC):{STAMP}}-{record.kind}-{record.name}-{secrets.token_hex(4)}.json"
    text = json.dumps({"sha256": _digest(body), "record": body}, ensure_ascii=False, indent=1)
    store.put_once(f"{RECORDS}/{name}", f"{text}\n".encode())
    return f"{store.place}/{RECORDS}/{name}"


def read(store: Store) -> ExerciseLog:
    """Read every record. Raises MachineError when the store cannot be read at all."""
    return _log(_found(store, name) for name in store.names(RECORDS))


def _log(found: Iterable[DrillRecord | AttestedRecord | UscdrError]) -> ExerciseLog:
    every = list(found)
    records = [one for one in every if not isinstance(one, UscdrError)]
    refused = tuple(one for one in every if isinstance(one, UscdrError))
    return ExerciseLog(tuple(sorted(records, key=lambda one: one.written_at)), refused)


def _found(store: Store, name: str) -> DrillRecord | AttestedRecord | UscdrError:
    """One record, or why it is refused."""
    try:
        return _parsed(store.read(name), f"{store.place}/{name}")
    except UscdrError as error:
        return error


@dataclass(frozen=True)
class TeamRecords:
    """The records of this machine and, with a shared state (`$USCDR_SHARED`), those of the team.

    A record is kept on this machine first. One that the shared state could not take waits here: the next `keep` or
    `read` shares it.
    """

    state: Path
    env: Mapping[str, str]
    warn: Callable[[str], None]

    def keep(self, record: DrillRecord | AttestedRecord) -> str:
        """Write a record; returns its path on this machine. Raises MachineError of this machine's disk only."""
        path = keep(store_of(self.state), record)
        try:
            self._share()
        except UscdrError as error:
            self.warn(f"The team cannot see this record yet: {error.reason} The next uscdr drill due shares it.")
        return path

    def read(self) -> ExerciseLog:
        """Read every record of both. Raises MachineError when this machine's cannot be read at all."""
        own = store_of(self.state)
        here, found = own.names(RECORDS), list[DrillRecord | AttestedRecord | UscdrError]()
        try:
            found += self._of_others(frozenset(here))
        except UscdrError as error:
            self.warn(f"Records of the team may be missing: {error.reason}")
        return _log([*(_found(own, name) for name in here), *found])

    def _of_others(self, here: frozenset[str]) -> list[DrillRecord | AttestedRecord | UscdrError]:
        store = self._share()
        if store is None:
            return []
        names = [name for name in store.names(f"{SHARED}/{RECORDS}") if name.removeprefix(f"{SHARED}/") not in here]
        return run_all([partial(_found, store, name) for name in names], workers=READERS)

    def _share(self) -> Store | None:
        """Share what only this machine has; the shared state, None without one. Raises UscdrError."""
        if not self.env.get(SHARED_STATE):
            return None
        from uscdr.shared.team import Team

        team, own = Team.open(self.env), store_of(self.state)
        if team is None:
            return None
        store = team.shelf.store
        there = frozenset(store.names(f"{SHARED}/{RECORDS}"))
        for name in own.names(RECORDS):
            if f"{SHARED}/{name}" not in there and not isinstance(_found(own, name), UscdrError):
                with suppress(NameTaken):  # another process of this machine was faster
                    store.put_once(f"{SHARED}/{name}", own.read(name))
        return store


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _parsed(data: bytes, path: str) -> DrillRecord | AttestedRecord:
    """Raises CheckFailed with the path."""
    try:
        whole = json.loads(data)
        body, digest = whole["record"], whole["sha256"]
        version = body["version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _refusal(path, "is damaged") from None
    if _digest(body) != digest:
        raise _refusal(path, "was changed after uscdr wrote it: its checksum differs")
    if version != VERSION:
        raise CheckFailed(
            f"The record {path} has version {version}; this uscdr reads {VERSION}.", next_action="Use a newer uscdr."
        )
    adapter: TypeAdapter[DrillRecord | AttestedRecord] = TypeAdapter(ExerciseRecord)
    try:
        return adapter.validate_json(json.dumps(body))
    except ValidationError:
        raise _refusal(path, "is damaged") from None


def _refusal(path: str, what: str) -> CheckFailed:
    return CheckFailed(
        f"The record {path} {what}. It counts for nothing.",
        next_action="Restore the file from a copy, or move it out of the directory. Then: uscdr drill due",
    )
