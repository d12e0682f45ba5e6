"""One machine of a race, as a process of its own: lock, lease, a look, and one request that changes something.

All of it is the product's own code; a race's stop may be asked for at places that cannot be seen from outside.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uscdr.errors import LockHeld, UscdrError
from uscdr.journal import lock
from uscdr.providers.http.client import trust
from uscdr.providers.http.exchange import HttpCall
from uscdr.providers.http.transport import open_client
from uscdr.settings import Operator
from uscdr.shared.lease import LeaseRequest, Waiting
from uscdr.shared.team import Team
from uscdr.store import exclusive
from uscdr.store.directory import LocalStore
from uscdr.store.lease_records import LeaseTerms
from uscdr.store.location import open_store
from uscdr.write_guard import WriteGuard

RUN = "20260102T030405Z-db-abc123"
KEY = "https://api.example usc-pis"
_PERSISTS = 25.0
"""Seconds for which one that is refused tries again."""


@dataclass
class Asked:
    """What the race wants of this machine."""

    user: str
    state: str
    store: str
    provider: str
    seconds: float
    grace: float
    takes_over: bool
    persists: bool
    links: bool
    renames: bool
    stops: str
    """Where it stops itself: `lookless`, `look`, `checked`, `sending`, or nowhere."""
    terms: LeaseTerms = field(init=False)

    def __post_init__(self) -> None:
        self.terms = LeaseTerms(seconds=self.seconds, grace=self.grace, look=self.seconds / 10)


class Stops:
    """Stops this thread, once, at the place that was asked for."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._times = 0
        self.armed = False

    def at(self, place: str) -> None:
        """Here, if it is the place."""
        if self.armed and place == self._place:
            self._place = ""
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    def answer(self) -> str:
        """The last of those who are asked for leave: after the lease was looked at."""
        self.at("checked")
        return ""

    def lasts(self) -> float:
        """The last that is looked at: before the timer is set, and once more right before the request leaves."""
        if self.armed:
            self._times += 1
            if self._times > 1:
                self.at("sending")
        return math.inf


def main() -> int:
    """Run one machine; its exit code is the product's."""
    asked = Asked(**json.loads(sys.argv[1]))
    _disk(asked)
    stops = Stops(asked.stops)
    _slow_listing(stops)
    until = time.monotonic() + (_PERSISTS if asked.persists else 0.0)
    while True:
        try:
            _work(asked, stops)
        except LockHeld as error:
            if time.monotonic() < until and "took over" not in error.message:
                time.sleep(0.1)
                continue
            return _told(error)
        except UscdrError as error:
            return _told(error)
        return 0


def _work(asked: Asked, stops: Stops) -> None:
    env = {**os.environ, "USCDR_STATE_DIR": asked.state}
    me, state, leave = Operator(asked.user, f"{asked.user}s-desk", os.getpid()), Path(asked.state), WriteGuard()
    team = Team(open_store(asked.store, env), asked.terms)
    waiting = Waiting(lambda facts, phrase, refusal: True, time.sleep, lambda *_: None, asked.takes_over)
    with (
        lock.HeldLock.hold(state, KEY, me, "recovering") as held,
        leave.of(held.check),
        team.claim(state, LeaseRequest(KEY, RUN, me, f"uscdr recover db (run {RUN})"), waiting) as claim,
        leave.of(claim.leave, claim.lasts),
        leave.of(stops.answer, stops.lasts),
    ):
        _say("held")
        sys.stdin.readline()
        if _is_done(asked):
            _say("found it done")
            return
        stops.armed = True
        stops.at("lookless")
        _change(asked, leave)
        _say("did it")


def _is_done(asked: Asked) -> bool:
    with open_client(asked.provider, provider="x", verify=trust(), read_only=True) as client:
        return bool(HttpCall("look", "GET", "/", writes=False).send(client, provider="x").fields()["done"])


def _change(asked: Asked, leave: WriteGuard) -> None:
    with open_client(
        asked.provider, provider="x", verify=trust(), read_only=False, for_writes=True, leave=leave
    ) as client:
        call = HttpCall("change it", "POST", "/", writes=True, body={"by": asked.user})
        call.send(client, provider="x")


def _disk(asked: Asked) -> None:
    """A disk without hard links, and perhaps without exclusive renames."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    if not asked.links:
        os.link = refused
    if not asked.renames:
        exclusive._rename = lambda file, target: False


def _slow_listing(stops: Stops) -> None:
    """A directory answers at once: stopped as it did is what a slow bucket is from outside."""
    listing: Any = LocalStore.listing

    def stopped(store: LocalStore, prefix: str) -> Any:
        found = listing(store, prefix)
        if prefix.startswith("leases/"):
            stops.at("look")
        return found

    LocalStore.listing = stopped  # type: ignore[assignment,method-assign]


def _told(error: UscdrError) -> int:
    _say(f"{error.message} {error.why}")
    return int(error.exit_code)


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
