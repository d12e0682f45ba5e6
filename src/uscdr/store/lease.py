"""One writer per scope of a store that supports only conditional creation: numbered records, the highest one counts.

The process that creates the next number decides: it takes the lease, renews it, or ends it. Records below the highest
are removed; the highest never is. If a process creates a number that was used and removed before, the next look at the
records shows a higher number, and its own record does not count.

The waiting process judges by its own clock how long the record has not changed. The holder judges by its own clock
whether it may still send. Two clocks are never compared. The holder sends nothing after its last renewal is older than
the duration of the lease. The next holder waits for that duration plus the longest request (`LeaseRow.lasts`).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uscdr.errors import LockHeld, MachineError, OutcomeUnknown
from uscdr.settings import Operator, is_gone
from uscdr.store.lease_records import LONGEST_REQUEST, LeaseRecord, LeaseRow, LeaseState, LeaseTerms
from uscdr.store.store import NameTaken, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Measures by this process's own clock how long a lease has not changed. No other clock decides that a holder is dead.


class LeaseWatch:
    """Observes the records of one scope repeatedly."""

    def __init__(self, row: LeaseRow) -> None:
        self._row = row
        self._seen: LeaseState | None = None
        self._since = 0.0
        self.seconds = 0.0
        """Seconds for which the newest record is known to be unchanged."""
        self.changed = False
        """Whether a process renewed or took the lease since the first look."""

    def look(self) -> LeaseState | None:
        """The record that counts now."""
        began = self._row.terms.clock()
        highest = self._row.highest()
        if self._seen is None or _mark(highest) != _mark(self._seen):
            self.changed = self.changed or self._seen is not None
            self._seen, self._since, self.seconds = highest, self._row.terms.clock(), 0.0
        else:
            self.seconds = max(0.0, began - self._since)
        return highest

    def is_over(self, highest: LeaseState | None) -> bool:
        """Whether the lease was ended, or its holder can certainly send nothing more."""
        return highest is None or highest.ended or self.seconds > self._row.lasts(highest)


def _mark(standing: LeaseState | None) -> tuple[int, str] | None:
    """The part of a record that a renewal or a new holder changes."""
    if standing is None:
        return None
    return standing.number, standing.record.nonce if standing.record else ""


_TRIES = 3
_LEFT_ALONE = 10.0
"""Seconds before an unreachable store is asked again while the lease is still valid."""


class Lease:
    """A lease that this process holds; a thread renews it."""

    def __init__(self, row: LeaseRow, record: LeaseRecord, number: int, renewed: float) -> None:
        self._row = row
        self._record = record
        self._number = number
        self._renewed = renewed
        self._good_until = renewed
        self._lost: LockHeld | None = None
        self._taken_by: LeaseState | None = None
        self._turn = threading.RLock()
        self._ended = threading.Event()

    @property
    def record(self) -> LeaseRecord:
        """The record that other processes see."""
        return self._record

    @property
    def taken_by(self) -> LeaseState | None:
        """The record that replaced it, if this process has seen one."""
        return self._taken_by

    def check(self) -> None:
        """Check that this process still holds the lease; call it before each write.

        Raises LockHeld that names the new holder, MachineError or OutcomeUnknown if the store cannot be asked.
        """
        with self._turn:
            self._look()
            if self._is_stale():
                self._renew()

    def leave(self) -> None:
        """Check that a request may be sent now. Asks the store only if its last answer is old.

        While the store is unreachable, a lease that has not expired is enough: a new holder waits longer than that.

        Raises LockHeld that names the new holder; MachineError or OutcomeUnknown if the lease expired and the store
        cannot be asked.
        """
        for _ in range(_TRIES):
            if self._stands():
                return
            self._confirm()
        if not self._stands():
            raise MachineError(
                f"{self._row.store.place} is too slow to confirm the lease of {self._row.scope}.",
                next_action="Resume when the store answers again: uscdr runs resume",
            )

    def lasts(self) -> float:
        """Seconds for which this process may still send, counted from its last renewal.

        Only half of the grace period counts: the other half covers a request that is sent at the very end.
        """
        if self._lost is not None:
            return 0.0
        return max(0.0, self._record.seconds + self._row.terms.grace / 2 - (self._row.terms.clock() - self._renewed))

    def _stands(self) -> bool:
        """Checked last, by this machine's clock: the process may have been suspended while the store answered."""
        if self._lost is not None:
            raise self._lost
        now = self._row.terms.clock()
        return now < self._good_until and now - self._renewed < self._record.seconds

    def _confirm(self) -> None:
        with self._turn:
            try:
                self.check()
            except (MachineError, OutcomeUnknown):
                if self._is_stale():
                    raise
                self._good_until = self._row.terms.clock() + _LEFT_ALONE
            else:
                self._good_until = self._row.terms.clock() + self._row.terms.look

    def _is_stale(self) -> bool:
        return self._row.terms.clock() - self._renewed >= self._record.seconds

    def _keep(self) -> None:
        while not self._ended.wait(self._record.seconds / 3):
            with self._turn:
                if self._ended.is_set():
                    return
                try:
                    self._renew()
                except LockHeld:
                    return
                except (MachineError, OutcomeUnknown):
                    continue  # the next turn tries again; `check` tells the writer

    def _renew(self) -> None:
        """Write the next number and verify that it is the highest."""
        if self._lost is not None:
            raise self._lost
        began, before = self._row.terms.clock(), self._number
        renewed = self._record.dated()
        try:
            self._row.put(before + 1, renewed)
        except NameTaken:
            self._look()
            return
        self._record, self._number = renewed, before + 1
        self._look()
        self._renewed = began
        with suppress(MachineError):
            self._row.remove(before)

    def _look(self) -> None:
        """Compare with the highest record; adopt one of this lease whose answer was lost."""
        if self._lost is not None:
            raise self._lost
        if self._row.highest_number() == self._number:
            return
        highest = self._row.highest()
        if highest is not None and highest.record is not None and highest.record.nonce == self._record.nonce:
            self._record, self._number = highest.record, highest.number
            return
        self._taken_by = highest
        self._lost = self._row.held_by(highest, "This process lost the lease and stopped writing.")
        raise self._lost

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew the lease in a thread until the context ends; then end the lease."""
        thread = threading.Thread(target=self._keep, daemon=True, name=f"lease-{self._row.scope}")
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            with self._turn, suppress(LockHeld, MachineError, OutcomeUnknown):  # on failure the lease expires
                self._release()

    def _release(self) -> None:
        self._look()
        self._row.put(self._number + 1, self._record.model_copy(update={"state": "released"}))
        self._row.remove(self._number)

    @classmethod
    def attempt(cls, row: LeaseRow, highest: LeaseState | None, who: Operator, message: str) -> Lease | None:
        """Take the lease with the number after the highest; None if another process was faster."""
        number, began = (highest.number + 1 if highest else 1), row.terms.clock()
        record = row.first(who, message)
        if not row.take(number, record):
            return None
        row.tidy(number)
        return cls(row, record, number, began)


@contextmanager
def _hold(
    store: Store,
    scope: str,
    who: Operator,
    *,
    message: str = "",
    take_over: bool = False,
    patience: float = 0.0,
    terms: LeaseTerms | None = None,
) -> Iterator[Lease]:
    """Hold the lease of `scope` while the context lasts. `take_over`: take it from its present holder.

    Otherwise wait at most `patience` seconds for the holder to end it or to stop renewing it.

    Raises:
        LockHeld: another process holds it; names the holder, the time and the machine.
        MachineError, OutcomeUnknown: the store.
    """
    lease = _take(LeaseRow(store, scope, terms or LeaseTerms()), who, message, take_over=take_over, patience=patience)
    with lease.kept():
        yield lease


def _holder(store: Store, scope: str) -> LeaseRecord | None:
    """The holder that has not ended the lease, found without a write; None if there is none.

    Raises MachineError if the store cannot be asked.
    """
    highest = LeaseRow(store, scope, LeaseTerms()).highest()
    record = highest.record if highest else None
    return record if record is not None and record.state == "held" else None


def _take(row: LeaseRow, who: Operator, message: str, *, take_over: bool, patience: float) -> Lease:
    now, watch = row.terms.clock, LeaseWatch(row)
    deadline = now() + patience
    while True:
        highest = watch.look()
        if take_over or watch.is_over(highest):
            if lease := Lease.attempt(row, highest, who, message):
                return lease
            take_over = False  # another process was faster: do not take over from it
        if now() >= deadline:
            raise row.held_by(row.highest(), "")
        row.terms.pause(min(row.terms.look, max(0.0, deadline - now())))


# One writer of copies at a time: a process that pulls or removes copies holds the store's lease `copies`.


SCOPE = "copies"
TERMS = LeaseTerms()


@dataclass(frozen=True)
class WriterQueue:
    """The waiting operator. `pause` waits some seconds and raises Interrupted; `say` shows the present holder."""

    who: Operator
    pause: Callable[[float], None]
    say: Callable[[str], None]
    terms: LeaseTerms = TERMS

    @contextmanager
    def turn(self, store: Store, message: str) -> Iterator[Lease]:
        """Hold the lease; `message` tells other processes the purpose. Waits until a lease without renewal has expired.

        Raises LockHeld if the holder is alive, MachineError and OutcomeUnknown from the store, Interrupted.
        """
        before = _holder(store, SCOPE)
        dead = before is not None and _is_dead(before, self.who)
        if before is not None and not dead:
            self.say(f"waiting: {before.who} writes to {store.place}: {before.message}")
        terms = replace(self.terms, pause=self.pause)
        seconds = before.seconds if before else terms.seconds
        patience = seconds + terms.grace + min(LONGEST_REQUEST, seconds) + 2 * terms.look
        with _hold(
            store, SCOPE, self.who, message=message, take_over=dead, patience=patience, terms=terms
        ) as held:  # fmt: skip
            yield held


def _is_dead(record: LeaseRecord, who: Operator) -> bool:
    """Whether it is a dead process of this machine. Processes of other machines are never presumed dead."""
    return record.host == who.host and record.pid != who.pid and is_gone(record.pid)
