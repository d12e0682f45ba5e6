"""Who may write: the rules of a lease, on a store whose clock the test sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import pytest
from clocked_store import Clocked

from uscdr.errors import LockHeld, MachineError, OutcomeUnknown
from uscdr.settings import Operator
from uscdr.store.directory import LocalStore
from uscdr.store.lease import Lease, LeaseWatch, _hold, _holder, _take
from uscdr.store.lease_records import LONGEST_REQUEST, LeaseRow, LeaseTerms
from uscdr.store.store import ObjectInfo, StoreUnreachable

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
    def terms(self) -> LeaseTerms:
        return LeaseTerms(seconds=60.0, grace=3.0, look=2.0, clock=lambda: self.now, pause=self.pause)

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.store.seconds += seconds


@pytest.fixture
def clock(store: Clocked) -> Clock:
    return Clock(store)


@contextmanager
def left_behind(store: Clocked, who: Operator, clock: Clock) -> Iterator[Lease]:
    """A lease whose holder is gone without ending it."""
    yield _take(LeaseRow(store, "kits", clock.terms), who, "nightly kit", take_over=False, patience=0.0)


def test_a_second_writer_is_told_who_since_when_and_where(store: Clocked, clock: Clock) -> None:
    with _hold(store, "kits", ADA, message="nightly kit", terms=clock.terms):
        with pytest.raises(LockHeld) as caught, _hold(store, "kits", BOB, terms=clock.terms):
            pass
        with _hold(store, "another", BOB, terms=clock.terms) as other:
            other.check()
    assert "the lease of kits in s3://bucket: ada on desk (process 1), since 20" in caught.value.message
    assert "nightly kit" in caught.value.why


def test_it_is_free_when_it_was_ended(store: Clocked, clock: Clock) -> None:
    for who in (ADA, BOB, EVE):
        with _hold(store, "kits", who, terms=clock.terms) as lease:
            lease.check()
            found = _holder(store, "kits")
            assert found is not None
            assert found.user == who.user
        assert _holder(store, "kits") is None
    assert store.names("leases/kits") == ("leases/kits/000000000006.json",)


def test_it_is_ended_when_the_work_fails(store: Clocked, clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError), _hold(store, "kits", ADA, terms=clock.terms):
        raise ZeroDivisionError
    assert _holder(store, "kits") is None


@pytest.mark.parametrize("off", [-3600.0, 0.0, 3600.0])
def test_a_dead_holder_is_waited_for_by_ones_own_clock_alone(store: Clocked, clock: Clock, off: float) -> None:
    """Its lease, what is granted on top, and the longest request; whatever the store's clock was set to meanwhile."""
    with left_behind(store, ADA, clock):
        pass
    store.seconds += off
    with pytest.raises(LockHeld, match="ada"), _hold(store, "kits", BOB, terms=clock.terms, patience=92.0):
        pass
    clock.now = 0.0
    with _hold(store, "kits", BOB, terms=clock.terms, patience=100.0):
        assert 93 < clock.now < 97


def test_a_short_lease_grants_a_request_no_more_than_itself(store: Clocked, clock: Clock) -> None:
    short = replace(clock.terms, seconds=5.0)
    _take(LeaseRow(store, "kits", short), ADA, "nightly kit", take_over=False, patience=0.0)
    with _hold(store, "kits", BOB, terms=clock.terms, patience=100.0):
        assert 13 < clock.now < 17


@pytest.mark.parametrize(("seconds", "over"), [(92.9, False), (93.5, True), (-2.0, False), (-3600.0, True)])
def test_the_stores_clock_says_whether_waiting_may_be_worth_it(
    store: Clocked, clock: Clock, seconds: float, over: bool
) -> None:
    row = LeaseRow(store, "kits", clock.terms)
    with left_behind(store, ADA, clock):
        pass
    store.seconds += seconds
    highest = row.highest()
    assert highest is not None
    assert row.seems_over(highest) is over
    assert len(store.names("leases/kits")) == 1  # what was written to learn the time is gone


def test_one_who_renews_while_it_is_waited_for_is_waited_for_anew(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada:
        began = False

        def pause(seconds: float) -> None:
            nonlocal began
            clock.pause(seconds)
            if clock.now >= 50 and not began:
                began = True
                ada._renew()

        terms = replace(clock.terms, pause=pause)
        with _hold(store, "kits", BOB, terms=terms, patience=200.0):
            assert 143 < clock.now < 148


class TestLeaveToSend:
    """The last look before a request goes out."""

    def test_it_asks_the_store_only_when_its_answer_is_old(self, store: Clocked, clock: Clock) -> None:
        asked = []
        listing = store.listing

        def counted(prefix: str) -> tuple[ObjectInfo, ...]:
            asked.append(prefix)
            return listing(prefix)

        with left_behind(store, ADA, clock) as ada, mock.patch.object(store, "listing", counted):
            for _ in range(5):
                ada.leave()
            assert len(asked) == 1
            clock.now += 2.0
            ada.leave()
            assert len(asked) == 2

    def test_one_that_slept_hears_who_took_over(self, store: Clocked, clock: Clock) -> None:
        with left_behind(store, ADA, clock) as ada:
            ada.leave()
            with _hold(store, "kits", BOB, terms=clock.terms, patience=100.0):
                with pytest.raises(LockHeld, match="bob on laptop"):
                    ada.leave()
                assert ada.taken_by is not None
                with pytest.raises(LockHeld, match="bob on laptop"):
                    ada.leave()

    def test_one_that_slept_while_the_store_answered_does_not_trust_the_answer(
        self, store: Clocked, clock: Clock
    ) -> None:
        """The store said that the lease is its own; then came the sleep, and another, before it could be read."""
        other = _hold(store, "kits", BOB, terms=clock.terms, patience=100.0)
        with left_behind(store, ADA, clock) as ada:
            listing, answers = store.listing, []

            def stopped(prefix: str) -> tuple[ObjectInfo, ...]:
                answers.append(listing(prefix))
                if len(answers) == 1:
                    other.__enter__()
                    return answers[0]
                return listing(prefix)

            with mock.patch.object(store, "listing", stopped), pytest.raises(LockHeld, match="bob on laptop"):
                ada.leave()
        other.__exit__(None, None, None)

    def test_one_that_slept_and_was_not_missed_goes_on(self, store: Clocked, clock: Clock) -> None:
        with left_behind(store, ADA, clock) as ada:
            clock.pause(3600)
            ada.leave()
            with pytest.raises(LockHeld, match="ada"), _hold(store, "kits", BOB, terms=clock.terms, patience=30.0):
                pass

    def test_while_the_store_is_away_the_lease_lasts_as_long_as_it_lasts(self, store: Clocked, clock: Clock) -> None:
        with left_behind(store, ADA, clock) as ada:
            ada.leave()
            store.down = True
            clock.now += 59
            ada.leave()
            clock.now += 1
            with pytest.raises(StoreUnreachable):
                ada.leave()
            store.down = False
            ada.leave()

    def test_a_store_that_takes_longer_than_a_lease_lasts_gives_no_leave(self, store: Clocked, clock: Clock) -> None:
        def slow(*_: object) -> int | None:
            clock.now += 61
            return 1

        late = mock.patch.multiple(LeaseRow, highest_number=slow, put=slow)
        with left_behind(store, ADA, clock) as ada, late:
            clock.now += 60
            with pytest.raises(LockHeld):
                ada.leave()


def test_what_leaves_at_the_very_end_is_over_before_another_begins(store: Clocked, clock: Clock) -> None:
    row = LeaseRow(store, "kits", clock.terms)
    with left_behind(store, ADA, clock) as ada:
        highest = row.highest()
        assert highest is not None
        assert 60 <= ada.lasts() < row.lasts(highest) - LONGEST_REQUEST
        clock.now += 61
        assert ada.lasts() < 1
        clock.now += 60
        assert ada.lasts() == 0


def test_who_was_taken_over_from_has_no_time_left(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada, _hold(store, "kits", BOB, take_over=True, terms=clock.terms):
        with pytest.raises(LockHeld):
            ada.check()
        assert ada.lasts() == 0


def test_while_a_store_answers_nobody_is_seen_to_stand_still(store: Clocked, clock: Clock) -> None:
    """The holder may have renewed while the answer was on its way."""

    def slow() -> None:
        clock.now += 100

    watch = LeaseWatch(LeaseRow(store, "kits", clock.terms))
    with left_behind(store, ADA, clock):
        store.before["listing"] = slow
        watch.look()
        clock.now += 10
        store.before["listing"] = slow
        assert not watch.is_over(watch.look())
        assert watch.seconds == 10


def test_patience_ends(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock):
        pass
    with pytest.raises(LockHeld), _hold(store, "kits", BOB, terms=clock.terms, patience=30.0):
        pass
    assert clock.now == 30.0


def test_who_was_taken_over_from_hears_of_it_at_the_next_check_and_ever_after(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada:
        ada.check()
        with _hold(store, "kits", BOB, take_over=True, terms=clock.terms) as bob:
            bob.check()
            with pytest.raises(LockHeld, match="bob on laptop"):
                ada.check()
        with pytest.raises(LockHeld, match="bob on laptop"):
            ada.check()
        with pytest.raises(LockHeld):
            ada._renew()


def test_who_was_taken_over_from_does_not_end_the_other_lease(store: Clocked, clock: Clock) -> None:
    with _hold(store, "kits", BOB, terms=clock.terms):
        taker = _hold(store, "kits", EVE, take_over=True, terms=clock.terms)
        eve = taker.__enter__()
    eve.check()
    found = _holder(store, "kits")
    assert found is not None
    assert found.user == "eve"
    taker.__exit__(None, None, None)


def test_two_who_saw_it_free_at_once(store: Clocked, clock: Clock) -> None:
    """Bob creates the number that Eve was about to create."""
    inside = _hold(store, "kits", BOB, terms=clock.terms)
    store.before["put_once"] = lambda: inside.__enter__().check()
    with pytest.raises(LockHeld, match="bob"), _hold(store, "kits", EVE, terms=clock.terms):
        pass
    inside.__exit__(None, None, None)


def test_a_take_over_does_not_take_from_who_was_faster(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock):
        pass
    inside = _hold(store, "kits", BOB, take_over=True, terms=clock.terms)
    store.before["put_once"] = lambda: inside.__enter__().check()
    with pytest.raises(LockHeld, match="bob"), _hold(store, "kits", EVE, take_over=True, terms=clock.terms):
        pass
    inside.__exit__(None, None, None)


def test_patience_does_not_prolong_a_take_over(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock):
        pass
    inside = _hold(store, "kits", BOB, take_over=True, terms=clock.terms)
    store.before["put_once"] = lambda: inside.__enter__().check()
    with (
        pytest.raises(LockHeld, match="bob"),
        _hold(store, "kits", EVE, take_over=True, terms=clock.terms, patience=10.0),
    ):
        pass
    assert clock.now == 10.0
    inside.__exit__(None, None, None)


def test_a_number_that_was_used_and_removed_counts_for_nothing(store: Clocked, clock: Clock) -> None:
    """Eve saw an ended lease and stood still; three others came and went, and tidied up; then she goes on."""
    with _hold(store, "kits", ADA, terms=clock.terms):
        pass
    inside = _hold(store, "kits", BOB, terms=clock.terms)

    def others() -> None:
        for who in (ADA, BOB):
            with _hold(store, "kits", who, terms=clock.terms):
                pass
        inside.__enter__()

    store.before["put_once"] = others
    with pytest.raises(LockHeld, match="bob"), _hold(store, "kits", EVE, terms=clock.terms):
        pass
    found = _holder(store, "kits")
    assert found is not None
    assert found.user == "bob"
    inside.__exit__(None, None, None)


def test_a_holder_who_stood_still_too_long_does_not_renew_into_a_gap(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada:
        for who in (BOB, EVE):
            with _hold(store, "kits", who, take_over=True, terms=clock.terms):
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
        with pytest.raises(LockHeld, match="ada"), _hold(store, "kits", BOB, terms=clock.terms):
            pass
        assert store.names("leases/kits") == ("leases/kits/000000000002.json",)


def test_a_lease_that_ran_out_unseen_is_renewed_before_the_next_write(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada:
        clock.pause(600)
        ada.check()
        with pytest.raises(LockHeld, match="ada"), _hold(store, "kits", BOB, terms=clock.terms):
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
        with pytest.raises(LockHeld, match="ada"), _hold(store, "kits", BOB, terms=clock.terms):
            pass


def test_after_a_renewal_whose_answer_was_lost_the_next_ones_count(store: Clocked, clock: Clock) -> None:
    with left_behind(store, ADA, clock) as ada:

        def lost() -> None:
            raise StoreUnreachable("lost")

        store.before["after put_once"] = lost
        with pytest.raises(StoreUnreachable):
            ada._renew()
        for _ in range(2):
            clock.pause(20)
            ada._renew()
        assert ada.lasts() > 60


def test_a_record_that_cannot_be_read_holds_until_it_runs_out(store: Clocked, clock: Clock) -> None:
    store.put_once("leases/kits/000000000007.json", b"")
    assert _holder(store, "kits") is None
    with pytest.raises(LockHeld, match="an unknown process"), _hold(store, "kits", BOB, terms=clock.terms):
        pass
    with _hold(store, "kits", BOB, terms=clock.terms, patience=100.0):
        assert clock.now > 93


@pytest.mark.parametrize("name", ["٠٠٠٠٠٠٠٠٠٠٠٩.json", "1.json", ".x", "000000000001.json.part"])
def test_what_somebody_else_put_there_is_in_nobodys_way(name: str, tmp_path: Path) -> None:
    directory = tmp_path / "leases" / "kits"
    directory.mkdir(parents=True)
    (directory / name).write_text("x")
    with _hold(LocalStore(tmp_path), "kits", ADA) as lease:
        lease.check()


def _linked(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def _huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 30)


@pytest.mark.parametrize("make", [_linked, _huge])
def test_a_record_that_is_none_is_waited_for_like_any_other(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "leases" / "kits" / "000000000005.json"
    path.parent.mkdir(parents=True)
    make(path)
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    terms = LeaseTerms(clock=lambda: now[0], pause=pause)
    with pytest.raises(LockHeld), _hold(LocalStore(tmp_path), "kits", ADA, terms=terms):
        pass
    with _hold(LocalStore(tmp_path), "kits", ADA, patience=120.0, terms=terms) as lease:
        lease.check()
    assert now[0] > terms.seconds


def test_the_last_number_there_is_is_said_to_be_somebody_elses(store: Clocked, clock: Clock) -> None:
    store.put_once("leases/kits/999999999999.json", b"")
    with (
        pytest.raises(MachineError, match="the highest possible number") as caught,
        _hold(store, "kits", ADA, patience=200.0, terms=clock.terms),
    ):
        pass
    assert "delete leases/kits/999999999999.json" in caught.value.next_action


def test_a_store_without_the_right_to_delete(store: Clocked, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: str) -> None:
        raise MachineError("No.")

    monkeypatch.setattr(store, "delete", refused)
    for who in (ADA, BOB):
        with _hold(store, "kits", who, terms=clock.terms) as lease:
            lease._renew()
            lease.check()
    assert _holder(store, "kits") is None


def test_an_end_that_does_not_arrive_harms_nobody(store: Clocked, clock: Clock) -> None:
    with _hold(store, "kits", ADA, terms=clock.terms):
        store.down = True
    store.down = False
    with _hold(store, "kits", BOB, terms=clock.terms, patience=100.0):
        pass
