"""One writer per scope of a store, on stores that can only create: a row of numbered records, the highest counts.

Whoever creates the next number decides: a new holder, a renewal by the present one, or the end of a lease. Records
below the highest are removed, the highest never is; so a number that was free only because it had been used and
removed shows a higher one when the row is looked at again, and counts for nothing. Whether a lease ran out is judged
by the store's own times alone: when its record was written, and when a record made for the purpose is.
The lease keeps two writers from working in vain. What keeps them from harm is that names are created only once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from uscdr.errors import LockHeld, MachineError, OutcomeUnknown
from uscdr.settings import Operator
from uscdr.vault.leaserow import Record, Row, Standing, Terms, dated
from uscdr.vault.store import NameTaken, Store


class Lease:
    """A lease that is held, and renewed by a thread of its own."""

    def __init__(self, row: Row, record: Record, number: int, renewed: float) -> None:
        self._row = row
        self._record = record
        self._number = number
        self._renewed = renewed
        self._lost: LockHeld | None = None
        self._turn = threading.RLock()
        self._ended = threading.Event()

    @property
    def record(self) -> Record:
        """What others see of it."""
        return self._record

    def check(self) -> None:
        """Look whether this process is still the one that writes; call it before each write.

        Raises LockHeld naming who took the lease over, MachineError or OutcomeUnknown when the store cannot be asked.
        """
        with self._turn:
            self._look()
            if self._row.terms.monotonic() - self._renewed >= self._record.seconds:
                self._renew()

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
        began, before = self._row.terms.monotonic(), self._number
        renewed = dated(self._record)
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


@contextmanager
def hold(
    store: Store,
    scope: str,
    who: Operator,
    *,
    message: str = "",
    take_over: bool = False,
    patience: float = 0.0,
    terms: Terms | None = None,
) -> Iterator[Lease]:
    """Hold the lease of `scope` for the duration. With `take_over` from whoever has it.

    Otherwise waits at most `patience` seconds for its holder to end it or to stop renewing it.

    Raises:
        LockHeld: somebody else has it; says who, since when, on which machine.
        MachineError, OutcomeUnknown: the store.
    """
    lease = _take(Row(store, scope, terms or Terms()), who, message, take_over=take_over, patience=patience)
    with lease.kept():
        yield lease


def holder(store: Store, scope: str) -> Record | None:
    """Who holds the lease, as far as can be told without writing: whoever did not end it. None: nobody.

    Raises MachineError when the store cannot be asked, or has a record that cannot be read.
    """
    highest = Row(store, scope, Terms()).highest()
    if highest is not None and highest.record is None:
        raise MachineError(f"The lease of {scope} in {store.place} cannot be read.", next_action="Look again.")
    record = highest.record if highest else None
    return record if record is not None and record.state == "held" else None


def attempt(row: Row, highest: Standing | None, who: Operator, message: str) -> Lease | None:
    """Take the lease with the number after the highest; None when somebody else was faster."""
    number, began = (highest.number + 1 if highest else 1), row.terms.monotonic()
    record = row.first(who, message)
    if not row.take(number, record):
        return None
    row.tidy(number)
    return Lease(row, record, number, began)


def _take(row: Row, who: Operator, message: str, *, take_over: bool, patience: float) -> Lease:
    now = row.terms.monotonic
    deadline = now() + patience
    while True:
        highest = row.highest()
        if take_over or row.is_over(highest):
            if lease := attempt(row, highest, who, message):
                return lease
            take_over = False  # somebody else was faster: that one is not to be taken over
        if now() >= deadline:
            raise row.held_by(row.highest(), "")
        row.terms.pause(min(row.terms.look, max(0.0, deadline - now())))
