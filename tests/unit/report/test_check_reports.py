"""Journals of verifications: the fold, Markdown, JUnit XML, the summary; nothing is green that is not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uscdr.models import events as ev
from uscdr.report.junit import to_junit
from uscdr.report.markdown import to_markdown
from uscdr.report.model import RunReport
from uscdr.report.objectives import build
from uscdr.report.summary import MOST_LINES, summarise

EVENTS = Path(__file__).parents[2] / "golden" / "events"
T0 = datetime(2026, 11, 24, 4, 2, tzinfo=UTC)
RUNS = ("verify-good", "verify-failing", "verify-sixty", "watch")

TOLD = (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
"""Attributes and the elements they count."""


def journal(name: str) -> list[ev.Stamped]:
    found = [ev.Stamped.model_validate_json(line) for line in (EVENTS / f"{name}.jsonl").read_text().splitlines()]
    return [stamped for stamped in found if stamped.seq is not None]


def run(*events: ev.Payload, scenario: str = "verify all") -> RunReport:
    begun = ev.RunStarted(
        scenario=scenario, target="sandbox", app="usc-pis", request={}, version="0.1.0", user="ada", host="here",
        scenario_digest="d", rto_seconds=7200, rpo_seconds=14400,
    )  # fmt: skip
    return build(
        ev.Stamped(run="r", seq=number, at=T0 + timedelta(seconds=number), mono=number, event=event)
        for number, event in enumerate((begun, *events))
    )


def check(name: str, verdict: str = "pass", evidence: str = "seen", why: str = "") -> ev.CheckFinished:
    facts = {"step": "verify", "check": name, "verdict": verdict, "evidence": evidence, "why": why, "seconds": 0.25}
    return ev.CheckFinished.model_validate(facts)


def item(text: str, verdict: str, *checks: str, skipped: tuple[str, ...] = ()) -> ev.ChecklistResult:
    facts = {"list": "db", "item": text, "verdict": verdict, "checks": checks, "skipped": skipped}
    return ev.ChecklistResult.model_validate(facts)


def started(*checks: str, number: int = 1) -> ev.ChecksStarted:
    return ev.ChecksStarted(checks=checks, items=1, round=number)


def finished(*items: ev.ChecklistResult, number: int = 1, changed: tuple[str, ...] = ()) -> ev.ChecksFinished:
    return ev.ChecksFinished(round=number, items=items, seconds=1.5, passed=0, changed=changed)


def end(outcome: str = "done") -> ev.RunFinished:
    return ev.RunFinished.model_validate({"outcome": outcome, "exit_code": 0, "summary": "ended"})


def suites(report: RunReport) -> dict[str, ET.Element]:
    """Parsed, and held to what readers of JUnit XML count on."""
    root = ET.fromstring(to_junit(report))
    assert root.tag == "testsuites"
    assert set(root.attrib) == {"name", "tests", "failures", "errors", "time"}
    for suite in root:
        assert suite.tag == "testsuite"
        assert [part.tag for part in suite] == ["properties", *["testcase"] * (len(suite) - 1)]
        assert datetime.fromisoformat(suite.attrib["timestamp"]).tzinfo is None
        assert all(case.attrib["name"] and case.attrib["classname"] for case in suite.iter("testcase"))
        assert all(len(case) <= 1 for case in suite.iter("testcase"))
    for place in (root, *root):
        assert float(place.attrib["time"]) >= 0
        assert int(place.attrib["tests"]) == len(list(place.iter("testcase")))
        for name, tag in TOLD[:2] if place is root else TOLD:
            assert int(place.attrib[name]) == len(list(place.iter(tag)))
    return {suite.attrib["name"]: suite for suite in root}


def outcomes(suite: ET.Element) -> dict[str, str]:
    return {case.attrib["name"]: case[0].tag if len(case) else "" for case in suite.iter("testcase")}


@pytest.mark.parametrize("name", RUNS)
def test_rounds_are_no_steps(name: str) -> None:
    report = build(journal(name))
    assert (report.steps, report.phases, report.checks) == ((), (), ())
    assert [one.number for one in report.rounds] == list(range(1, len(report.rounds) + 1))
    assert (report.rto.verdict, report.rpo.verdict) == ("does not apply", "does not apply")
    assert RunReport.model_validate_json(report.model_dump_json()) == report


def test_a_round_has_what_its_events_say() -> None:
    report = build(journal("verify-failing"))
    (one,) = report.rounds
    assert (len(one.checks), len(one.items), one.seconds, one.skipped_manual) == (10, 8, 47.9, True)
    assert one.ended_at == T0 + timedelta(seconds=48.1)
    assert next(found.why for found in one.checks if found.check == "mail-account") == "Patients get no mail."
    assert one.items[-1].skipped == ("restore-by-eye",)
    assert one.unended == ()


def test_checks_outside_of_a_round_stay_what_they_were() -> None:
    report = run(check("early"), started("a"), check("a"), finished(), check("late", "fail"), scenario="db")
    assert [found.check for found in report.checks] == ["early", "late"]
    assert [found.check for found in report.rounds[0].checks] == ["a"]
    text = to_markdown(report)
    assert "## Steps and budgets" in text
    assert all(f"| {name} |" in text for name in ("early", "late", "a"))
    assert "Checks of the whole run: 2 pass, 1 fail" in summarise(report)


@pytest.mark.parametrize("name", RUNS)
def test_a_journal_cut_anywhere_is_never_reported_as_passed(name: str) -> None:
    events = journal(name)
    for length in range(1, len(events) + 1):
        report = build(events[:length])
        ended = any(isinstance(one.event, ev.ChecksFinished) for one in events[:length])
        assert ("lines pass" in summarise(report)) == ended
        assert len(summarise(report, journal="/j").splitlines()) <= MOST_LINES
        if not ended:
            assert ": no result" in to_markdown(report).splitlines()[0]
            green = all(not tag for suite in suites(report).values() for tag in outcomes(suite).values())
            every = len(report.rounds) == 1 and not report.rounds[0].unended
            assert not green or every


def test_the_reports_of_a_verification_are_its_own() -> None:
    report = build(journal("verify-good"), last_hash="ab" * 32)
    text = to_markdown(report)
    assert text.startswith("# Verification of usc-pis: passed\n")
    assert "recovery: done" not in text
    assert "`" + "ab" * 32 + "`" in text
    assert text.rstrip().endswith("Run: 20261124T040200Z-verify-600d")
    assert "RTO" not in summarise(report)
    assert "Result: 22 of 22 lines pass" in summarise(report)


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", "not checked"])
def test_only_passes_pass(verdict: str) -> None:
    report = run(started("a", "b"), check("a"), check("b", verdict), finished(item("A", verdict, "a", "b")), end())
    assert to_markdown(report).startswith("# Verification of usc-pis: NOT PASSED\n")
    assert f"{verdict}: b: seen" in summarise(report)
    tag = {"fail": "failure", "inconclusive": "error", "not checked": "skipped"}[verdict]
    found = suites(report)
    assert outcomes(found["Database recovery"]) == {"A": tag}
    assert outcomes(found["checks"]) == {"a": "", "b": tag}


def test_a_check_that_stands_for_no_line_keeps_the_report_from_passing() -> None:
    report = run(started("a", "b"), check("a"), check("b", "fail"), finished(item("A", "pass", "a")), end())
    assert "NOT PASSED" in to_markdown(report)


def test_junit_of_a_run_without_a_round_is_an_error() -> None:
    for report in (run(end("failed")), build([]), run(started(), finished(), end())):
        root = ET.fromstring(to_junit(report))
        assert root.attrib["errors"] == "1"
        assert "no " in next(root.iter("error")).attrib["message"]


def test_junit_says_which_run_it_was() -> None:
    report = build(journal("verify-sixty"), last_hash="cd" * 32)
    (suite,) = suites(report).values()
    told = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}
    assert (told["app"], told["target"], told["run"]) == ("usc-pis", "production", "20261124T040200Z-verify-60aa")
    assert told["baseline"] == "compared with the baseline of 2026-11-20 03:10 UTC"
    assert told["journal.sha256"] == "cd" * 32
    assert list(outcomes(suite).values()).count("error") == 1 + 8, "what did not end is an error"


def test_junit_has_a_suite_a_list_with_times_and_reasons() -> None:
    found = suites(build(journal("verify-failing")))
    assert list(found) == ["Database recovery", "Application recovery", "System integration", "checks"]
    login = next(case for case in found["Application recovery"].iter("testcase") if "login" in case.attrib["name"])
    assert login.attrib["time"] == "0.700", "the longest of its checks"
    assert login[0].attrib["message"].startswith("fail medical-records: ")
    assert "signed-in" not in login[0].attrib["message"]
    assert "why medical-records: Doctors cannot read records." in (login[0].text or "")
    assert outcomes(found["checks"])["restore-by-eye"] == "skipped"


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(), max_size=30), st.sampled_from(["pass", "fail", "inconclusive", "not checked"]))
def test_any_text_makes_well_formed_xml_and_whole_tables(text: str, verdict: str) -> None:
    kept = text.encode("utf-8", "replace").decode()  # lone surrogates cannot be in a journal
    report = run(started("a"), check("a", verdict, kept, kept), finished(item(f"x{kept}", verdict, "a")), end())
    suites(report)
    lines = to_markdown(report).splitlines()
    heads = [number for number, line in enumerate(lines) if set(line) == {"|", "-"}]
    for head in heads:
        columns = lines[head].count("|")
        row = lines[head + 1]
        assert row.count("|") - row.count("\\|") == columns


def test_control_characters_and_lone_surrogates_are_spelt_out_in_xml() -> None:
    text = to_junit(run(started("a"), check("a", "fail", "\x00\x1b[31m\ufffe ]]> <b> \udc80"), finished(), end()))
    assert r"\x00\x1b[31m\ufffe ]]&gt; &lt;b&gt; \udc80" in text
    ET.fromstring(text)


def watch(*last: ev.Payload) -> RunReport:
    return run(
        started("a", "b"), check("a"), check("b"), finished(item("A", "pass", "a", "b")),
        started("a", "b", number=2), *last, end("interrupted"), scenario="watch all",
    )  # fmt: skip


def test_a_watch_is_reported_by_its_newest_round_that_ended() -> None:
    changed = finished(item("A", "fail", "a", "b"), number=2, changed=("a: pass -> fail",))
    report = watch(check("a", "fail"), check("b"), changed)
    assert report.round is not None
    assert report.round.number == 2
    text = to_markdown(report)
    assert "| 2 | a: pass -&gt; fail |" in text
    assert "2 rounds in 7 s, 1 of them with a change." in text
    assert outcomes(suites(report)["checks"]) == {"a": "failure", "b": ""}


def test_what_a_round_saw_before_it_was_cut_off_is_not_lost() -> None:
    report = watch(check("a", "fail", "500"))
    assert report.round is not None
    assert report.round.number == 1
    text = to_markdown(report)
    assert "NOT PASSED" in text.splitlines()[0]
    assert "Round 2 stopped early: 1 of 2 ended (1 fail)." in text
    assert "- **fail** a: 500" in text
    assert outcomes(suites(report)["round 2, cut off"]) == {"a": "failure"}
    assert "fail: a: 500" in summarise(report)


def test_the_summary_stays_short_with_many_failures() -> None:
    names = [f"c{number}" for number in range(30)]
    text = summarise(run(started(*names), *(check(name, "fail") for name in names), finished(), end()), journal="/j")
    assert len(text.splitlines()) <= MOST_LINES
    assert "and 22 more in the report" in text
    assert text.endswith("Journal: /j")
