"""Journal to report: nothing is claimed that the events do not say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from uscdr.models import events as ev
from uscdr.report.markdown import to_markdown
from uscdr.report.model import RunReport, span
from uscdr.report.objectives import build
from uscdr.report.summary import MOST_LINES, summarise

EVENTS = Path(__file__).parents[2] / "golden" / "events"
T0 = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)
Timed = tuple[float, ev.Payload]


def journal(name: str) -> list[ev.Stamped]:
    return [ev.Stamped.model_validate_json(line) for line in (EVENTS / f"{name}.jsonl").read_text().splitlines()]


def run(*timed: Timed, rto: float = 7200, rpo: float = 14400, outage_at: datetime | None = None) -> RunReport:
    """The report of a run begun at 0 s with these events at their seconds."""
    begun = ev.RunStarted(
        scenario="db",
        target="sandbox",
        app="usc-pis",
        request={},
        version="0.1.0",
        user="ada",
        host="here",
        scenario_digest="d",
        rto_seconds=rto,
        rpo_seconds=rpo,
        outage_at=outage_at,
    )
    events = [(0.0, begun), *timed]
    return build(
        ev.Stamped(run="r", seq=number, at=T0 + timedelta(seconds=at), mono=at, event=event)
        for number, (at, event) in enumerate(events)
    )


def planned(*ids: str, dry_run: bool = False) -> ev.PlanReady:
    steps = tuple(
        ev.PlannedStep(
            id=step, title=step, phase="p", effect="read", action="read", summary="",
            params={"enabled": False} if step == "maintenance_off" else {},
        )
        for step in ids
    )  # fmt: skip
    return ev.PlanReady(digest="d", dry_run=dry_run, steps=steps, budgets={"p": 60.0})


def started(step: str) -> ev.StepStarted:
    return ev.StepStarted(step=step, title=step, phase="p", effect="read")


def done(step: str, **result: object) -> ev.StepSucceeded:
    return ev.StepSucceeded(step=step, seconds=1, summary="ok", result=result)


def skipped(step: str) -> ev.StepSkipped:
    return ev.StepSkipped(step=step, reason="not needed")


def finished(outcome: str = "done") -> ev.RunFinished:
    return ev.RunFinished.model_validate({"outcome": outcome, "exit_code": 0, "summary": "ended"})


def test_journal_lines_and_stamped_events_give_the_same_report() -> None:
    events = journal("resumed")
    lines = [{"prev": "0" * 64, **json.loads(event.model_dump_json())} for event in events]
    assert build(lines, last_hash="ab") == build(events, last_hash="ab")


def test_progress_changes_nothing() -> None:
    events = journal("good")
    assert build(events) == build(event for event in events if event.seq is not None)


def test_a_journal_of_nothing_is_reported_as_unfinished() -> None:
    report = build([])
    assert report.outcome == "unfinished"
    assert report.rto.verdict == "not known"
    assert to_markdown(report)
    assert summarise(report)


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(ValidationError):
        build([{"run": "r", "seq": 0, "at": T0.isoformat(), "mono": 0, "event": {"kind": "nonsense"}}])


@pytest.mark.parametrize("length", range(1, 38))
def test_a_journal_cut_anywhere_is_never_reported_as_done(length: int) -> None:
    events = [event for event in journal("good") if event.seq is not None][:length]
    report = build(events)
    whole = isinstance(events[-1].event, ev.RunFinished)
    assert (report.outcome == "done") == whole
    assert to_markdown(report)
    assert len(summarise(report).splitlines()) <= MOST_LINES


def test_missing_numbers_are_named() -> None:
    events = [event for event in journal("good") if event.seq not in {0, 5, 6}]
    report = build(events)
    assert report.integrity.missing == (0, 5, 6)
    assert "MISSING: 0, 5, 6" in to_markdown(report)


def test_a_run_that_is_resumed_and_dies_is_unfinished_again() -> None:
    resumed = ev.RunResumed(user="grace", host="there", version="0.1.0")
    report = run((1, planned("a")), (2, started("a")), (3, finished("interrupted")), (9, resumed))
    assert report.outcome == "unfinished"
    assert [attempt.outcome for attempt in report.attempts] == ["interrupted", ""]
    assert report.steps[0].status == "started"


BACK = planned("maintenance_off", "check_app")


@pytest.mark.parametrize(
    ("timed", "seconds", "verdict"),
    [
        (((1, BACK), (50, done("maintenance_off")), (90, done("check_app")), (99, finished())), 90, "met"),
        (((1, BACK), (50, skipped("maintenance_off")), (90, done("check_app"))), 90, "met"),
        (((1, BACK), (50, done("maintenance_off")), (120, done("check_app"))), 120, "missed"),
        (((1, BACK), (50, done("maintenance_off")), (90, skipped("check_app")), (99, finished())), None, "not known"),
        (((1, BACK), (50, done("maintenance_off"))), None, "not known"),
        (((1, BACK), (101, started("maintenance_off"))), None, "missed"),
        (((1, planned("a")), (60, done("a")), (70, finished())), 60, "met"),
        (((1, planned("a")), (60, done("a")), (70, finished("failed"))), 60, "met"),
        (((1, planned("a", "b")), (60, done("a")), (70, finished("failed"))), None, "not known"),
        (((1, planned("a", dry_run=True)), (2, finished())), None, "does not apply"),
    ],
)
def test_recovery_time(timed: tuple[Timed, ...], seconds: float | None, verdict: str) -> None:
    report = run(*timed, rto=100)
    assert (report.rto.achieved_seconds, report.rto.verdict) == (seconds, verdict)


def test_the_recovery_time_is_not_known_after_a_clock_was_set_back() -> None:
    report = run((10, planned("a")), (15, started("a")), (-3500, done("a")), rto=100)
    assert (report.rto.achieved_seconds, report.rto.verdict) == (None, "not known")
    assert "set back by 58 min 35 s" in report.rto.basis
    late = run((10, planned("a")), (15, started("a")), (14, done("a")), rto=100)
    assert (late.rto.achieved_seconds, late.rto.verdict) == (14, "met")


@pytest.mark.parametrize(
    ("result", "seconds", "verdict"),
    [
        ({"backup": "b1", "age_seconds": 90.0}, 90, "met"),
        ({"backup": "b1", "age_seconds": 110}, 110, "missed"),
        ({"backup": "b1", "age_seconds": True}, None, "not known"),
        ({"backup": "b1"}, None, "not known"),
        ({}, None, "not known"),
    ],
)
def test_recovery_point(result: dict[str, object], seconds: float | None, verdict: str) -> None:
    report = run((1, planned("choose", "restore")), (2, done("choose", **result)), (3, done("restore")), rpo=100)
    assert (report.rpo.achieved_seconds, report.rpo.verdict) == (seconds, verdict)


AGE_OF = "age of backup b1 when it was chosen"
FAILED = ev.StepFailed(step="restore", message="It failed.", known=True)
LOST = ev.StepFailed(step="restore", message="No answer.", known=False)


@pytest.mark.parametrize(
    ("timed", "words"),
    [
        ((), "not measured: objective 10 min (not done: restore, compare)"),
        (((4, finished("declined")),), "not measured: objective 10 min (not done: restore, compare)"),
        (((3, started("restore")), (4, FAILED)), "not measured: objective 10 min (not done: restore, compare)"),
        (((3, started("restore")), (4, LOST)), "not measured: objective 10 min (not done: restore, compare)"),
        (((3, done("restore")),), "not measured: objective 10 min (not done: compare)"),
        (((3, done("restore")), (4, done("compare"))), f"met: 1 min 30 s of 10 min ({AGE_OF})"),
    ],
)
def test_what_was_not_restored_and_compared_has_no_recovery_point(timed: tuple[Timed, ...], words: str) -> None:
    chosen = (2, done("choose", backup="b1", age_seconds=90))
    assert run((1, planned("choose", "restore", "compare")), chosen, *timed, rpo=600).rpo.words == words


def test_a_recovery_that_restores_no_database_has_no_recovery_point_and_before_the_plan_nothing_is_measured() -> None:
    chosen = (2, done("choose", backup="b1", age_seconds=90))
    without, early = run((1, planned("choose")), chosen), run((1, finished("failed")))
    assert (without.rpo.verdict, without.rpo.basis) == ("does not apply", "this run restores no database")
    assert (early.rpo.verdict, early.rpo.basis) == ("not measured", "the run made no plan")
    dry = run((1, planned("choose", "restore", dry_run=True)), chosen, (3, finished()))
    assert [(one.verdict, one.basis) for one in (dry.rto, dry.rpo)] == [("does not apply", "dry run")] * 2


@pytest.mark.parametrize(
    ("last_write", "seconds"),
    [
        ("2026-11-23T02:01:00+00:00", 60),
        ("2026-11-23T02:01:00Z", 60),
        ("2026-11-23T01:59:00Z", 0),
        (None, 500),
        ("nonsense", 500),
        ("2026-11-23T02:01:00", 500),
    ],
)
@pytest.mark.parametrize("taken_at", ["taken_at", "created_at"])  # the second in journals of version 0.1
def test_the_last_lost_write_bounds_the_loss(taken_at: str, last_write: str | None, seconds: float) -> None:
    chosen = done("choose", backup="b1", age_seconds=500, **{taken_at: "2026-11-23T02:00:00Z"})
    ledger = done("ledger", last_write=last_write)
    report = run((1, planned("choose", "ledger", "restore")), (2, chosen), (3, ledger), (4, done("restore")))
    assert report.rpo.achieved_seconds == seconds


def test_what_was_not_counted_is_not_zero() -> None:
    ledger = {
        "tables": [{"table": "t", "backup": 5, "lost": None}],
        "rows_now": None,
        "rows_backup": 5,
        "readable": False,
    }
    report = run((1, planned("ledger")), (2, done("ledger", **ledger)))
    assert report.data.rows_lost is None
    assert report.data.tables[0].now is None
    text = to_markdown(report)
    assert "unreadable before, 5 in the backup, **how many were lost is not known**" in text


@pytest.mark.parametrize("odd", [None, 3, "x", [1, "a"], [{"table": 7}], [{"no": "name"}]])
def test_a_result_of_another_shape_does_not_stop_the_report(odd: object) -> None:
    report = run((1, planned("ledger")), (2, done("ledger", tables=odd, rows_lost="many", rows_backup=True)))
    assert report.data.tables == ()
    assert report.data.rows_lost is None
    assert report.data.rows_backup is None


def test_a_write_of_unknown_fate_stays_unknown() -> None:
    failed = ev.StepFailed(step="a", message="lost", why="reset", next_action="look", known=False)
    report = run((1, planned("a")), (2, started("a")), (7, failed), (8, finished("unknown")))
    step = report.steps[0]
    assert (step.status, step.seconds, step.next_action) == ("unknown", 5, "look")
    assert report.summary == "ended"


def test_gates_keep_their_answers_apart() -> None:
    asked = ev.GateAsked(step="a", facts={"rows": "3"}, phrase="destroy 3")
    yes = ev.GateAnswered(step="a", confirmed=True, by="typed at the terminal")
    report = run((1, asked), (2, finished("declined")), (3, asked), (4, yes))
    assert [gate.confirmed for gate in report.gates] == [None, True]


def test_a_phase_over_its_budget_is_named() -> None:
    report = run((1, planned("a")), (2, started("a")), (90, done("a")))
    assert report.phases[0].over
    assert "| p | 1 min | 1 min 28 s | **over** | 1 of 1 |" in to_markdown(report)


def test_foreign_text_cannot_become_markup() -> None:
    evil = "| <script>x</script> [a](http://b) **c** `d`\n# e a_b a\tb \x1b[31m \u202e"
    report = run((1, ev.Note(level="warning", text=evil)), (2, finished()))
    line = next(line for line in to_markdown(report).splitlines() if "script" in line)
    assert line.count("|") - line.count("\\|") == 3
    assert "<script>" not in line
    assert "[a](" not in line
    assert r"\x1b" in line
    assert r"a\_b a\\tb" in line
    assert not {"\x1b", "\u202e"} & set(line + summarise(report))


def test_a_dry_run_asks_for_no_follow_up_and_claims_no_objective() -> None:
    end = ev.RunFinished(outcome="done", exit_code=0, summary="Nothing was changed.", follow_up=("watch the log",))
    report = run((1, planned("a", dry_run=True)), (2, end))
    assert summarise(report) == "DRY RUN: db of usc-pis (sandbox): Nothing was changed."
    assert "watch the log" not in to_markdown(report)


def test_json_has_all_of_the_report() -> None:
    report = build(journal("good"), last_hash="ab")
    assert RunReport.model_validate_json(report.model_dump_json()) == report


def test_the_summary_stays_short_with_much_to_say() -> None:
    end = ev.RunFinished(
        outcome="done",
        exit_code=0,
        summary="ended",
        left={str(number): "on" for number in range(40)},
        follow_up=tuple(f"task {number}" for number in range(40)),
    )
    report = run((1, end))
    text = summarise(report, journal="/j", report_path="/r")
    assert len(text.splitlines()) <= MOST_LINES
    assert "To do: 37 more in the report" in text
    assert "and 37 more" in text
    assert text.endswith("Journal: /j\nReport: /r")


@pytest.mark.parametrize(("seconds", "words"), [(None, "not known"), (303, "5 min 03 s")])
def test_spans(seconds: float | None, words: str) -> None:
    assert span(seconds) == words


FILES: dict[str, object] = {"undated": ["files"]}
UNDATED = "the time of lost rows in files is unknown"
TAKEN = "the damage may have removed newer rows"
AGE = "age of the backup when it was chosen"
LAST = "from backup b1 to the last lost write"


@pytest.mark.parametrize(
    ("age", "last", "lost", "words"),
    [
        (500, "02:00", {}, f"met: 0 s of 10 min ({LAST})"),
        (500, "02:00", FILES, f"met: at most 8 min 20 s of 10 min ({AGE}; {UNDATED})"),
        (500, "01:00", {"at_least": True}, f"met: at most 8 min 20 s of 10 min ({AGE}; {TAKEN})"),
        (5000, "02:01", FILES, f"not known: objective 10 min (between 1 min and 1 h 23 min; {UNDATED})"),
        (5000, "02:20", FILES, f"missed: 20 min of 10 min ({LAST} that is known; {UNDATED})"),
    ],
)
def test_rows_whose_time_of_writing_nobody_knows_bound_the_loss(
    age: int, last: str, lost: dict[str, object], words: str
) -> None:
    chosen = done("choose", backup="b1", age_seconds=age, taken_at="2026-11-23T02:00:00Z")
    ledger = done("ledger", last_write=f"2026-11-23T{last}:00Z", **lost)
    report = run((1, planned("choose", "ledger", "restore")), (2, chosen), (3, ledger), (4, done("restore")), rpo=600)
    assert report.rpo.words == words
    assert (report.rpo.verdict == "missed") == (last == "02:20")


RESTORED: tuple[Timed, ...] = (
    (1, planned("maintenance_off", "check_app")),
    (2, started("maintenance_off")), (3, done("maintenance_off")),
    (4, started("check_app")), (600, done("check_app")), (601, finished()),
)  # fmt: skip


def test_the_rto_counts_from_the_outage_if_the_operator_said_when_it_began() -> None:
    outage = T0 - timedelta(minutes=40)
    met, missed = run(*RESTORED, outage_at=outage), run(*RESTORED, outage_at=outage, rto=49 * 60)
    assert met.rto.achieved_seconds == 40 * 60 + 600
    assert "from the outage, 2026-11-23 01:30 UTC" in met.rto.words
    assert (met.rto.verdict, missed.rto.verdict) == ("met", "missed")
    assert run(*RESTORED, rto=49 * 60).rto.verdict == "met"


def test_without_an_outage_the_rto_says_that_it_counts_from_the_start_of_the_run() -> None:
    found = run(*RESTORED)
    assert found.rto.achieved_seconds == 600
    assert "from the start of the run, 2026-11-23 02:10 UTC" in found.rto.words


def test_an_outage_makes_an_unfinished_run_late_sooner() -> None:
    unfinished = RESTORED[:3]
    assert run(*unfinished).rto.verdict == "not known"
    assert run(*unfinished, outage_at=T0 - timedelta(hours=2)).rto.verdict == "missed"


def test_the_plan_says_what_has_passed_of_the_rto_and_what_the_outage_concerns() -> None:
    begun = ev.RunStarted(
        scenario="db", target="t", app="a", request={}, version="0", user="u", host="h", scenario_digest="d",
        rto_seconds=7200, rpo_seconds=14400, outage_at=T0, impact="critical (medical records)",
    )  # fmt: skip
    assert begun.rto_words(2400).splitlines() == [
        "RTO 2 h from the outage, 2026-11-23 02:10 UTC: 40 min have passed",
        "Impact of the outage: critical (medical records)",
    ]
