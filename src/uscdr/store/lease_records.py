"""The row of records that a lease is made of: written, read and judged."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from uscdr.clock import running
from uscdr.errors import BadInput, CheckFailed, LockHeld, MachineError
from uscdr.models.base import Fact, Moment, ProcessId
from uscdr.settings import Operator
from uscdr.store.store import NameTaken, ObjectInfo, Store
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Callable

LEASES = "leases"
LONGEST = 900.0
"""Seconds; with a longer lease a dead machine's run would wait for too long."""
_NUMBER = re.compile(r"([0-9]{12})\.json")
_END = 10**12
"""No number has more digits. Nobody comes here by renewals."""
_LARGEST = 65536
"""Bytes; a record has some hundred."""
_LOOKS = 5
"""Attempts to see one row whole while others write and tidy it."""
LONGEST_REQUEST = 30.0
"""Seconds for which a request may be under way that left in time; with a short lease no longer than that lasts."""


@dataclass(frozen=True)
class LeaseTerms:
    """Seconds: how long a lease lasts without renewal, what is granted on top of that, and how old a look may be.

    The grant covers clocks that run at different speeds, and stores whose times have whole seconds. `clock` and
    `pause` are this machine's.
    """

    seconds: float = 60.0
    grace: float = 3.0
    look: float = 2.0
    clock: Callable[[], float] = running
    pause: Callable[[float], None] = time.sleep


class LeaseRecord(Fact):
    """One record: who holds the lease since when. The two times are by the holder's clock, for people only."""

    state: Literal["held", "released"]
    user: str
    host: str
    pid: ProcessId
    nonce: str
    message: str
    taken_at: Moment
    expires_at: Moment
    seconds: Annotated[float, Field(gt=0, le=LONGEST)]

    @property
    def who(self) -> Operator:
        """Its holder."""
        return Operator(self.user, self.host, self.pid)

    def dated(self) -> LeaseRecord:
        """Itself, as of now."""
        return self.model_copy(update={"expires_at": datetime.now(UTC) + timedelta(seconds=self.seconds)})


@dataclass(frozen=True)
class LeaseState:
    """The highest record of a scope; `record` is None when it cannot be read."""

    number: int
    entry: ObjectInfo
    record: LeaseRecord | None


def is_ended(highest: LeaseState | None) -> bool:
    """Whether nobody has it: it was ended, or there is none."""
    return highest is None or (highest.record is not None and highest.record.state == "released")


@dataclass(frozen=True)
class LeaseRow:
    """The records of one scope."""

    store: Store
    scope: str
    terms: LeaseTerms

    def first(self, who: Operator, message: str) -> LeaseRecord:
        """The record of a new holder."""
        at = datetime.now(UTC)
        new = LeaseRecord(
            state="held", user=who.user, host=who.host, pid=who.pid, nonce=secrets.token_hex(16), message=message,
            taken_at=at, expires_at=at, seconds=self.terms.seconds,
        )  # fmt: skip
        return new.dated()

    def highest(self) -> LeaseState | None:
        """The record that counts. One that goes away while it is read was not the highest any more.

        One that stays and is no small file is a record like any other that cannot be read.
        """
        unread = set[int]()
        for _ in range(_LOOKS):
            numbered = self._numbered()
            if not numbered:
                return None
            number = max(numbered)
            if numbered[number].size > _LARGEST:
                return LeaseState(number, numbered[number], None)
            try:
                data = self.store.read(numbered[number].name)
            except CheckFailed:
                unread.add(number)
                continue
            return LeaseState(number, numbered[number], _parsed(data))
        if len(unread) == 1:
            return LeaseState(number, numbered[number], None)
        raise MachineError(
            f"The lease of {self.scope} in {self.store.place} changes faster than it can be read.",
            next_action="Start this again.",
        )

    def highest_number(self) -> int | None:
        """The number that counts, for one request."""
        return max(self._numbered(), default=None)

    def put(self, number: int, record: LeaseRecord) -> None:
        """Create a record. Raises NameTaken."""
        self.store.put_once(self._name(number), record.model_dump_json().encode())

    def remove(self, number: int) -> None:
        """Take a record away that no longer counts."""
        self.store.delete(self._name(number))

    def take(self, number: int, record: LeaseRecord) -> bool:
        """Create the record, if it is the highest then."""
        try:
            self.put(number, record)
        except NameTaken:
            return False
        if self.highest_number() == number:
            return True
        with suppress(MachineError):
            self.remove(number)
        return False

    def tidy(self, number: int) -> None:
        """Remove what was there before `number`; a store that does not let us keeps it."""
        for entry in self.store.listing(self._directory):
            match = _NUMBER.fullmatch(entry.name.rpartition("/")[2])
            if match is None or int(match[1]) < number:
                with suppress(MachineError, BadInput):  # a name that is none of ours
                    self.store.delete(entry.name)

    def seems_over(self, highest: LeaseState) -> bool:
        """Whether it was not renewed in time by the store's clock alone: whoever waits will probably have it then.

        A clock may have been set meanwhile, and a directory may have the times of its writers: nobody acts on this. A
        record that is yet to be written tells nothing, and is waited for as well.
        """
        now = self._now()
        age = (now - highest.entry.modified_at).total_seconds() if now is not None else 0.0
        return age > self.lasts(highest) or age < -self.terms.grace

    def lasts(self, highest: LeaseState) -> float:
        """Seconds for which a record must stand unchanged: then its holder sends no more, and what it sent is over.

        The holder's setting counts. A record that is unreadable runs, too.
        """
        seconds = highest.record.seconds if highest.record else self.terms.seconds
        return seconds + self.terms.grace + min(LONGEST_REQUEST, seconds)

    def held_by(self, highest: LeaseState | None, why: str) -> LockHeld:
        """The refusal, with all that is known of the holder."""
        record = highest.record if highest else None
        return LockHeld(
            f"{self.scope} in {self.store.place} is written by {named(record)}.",
            why=f"{why} {said(record)}".strip(),
            next_action="Wait until it ends: what died runs out soon. Take over only what is surely out of the game.",
        )

    def _now(self) -> datetime | None:
        """The time by the store's clock; None if it could not be had, since somebody tidied up."""
        name = f"{self._directory}/now-{secrets.token_hex(8)}"
        self.store.put_once(name, b"")
        try:
            return next((one.modified_at for one in self.store.listing(self._directory) if one.name == name), None)
        finally:
            with suppress(MachineError):
                self.store.delete(name)

    def _numbered(self) -> dict[int, ObjectInfo]:
        named = ((_NUMBER.fullmatch(one.name.rpartition("/")[2]), one) for one in self.store.listing(self._directory))
        return {int(match[1]): entry for match, entry in named if match}

    @property
    def _directory(self) -> str:
        return f"{LEASES}/{self.scope}"

    def _name(self, number: int) -> str:
        if number >= _END:
            raise MachineError(
                f"The lease of {self.scope} in {self.store.place} is at its last number.",
                why=f"{self._directory} holds a record that no process of uscdr comes to: somebody else wrote it.",
                next_action=f"Look who is at work, then remove {self._directory}/{number - 1}.json by hand.",
            )
        return f"{self._directory}/{number:012d}.json"


def named(record: LeaseRecord | None) -> str:
    """The holder, for people."""
    return f"{record.who}, since {moment(record.taken_at)}" if record else "another process"


def said(record: LeaseRecord | None) -> str:
    """What the holder says of its work, as a sentence; empty when it says nothing."""
    return f"It says: {record.message}." if record and record.message else ""


def _parsed(data: bytes) -> LeaseRecord | None:
    try:
        return LeaseRecord.model_validate_json(data)
    except ValidationError:
        return None
