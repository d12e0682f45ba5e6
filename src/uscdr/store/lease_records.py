"""The numbered records that form a lease: write, read and judge them."""

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
UNKNOWN_HOLDER = "an unknown process"
LONGEST = 900.0
"""Seconds; a longer lease would delay the takeover of a dead machine's run too much."""
_NUMBER = re.compile(r"([0-9]{12})\.json")
_END = 10**12
"""The most digits of a record's number. Renewals never reach it."""
_LARGEST = 65536
"""Bytes; a record has a few hundred."""
_LOOKS = 5
"""Attempts to read the records consistently while other processes write and remove some."""
LONGEST_REQUEST = 30.0
"""Seconds that a request may take after it was sent in time; at most the duration of the lease."""


@dataclass(frozen=True)
class LeaseTerms:
    """Seconds: the duration of a lease without renewal, the grace period after it, and the oldest usable look.

    The grace period covers clocks that run at different speeds, and stores with times in whole seconds. `clock` and
    `pause` belong to this machine.
    """

    seconds: float = 60.0
    grace: float = 3.0
    look: float = 2.0
    clock: Callable[[], float] = running
    pause: Callable[[float], None] = time.sleep


class LeaseRecord(Fact):
    """One record: the holder and the time. Both times come from the holder's clock and are shown to people only."""

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
        """The holder."""
        return Operator(self.user, self.host, self.pid)

    def dated(self) -> LeaseRecord:
        """A copy of the record with the present time."""
        return self.model_copy(update={"expires_at": datetime.now(UTC) + timedelta(seconds=self.seconds)})


@dataclass(frozen=True)
class LeaseState:
    """The highest record of a scope; `record` is None if it cannot be read."""

    number: int
    entry: ObjectInfo
    record: LeaseRecord | None

    @property
    def holder(self) -> str:
        """The holder in words."""
        return f"{self.record.who}, since {moment(self.record.taken_at)}" if self.record else UNKNOWN_HOLDER

    @property
    def message(self) -> str:
        """The holder's message as a sentence; empty if there is none."""
        return f"Its message: {self.record.message}." if self.record and self.record.message else ""

    @property
    def ended(self) -> bool:
        """Whether its holder ended the lease."""
        return self.record is not None and self.record.state == "released"


@dataclass(frozen=True)
class LeaseRow:
    """The records of one scope."""

    store: Store
    scope: str
    terms: LeaseTerms

    def first(self, who: Operator, message: str) -> LeaseRecord:
        """The first record of a new holder."""
        at = datetime.now(UTC)
        new = LeaseRecord(
            state="held", user=who.user, host=who.host, pid=who.pid, nonce=secrets.token_hex(16), message=message,
            taken_at=at, expires_at=at, seconds=self.terms.seconds,
        )  # fmt: skip
        return new.dated()

    def highest(self) -> LeaseState | None:
        """The record that counts. A record that disappears while it is read was not the highest any more.

        A record that stays but is not a small file counts as unreadable.
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
            f"The lease of {self.scope} in {self.store.place} changed during every attempt to read it.",
            next_action="Run the command again.",
        )

    def highest_number(self) -> int | None:
        """The highest number, found with one request."""
        return max(self._numbered(), default=None)

    def put(self, number: int, record: LeaseRecord) -> None:
        """Create a record. Raises NameTaken."""
        self.store.put_once(self._name(number), record.model_dump_json().encode())

    def remove(self, number: int) -> None:
        """Remove a record that no longer counts."""
        self.store.delete(self._name(number))

    def take(self, number: int, record: LeaseRecord) -> bool:
        """Create the record; true if it is the highest afterwards."""
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
        """Remove the records below `number`, as far as the store allows it."""
        for entry in self.store.listing(self._directory):
            match = _NUMBER.fullmatch(entry.name.rpartition("/")[2])
            if match is None or int(match[1]) < number:
                with suppress(MachineError, BadInput):  # the name is not one of a record
                    self.store.delete(entry.name)

    def seems_over(self, highest: LeaseState) -> bool:
        """Whether the lease looks expired by the store's clock, so that waiting for it is worthwhile.

        This is a hint only: a clock may have been set, and a directory may have the times of its writers. A record
        without readable content also counts as worth waiting for.
        """
        now = self._now()
        age = (now - highest.entry.modified_at).total_seconds() if now is not None else 0.0
        return age > self.lasts(highest) or age < -self.terms.grace

    def lasts(self, highest: LeaseState) -> float:
        """Seconds without a change of the record after which its holder sends nothing and its requests have ended.

        The holder's setting decides. An unreadable record expires, too.
        """
        seconds = highest.record.seconds if highest.record else self.terms.seconds
        return seconds + self.terms.grace + min(LONGEST_REQUEST, seconds)

    def held_by(self, highest: LeaseState | None, why: str) -> LockHeld:
        """The error that names the holder."""
        holder, message = (highest.holder, highest.message) if highest else (UNKNOWN_HOLDER, "")
        return LockHeld(
            f"Another process holds the lease of {self.scope} in {self.store.place}: {holder}.",
            why=f"{why} {message}".strip(),
            next_action="Wait until it ends. The lease of a dead process expires by itself. Take over only if you are "
            "sure that the other process has stopped.",
        )

    def _now(self) -> datetime | None:
        """The time by the store's clock; None if another process removed the object that would show it."""
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
                f"The lease of {self.scope} in {self.store.place} has reached the highest possible number.",
                why=f"{self._directory} contains a record that uscdr did not write: no process reaches that number.",
                next_action=f"Check that nobody works on the target. Then delete {self._directory}/{number - 1}.json.",
            )
        return f"{self._directory}/{number:012d}.json"


def _parsed(data: bytes) -> LeaseRecord | None:
    try:
        return LeaseRecord.model_validate_json(data)
    except ValidationError:
        return None
