"""The lease that allows one recovery per target in the whole team, with messages for the operator."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uscdr.errors import LockHeld, MachineError
from uscdr.files import private_directory, whole, write_whole
from uscdr.models.events import StepProgress
from uscdr.phrase import LONGEST, cut_name
from uscdr.store.lease import Lease, LeaseWatch
from uscdr.store.lease_records import UNKNOWN_HOLDER, LeaseRecord, LeaseRow, LeaseState, LeaseTerms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from uscdr.engine.gate import Asker
    from uscdr.engine.wait import Stop
    from uscdr.events import Bus
    from uscdr.settings import Operator
    from uscdr.store.store import Store

TERMS = LeaseTerms()
LARGEST_NOTE = 4096
WAITING = "take over"
"""The name of the wait for a lease in progress messages."""
_TRIES = 3
_TOO_LONG = "This process was suspended, or could not reach the shared state, for longer than the lease lasts."
_NOT_PLAIN = re.compile(r"[^a-z0-9-]+")
_RUN = re.compile(r"\(run ([^)\s]+)\)")


@dataclass(frozen=True)
class LeaseRequest:
    """The operator, the target (its key), the run and the message of one request."""

    key: str
    run: str
    who: Operator
    message: str

    @property
    def app(self) -> str:
        """The application's name, as shown to people."""
        return self.key.rpartition(" ")[2]

    @property
    def scope(self) -> str:
        """The lease's name: two names of one application are the same target."""
        plain = _NOT_PLAIN.sub("-", self.app.lower()).strip("-")[:40] or "target"
        return f"{plain}-{hashlib.sha256(self.key.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Waiting:
    """How this process waits for another's lease, and whether it takes over from a live holder (`takes_over`).

    `asks` asks the operator to type a phrase; it raises LockHeld if nobody can be asked. `pause` waits and can be
    interrupted. `tell` shows the seconds waited, the longest wait, and the reason.
    """

    asks: Callable[[dict[str, str], str, LockHeld], bool]
    pause: Callable[[float], None]
    tell: Callable[[float, float, str], None]
    takes_over: bool = False

    @classmethod
    def of(cls, asker: Asker, stop: Stop, bus: Bus, *, take_over: bool) -> Waiting:
        """Wait with or without an operator who can be asked.

        `bus` has viewers and no journal: this process does not have the run yet.
        """

        def tell(waited: float, longest: float, words: str) -> None:
            bus.emit(StepProgress(step=WAITING, note=words, done=min(waited, longest), total=longest, unit="s"))

        def asks(facts: Mapping[str, str], phrase: str, refusal: LockHeld) -> bool:
            if not asker.interactive:
                raise LockHeld(
                    refusal.message,
                    why=f"The holder is alive: it renewed its lease just now. {refusal.why}",
                    next_action=f"Talk to that person. At a terminal you can type this phrase to take over: {phrase}",
                )
            return asker.confirm_phrase(facts, phrase)

        return cls(asks, stop.pause, tell, take_over)


class RunLease:
    """A lease that this process holds for its run."""

    def __init__(self, lease: Lease, request: LeaseRequest, place: str) -> None:
        self._lease = lease
        self._place = place
        self._request = request
        self._over: LockHeld | None = None

    @classmethod
    @contextmanager
    def claim(
        cls, store: Store, notes: Path, request: LeaseRequest, waiting: Waiting, *, terms: LeaseTerms = TERMS
    ) -> Iterator[RunLease]:  # fmt: skip
        """Hold the lease of the requested target. The caller must hold the local lock of the target.

        A lease of a dead process of this machine is free at once. `notes` remembers this machine's leases; a copied
        state directory does not count, because the original may be in use. A lease of another machine is free when its
        holder ended it, or when it has not changed for its duration plus the longest request. This waits for that if
        the lease looks expired or is to be taken over. It takes over from a live holder only if the operator types the
        phrase; then it waits for the same time before it returns.

        Raises LockHeld that names the holder, Declined, Interrupted, MachineError and OutcomeUnknown.
        """
        row, note = LeaseRow(store, request.scope, replace(terms, pause=waiting.pause)), notes / request.scope
        taken = _Taking(row, request, waiting, _noted(note)).take()
        private_directory(notes)
        write_whole(note, f"{taken.lease.record.nonce} {_here(notes)}".encode())
        with taken.lease.kept():
            held = cls(taken.lease, request, store.place)
            if taken.alive is not None:
                _let_it_notice(row, taken.alive, waiting, held)
            yield held

    @property
    def over(self) -> LockHeld | None:
        """The error that names the new holder, if this process has seen one; does not ask the store."""
        if self._over is None and self._lease.taken_by is not None:
            self._over = _taken_from(self._request, self._lease.taken_by)
        return self._over

    def check(self) -> None:
        """Check that this process still holds the lease. Raises LockHeld that names the new holder, MachineError."""
        self._said(self._lease.check)

    def leave(self) -> str:
        """Check that a request that changes something may be sent now; raises as `check` does. Returns no warning."""
        self._said(self._lease.leave)
        return ""

    def lasts(self) -> float:
        """Seconds for which `leave` stays valid."""
        return self._lease.lasts()

    def _said(self, ask: Callable[[], None]) -> None:
        try:
            ask()
        except LockHeld as error:
            raise (self.over or self._gone()) from error

    def _gone(self) -> MachineError:
        return MachineError(
            f"The lease of {self._request.app} has disappeared from {self._place}.",
            why="Somebody emptied the shared state, or it is no longer mounted. uscdr never removes the newest record.",
            next_action="Restore or mount the shared state. Then run: uscdr runs resume",
        )


def _taken_from(request: LeaseRequest, by: LeaseState) -> LockHeld:
    return LockHeld(
        f"Another process took over run {request.run}: {by.holder}.",
        why=f"{_TOO_LONG} {by.message}".strip(),
        next_action=f"This process changed nothing more. See: uscdr runs show {_run_of(by.record) or request.run}",
    )


def _noted(note: Path) -> str:
    """The lease noted as this machine's; empty without a note, or if the note is invalid or from another directory."""
    try:
        text = whole(note, LARGEST_NOTE).decode(errors="replace")
    except OSError:
        return ""
    nonce, _, place = text.partition(" ")
    return nonce if place and place == _here(note.parent) else ""


def _here(notes: Path) -> str:
    """An identifier of the directory that survives a move and differs in a copy."""
    facts = notes.stat()
    return f"{facts.st_dev}:{facts.st_ino}"


@dataclass(frozen=True)
class _Taken:
    """A lease, and the record of the live holder from which it was taken, if any."""

    lease: Lease
    alive: LeaseState | None = None


@dataclass(frozen=True)
class _Taking:
    """One process's attempt to take a lease."""

    row: LeaseRow
    request: LeaseRequest
    waiting: Waiting
    own: str

    def take(self) -> _Taken:
        """Take the lease, or raise the reason."""
        for _ in range(_TRIES):
            watch = LeaseWatch(self.row)
            highest = watch.look()
            if highest is None or highest.ended or _nonce(highest) == self.own:
                if lease := Lease.attempt(self.row, highest, self.request.who, self.request.message):
                    return _Taken(lease)
            elif not (self.waiting.takes_over or self.row.seems_over(highest)):
                break
            elif self._outlived(watch, highest):
                if lease := Lease.attempt(self.row, self.row.highest(), self.request.who, self.request.message):
                    return _Taken(lease)
            else:
                return self._from_the_living()
        raise _held(self.row.highest(), self.request)

    def _outlived(self, watch: LeaseWatch, highest: LeaseState) -> bool:
        """Wait until the holder can certainly send nothing more; False if the lease was renewed or taken meanwhile."""
        began, longest = self.row.terms.clock(), _longest_wait(self.row, highest)
        now: LeaseState | None = highest
        while not watch.is_over(now):
            words = f"checking whether {highest.holder} is alive"
            self.waiting.tell(self.row.terms.clock() - began, longest, words)
            self.row.terms.pause(self.row.terms.look)
            now = watch.look()
            if watch.changed:
                return now is None or now.ended
        return True

    def _from_the_living(self) -> _Taken:
        highest = self.row.highest()
        refusal = _held(highest, self.request)
        if highest is None or not self.waiting.takes_over or self.request.run != _run_of(highest.record):
            raise refusal
        if not self.waiting.asks(*_question(highest, self.request, refusal)):
            raise refusal
        now = self.row.highest()
        if _nonce(now) != _nonce(highest):
            raise _held(now, self.request)
        if lease := Lease.attempt(self.row, now, self.request.who, self.request.message):
            return _Taken(lease, highest)
        raise _held(self.row.highest(), self.request)


def _let_it_notice(row: LeaseRow, before: LeaseState, waiting: Waiting, held: RunLease) -> None:
    """Wait until the old holder, which can no longer renew, sends nothing and its last requests have ended."""
    began, longest = row.terms.clock(), row.lasts(before)
    while (waited := row.terms.clock() - began) < longest:
        waiting.tell(waited, longest, f"waiting until {before.holder} has noticed the takeover")
        row.terms.pause(row.terms.look)
        held.check()


def _longest_wait(row: LeaseRow, highest: LeaseState) -> float:
    """Seconds after which a dead holder is recognised in every case."""
    return row.lasts(highest) + row.terms.look


def _question(highest: LeaseState, request: LeaseRequest, refusal: LockHeld) -> tuple[dict[str, str], str, LockHeld]:
    record = highest.record
    holder = f"{record.user}@{record.host}" if record else "another"
    doing = f"take over {request.run[-6:]} from"
    facts = {
        "run": request.run,
        "target": request.app,
        "held by": highest.holder,
        "is alive": "the holder renewed the lease just now",
    }
    return facts, f"{doing} {cut_name(holder, LONGEST - len(doing) - 1)}", refusal


def _nonce(highest: LeaseState | None) -> str:
    return highest.record.nonce if highest and highest.record else "unreadable"


def _held(highest: LeaseState | None, request: LeaseRequest) -> LockHeld:
    holder, message = (highest.holder, highest.message) if highest else (UNKNOWN_HOLDER, "")
    run = _run_of(highest.record) if highest else ""
    look = f" See: uscdr runs show {run}" if run else ""
    theirs = f" If you are sure that this machine has stopped: uscdr runs resume {run} --take-over" if run else ""
    return LockHeld(
        f"Another run already works on {request.app}: {holder}.",
        why=message,
        next_action=f"Talk to that person.{look} This command changed nothing.{theirs}",
    )


def _run_of(record: LeaseRecord | None) -> str:
    found = _RUN.search(record.message) if record else None
    return found[1] if found else ""
