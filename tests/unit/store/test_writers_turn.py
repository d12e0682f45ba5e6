"""Whose turn it is to write copies: who holds it, who died holding it, and who waits."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from clocked_store import Clocked

from uscdr.errors import Interrupted, LockHeld
from uscdr.settings import Operator
from uscdr.store.lease import SCOPE, WriterQueue, _holder, _take
from uscdr.store.lease_records import LeaseRow, LeaseTerms

HERE = Operator("bob", "desk", os.getpid())


class Desk:
    """One writer's machine: its clock runs while it waits."""

    def __init__(self, store: Clocked) -> None:
        self.store = store
        self.now = 0.0
        self.said: list[str] = []
        self.waits: list[float] = []

    def queue(self, who: Operator = HERE) -> WriterQueue:
        terms = LeaseTerms(seconds=60.0, grace=3.0, look=2.0, clock=lambda: self.now)
        return WriterQueue(who, self.pause, self.said.append, terms)

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        self.store.seconds += seconds

    def left_by(self, who: Operator) -> None:
        _take(LeaseRow(self.store, SCOPE, self.queue().terms), who, "copying b001", take_over=False, patience=0.0)


@pytest.fixture
def desk() -> Desk:
    return Desk(Clocked())


def a_dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_it_is_held_for_the_duration_and_given_back(desk: Desk) -> None:
    with desk.queue().turn(desk.store, "copying b001") as lease:
        lease.check()
        held = _holder(desk.store, SCOPE)
        assert held is not None
        assert (held.user, held.message) == ("bob", "copying b001")
    assert _holder(desk.store, SCOPE) is None
    assert desk.waits == []
    assert desk.said == []


def test_what_a_dead_process_of_this_machine_left_is_free_at_once(desk: Desk) -> None:
    desk.left_by(Operator("ada", "desk", a_dead_process()))
    with desk.queue().turn(desk.store, "removing copies"):
        assert _holder(desk.store, SCOPE) is not None
    assert desk.waits == []


@pytest.mark.parametrize("who", [Operator("ada", "laptop", 1), Operator("ada", "desk", os.getppid())])
def test_another_that_does_not_renew_is_waited_for_and_named(desk: Desk, who: Operator) -> None:
    desk.left_by(who)
    with desk.queue().turn(desk.store, "removing copies"):
        pass
    assert 93 < sum(desk.waits) < 97
    assert len(desk.said) == 1
    assert f"ada on {who.host}" in desk.said[0]
    assert "copying b001" in desk.said[0]


def test_a_process_of_another_machine_is_not_looked_for_on_this_one(desk: Desk) -> None:
    desk.left_by(Operator("ada", "laptop", a_dead_process()))
    with desk.queue().turn(desk.store, "removing copies"):
        pass
    assert sum(desk.waits) > 93


def test_one_that_renews_keeps_it(desk: Desk) -> None:
    alive = _take(
        LeaseRow(desk.store, SCOPE, desk.queue().terms), Operator("ada", "laptop", 7), "x", take_over=False, patience=0
    )

    def renewing(seconds: float) -> None:
        desk.pause(seconds)
        alive._renew()

    queue = replace(desk.queue(), pause=renewing)
    with pytest.raises(LockHeld) as caught, queue.turn(desk.store, "removing copies"):
        pass
    assert "ada on laptop" in caught.value.message
    alive.check()


def test_the_wait_can_be_interrupted(desk: Desk) -> None:
    desk.left_by(Operator("ada", "laptop", 7))

    def stopped(_: float) -> None:
        raise Interrupted("Interrupted by the operator.")

    with pytest.raises(Interrupted), replace(desk.queue(), pause=stopped).turn(desk.store, "removing copies"):
        pass
    left = _holder(desk.store, SCOPE)
    assert left is not None
    assert left.user == "ada"
