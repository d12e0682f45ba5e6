"""`uscdr incident report` and the history: whole chains or nothing, escaped values, unknown stays unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ledgers import INCIDENT, T0, ledger, opened

from uscdr.cli import main
from uscdr.incident.mapping import NOTHING
from uscdr.incident.report import ChainHead
from uscdr.incident.report_texts import incident_markdown, incident_page
from uscdr.incident.reporting import IncidentEvidence, incident_report
from uscdr.incident.trend import trend
from uscdr.journal.chain import FIRST, encode, line_hash
from uscdr.models.incidents import (
    ActionAdded,
    Entry,
    IncidentChanged,
    IncidentClosed,
    IncidentResolved,
    NoteWritten,
    Recorded,
    ReviewAnswered,
    RunLinked,
)
from uscdr.report.model import RunReport
from uscdr.report.objectives import build
from uscdr.scenarios.config_incident import ReviewQuestion
from uscdr.shared.journals import JournalStore, Piece
from uscdr.store.directory import LocalStore

EVENTS = Path(__file__).parents[2] / "golden" / "events"
EVIL = "</style><script>alert(1)</script>\"'&{{ 7 * 7 }} <img src=x onerror=alert(1)>"
RUN = "20261123T021000Z-db-7f3a00"
Which = Callable[[Path], Path]
Captured = pytest.CaptureFixture[str]


def run_lines(name: str, run: str = RUN) -> bytes:
    """The chain of a run with the events of the golden file."""
    lines, previous, number = b"", FIRST, 0
    for text in (EVENTS / f"{name}.jsonl").read_text().splitlines():
        record = json.loads(text)
        if record["seq"] is None:
            continue
        line = encode({**record, "run": run, "seq": number}, previous)
        previous, lines, number = line_hash(line), lines + line, number + 1
    return lines


@pytest.fixture
def state(quick: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with an incident and its run; both journals are whole."""
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick / "ada"))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    monkeypatch.delenv("USCDR_SHARED", raising=False)
    ledger(quick).append(
        opened(), RunLinked(run=RUN, scenario="db"), NoteWritten(text=EVIL), IncidentChanged(lead="Ada <b>")
    )
    place = quick / "ada" / "runs" / RUN
    place.mkdir(parents=True)
    (place / "journal.jsonl").write_bytes(run_lines("good"))
    return quick / "ada"


def incident_path(state: Path) -> Path:
    return state / "incidents" / INCIDENT / "journal.jsonl"


def run_path(state: Path) -> Path:
    return state / "runs" / RUN / "journal.jsonl"


def test_the_report_is_printed_as_a_draft_and_names_what_is_open(state: Path, capsys: Captured) -> None:
    assert main.run(["incident", "report", INCIDENT]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# DRAFT: Incident of usc-pis: the database is damaged\n")
    assert "service is not restored" in out
    assert f"runs/{RUN}/journal.jsonl | 34 |" in out


@pytest.mark.parametrize(
    ("name", "begin"), [("a.html", "<!doctype html>"), ("a.json", "{\n"), ("a.md", "# DRAFT"), ("a.txt", "# DRAFT")]
)
def test_the_format_follows_the_name_of_the_file(name: str, begin: str, state: Path, tmp_path: Path) -> None:
    assert main.run(["incident", "report", INCIDENT, "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_text().startswith(begin)


def test_a_name_of_another_format_is_refused(state: Path, tmp_path: Path, capsys: Captured) -> None:
    assert main.run(["incident", "report", INCIDENT, "--output", str(tmp_path / "a.pdf")]) == 2
    assert "print the HTML report" in capsys.readouterr().err
    assert not (tmp_path / "a.pdf").exists()


def test_an_option_goes_before_the_name(state: Path, tmp_path: Path, capsys: Captured) -> None:
    place = tmp_path / "a.html"
    assert main.run(["incident", "report", INCIDENT, "--format", "json", "--output", str(place)]) == 0
    assert json.loads(place.read_text())["incident"] == INCIDENT
    capsys.readouterr()
    assert main.run(["incident", "report", INCIDENT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["draft"] is True
    assert main.run(["incident", "report", INCIDENT, "--format", "pdf"]) == 2


def test_json_says_where_each_chain_ends(state: Path, capsys: Captured) -> None:
    assert main.run(["incident", "report", INCIDENT, "--json"]) == 0
    heads = {one["journal"]: one for one in json.loads(capsys.readouterr().out)["chains"]}
    for path, name in ((incident_path(state), f"incidents/{INCIDENT}/"), (run_path(state), f"runs/{RUN}/")):
        lines = path.read_bytes().splitlines()
        head = heads[f"{name}journal.jsonl"]
        assert (head["last_hash"], head["events"]) == (line_hash(lines[-1]), len(lines))


@pytest.mark.parametrize("which", [incident_path, run_path])
def test_one_changed_byte_in_any_line_refuses_the_report(which: Which, state: Path, capsys: Captured) -> None:
    """In the first, a middle and the last line: the place is named, and no report is made."""
    path = which(state)
    whole = path.read_bytes()
    ends = [match.end() for match in re.finditer(rb"\n", whole)]
    for line, begin, end in ((1, 0, ends[0]), (2, ends[0], ends[1]), (len(ends), ends[-2], ends[-1])):
        byte = begin + (end - begin) // 2
        path.write_bytes(whole[:byte] + bytes([whole[byte] ^ 1]) + whole[byte + 1 :])
        assert main.run(["incident", "report", INCIDENT]) == 3
        seen = capsys.readouterr()
        assert seen.out == ""
        assert str(path) in seen.err
        assert f"line {line}" in seen.err
        assert "byte" in seen.err


@pytest.mark.parametrize("which", [incident_path, run_path])
def test_a_changed_last_newline_and_a_removed_line_refuse_it(which: Which, state: Path, capsys: Captured) -> None:
    path = which(state)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for changed in (whole[:-1] + b" ", b"".join([*lines[:1], *lines[2:]]), b""):
        path.write_bytes(changed)
        assert main.run(["incident", "report", INCIDENT]) == 3
        assert capsys.readouterr().out == ""


def test_a_damaged_incident_is_not_passed_over_without_its_id(state: Path, capsys: Captured) -> None:
    path = incident_path(state)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    assert main.run(["incident", "report"]) == 3
    assert "line 1" in capsys.readouterr().err


def test_a_run_that_is_elsewhere_refuses_it(state: Path, capsys: Captured) -> None:
    run_path(state).unlink()
    assert main.run(["incident", "report", INCIDENT]) == 3
    assert RUN in capsys.readouterr().err


def test_another_machine_reports_from_what_the_team_shares(
    state: Path, quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    shared = quick / "shared"
    shared.mkdir(mode=0o700)
    JournalStore(LocalStore(shared)).put(Piece(RUN, 0), run_path(state).read_bytes())
    ledger(quick, shared=shared).append(NoteWritten(text="shared"))
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick / "ben"))
    monkeypatch.setenv("USCDR_SHARED", str(shared))
    assert main.run(["incident", "report", INCIDENT, "--json"]) == 0
    heads = json.loads(capsys.readouterr().out)["chains"]
    ends = [line_hash(path(state).read_bytes().splitlines()[-1]) for path in (incident_path, run_path)]
    assert [one["last_hash"] for one in heads] == ends


def test_values_stay_text_in_every_format(state: Path, tmp_path: Path) -> None:
    for name in ("a.html", "a.md"):
        assert main.run(["incident", "report", INCIDENT, "--output", str(tmp_path / name)]) == 0
        text = (tmp_path / name).read_text()
        assert "<script" not in text
        assert "<img" not in text
        assert "Ada &lt;b&gt;" in text
    page = (tmp_path / "a.html").read_text()
    assert "{{ 7 * 7 }}" in page
    assert not re.search(r"<(script|link|img|iframe|object)\b|<[^>]*\b(src|href|on\w+)=|@import|url\(", page)


def evidence(*timed: tuple[float, Entry], runs: Iterable[RunReport] = ()) -> IncidentEvidence:
    records = [
        Recorded.model_validate(
            {"incident": INCIDENT, "seq": number, "at": datetime.fromtimestamp(T0.timestamp() + 60 * at, UTC),
             "user": "ada", "host": "here", "event": entry.model_dump()}
        )
        for number, (at, entry) in enumerate([(0.0, opened()), *timed])
    ]  # fmt: skip
    return IncidentEvidence(records, tuple(runs), ())


def golden_run(name: str) -> RunReport:
    return build(json.loads(line) for line in (EVENTS / f"{name}.jsonl").read_text().splitlines())


def at(minutes: float) -> datetime:
    return datetime.fromtimestamp(T0.timestamp() + 60 * minutes, UTC)


def test_what_nobody_knows_is_not_known() -> None:
    made = incident_report(evidence(), (), at(20))
    assert (made.rto.verdict, made.rto.achieved_seconds) == ("not known", None)
    assert made.rpo.verdict == "does not apply"
    text = incident_markdown(made)
    assert "| Outage began | **not known** |" in text
    assert "| Service restored | not yet |" in text
    assert "| Down for | 20 min so far, from the detection |" in text
    assert incident_page(made).count("<h1>") == 1


def test_an_rto_that_is_over_is_missed_before_the_end() -> None:
    made = incident_report(evidence(), (), at(121))
    assert (made.rto.verdict, made.rto.achieved_seconds) == ("missed", None)


def test_the_worst_recovery_gives_the_rpo_and_a_lower_bound_says_so() -> None:
    good = golden_run("good")
    unknown = good.model_copy(
        update={
            "run": "other",
            "rpo": good.rpo.model_copy(update={"achieved_seconds": None, "verdict": "not known"}),
            "data": good.data.model_copy(update={"at_least": True}),
        }
    )
    made = incident_report(evidence(runs=[good, unknown]), (), at(20))
    assert made.rpo.verdict == "not known"
    assert "| Rows lost | at least 21 |" in incident_markdown(made)
    assert "rows lost: at least 21" in incident_markdown(made)


def test_dry_runs_are_no_recoveries() -> None:
    dry = golden_run("good").model_copy(update={"dry_run": True})
    assert incident_report(evidence(runs=[dry]), (), at(20)).recoveries == ()


def test_every_answer_is_there_and_an_open_question_says_so() -> None:
    questions = (ReviewQuestion(id="cause", question="Why?"), ReviewQuestion(id="lessons", question="What next?"))
    waived = ReviewAnswered(question="cause", answer="it was a test", waived=True)
    made = incident_report(evidence((5.0, waived)), questions, at(20))
    assert [(one.question, one.state, one.text, one.by) for one in made.review] == [
        ("Why?", "waived", "it was a test", "ada on here"),
        ("What next?", "open", "", ""),
    ]
    assert made.draft
    assert any("What next?" in line for line in made.unfinished)


def test_a_closed_report_is_no_draft() -> None:
    made = incident_report(evidence((30.0, IncidentResolved(restored_at=at(29))), (40.0, IncidentClosed())), (), at(50))
    assert not made.draft
    assert "DRAFT" not in incident_markdown(made)
    assert made.rto.achieved_seconds == 29 * 60


def test_an_action_after_its_time_is_overdue() -> None:
    action = ActionAdded(action="a1", title="watch", due=at(10))
    made = incident_report(evidence((1.0, action)), (), at(11))
    assert [one.overdue for one in made.actions] == [True]
    assert "| **overdue** |" in incident_markdown(made)


def test_each_regulation_has_evidence_or_says_that_there_is_none() -> None:
    made = incident_report(evidence(), (), at(20))
    rows = {one.reference: one.evidence for one in made.mapped}
    letters = [f"45 CFR 164.308(a)(7)(ii)({letter})" for letter in "ABCDE"]
    assert set(letters) < set(rows)
    assert [bool(rows[letter]) for letter in letters] == [False, False, False, False, True]
    assert f"| {NOTHING} |" in incident_markdown(made)
    breach = next(one for one in made.mapped if "16-03" in one.source)
    assert "2026-12-01 02:15 UTC" in breach.evidence[0]
    recovered = incident_report(evidence(runs=[golden_run("good")]), (), at(20))
    backup = next(one for one in recovered.mapped if one.reference.endswith("(A)"))
    assert "b118" in backup.evidence[0]


def test_the_history_has_incidents_drills_and_runs_but_no_dry_runs() -> None:
    good = golden_run("good")
    drill = good.model_copy(update={"run": "d", "target": "sandbox"})
    dry = good.model_copy(update={"run": "x", "dry_run": True})
    made = incident_report(evidence(runs=[good]), (), at(20))
    points = trend([made], [good, drill, dry, golden_run("verify-good")], {good.run: INCIDENT})
    assert sorted((one.kind, one.name, one.incident) for one in points) == [
        ("drill", "d", ""), ("incident", INCIDENT, INCIDENT), ("run", good.run, INCIDENT),
    ]  # fmt: skip


def test_the_history_is_a_table_lines_and_a_page(state: Path, tmp_path: Path, capsys: Captured) -> None:
    page = tmp_path / "trend.html"
    assert main.run(["incident", "list", "--trend", "--output", str(page)]) == 0
    out = capsys.readouterr().out
    assert RUN in out
    assert "met: 18 min 01 s of 2 h" in out
    assert page.read_text().count("<svg") > 2
    assert main.run(["incident", "list", "--trend", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["name"] for one in records] == [RUN, INCIDENT]
    assert main.run(["incident", "list", "--output", str(page)]) == 2


def test_a_damaged_journal_is_named_and_not_in_the_history(state: Path, capsys: Captured) -> None:
    path = run_path(state)
    path.write_bytes(path.read_bytes().replace(b"usc-pis", b"usc-pix", 1))
    assert main.run(["incident", "list", "--trend"]) == 0
    seen = capsys.readouterr()
    assert f"The journal of run {RUN} is damaged" in seen.err
    assert "18 min" not in seen.out


def test_entries_that_wait_to_be_shared_are_told() -> None:
    """The head is of the chain; the report holds more."""
    head = ChainHead(journal="incidents/i/journal.jsonl", events=3, last_hash="c0ffee", waiting=2)
    made = incident_report(replace(evidence(), chains=(head,)), (), at(20))
    assert "2 entries of this report wait on this machine to be shared." in incident_markdown(made)
