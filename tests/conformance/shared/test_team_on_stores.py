"""Two machines on real stores, in real time: what the store's clock says and what it creates only once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from store_places import Place
from team_machines import Machine, lost, waiting_for_nobody

from fakes import World
from uscdr.clock import running
from uscdr.engine.wait import Stop
from uscdr.errors import ExitCode, LockHeld
from uscdr.settings import Operator
from uscdr.shared.journals import JournalStore
from uscdr.shared.lease import LeaseRequest, RunLease
from uscdr.store.lease_records import LeaseTerms
from uscdr.store.store import Store, StoreUnreachable

OPERATORS = 6


class Cable:
    """One machine's way to the store; what is pulled out comes back when it is plugged in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.down = False

    @property
    def seconds(self) -> float:
        """What machines of these tests take the time from: here the real one."""
        return running()

    def __getattr__(self, name: str) -> Any:
        if self.down:
            raise StoreUnreachable("The cable is out.")
        return getattr(self._store, name)


HASTY = LeaseTerms(seconds=2.0, grace=1.5, look=0.2)


@pytest.fixture
def machines(shared: Place, quick: Path) -> tuple[Machine, Machine]:
    world = World()
    made = []
    for user in ("ada", "bob"):
        made.append(Machine(quick / user, world, store=Cable(shared.open()), user=user, terms=HASTY))  # type: ignore[arg-type]
        made[-1].stop = Stop()  # waits in real time
    return made[0], made[1]


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    return tmp_path / "machines"


def record(ada: Machine, kind: str, step: str) -> int:
    """The number of a record in an undisturbed run."""
    alone = Machine(ada.state.parent / "alone", World(), without=True)
    alone.begin()
    return next(n for n, one in enumerate(alone.events()) if one["kind"] == kind and one.get("step") == step)


def test_a_killed_run_is_finished_by_the_other_machine(shared: Place, machines: tuple[Machine, Machine]) -> None:
    ada, bob = machines
    ada.at(record(ada, "step.accepted", "restore"), "after", ada.dies)
    assert ada.begin() is None
    assert isinstance(bob.refused(bob.begin), LockHeld)
    bob.run = ada.run
    ending = bob.resume(take_over=True)
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert len(bob.world.restores) == 1
    assert JournalStore(shared.open()).journal(bob.run) == bob.journal_path.read_bytes()
    assert bob.behind == 0


@pytest.mark.parametrize(("kind", "step"), [("step.started", "restore"), ("step.accepted", "restore")])
def test_a_stopped_run_writes_no_more_when_it_is_continued(
    shared: Place, machines: tuple[Machine, Machine], kind: str, step: str
) -> None:
    ada, bob = machines
    writes: list[str] = []

    def meanwhile() -> None:
        ada.store.down = True  # its thread would renew: this process does not stop as a whole
        bob.run = ""
        ending = bob.resume(take_over=True)
        assert ending is not None
        assert ending.code is ExitCode.DONE
        writes.extend(bob.world.writes)
        ada.store.down = False

    ada.at(record(ada, kind, step), "before", meanwhile)
    assert "bob on bobs-desk" in lost(ada, ada.begin).message
    assert ada.world.writes == writes
    assert len(bob.world.restores) == 1
    assert JournalStore(shared.open()).journal(bob.run) == bob.journal_path.read_bytes()


def test_operators_at_once_get_one_claim(shared: Place, tmp_path: Path) -> None:
    told: list[str] = []
    start, end = (threading.Barrier(OPERATORS, timeout=120) for _ in range(2))

    def work(number: int) -> None:
        who = Operator(f"o{number}", "desk", number + 1)
        request = LeaseRequest("https://api.example usc-pis", f"run-{number}", who, "(run x)")
        start.wait()
        try:
            with RunLease.claim(
                shared.open(), tmp_path / str(number), request, waiting_for_nobody(), terms=HASTY
            ) as mine:
                end.wait()
                mine.check()
                told.append("mine")
        except LockHeld as error:
            end.wait()
            told.append(error.message)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(OPERATORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("mine") == 1
    assert len(set(told)) == 2
