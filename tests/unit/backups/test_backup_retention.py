"""Retention: whatever copies there are, a proven one stays, and time after time the same rule holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from uscdr.backups.retention import _KeptCopy, _removable, _wanted
from uscdr.models.data_settings import Retention

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 400 * 24 * 60).map(lambda minutes: BEGIN + timedelta(minutes=minutes))
RULES = st.builds(Retention, daily=st.integers(0, 9), weekly=st.integers(0, 6), monthly=st.integers(0, 5))


@st.composite
def copies(draw: st.DrawFn) -> list[_KeptCopy]:
    moments = draw(st.lists(MOMENTS, max_size=40))
    return [_KeptCopy(f"copy-{number:03}", at, draw(st.booleans())) for number, at in enumerate(moments)]


@given(copies(), RULES)
def test_the_newest_proven_copy_stays_and_nothing_goes_without_a_newer_proven_one(
    held: list[_KeptCopy], rule: Retention
) -> None:
    gone = _removable(held, rule)
    left = [one for one in held if one not in gone]
    assert {one.id for one in gone} <= {one.id for one in held}
    assert any(one.proven for one in left) == any(one.proven for one in held)
    for one in gone:
        assert any(other.proven and other.taken_at >= one.taken_at for other in left)
    proven = [one for one in held if one.proven]
    if proven:
        assert max(proven, key=lambda one: (one.taken_at, one.id)) in left


@given(copies(), RULES)
def test_pruning_twice_removes_no_more(held: list[_KeptCopy], rule: Retention) -> None:
    gone = set(_removable(held, rule))
    assert _removable([one for one in held if one not in gone], rule) == ()


@given(copies(), RULES)
def test_no_more_is_kept_than_the_rule_says_of_what_is_older_than_the_newest_proven(
    held: list[_KeptCopy], rule: Retention
) -> None:
    kept = _wanted(held, rule)
    assert len(kept) <= rule.daily + rule.weekly + rule.monthly
    proven = [one for one in held if one.proven]
    if proven:
        newest = max(proven, key=lambda one: (one.taken_at, one.id))
        gone = _removable(held, rule)
        for one in held:
            older = (one.taken_at, one.id) < (newest.taken_at, newest.id)
            assert (one in gone) == (older and one.id not in kept)


@given(copies(), RULES)
def test_a_period_that_has_a_proven_copy_keeps_a_proven_one(held: list[_KeptCopy], rule: Retention) -> None:
    kept = _wanted(held, rule)
    months = sorted({(one.taken_at.year, one.taken_at.month) for one in held}, reverse=True)[: rule.monthly]
    for month in months:
        mine = [one for one in held if (one.taken_at.year, one.taken_at.month) == month]
        assert any(one.id in kept for one in mine)
        if any(one.proven for one in mine):
            assert any(one.id in kept and one.proven for one in mine)


@settings(max_examples=15, deadline=None)
@given(st.integers(3, 12), st.floats(0, 1))
def test_pruned_after_every_backup_a_year_leaves_seven_days_four_weeks_three_months(every: int, share: float) -> None:
    """`every` hours a copy for 120 days, some of them not proven, and retention after each."""
    held: list[_KeptCopy] = []
    for number in range(0, 120 * 24, every):
        at = BEGIN + timedelta(hours=number)
        held.append(_KeptCopy(f"{number:05}", at, (number * 7919 % 1000) / 1000 >= share * 0.9))
        gone = set(_removable(held, Retention()))
        held = [one for one in held if one not in gone]
    days = {one.taken_at.date() for one in held}
    last = BEGIN + timedelta(hours=(120 * 24 - 1) // every * every)
    assert {last.date() - timedelta(days=back) for back in range(7)} <= days
    assert {(last - timedelta(weeks=back)).isocalendar()[:2] for back in range(4)} <= {
        one.taken_at.isocalendar()[:2] for one in held
    }
    assert {(2026, 4), (2026, 3), (2026, 2)} <= {(one.taken_at.year, one.taken_at.month) for one in held}


def test_without_a_proven_copy_nothing_goes() -> None:
    held = [_KeptCopy(str(day), BEGIN + timedelta(days=day), proven=False) for day in range(90)]
    assert _removable(held, Retention(daily=0, weekly=0, monthly=0)) == ()
