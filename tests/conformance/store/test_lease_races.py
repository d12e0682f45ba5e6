"""One writer, whoever else wants to be it, on every store."""

from __future__ import annotations

import threading

import pytest
from store_places import Place
from worker_process import Worker, workers

from uscdr.errors import LockHeld
from uscdr.settings import Operator
from uscdr.store.lease import _hold, _holder
from uscdr.store.lease_records import LeaseTerms

WRITERS = 8
TERMS = LeaseTerms(seconds=2.0, grace=1.5, look=0.2)
ADA = Operator("ada", "desk", 4711)


def wants(who: str, *, seconds: str = "20", take_over: str = "no") -> tuple[str, ...]:
    return ("lease", "kits", who, seconds, take_over)


@pytest.mark.parametrize("before", ["nothing", "ended", "run out"])
def test_processes_at_once(shared: Place, before: str) -> None:
    if before == "ended":
        with _hold(shared.open(), "kits", ADA):
            pass
    with workers(shared, *(wants(f"w{number}") for number in range(WRITERS))) as started:
        if before == "run out":
            _leave_behind(shared)
        for worker in started:
            worker.go()
        said = [worker.says() for worker in started]
        (winner,) = (number for number, one in enumerate(said) if one == "held")
        losers = [one for one in said if one != "held"]
        assert len(losers) == WRITERS - 1
        assert all(f": w{winner} on host (process " in one for one in losers)
        started[winner].go()
        assert started[winner].says() == "released"
    with _hold(shared.open(), "kits", ADA):  # it is free at once
        pass


def _leave_behind(place: Place) -> None:
    """A lease that ran out since its holder was killed."""
    with workers(place, wants("late", seconds="0.5")) as (late,):
        late.go()
        assert late.says() == "held"
        late.kill()
    waited = LeaseTerms(seconds=2.0, grace=1.5, look=0.2)
    with _hold(place.open(), "kits", ADA, patience=30, terms=waited):
        pass


def test_threads_at_once(place: Place) -> None:
    said: list[str] = []
    start, end = (threading.Barrier(WRITERS, timeout=120) for _ in range(2))

    def write(number: int) -> None:
        start.wait()
        try:
            with _hold(place.open(), "kits", Operator(f"w{number}", "host", number + 1)) as lease:
                said.append("held")
                end.wait()
                lease.check()
        except LockHeld as error:
            said.append(error.message)
            end.wait()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count("held") == 1
    assert len({one for one in said if one != "held"}) == 1


@pytest.fixture
def killed(shared: Place) -> Worker:
    """The holder of a lease of two seconds, gone."""
    with workers(shared, wants("bob", seconds="2")) as (bob,):
        bob.go()
        assert bob.says() == "held"
        bob.kill()
    return bob


def test_a_killed_holder_is_waited_for(shared: Place, killed: Worker) -> None:
    with pytest.raises(LockHeld, match=rf"bob on host \(process {killed.process.pid}\), since 20"):
        _hold(shared.open(), "kits", ADA, terms=TERMS).__enter__()
    with _hold(shared.open(), "kits", ADA, terms=TERMS, patience=30) as lease:
        lease.check()
        found = _holder(shared.open(), "kits")
        assert found is not None
        assert (found.user, found.host, found.pid) == ("ada", "desk", 4711)
    assert _holder(shared.open(), "kits") is None


def test_a_killed_holder_is_taken_over_from(shared: Place, killed: Worker) -> None:
    with _hold(shared.open(), "kits", ADA, terms=TERMS, take_over=True) as lease:
        lease.check()


def test_who_loses_the_lease_hears_of_it_before_the_next_write(shared: Place) -> None:
    with workers(shared, wants("bob", seconds="30"), wants("eve", take_over="yes")) as (bob, eve):
        bob.go()
        assert bob.says() == "held"
        eve.go()
        assert eve.says() == "held"
        bob.go()
        assert ": eve on host" in bob.says()
        eve.go()
        assert eve.says() == "released"


def test_a_lease_is_renewed_as_long_as_it_is_held(place: Place) -> None:
    """Longer than it lasts without renewal: the other would get it if it were not renewed."""
    with (
        _hold(place.open(), "kits", ADA, terms=TERMS) as lease,
        pytest.raises(LockHeld, match="ada on desk"),
        _hold(place.open(), "kits", Operator("bob", "host", 1), terms=TERMS, patience=2 * TERMS.seconds + 2),
    ):
        pass
    assert lease.record.user == "ada"


def test_what_a_lease_leaves_behind_is_one_record(place: Place) -> None:
    store = place.open()
    for _ in range(3):
        with _hold(store, "kits", ADA):
            pass
    assert len(store.names("leases/kits")) == 1
