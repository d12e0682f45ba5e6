"""One recovery of a target in the whole team: the lease, in words that an operator understands."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from uscdr.errors import LockHeld, MachineError
from uscdr.files import private_directory, write_whole
from uscdr.settings import Operator
from uscdr.vault.lease import Lease, attempt
from uscdr.vault.leaserow import Record, Row, Standing, Terms, named, said
from uscdr.vault.store import Store

TERMS = Terms()
_TRIES = 3
_TOO_LONG = "It was stopped, or could not reach the shared state, for longer than the lease lasts."
_NOT_PLAIN = re.compile(r"[^a-z0-9-]+")
_RUN = re.compile(r"\(run ([^)\s]+)\)")


@dataclass(frozen=True)
class Wish:
    """Who wants to work on which target (its key), for which run, saying what."""

    key: str
    run: str
    who: Operator
    message: str

    @property
    def app(self) -> str:
        """The application, for people."""
        return self.key.rpartition(" ")[2]

    @property
    def scope(self) -> str:
        """The lease's name: two names of one application are one target."""
        plain = _NOT_PLAIN.sub("-", self.app.lower()).strip("-")[:40] or "target"
        return f"{plain}-{hashlib.sha256(self.key.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Takeover:
    """That the operator wants it from whoever has it.

    `asks` puts a phrase to the operator; it raises LockHeld when nobody can be asked. `pause` waits, interruptibly.
    `tell` shows how many seconds of how many were waited, and for whom.
    """

    asks: Callable[[dict[str, str], str, LockHeld], bool]
    pause: Callable[[float], None]
    tell: Callable[[float, float, str], None]


class Claim:
    """A lease that this process holds for its run."""

    def __init__(self, lease: Lease, row: Row, wish: Wish) -> None:
        self._lease = lease
        self._row = row
        self._wish = wish

    def check(self) -> None:
        """Look whether this is still the process that writes. Raises LockHeld saying who took over, MachineError."""
        try:
            self._lease.check()
        except LockHeld as error:
            raise self._lost() from error

    def _lost(self) -> LockHeld:
        highest = self._row.highest()
        if highest is None:
            raise MachineError(
                f"The lease of {self._wish.app} is gone from {self._row.store.place}.",
                why="Its records are never removed by uscdr, but for those that newer ones replaced.",
                next_action="Was it emptied, or is it not mounted any more?",
            )
        record = highest.record
        return LockHeld(
            f"Run {self._wish.run} is no longer this process's: {named(record)} took over.",
            why=" ".join((_TOO_LONG, said(record))).strip(),
            next_action=f"Nothing more was changed from here. See: uscdr runs show {_run_of(record) or self._wish.run}",
        )


@contextmanager
def claim(
    store: Store, notes: Path, wish: Wish, *, terms: Terms = TERMS, take_over: Takeover | None = None
) -> Iterator[Claim]:  # fmt: skip
    """Hold the lease of the wish's target. The local lock of the target must be held.

    A lease that a dead process of this machine left is free at once (`notes` remembers which those are); another's is
    free when its holder ended it or did not renew it in time. With `take_over` that time is waited for, and a holder
    that is alive is taken over from if the operator types the phrase.

    Raises LockHeld saying who has it, Declined, Interrupted, MachineError and OutcomeUnknown.
    """
    terms = terms if take_over is None else replace(terms, pause=take_over.pause)
    row, note = Row(store, wish.scope, terms), notes / wish.scope
    own = note.read_bytes().decode(errors="replace") if note.is_file() else ""
    lease = _acquire(row, wish, own) or _taken_over(row, wish, own, take_over)
    private_directory(notes)
    write_whole(note, lease.record.nonce.encode())
    with lease.kept():
        yield Claim(lease, row, wish)


def _acquire(row: Row, wish: Wish, *from_these: str) -> Lease | None:
    """The lease, if it is free, run out, or held under one of the nonces; None when somebody else has it."""
    for _ in range(_TRIES):
        highest = row.highest()
        if not row.is_over(highest) and _nonce(highest) not in from_these:
            return None
        if lease := attempt(row, highest, wish.who, wish.message):
            return lease
    return None


def _taken_over(row: Row, wish: Wish, own: str, take_over: Takeover | None) -> Lease:
    highest = row.highest()
    refusal = _held(highest, wish)
    if take_over is None or highest is None:
        raise refusal
    if _outlived(row, highest, take_over):
        lease = _acquire(row, wish, own)
    elif wish.run == _run_of(highest.record) and take_over.asks(*_question(highest, wish, refusal)):
        lease = _acquire(row, wish, own, _nonce(highest))
    else:
        raise refusal
    if lease is None:
        raise _held(row.highest(), wish)
    return lease


def _outlived(row: Row, highest: Standing, take_over: Takeover) -> bool:
    """Wait until the lease runs out, or is renewed: then its holder is alive."""
    began, longest = row.terms.monotonic(), longest_wait(row.terms, highest.record)
    while not row.is_over(highest):
        take_over.tell(row.terms.monotonic() - began, longest, named(highest.record))
        row.terms.pause(row.terms.look)
        now = row.highest()
        if now is None or _nonce(now) != _nonce(highest):
            return now is None
        if now.number != highest.number:
            return bool(now.record and now.record.state == "released")
    return True


def longest_wait(terms: Terms, record: Record | None) -> float:
    """Seconds after which a holder that is gone is surely noticed."""
    return (record.seconds if record else terms.seconds) + terms.grace + terms.look


def _question(highest: Standing, wish: Wish, refusal: LockHeld) -> tuple[dict[str, str], str, LockHeld]:
    record = highest.record
    holder = f"{record.user}@{record.host}" if record else "another"
    facts = {"run": wish.run, "target": wish.app, "held by": named(record), "is alive": "it renewed just now"}
    return facts, f"take over {wish.run} from {holder}", refusal


def _nonce(highest: Standing | None) -> str:
    return highest.record.nonce if highest and highest.record else "unreadable"


def _held(highest: Standing | None, wish: Wish) -> LockHeld:
    record = highest.record if highest else None
    run = _run_of(record)
    look = f" See: uscdr runs show {run}" if run else ""
    theirs = f" If that machine is surely out of the game: uscdr runs resume {run} --take-over" if run else ""
    return LockHeld(
        f"{wish.app} is being worked on already: {named(record)}.",
        why=said(record),
        next_action=f"Talk to that person.{look} Nothing was changed by this command.{theirs}",
    )


def _run_of(record: Record | None) -> str:
    found = _RUN.search(record.message) if record else None
    return found[1] if found else ""
