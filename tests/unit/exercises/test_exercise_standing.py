"""Done, due, overdue, stale or unknown: tables of days. No clock is read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from exercise_world import CONFIG, MANILA, at_noon, attested, day, drilled, exercise, known, proof

from uscdr.exercises.evidence import ExerciseEvidence, KnownFacts, Occurrence
from uscdr.exercises.periods import Period, after
from uscdr.exercises.records import AttestedRecord, DrillRecord
from uscdr.exercises.standing import ExerciseStanding, judged, of_all

REQUIRED = "2025-08-14"


def by_rule(every: str, last: str | None, today: str, required: str | None = REQUIRED) -> ExerciseStanding:
    seen = Occurrence(day(last), "by Ada") if last else None
    evidence = ExerciseEvidence(seen, seen)
    return judged(exercise(every), evidence, day(today), day(required) if required else None)


@pytest.mark.parametrize(
    ("every", "last", "today", "state"),
    [
        # once in every calendar month
        ("monthly", "2026-11-01", "2026-11-30", "done"),
        ("monthly", "2026-11-30", "2026-11-30", "done"),
        ("monthly", "2026-10-31", "2026-11-01", "due"),
        ("monthly", "2026-10-01", "2026-11-30", "due"),
        ("monthly", "2026-09-30", "2026-11-01", "overdue"),
        ("monthly", "2026-09-30", "2026-10-31", "due"),
        # over the end of a year
        ("monthly", "2026-12-31", "2026-12-31", "done"),
        ("monthly", "2026-12-31", "2027-01-01", "due"),
        ("monthly", "2026-12-01", "2027-01-31", "due"),
        ("monthly", "2026-12-01", "2027-02-01", "overdue"),
        # a leap day
        ("monthly", "2028-01-31", "2028-02-29", "due"),
        ("monthly", "2028-02-29", "2028-02-29", "done"),
        ("monthly", "2028-02-29", "2028-03-31", "due"),
        ("monthly", "2028-02-29", "2028-04-01", "overdue"),
        # quarters
        ("quarterly", "2026-10-01", "2026-12-31", "done"),
        ("quarterly", "2026-09-30", "2026-10-01", "due"),
        ("quarterly", "2026-07-01", "2026-12-31", "due"),
        ("quarterly", "2026-06-30", "2026-10-01", "overdue"),
        ("quarterly", "2026-12-31", "2027-01-01", "due"),
        ("quarterly", "2026-10-01", "2027-04-01", "overdue"),
        # years
        ("yearly", "2026-01-01", "2026-12-31", "done"),
        ("yearly", "2026-12-31", "2027-01-01", "due"),
        ("yearly", "2028-02-29", "2029-02-28", "due"),
        ("yearly", "2028-02-29", "2029-12-31", "due"),
        ("yearly", "2028-02-29", "2030-01-01", "overdue"),
        # never done: from the day on which it became required, as if it had been done then, but never "done"
        ("monthly", None, "2025-08-14", "due"),
        ("monthly", None, "2025-09-30", "due"),
        ("monthly", None, "2025-10-01", "overdue"),
        ("quarterly", None, "2025-12-31", "due"),
        ("quarterly", None, "2026-01-01", "overdue"),
        ("yearly", None, "2026-12-31", "due"),
        ("yearly", None, "2027-01-01", "overdue"),
    ],
)
def test_once_in_every_period(every: str, last: str | None, today: str, state: str) -> None:
    assert by_rule(every, last, today).state == state


def test_what_was_never_done_and_is_required_since_nobody_knows_when_is_overdue() -> None:
    found = by_rule("yearly", None, "2026-01-01", required=None)
    assert (found.state, found.until, found.fails) == ("overdue", None, True)
    assert "nothing says since when" in found.why


@pytest.mark.parametrize(
    ("every", "last", "today", "since", "until"),
    [
        ("monthly", "2026-11-03", "2026-11-20", "2026-12-01", "2026-12-31"),
        ("monthly", "2026-10-03", "2026-11-20", "2026-11-01", "2026-11-30"),
        ("monthly", "2026-01-31", "2026-11-20", "2026-02-01", "2026-02-28"),
        ("monthly", "2028-01-31", "2028-11-20", "2028-02-01", "2028-02-29"),
        ("quarterly", "2026-11-03", "2026-11-20", "2027-01-01", "2027-03-31"),
        ("yearly", "2028-02-29", "2028-03-01", "2029-01-01", "2029-12-31"),
        ("yearly", None, "2026-03-01", REQUIRED, "2026-12-31"),
    ],
)
def test_from_when_until_when(every: str, last: str | None, today: str, since: str, until: str) -> None:
    found = by_rule(every, last, today)
    assert (found.since, found.until) == (day(since), day(until))


def test_another_rhythm_is_judged_by_the_same_records() -> None:
    """The plan was changed: what was in time monthly may be done for the quarter, and the other way round."""
    assert [by_rule(every, "2026-10-02", "2026-11-20").state for every in ("monthly", "quarterly", "yearly")] == [
        "due", "done", "done",
    ]  # fmt: skip
    assert by_rule("monthly", "2026-04-02", "2026-11-20").state == "overdue"


def state(done_by: str, facts: KnownFacts, today: str, *drills: str, every: str = "monthly") -> tuple[str, str]:
    one = exercise(every, done_by, *drills)
    found = judged(one, facts.of(one, day(today)), day(today), day(REQUIRED))
    return found.state.value, found.why


OTHER = "0" * 64


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([drilled("db", "2026-11-03")], ""),
        ([drilled("db", "2026-11-03", steps=OTHER)], "the steps of db have changed since"),
        ([drilled("db", "2026-11-03", configuration=OTHER)], "the configuration of the recovery has changed since"),
        ([drilled("db", "2026-11-03", recovery_code=0)], "the recovery code has changed since (now 1, then 0)"),
        ([drilled("db", "2026-11-03"), drilled("db", "2026-11-09", sound=False)], "of 2026-11-09 did not pass"),
        ([drilled("db", "2026-11-09", sound=False), drilled("db", "2026-11-10")], ""),
        ([drilled("db", "2026-11-03", steps=OTHER), drilled("db", "2026-11-10")], ""),
    ],
)
def test_a_drill_is_stale_when_what_it_showed_has_changed(records: list[DrillRecord], words: str) -> None:
    found, why = state("drill", known(*records), "2026-11-20", "db")
    assert found == ("stale" if words else "done")
    assert words in why


def test_a_stale_record_of_the_last_period_is_due_and_not_overdue() -> None:
    found, why = state("drill", known(drilled("db", "2026-10-03", steps=OTHER)), "2026-11-20", "db")
    assert (found, "the steps of db have changed since" in why) == ("due", True)


def test_a_drill_that_did_not_pass_is_no_drill() -> None:
    assert state("drill", known(drilled("db", "2026-11-03", sound=False)), "2026-11-20", "db")[0] == "overdue"


@pytest.mark.parametrize(
    ("days", "found", "words"),
    [
        ({"db": "2026-11-03", "app": "2026-10-03"}, "done", ""),
        ({"db": "2026-11-03", "app": "2026-09-30"}, "due", "not yet done in 2026 Q4: drill app"),
        ({"db": "2026-11-03", "app": "2026-06-30"}, "overdue", "2026 Q3 passed without it: drill app"),
        ({"db": "2026-11-03"}, "overdue", "never done (drill app)"),
        ({}, "overdue", "never done (drill db, drill app)"),
    ],
)
def test_several_drills_count_from_the_oldest_of_the_newest(days: dict[str, str], found: str, words: str) -> None:
    facts = known(*(drilled(name, on) for name, on in days.items()))
    said, why = state("drill", facts, "2026-11-20", "db", "app", every="quarterly")
    assert (said, words in why) == (found, True), why


def test_the_command_names_the_drills_that_are_missing() -> None:
    one = exercise("quarterly", "drill", "db", "app")
    seen = known(drilled("db", "2026-11-03")).of(one, day("2026-11-20"))
    assert judged(one, seen, day("2026-11-20"), None).do == "uscdr drill app"


def test_a_scenario_that_is_gone_leaves_no_drill_that_counts() -> None:
    config = CONFIG.model_copy(update={"scenarios": {"app": CONFIG.scenarios["app"]}})
    found, why = state("drill", known(drilled("db", "2026-11-03"), config=config), "2026-11-20", "db")
    assert (found, "has no scenario db any more" in why) == ("stale", True)


@pytest.mark.parametrize(
    ("facts", "found", "words"),
    [
        (known(proofs=(proof("2026-11-03"),)), "done", "proof of b001"),
        (known(proofs=()), "overdue", "never done"),
        (known(proofs=(proof("2026-11-03", app="another"),)), "overdue", "never done"),
        (known(proofs=(proof("2026-11-03", grade="restores"),)), "overdue", "never done"),
        (known(proofs=(proof("2026-11-03", identity="a-sandbox"),)), "overdue", "never done"),
        (known(proofs=(proof("2026-11-03", identity="a-sandbox"),), identity="a-sandbox"), "done", "proof of b001"),
        (known(proofs=(proof("2026-11-03"),), identity="a-sandbox"), "overdue", "never done"),
        (known(proofs=(proof("2026-11-03", identity=None),)), "stale", "whether the backup is one of a sandbox"),
        (known(proofs=(proof("2026-11-03", demands="other"),)), "stale", "the invariants have changed since the proof"),
        (known(proofs=None, unread="The bucket does not answer."), "unknown", "The bucket does not answer."),
        (known(drilled("db", "2026-11-03")), "overdue", "never done"),
    ],
)
def test_a_proof_is_one_of_this_application_with_these_invariants(facts: KnownFacts, found: str, words: str) -> None:
    said, why = state("proof", facts, "2026-11-20")
    assert (said, words in why) == (found, True)


@pytest.mark.parametrize(
    ("done_by", "record", "found"),
    [
        ("record", attested("review", "2026-11-03"), "done"),
        ("record", attested("another", "2026-11-03"), "overdue"),
        ("training", attested("review", "2026-11-03", kind="training", attendees=("Ben",)), "done"),
        ("communication", attested("review", "2026-11-03", kind="communication"), "done"),
        ("communication", attested("comms", "2026-11-03", kind="communication"), "done"),
        ("record", attested("comms", "2026-11-03", kind="communication"), "overdue"),
    ],
)
def test_what_people_record_counts_by_name_and_communication_drills_by_kind(
    done_by: str, record: AttestedRecord, found: str
) -> None:
    assert state(done_by, known(record), "2026-11-20")[0] == found


def test_what_is_dated_after_today_counts_for_nothing() -> None:
    facts = known(attested("review", "2026-11-21"), drilled("db", "2026-11-21"), proofs=(proof("2026-11-21"),))
    for done_by, drills in (("record", ()), ("drill", ("db",)), ("proof", ())):
        assert state(done_by, facts, "2026-11-20", *drills)[0] == "overdue"


@pytest.mark.parametrize(
    ("zone", "moment", "local"),
    [
        # 16:30 UTC is half past midnight in Manila: another day, month, year
        ("Asia/Manila", datetime(2026, 10, 31, 16, 30, tzinfo=UTC), date(2026, 11, 1)),
        ("Asia/Manila", datetime(2026, 10, 31, 15, 30, tzinfo=UTC), date(2026, 10, 31)),
        ("Asia/Manila", datetime(2026, 12, 31, 16, 0, tzinfo=UTC), date(2027, 1, 1)),
        # the hour that occurs twice, and the one that is left out
        ("Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, 30, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Berlin", datetime(2026, 10, 31, 23, 30, tzinfo=UTC), date(2026, 11, 1)),
        ("Europe/Berlin", datetime(2026, 3, 31, 21, 59, tzinfo=UTC), date(2026, 3, 31)),
        ("Europe/Berlin", datetime(2026, 3, 31, 22, 0, tzinfo=UTC), date(2026, 4, 1)),
        ("America/Havana", datetime(2026, 11, 1, 4, 30, tzinfo=UTC), date(2026, 11, 1)),
    ],
)
def test_a_day_is_one_of_the_targets_time_zone(zone: str, moment: datetime, local: date) -> None:
    facts = known(drilled("db", moment), zone=ZoneInfo(zone), proofs=(proof(moment),))
    for one in (exercise("monthly", "drill", "db"), exercise("monthly", "proof")):
        seen = facts.of(one, date(2027, 6, 1))
        assert seen.newest is not None
        assert seen.newest.day == local


def test_every_exercise_and_every_supply_is_judged() -> None:
    found = of_all(known(attested("second-internet", "2026-11-03", kind="supply")), day("2026-11-20"))
    names = [one.name for one in CONFIG.exercises] + [one.name for one in CONFIG.supplies]
    assert [one.exercise.name for one in found] == names
    states = {one.exercise.name: one.state.value for one in found}
    assert (states["second-internet"], states["recovery-access"]) == ("done", "overdue")


def test_all_of_it_done_is_done() -> None:
    drills = [drilled(name, "2026-11-02") for name in ("db", "app", "media", "infra", "backups")]
    names = [one.name for one in CONFIG.exercises if one.done_by not in ("drill", "proof")]
    people = [attested(name, "2026-11-02") for name in (*names, *(one.name for one in CONFIG.supplies))]
    found = of_all(known(*drills, *people, proofs=(proof("2026-11-02"),)), day("2026-11-20"))
    assert {one.state.value for one in found} == {"done"}


def test_the_same_day_one_period_later() -> None:
    cases = {
        ("2025-08-14", "quarterly"): "2025-11-14",
        ("2028-02-29", "yearly"): "2029-02-28",
        ("2027-11-30", "quarterly"): "2028-02-29",
        ("2026-11-30", "quarterly"): "2027-02-28",
        ("2026-12-31", "monthly"): "2027-01-31",
        ("2027-01-31", "monthly"): "2027-02-28",
    }
    assert {case: after(day(case[0]), case[1]).isoformat() for case in cases} == cases  # type: ignore[arg-type]


@pytest.mark.parametrize("every", ["monthly", "quarterly", "yearly"])
def test_periods_follow_each_other_without_a_gap(every: str) -> None:
    period = Period.of(every, day("2024-01-01"))  # type: ignore[arg-type]
    for _ in range(60):
        later = period.later(1)
        assert Period.of(period.every, period.end) == period == Period.of(period.every, period.start)
        assert (later.start - period.end).days == 1
        period = later


def test_noon_in_manila_is_the_same_day_everywhere_that_matters() -> None:
    assert at_noon("2026-11-03").astimezone(MANILA).date() == day("2026-11-03")
