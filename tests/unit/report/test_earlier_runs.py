"""Forecasts from the journals on disk, in whole runs over the fake platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakes import Killed
from recorded_runs import KEY, Recorded, plan
from rehearsal import Person, Rehearsal
from uscdr.commands.forecast import MOST_RUNS, RecordedForecaster, earlier_runs
from uscdr.engine.plan import Plan
from uscdr.engine.step import View
from uscdr.errors import ExitCode
from uscdr.journal.reader import NAME, Journal
from uscdr.models.events import PlanReady
from uscdr.models.forecast import RunForecast
from uscdr.report.markdown import to_markdown
from uscdr.report.objectives import build
from uscdr.scenarios.adapters import Request


def recovered(state: Path, **said: Any) -> Rehearsal:
    """A whole recovery with a world of its own."""
    run = Rehearsal(state, **said)
    ending = run.begin()
    assert ending is not None
    assert ending.code == ExitCode.DONE
    return run


def forecast_of(run: Rehearsal) -> RunForecast:
    plan = PlanReady.model_validate(run.events("plan.ready")[-1])
    assert plan.forecast is not None
    return plan.forecast


def test_runs_are_read_from_their_journals_newest_first(tmp_path: Path) -> None:
    for number in range(MOST_RUNS + 3):
        Recorded(number).write(tmp_path)
    found = earlier_runs(tmp_path, "db", KEY)
    assert len(found) == MOST_RUNS
    assert found[0].steps["backup.restore", "restore"].turn == 360


def test_other_runs_and_unreadable_ones_are_skipped(tmp_path: Path) -> None:
    Recorded(1).write(tmp_path)
    Recorded(2, key="another").write(tmp_path)
    Recorded(3, dry_run=True).write(tmp_path)
    damaged = Recorded(4)
    damaged.write(tmp_path)
    path = tmp_path / "runs" / damaged.run / NAME
    path.write_bytes(path.read_bytes().replace(b"restore", b"rest0re", 1))
    torn = Recorded(5)
    torn.write(tmp_path)
    path = tmp_path / "runs" / torn.run / NAME
    path.write_bytes(path.read_bytes()[:-20])
    assert len(earlier_runs(tmp_path, "db", KEY)) == 2
    assert earlier_runs(tmp_path, "app", KEY) == []
    assert len(earlier_runs(tmp_path, "db", KEY, but=Recorded(1).run)) == 1
    assert earlier_runs(tmp_path / "nowhere", "db", KEY) == []


def test_the_first_run_says_that_there_is_no_earlier_one(tmp_path: Path) -> None:
    run = recovered(tmp_path)
    assert forecast_of(run).runs == 0
    assert "service expected back" not in run.events("gate.asked")[-1]["facts"]
    assert build(Journal.read(run.journal_path).stamped).forecast is None


def test_a_later_run_is_forecast_and_compared_with_the_truth(tmp_path: Path) -> None:
    recovered(tmp_path)
    recovered(tmp_path)
    run = recovered(tmp_path)
    forecast = forecast_of(run)
    assert (forecast.runs, forecast.quantiles) == (2, False)
    restore = next(step for step in forecast.steps if step.id == "restore")
    assert restore.count == 2
    assert restore.words.startswith("2 earlier runs: ")
    facts = run.events("gate.asked")[-1]["facts"]
    assert "in 2 earlier runs" in facts["service expected back"]
    report = build(Journal.read(run.journal_path).stamped)
    assert report.forecast is not None
    assert report.forecast.took_seconds is not None
    assert "**Forecast:** service back" in to_markdown(report)
    assert '"low_seconds"' in report.model_dump_json()


def test_digest_and_phrase_do_not_depend_on_the_forecast(tmp_path: Path) -> None:
    bare, known = Rehearsal(tmp_path / "bare"), Rehearsal(tmp_path / "known")
    recovered(tmp_path / "known")
    plans = []
    for run in (bare, known):
        phrase = run.phrase()
        plans.append((run.events("plan.ready")[-1]["digest"], phrase))
    assert plans[0] == plans[1]
    assert forecast_of(bare).runs == 0
    assert forecast_of(known).runs == 1


def test_a_dry_run_forecasts_and_is_no_earlier_run(tmp_path: Path) -> None:
    recovered(tmp_path)
    run = Rehearsal(tmp_path)
    run.begin(dry_run=True)
    assert forecast_of(run).runs == 1
    again = Rehearsal(tmp_path)
    again.begin(dry_run=True)
    assert forecast_of(again).runs == 1


def test_a_missed_objective_is_said_at_the_question(tmp_path: Path) -> None:
    recovered(tmp_path)
    run = Rehearsal(tmp_path)
    objectives = run.config.objectives.model_copy(update={"rto": 0.001})
    run.config = run.config.model_copy(update={"objectives": objectives})
    run.begin()
    assert "will probably be missed" in run.events("gate.asked")[-1]["facts"]["RTO"]
    assert "will probably be missed" in run.person.questions[0]


def test_a_resumed_run_still_has_its_forecast_at_the_question(tmp_path: Path) -> None:
    recovered(tmp_path)
    run = Rehearsal(tmp_path, person=Person(types=False))
    run.begin()
    run.person = Person()
    ending = run.resume()
    assert ending is not None
    assert ending.code == ExitCode.DONE
    assert "service expected back" in run.events("gate.asked")[-1]["facts"]
    third = Rehearsal(tmp_path)
    third.begin(dry_run=True)
    assert forecast_of(third).runs == 2


def test_a_killed_run_counts_for_the_steps_that_it_did(tmp_path: Path) -> None:
    run = Rehearsal(tmp_path)
    kinds: list[str] = []

    def crash(seq: int, moment: str) -> None:
        kinds.append(moment)
        if any(event["kind"] == "step.started" and event["step"] == "restore" for event in run.events()):
            raise Killed

    run.crash = crash
    assert run.begin() is None
    later = Rehearsal(tmp_path, request=Request("db", anew=True))
    later.begin(dry_run=True)
    forecast = forecast_of(later)
    assert forecast.runs == 1
    assert any("Restore" in title for title in forecast.unknown)


def test_a_single_write_has_no_forecast(tmp_path: Path) -> None:
    Recorded(1).write(tmp_path)
    run = Rehearsal(tmp_path, request=Request("capture"))
    context = run.context(run.process(), "a-run", dry_run=False)
    nothing = Plan((), View(thorough=True))
    assert RecordedForecaster(context, run.journal_path).of_plan(plan(), nothing) is None
