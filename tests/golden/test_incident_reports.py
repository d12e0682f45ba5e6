"""The records of a made-up incident and the events of its runs -> its report as Markdown, JSON and HTML; the trend."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest

from uscdr.incident.report import ChainHead, IncidentReport
from uscdr.incident.report_texts import incident_markdown, incident_page
from uscdr.incident.reporting import IncidentEvidence, incident_report
from uscdr.incident.trend import trend, trend_page
from uscdr.models.incidents import Recorded
from uscdr.report.model import RunReport
from uscdr.report.objectives import build
from uscdr.scenarios.config_incident import ReviewQuestion

Golden = Callable[[str, str], None]
Replay = Callable[[str], list[str]]
DAY = timedelta(days=1)
HASH = "c0ffee" * 10 + "abcd"
LATER, MEANWHILE = datetime(2026, 11, 25, 9, tzinfo=UTC), datetime(2026, 11, 23, 2, 26, tzinfo=UTC)
QUESTIONS = (
    ReviewQuestion(id="root-cause", question="What was the root cause?"),
    ReviewQuestion(id="detection", question="How was it noticed, and what would have noticed it sooner?"),
    ReviewQuestion(id="lessons", question="What was learnt?"),
)


def run(lines: Iterable[str]) -> RunReport:
    return build((json.loads(line) for line in lines), last_hash=HASH)


def reported(replay: Replay, now: datetime) -> IncidentReport:
    """What the journals say at `now`: of the incident and of its runs."""
    records = [Recorded.model_validate_json(line) for line in replay("incident")]
    known = [one for one in records if one.at <= now]
    runs = {"20261123T021000Z-db-7f3a": "good", "20261124T040200Z-verify-600d": "verify-good"}
    linked = [one.event.run for one in known if one.event.kind == "run.linked"]
    events = {name: [line for line in replay(runs[name]) if at(line) <= now] for name in linked}
    reports = [run(lines) for lines in events.values()]
    heads = [ChainHead(journal=f"incidents/{known[0].incident}/journal.jsonl", events=len(known), last_hash=HASH)]
    heads += [ChainHead(journal=f"runs/{one.run}/journal.jsonl", events=one.integrity.events, last_hash=HASH)
              for one in reports]  # fmt: skip
    return incident_report(IncidentEvidence(known, reports, tuple(heads)), QUESTIONS, now, version="0.1.0")


def at(line: str) -> datetime:
    return datetime.fromisoformat(json.loads(line)["at"])


@pytest.mark.parametrize(("name", "now"), [("incident", LATER), ("incident-draft", MEANWHILE)])
def test_reports(name: str, now: datetime, golden: Golden, replay: Replay) -> None:
    made = reported(replay, now)
    golden(f"{name}-report.md", incident_markdown(made))
    golden(f"{name}-report.html", incident_page(made))


def test_json(golden: Golden, replay: Replay) -> None:
    made = reported(replay, LATER)
    golden("incident-report.json", made.model_dump_json(indent=2) + "\n")
    assert IncidentReport.model_validate_json(made.model_dump_json()) == made


def test_trend(golden: Golden, replay: Replay) -> None:
    """A failed recovery, a drill and one that met its objectives."""
    runs = [run(replay(name)) for name in ("good", "failing", "resumed")]
    missed = runs[2].rto.model_copy(update={"achieved_seconds": 9600.0, "verdict": "missed"})
    runs[1] = runs[1].model_copy(update={"run": "20261012T021000Z-db-7f3a", "started_at": LATER - 44 * DAY})
    runs[2] = runs[2].model_copy(
        update={"run": "20261101T080000Z-db-0d0d0d", "target": "sandbox", "started_at": LATER - 24 * DAY, "rto": missed}
    )
    points = trend([reported(replay, LATER)], runs, {runs[0].run: "20261123T020000Z-incident-4f2a9c"})
    unread = ["The journal of run 20261020T080000Z-db-00aa11 is damaged and not in the history."]
    golden("incident-trend.html", trend_page(points, unread, LATER))
