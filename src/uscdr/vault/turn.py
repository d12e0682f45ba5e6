"""One writer of copies at a time: who pulls or removes holds the store's lease `copies` meanwhile.

It saves two writers from doing the same work. What keeps them from harm is that names are created only once, and that
a manifest comes last; so a lease that a dead process of this very machine left behind is taken over without a wait.
A kit is built without it: a long download of media must not keep the copies waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from uscdr.settings import Operator, is_gone
from uscdr.vault import lease
from uscdr.vault.leaserow import LONGEST_REQUEST, Record, Terms
from uscdr.vault.store import Store

SCOPE = "copies"
TERMS = Terms()


@dataclass(frozen=True)
class Queue:
    """Who stands in it, and how: `pause` waits some seconds and raises Interrupted; `say` is told whom we wait for."""

    who: Operator
    pause: Callable[[float], None]
    say: Callable[[str], None]
    terms: Terms = TERMS


@contextmanager
def turn(store: Store, queue: Queue, message: str) -> Iterator[lease.Lease]:
    """Hold the lease; `message` tells others what for. Waits as long as a lease lasts that nobody renews any more.

    Raises LockHeld when its holder is alive, MachineError and OutcomeUnknown from the store, Interrupted.
    """
    before = lease.holder(store, SCOPE)
    dead = before is not None and _is_dead(before, queue.who)
    if before is not None and not dead:
        queue.say(f"waiting: {before.who} writes to {store.place}: {before.message}")
    terms = replace(queue.terms, pause=queue.pause)
    seconds = before.seconds if before else terms.seconds
    patience = seconds + terms.grace + min(LONGEST_REQUEST, seconds) + 2 * terms.look
    with lease.hold(
        store, SCOPE, queue.who, message=message, take_over=dead, patience=patience, terms=terms
    ) as held:  # fmt: skip
        yield held


def _is_dead(record: Record, who: Operator) -> bool:
    """A process of this machine that is there no more. Of other machines nothing is known."""
    return record.host == who.host and record.pid != who.pid and is_gone(record.pid)
