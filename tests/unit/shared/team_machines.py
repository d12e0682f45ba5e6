"""Machines of a team: each has a state directory of its own; they share a store and the platform."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

from clocked_store import Clocked

from fakes import Killed, World
from rehearsal import Person, Rehearsal
from uscdr.commands import run as wiring
from uscdr.engine.run import Outcome
from uscdr.engine.wait import Stop
from uscdr.errors import LockHeld, UscdrError
from uscdr.journal import runs
from uscdr.settings import Operator
from uscdr.shared.lease import TERMS, Waiting
from uscdr.shared.team import Team
from uscdr.store.lease_records import LeaseTerms
from uscdr.wiring.context import Process

LONG_AFTER = 94.0
"""Seconds; more than a lease lasts, what is granted on top, and the longest request."""


@dataclass
class Watched(Stop):
    """Waiting moves the clock of the store."""

    store: Clocked = field(default_factory=Clocked)
    meanwhile: Callable[[], None] = lambda: None

    def pause(self, seconds: float) -> None:
        self.store.seconds += seconds
        self.meanwhile()


@dataclass
class Machine(Rehearsal):
    """A rehearsal whose processes belong to a team."""

    store: Clocked = field(default_factory=Clocked)
    user: str = "ada"
    without: bool = False
    behind: int = 0
    terms: LeaseTerms = TERMS

    def __post_init__(self) -> None:
        self.stop = Watched(store=self.store)
        self.terms = replace(self.terms, clock=lambda: self.store.seconds)

    @property
    def watched(self) -> Watched:
        return cast("Watched", self.stop)

    def begin(self, *, confirm: str | None = None, dry_run: bool = False) -> Outcome | None:
        self.run = runs.new_run_id(self.request.scenario)
        return self._of_team(
            lambda this, team: wiring.begin(self.context(this, self.run, confirm, dry_run=dry_run), team)
        )

    def resume(self, *, confirm: str | None = None, take_over: bool = False) -> Outcome | None:
        def work(this: Process, team: Team | None) -> Outcome:
            if team is not None:
                team.refresh(self.state)
            path = runs.LocalRuns(self.state).find(self.run or None, of_others=take_over)
            self.run = path.parent.name
            context = self.context(this, self.run, confirm, dry_run=False)
            return wiring.resume(context, path, team, take_over=take_over)

        return self._of_team(work)

    def _of_team(self, work: Callable[[Process, Team | None], Outcome]) -> Outcome | None:
        team = None if self.without else Team(cast("Any", self.store), self.terms)
        me = Operator(self.user, f"{self.user}s-desk", 4711)
        with mock.patch.object(wiring, "Operator", SimpleNamespace(of=lambda _: me)):
            ending = self._process(lambda this: work(this, team))
        self.behind = team.behind if team else 0
        return ending

    def refused(self, work: Callable[[], object]) -> UscdrError:
        """What a call that must not succeed is told, as an exception or as an ending."""
        try:
            ending = work()
        except UscdrError as error:
            return error
        assert isinstance(ending, Outcome), ending
        assert ending.error is not None
        return ending.error

    def dies(self) -> None:
        """Its process is gone at once: what it would say at its end is never said."""
        self.store.down = True
        raise Killed

    def at(self, record: int, moment: str, then: Callable[[], None]) -> None:
        """Do something once, before or after a record is on this machine's disk."""

        def crash(seq: int, when: str) -> None:
            if (seq, when) == (record, moment):
                self.crash = lambda seq, when: None
                then()

        self.crash = crash

    def intents(self) -> list[str]:
        """The writing steps that its journal says were begun."""
        return [one["step"] for one in self.events("step.started") if one["effect"] in runs.WRITE_EFFECTS]


@dataclass
class Pair:
    """Ada and Bob, at one application."""

    home: Path
    store: Clocked
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.ada = Machine(self.home / "ada", self.world, store=self.store)
        self.bob = Machine(self.home / "bob", self.world, store=self.store, user="bob")
        self.bob.person = Person()

    def bob_takes_over(self) -> None:
        """Long after ada was heard of last."""
        self.store.down = False
        self.store.seconds += LONG_AFTER
        self.bob.run = ""
        ending = self.bob.resume(take_over=True)
        assert ending is not None
        assert ending.error is None, ending.error.message

    @property
    def restores(self) -> int:
        return sum(1 for write in self.world.writes if write.startswith("restore"))

    def shared(self, run: str) -> bytes:
        """The run's journal as the team has it."""
        return b"".join(
            data for name, (data, _) in sorted(self.store.objects.items()) if name.startswith(f"runs/{run}/")
        )


def waiting_for_nobody() -> Waiting:
    """For a claim that is had at once, or refused at once."""
    return Waiting(lambda facts, phrase, refusal: False, time.sleep, lambda waited, longest, words: None)


def lost(machine: Machine, work: Callable[[], object]) -> LockHeld:
    """What it is told after another took over."""
    error = machine.refused(work)
    assert isinstance(error, LockHeld), error
    return error


def same_end(pair: Pair, whole: Pair) -> list[str]:
    end, expected = pair.world.end_state(), whole.world.end_state()
    return [f"{key}: {end[key]}" for key in expected if end[key] != expected[key]]


def is_intent(event: dict[str, Any]) -> bool:
    """Whether a write follows that record."""
    begins = event["kind"] == "step.started" and event["effect"] in runs.WRITE_EFFECTS
    return begins or event["kind"] == "step.sending"


def middle(whole: Pair, kind: str, step: str) -> int:
    """The number of a record."""
    events = whole.ada.events()
    return next(n for n, event in enumerate(events) if event["kind"] == kind and event.get("step") == step)
