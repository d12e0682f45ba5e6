"""Who may write: the rules of a lease, on a store whose clock the test sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from clocked_store import Clocked

from uscdr.errors import LockHeld, MachineError, OutcomeUnknown
from uscdr.settings import Operator
from uscdr.vault.lease import Lease, _take, hold, holder
from uscdr.vault.leaserow import Row, Terms
from uscdr.vault.store import StoreUnreachable

ADA, BOB, EVE = Operator("ada", "desk", 1), Operator("bob", "laptop", 2), Operator("eve", "phone", 3)


@pytest.fixture
def store() -> Clocked:
    return Clocked()


@dataclass
class Clock:
    """This machine's time, which moves when the test says so and while it waits."""

    store: Clocked
    now: float = 0.0

    @property
    def terms(self) -> Terms:
        return Terms(seconds=60.0, grace=3.0, look=2.0, monotonic=lambda: self.now, pause=self.pause)

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.store.seconds += seconds


@pytest.fixture
def clock(store: Clocked) -> Clock:
    return Clock(store)


@contextmanager
def left_behind(store: Clocked, who: Operator, clock: Clock) -> Iterator[Lease]:
    """A lease whose holder is gone without ending it."""
    yield _take(Row(store, "kits", clock.terms), who, "nightly kit", take_over=False, patience=0.0)


def test_a_second_writer_is_told_who_since_when_and_where(store: Clocked, clock: Clock) -> None:
    with hold(store, "kits", ADA, message="nightly kit", terms=clock.terms):
        with pytest.raises(LockHeld) as caught, hold(store, "kits", BOB, terms=clock.terms):
            pass
        with hold(store, "another", BOB, terms=clock.terms) as other:
            other.check()
    assert "kits in s3://bucket is written by ada on desk (process 1), since 20" in caught.value.message
    assert "nightly kit" in caught.value.why


def test_it_is_free_when_it_was_ended(store: Clocked, clock: Clock) -> None:
    for who in (ADA, BOB, EVE):
        with hold(store, "kits", who, terms=clock.terms) as lease:
            lease.check()
            found = holder(store, "kits")
            assert found is not None
            assert found.user == who.user
        assert holder(store, "kits") is None
    assert store.names("leases/kits") == ("leases/kits/000000000006.json",)


def test_it_is_ended_when_the_work_fails(store: Clocked, clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError), hold(store, "kits", ADA, terms=clock.terms):
        raise ZeroDivisionError
    assert holder(store, "kits") is None


@pytest.mark.parametrize(("seconds", "free"), [(62.9, False), (63.5, True)])
def test_a_dead_holder_by_the_stores_clock_alone(store: Clocked, clock: Clock, seconds: float, free: bool) -> None:
    with left_behind(store, ADA, clock):
        pass
    store.seconds += seconds
    if free:
        with hold(store, "kits", BOB, terms=clock.terms) as lease:
            lease.check()
    else:
        with pytest.raises(LockHeld, match="ada"), hold(store, "kits", BOB, terms=clock.terms):
            pass
        assert len(store.names("leases/kits")) == 1  # what was written to learn the time is gone


def test_waiting_for_a_dead_holder(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock):
        pass
    with hold(store, "kits", BOB, terms=clock.terms, patience=100.0):
        assert 63 < clock.now < 68


def test_patience_ends(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock):
        pass
    with pytest.raises(LockHeld), hold(store, "kits", BOB, terms=clock.terms, patience=30.0):
        pass
    assert clock.now == 30.0


def test_who_was_taken_over_from_hears_of_it_at_the_next_check_and_ever_after(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada:
        ada.check()
        with hold(store, "kits", BOB, take_over=True, terms=clock.terms) as bob:
            bob.check()
            with pytest.raises(LockHeld, match="bob on laptop"):
                ada.check()
        with pytest.raises(LockHeld, match="bob on laptop"):
            ada.check()
        with pytest.raises(LockHeld):
            ada._renew()


def test_who_was_taken_over_from_does_not_end_the_other_lease(store: Clocked, clock: Clock) -> None:
    with hold(store, "kits", BOB, terms=clock.terms):
        taker = hold(store, "kits", EVE, take_over=True, terms=clock.terms)
        eve = taker.__enter__()
    eve.check()
    found = holder(store, "kits")
    assert found is not None
    assert found.user == "eve"
    taker.__exit__(None, None, None)


def test_two_who_saw_it_free_at_once(store: Clocked, clock: Clock) -> None:
    """Bob creates the number that Eve was about to create."""
    inside = hold(store, "kits", BOB, terms=clock.terms)
    store.before["put_once"] = lambda: inside.__enter__().check()
    with pytest.raises(LockHeld, match="bob"), hold(store, "kits", EVE, terms=clock.terms):
        pass
    inside.__exit__(None, None, None)


def test_a_take_over_does_not_take_from_who_was_faster(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock):
        pass
    inside = hold(store, "kits", BOB, take_over=True, terms=clock.terms)
    store.before["put_once"] = lambda: inside.__enter__().check()
    with pytest.raises(LockHeld, match="bob"), hold(store, "kits", EVE, take_over=True, terms=clock.terms):
        pass
    inside.__exit__(None, None, None)


def test_patience_does_not_prolong_a_take_over(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock):
        pass
    inside = hold(store, "kits", BOB, take_over=True, terms=clock.terms)
    store.before["put_once"] = lambda: inside.__enter__().check()
    with (
        pytest.raises(LockHeld, match="bob"),
        hold(store, "kits", EVE, take_over=True, terms=clock.terms, patience=10.0),
    ):
        pass
    assert clock.now == 10.0
    inside.__exit__(None, None, None)


def test_a_number_that_was_used_and_removed_counts_for_nothing(store: Clocked, clock: Clock) -> None:
    """Eve saw an ended lease and stood still; three others came and went, and tidied up; then she goes on."""
    with hold(store, "kits", ADA, terms=clock.terms):
        pass
    inside = hold(store, "kits", BOB, terms=clock.terms)

    def others() -> None:
        for who in (ADA, BOB):
            with hold(store, "kits", who, terms=clock.terms):
                pass
        inside.__enter__()

    store.before["put_once"] = others
    with pytest.raises(LockHeld, match="bob"), hold(store, "kits", EVE, terms=clock.terms):
        pass
    found = holder(store, "kits")
    assert found is not None
    assert found.user == "bob"
    inside.__exit__(None, None, None)


def test_a_holder_who_stood_still_too_long_does_not_renew_into_a_gap(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada:
        for who in (BOB, EVE):
            with hold(store, "kits", who, take_over=True, terms=clock.terms):
                pass
        with pytest.raises(LockHeld, match="eve"):
            ada._renew()
        with pytest.raises(LockHeld):
            ada.check()


def test_a_renewal_keeps_it(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada:
        clock.pause(59)
        ada._renew()
        clock.pause(59)
        with pytest.raises(LockHeld, match="ada"), hold(store, "kits", BOB, terms=clock.terms):
            pass
        assert store.names("leases/kits") == ("leases/kits/000000000002.json",)


def test_a_lease_that_ran_out_unseen_is_renewed_before_the_next_write(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada:
        clock.pause(600)
        ada.check()
        with pytest.raises(LockHeld, match="ada"), hold(store, "kits", BOB, terms=clock.terms):
            pass


def test_without_the_store_nobody_may_write(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada:
        store.down = True
        with pytest.raises(StoreUnreachable):
            ada.check()
        store.down = False
        ada.check()


@pytest.mark.parametrize("error", [StoreUnreachable("lost"), OutcomeUnknown("lost")])
def test_a_renewal_whose_answer_was_lost_is_ones_own(store: Clocked, clock: Clock, error: Exception) -> None:
    def lost() -> None:
        raise error

    with left_behind(store, ADA, clock) as ada:
        store.before["after put_once"] = lost
        with pytest.raises(type(error)):
            ada._renew()
        ada.check()
        ada._renew()
        with pytest.raises(LockHeld, match="ada"), hold(store, "kits", BOB, terms=clock.terms):
            pass


def test_a_record_that_cannot_be_read_holds_until_it_runs_out(store: Clocked, clock: Clock) -> None:
    store.put_once("leases/kits/000000000007.json", b"")
    with pytest.raises(MachineError, match="cannot be read"):
        holder(store, "kits")
    with pytest.raises(LockHeld, match="another process"), hold(store, "kits", BOB, terms=clock.terms):
        pass
    store.seconds += 64
    with hold(store, "kits", BOB, terms=clock.terms):
        pass


def test_a_store_without_the_right_to_delete(store: Clocked, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: str) -> None:
        raise MachineError("No.")

    monkeypatch.setattr(store, "delete", refused)
    for who in (ADA, BOB):
        with hold(store, "kits", who, terms=clock.terms) as lease:
            lease._renew()
            lease.check()
    assert holder(store, "kits") is None


def test_an_end_that_does_not_arrive_harms_nobody(store: Clocked, clock: Clock) -> None:
    with hold(store, "kits", ADA, terms=clock.terms):
        store.down = True
    store.down = False
    store.seconds += 64
    with hold(store, "kits", BOB, terms=clock.terms):
        pass
