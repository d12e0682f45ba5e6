"""One writer per scope of a store, on stores that can only create: a row of numbered records, the highest counts.

Whoever creates the next number decides: a new holder, a renewal by the present one, or the end of a lease. Records
below the highest are removed, the highest never is; so a number that was free only because it had been used and
removed shows a higher one when the row is looked at again, and counts for nothing.

Whether a holder is gone is judged by how long its record stands unchanged, by the clock of whoever waits for it, and
whether a holder may still send by its own: two clocks are never compared. The holder sends nothing once its last
renewal is older than the lease lasts; the next one waits for that time and the longest request (`Row.lasts`).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uscdr.errors import LockHeld, MachineError, OutcomeUnknown
from uscdr.settings import Operator, is_gone
from uscdr.store.lease_records import LONGEST_REQUEST, LeaseRecord, LeaseRow, LeaseState, LeaseTerms, is_ended
from uscdr.store.store import NameTaken, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How long a lease stands unchanged, as one process sees it by its own clock. No other clock decides who is gone.


class LeaseWatch:
    """One process's look at a row, again and again."""

    def __init__(self, row: LeaseRow) -> None:
        self._row = row
        self._seen: LeaseState | None = None
        self._since = 0.0
        self.seconds = 0.0
        """For how long what was seen last is known to stand unchanged."""
        self.changed = False
        """Whether somebody renewed it or took it since the first look."""

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
        """Whether it was ended, or its holder is surely past acting."""
        return highest is None or is_ended(highest) or self.seconds > self._row.lasts(highest)


def _mark(standing: LeaseState | None) -> tuple[int, str] | None:
    """What a renewal or another holder would change."""
    if standing is None:
        return None
    return standing.number, standing.record.nonce if standing.record else ""


_TRIES = 3
_LEFT_ALONE = 10.0
"""Seconds for which a store that could not be asked is not asked again before a request, while the lease lasts."""


class Lease:
    """A lease that is held, and renewed by a thread of its own."""

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
        """What others see of it."""
        return self._record

    @property
    def taken_by(self) -> LeaseState | None:
        """Whose record took its place, as far as this process knows already."""
        return self._taken_by

    def check(self) -> None:
        """Look whether this process is still the one that writes; call it before each write.

        Raises LockHeld naming who took the lease over, MachineError or OutcomeUnknown when the store cannot be asked.
        """
        with self._turn:
            self._look()
            if self._is_stale():
                self._renew()

    def leave(self) -> None:
        """Whether a request may go out this very moment. Asks the store only when its last answer is old.

        While the store is away a lease that lasts is enough: whoever takes over waits for longer.

        Raises LockHeld naming who took the lease over; MachineError or OutcomeUnknown when it ran out here, and the
        store cannot be asked.
        """
        for _ in range(_TRIES):
            if self._stands():
                return
            self._confirm()
        if not self._stands():
            raise MachineError(
                f"{self._row.store.place} is too slow to tell whether {self._row.scope} is still this process's.",
                next_action="Go on when it can be reached: uscdr runs resume",
            )

    def lasts(self) -> float:
        """Seconds for which this process may still send, by its last renewal; more than its leave needs, not too much.

        The grant on top is the other side's: half of it is for a request that leaves at the very end.
        """
        if self._lost is not None:
            return 0.0
        return max(0.0, self._record.seconds + self._row.terms.grace / 2 - (self._row.terms.clock() - self._renewed))

    def _stands(self) -> bool:
        """By this machine's clock, last of all: the process may have been stopped while the store answered."""
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
        """Write the next number, and make sure that it is the highest."""
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
        """Compare with the highest record; one of this lease, whose answer was lost, is adopted."""
        if self._lost is not None:
            raise self._lost
        if self._row.highest_number() == self._number:
            return
        highest = self._row.highest()
        if highest is not None and highest.record is not None and highest.record.nonce == self._record.nonce:
            self._record, self._number = highest.record, highest.number
            return
        self._taken_by = highest
        self._lost = self._row.held_by(highest, "This process no longer holds the lease, and wrote nothing more.")
        raise self._lost

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew it by a thread until the context ends; then end the lease, too."""
        thread = threading.Thread(target=self._keep, daemon=True, name=f"lease-{self._row.scope}")
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            with self._turn, suppress(LockHeld, MachineError, OutcomeUnknown):  # else it runs out by itself
                self._release()

    def _release(self) -> None:
        self._look()
        self._row.put(self._number + 1, self._record.model_copy(update={"state": "released"}))
        self._row.remove(self._number)

    @classmethod
    def attempt(cls, row: LeaseRow, highest: LeaseState | None, who: Operator, message: str) -> Lease | None:
        """Take the lease with the number after the highest; None when somebody else was faster."""
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
    """Hold the lease of `scope` for the duration. With `take_over` from whoever has it.

    Otherwise waits at most `patience` seconds for its holder to end it or to stop renewing it.

    Raises:
        LockHeld: somebody else has it; says who, since when, on which machine.
        MachineError, OutcomeUnknown: the store.
    """
    lease = _take(LeaseRow(store, scope, terms or LeaseTerms()), who, message, take_over=take_over, patience=patience)
    with lease.kept():
        yield lease


def _holder(store: Store, scope: str) -> LeaseRecord | None:
    """Who holds the lease, as far as can be told without writing: whoever did not end it. None: nobody that is known.

    Raises MachineError when the store cannot be asked.
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
            take_over = False  # somebody else was faster: that one is not to be taken over
        if now() >= deadline:
            raise row.held_by(row.highest(), "")
        row.terms.pause(min(row.terms.look, max(0.0, deadline - now())))


# One writer of copies at a time: who pulls or removes holds the store's lease `copies` meanwhile.


SCOPE = "copies"
TERMS = LeaseTerms()


@dataclass(frozen=True)
class WriterQueue:
    """Who stands in it, and how: `pause` waits some seconds and raises Interrupted; `say` is told whom we wait for."""

    who: Operator
    pause: Callable[[float], None]
    say: Callable[[str], None]
    terms: LeaseTerms = TERMS

    @contextmanager
    def turn(self, store: Store, message: str) -> Iterator[Lease]:
        """Hold the lease; `message` tells others what for. Waits as long as a lease lasts that nobody renews any more.

        Raises LockHeld when its holder is alive, MachineError and OutcomeUnknown from the store, Interrupted.
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
    """A process of this machine that is there no more. Of other machines nothing is known."""
    return record.host == who.host and record.pid != who.pid and is_gone(record.pid)
