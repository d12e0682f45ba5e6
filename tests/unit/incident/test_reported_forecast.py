"""The report of an incident: what was forecast of each recovery beside what happened, and nothing where nothing was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledgers import T0, opened

from rehearsal import Person, Rehearsal
from uscdr.incident.report import IncidentReport, ReportedRecovery
from uscdr.incident.report_texts import incident_markdown, incident_page
from uscdr.incident.reporting import IncidentEvidence, incident_report
from uscdr.journal.reader import Journal
from uscdr.models.incidents import Recorded
from uscdr.report.model import ForecastReport, RunReport
from uscdr.report.objectives import build


def recovered(state: Path, person: Person | None = None) -> RunReport:
    run = Rehearsal(state, person=person or Person())
    run.begin()
    return build(Journal.read(run.journal_path).stamped)


def reported(*runs: RunReport) -> IncidentReport:
    record = Recorded.model_validate(
        {"incident": "20261123T020000Z-incident-4f2a9c", "seq": 0, "at": T0, "user": "ada", "host": "here",
         "event": opened().model_dump()}
    )  # fmt: skip
    return incident_report(IncidentEvidence((record,), runs, ()), (), T0)


def of(run: RunReport) -> ReportedRecovery:
    (found,) = reported(run).recoveries
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunReport]:
    """Three recoveries after each other: none, one and two earlier runs."""
    state = tmp_path_factory.mktemp("state")
    return [recovered(state) for _ in range(3)]


def test_the_forecast_stands_beside_what_happened_in_every_format(runs: list[RunReport]) -> None:
    run = runs[2]
    told = of(run).forecast
    assert told is not None
    assert (told.runs, told.quantiles) == (2, False)
    assert told.expected.startswith(("at ", "between "))
    assert told.back_at == run.verified_at
    assert told.took_seconds is not None
    (gate,) = run.gates
    shown = gate.facts["service expected back"]
    assert told.shown == shown
    assert "in 2 earlier runs" in shown
    text = incident_markdown(reported(run))
    assert "**Forecast and what happened**" in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert f"| Service expected back, by the plan | {told.expected} |" in lines
    assert f"| Service expected back, at the confirmation | {shown} |" in lines
    assert any(line.startswith("| After the plan | least ") and ", most " in line for line in lines)
    assert any(line.startswith("| It was back ") for line in lines)
    assert shown in incident_page(reported(run))
    held = json.loads(reported(run).model_dump_json())["recoveries"][0]["forecast"]
    assert (held["runs"], held["verdict"], held["shown"]) == (2, told.verdict, shown)


def test_the_first_run_says_that_there_was_no_earlier_one(runs: list[RunReport]) -> None:
    first = of(runs[0])
    assert (first.forecast, first.no_forecast) == (None, "no earlier run of this scenario on this target")
    text = incident_markdown(reported(runs[0]))
    assert "| Forecast | none: no earlier run of this scenario on this target |" in text
    assert "Service expected back" not in text
    assert json.loads(reported(runs[0]).model_dump_json())["recoveries"][0]["forecast"] is None


def test_a_journal_of_an_earlier_version_has_none(runs: list[RunReport]) -> None:
    good = Path(__file__).parents[2] / "golden" / "events" / "good.jsonl"
    old = build(json.loads(line) for line in good.read_text().splitlines())
    assert (of(old).forecast, of(old).no_forecast) == (None, "the run's journal has none")
    assert "| Forecast | none: the run's journal has none |" in incident_markdown(reported(old))


def test_p50_and_p90_are_named_and_a_late_run_is_later(runs: list[RunReport]) -> None:
    told = runs[2].forecast
    assert told is not None
    changed = told.model_copy(
        update={"quantiles": True, "runs": 12, "low_seconds": 60.0, "high_seconds": 90.0, "took_seconds": 120.0,
                "verdict": "later", "basis": "p50-p90 of 12 earlier runs"}
    )  # fmt: skip
    text = incident_markdown(reported(runs[2].model_copy(update={"forecast": changed})))
    assert "| After the plan | p50 1 min, p90 1 min 30 s (12 earlier runs) |" in text
    assert "| Forecast against what happened | **later than forecast** |" in text


def test_a_run_whose_question_was_declined_is_not_compared(runs: list[RunReport], tmp_path: Path) -> None:
    recovered(tmp_path)
    declined = recovered(tmp_path, Person(types=False))
    told = of(declined).forecast
    assert told is not None
    assert (told.took_seconds, told.verdict, told.shown) == (None, "not known", "")
    text = incident_markdown(reported(declined))
    assert "| Service expected back, at the confirmation | no confirmed question showed one |" in text
    assert "| It was back | not known: " in text


def test_a_forecast_of_an_older_report_reads_as_before() -> None:
    old = ForecastReport(low_seconds=1, high_seconds=2, basis="x")
    assert (old.expected, old.shown, old.runs) == ("", "", 0)
