"""One journal, several views: screen, Markdown, JSON, `runs show` and the incident's report tell the same verdicts."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from uscdr.commands.runs import report_run, show_run
from uscdr.incident.report import IncidentReport
from uscdr.incident.report_texts import incident_markdown, incident_page
from uscdr.incident.reporting import IncidentEvidence, incident_report
from uscdr.journal.writer import JournalWriter
from uscdr.models import events as ev
from uscdr.models.incidents import IncidentOpened, Recorded
from uscdr.report.model import RunReport
from uscdr.report.objectives import build
from uscdr.report.summary import summarise
from uscdr.ui.console import Output

EVENTS = Path(__file__).parents[2] / "golden" / "events"


def journalled(name: str) -> list[ev.Stamped]:
    lines = (EVENTS / f"{name}.jsonl").read_text().splitlines()
    return [one for line in lines if (one := ev.Stamped.model_validate_json(line)).seq is not None]


def cut(kind: str, step: str = "") -> list[ev.Stamped]:
    """The good run until this event."""
    events = journalled("good")
    return events[: 1 + next(n for n, one in enumerate(events) if fits(one.event, kind, step))]


def fits(event: Any, kind: str, step: str) -> bool:
    return event.kind == kind and (not step or event.step == step)


def ended(events: list[ev.Stamped], outcome: str, code: int) -> list[ev.Stamped]:
    end = ev.RunFinished.model_validate({"outcome": outcome, "exit_code": code, "summary": "It ended."})
    last = events[-1]
    return [*events, last.model_copy(update={"seq": (last.seq or 0) + 1, "at": last.at, "event": end})]


def only_planned() -> list[ev.Stamped]:
    plan = cut("plan.ready")
    dry = plan[-1].event.model_copy(update={"dry_run": True})
    return ended([*plan[:-1], plan[-1].model_copy(update={"event": dry})], "done", 0)


CASES: dict[str, tuple[list[ev.Stamped], str, str]] = {
    "whole": (journalled("good"), "met", "met"),
    "resumed": (journalled("resumed"), "met", "met"),
    "its restore failed": (journalled("failing"), "not known", "not measured"),
    "made no plan": (ended(journalled("good")[:1], "failed", 3), "not known", "not measured"),
    "dry run": (only_planned(), "does not apply", "does not apply"),
    "declined before the first change": (ended(cut("step.succeeded", "ledger"), "declined", 4), "not known",
                                         "not measured"),
    "declined before the restore": (ended(cut("step.succeeded", "safety"), "declined", 4), "not known",
                                    "not measured"),
    "killed in the restore": (cut("step.started", "restore"), "not known", "not measured"),
    "restored and not open yet": (cut("step.succeeded", "restore"), "not known", "met"),
    "open and not checked": (cut("step.succeeded", "maintenance_off"), "not known", "met"),
}  # fmt: skip


@pytest.fixture(params=CASES, name="case")
def _case(request: pytest.FixtureRequest) -> tuple[list[ev.Stamped], str, str]:
    return CASES[request.param]


@pytest.fixture(name="run")
def _run(case: tuple[list[ev.Stamped], str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunReport:
    """Its report; the journal lies in a state directory."""
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("USCDR_SHARED", raising=False)
    events = case[0]
    writer = JournalWriter.create(tmp_path / "runs" / events[0].run)
    for stamped in events:
        writer.record(stamped)
    writer.close()
    return build(events)


def shown(run: RunReport, *, json_lines: bool, report: bool) -> str:
    out = io.StringIO()
    (report_run if report else show_run)(run.run, Output(json_lines=json_lines, stdout=out, stderr=io.StringIO()))
    return out.getvalue()


def verdicts(report: dict[str, Any]) -> tuple[str, str]:
    return report["rto"]["verdict"], report["rpo"]["verdict"]


def row(text: str, name: str) -> str:
    """The row of an objective in Markdown."""
    return next(line for line in text.splitlines() if line.startswith(f"| {name} |"))


def test_every_view_of_the_run_has_the_verdicts(run: RunReport, case: tuple[list[ev.Stamped], str, str]) -> None:
    rto, rpo = case[1:]
    for report in (True, False):
        assert verdicts(json.loads(shown(run, json_lines=True, report=report))) == (rto, rpo)
    markdown = shown(run, json_lines=False, report=True)
    assert f"**{rto}**" in row(markdown, "Service back (RTO)")
    assert f"**{rpo}**" in row(markdown, "Data lost (RPO)")
    for screen in (shown(run, json_lines=False, report=False), summarise(run)):
        said = {line.partition(":")[0]: line for line in screen.splitlines()}
        assert said.get("RPO", f"RPO: {rpo}: ").startswith(f"RPO: {rpo}: ")
        assert ("RTO: met" in screen) == (rto == "met")


def test_the_incident_has_the_same(run: RunReport, case: tuple[list[ev.Stamped], str, str]) -> None:
    made = incident_of(run)
    if run.dry_run:
        assert made.recoveries == ()
        assert made.rpo.verdict == "does not apply"
        return
    (one,) = made.recoveries
    assert (one.rto.verdict, one.rpo.verdict, made.rpo.verdict) == (*case[1:], case[2])
    assert f"**{case[2]}**" in row(incident_markdown(made), "Data lost (RPO)").replace("| met |", "| **met** |")
    assert f">{case[2]}<" in incident_page(made)


def incident_of(*runs: RunReport) -> IncidentReport:
    at = datetime(2026, 11, 23, 2, tzinfo=UTC)
    opened = IncidentOpened(
        what="It is down.", severity="critical", target="production", app="usc-pis", key="heroku:usc-pis",
        detected_at=at, rto_seconds=7200, rpo_seconds=14400, first_seconds=900, update_seconds=1800,
        completion_seconds=900, version="0.1.0",
    )  # fmt: skip
    first = Recorded(incident="i", seq=0, at=at, user="ada", host="here", event=opened)
    return incident_report(IncidentEvidence([first], runs, ()), (), at + timedelta(minutes=30))


def test_an_attempt_that_restored_nothing_does_not_spoil_the_incidents_rpo() -> None:
    whole, declined = build(CASES["whole"][0]), build(CASES["declined before the restore"][0])
    assert incident_of(declined, whole).rpo.verdict == "met"
    assert incident_of(whole, declined).rpo.verdict == "met"
    assert incident_of(declined, declined).rpo.verdict == "not measured"


@pytest.mark.parametrize("length", range(1, 38))
def test_no_beginning_of_a_run_meets_what_it_did_not_do(length: int) -> None:
    events = journalled("good")[:length]
    done = {one.event.step for one in events if isinstance(one.event, ev.StepSucceeded)}
    found = build(events)
    assert (found.rpo.verdict == "met") == ("restore" in done)
    assert (found.rto.verdict == "met") == ({"maintenance_off", "check_app"} <= done)
