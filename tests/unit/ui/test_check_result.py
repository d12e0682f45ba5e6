"""The result of a round: what is asked for is there, what failed says why, the sum is right."""

from __future__ import annotations

import io

import pytest

from uscdr.models.events import CheckFinished, ChecklistResult, ChecksFinished
from uscdr.models.runs import LIST_TITLES, RunKind, Tally
from uscdr.ui.console import Output
from uscdr.ui.sentences import _result_lines, show_result
from uscdr.ui.text import _bare, cells


def check(name: str, verdict: str = "pass", evidence: str = "seen", why: str = "") -> CheckFinished:
    facts = {"step": "verify", "check": name, "verdict": verdict, "evidence": evidence, "why": why}
    return CheckFinished.model_validate(facts)


def item(text: str, verdict: str, *checks: str, key: str = "db", skipped: tuple[str, ...] = ()) -> ChecklistResult:
    facts = {"list": key, "item": text, "verdict": verdict, "checks": checks, "skipped": skipped}
    return ChecklistResult.model_validate(facts)


def finished(*items: ChecklistResult, skipped_manual: bool = False) -> ChecksFinished:
    return ChecksFinished(items=items, seconds=1, passed=0, skipped_manual=skipped_manual)


def result(end: ChecksFinished, *checks: CheckFinished, width: int | None = None) -> list[str]:
    return [_bare(spans) for spans in _result_lines(end, checks, width)]


@pytest.mark.parametrize(
    ("verdicts", "skipped", "words"),
    [
        (["pass"] * 22, False, "22 of 22 lines pass"),
        (["pass"], False, "1 of 1 line passes"),
        (["pass"] * 22, True, "22 of 22 lines pass (manual checks were skipped: --skip-manual)"),
        (
            ["not checked"] + ["fail"] * 2 + ["pass"] * 19,
            True,
            "19 of 22 lines pass, 2 fail, 1 not checked (manual checks were skipped: --skip-manual)",
        ),
        (["inconclusive", "fail"], False, "0 of 2 lines pass, 1 fail, 1 inconclusive"),
        (["pass", "odd"], False, "1 of 2 lines pass, 1 odd"),
        ([], False, "no line of the checklists was checked"),
    ],
)
def test_the_sum(verdicts: list[str], skipped: bool, words: str) -> None:
    assert Tally(verdicts).of_lines(skipped_manual=skipped) == words


def test_counts_name_every_verdict() -> None:
    assert Tally(["fail", "pass", "fail", "not checked"]).words == "1 pass, 2 fail, 1 not checked"
    assert Tally([]).words == "none"


@pytest.mark.parametrize(
    ("scenario", "looks"), [("verify all", True), ("watch db", True), ("db", False), ("verifying", False), ("", False)]
)
def test_which_runs_only_look(scenario: str, looks: bool) -> None:
    assert RunKind(scenario).only_looks is looks


def test_lines_stand_under_their_lists() -> None:
    end = finished(item("A", "pass", "a"), item("B", "pass", "b", "a", key="app"), item("C", "pass", "a", key="odd"))
    assert result(end, check("a"), check("b")) == [
        "Database recovery",
        "  pass          A (a)",
        "",
        "Application recovery",
        "  pass          B (b, a)",
        "",
        "odd",
        "  pass          C (a)",
        "",
        "3 of 3 lines pass",
    ]
    assert LIST_TITLES.get(("integration"), ("integration")) == "System integration"


def test_a_line_that_did_not_pass_says_why_and_advice_is_given_once() -> None:
    end = finished(item("A", "fail", "a", "b"), item("B", "inconclusive", "c", "gone"), item("C", "fail", "a"))
    lines = result(end, check("a", "fail", "500", "Do this."), check("b"), check("c", "inconclusive", "no answer"))
    assert lines == [
        "Database recovery",
        "  fail          A (a, b)",
        "                fail a: 500",
        "                why Do this.",
        "  inconclusive  B (c, gone)",
        "                inconclusive c: no answer",
        "                inconclusive gone: it did not end",
        "  fail          C (a)",
        "                fail a: 500",
        "",
        "0 of 3 lines pass, 2 fail, 1 inconclusive",
    ]


def test_what_was_skipped_is_named() -> None:
    end = finished(item("A", "not checked", skipped=("by-eye",)), skipped_manual=True)
    lines = result(end)
    assert lines[1:3] == ["  not checked   A (no check ran)", "                skipped by-eye"]
    assert lines[-1] == "0 of 1 line passes, 1 not checked (manual checks were skipped: --skip-manual)"


def test_a_failure_that_stands_for_no_line_is_not_left_out() -> None:
    lines = result(finished(item("A", "pass", "a")), check("a"), check("stray", "fail", "500"), check("fine"))
    assert lines[3:5] == ["Checks outside of the checklists", "                fail stray: 500"]
    assert not any("fine" in line for line in lines)


def test_the_result_is_green_only_when_every_line_passed() -> None:
    good = _result_lines(finished(item("A", "pass", "a")), [check("a")])
    bad = _result_lines(finished(item("A", "pass", "a"), item("B", "not checked", "b")), [check("a")])
    assert (good[-1][0].tone, bad[-1][0].tone) == ("good", "bad")


@pytest.mark.parametrize("width", [20, 40, 60])
def test_foreign_and_long_words_are_broken_and_harmless(width: int) -> None:
    evil = "\x1b[2J\u202e\n" * 9 + "x" * 70
    lines = result(finished(item("A", "inconclusive", "a")), check("a", "inconclusive", evil, evil), width=width)
    assert all(cells(line) <= max(width, 44) for line in lines)
    assert not {"\x1b", "\u202e", "\n"} & set("".join(lines))
    assert "".join(line.strip() for line in lines).count("x" * 20)


def test_colour_adds_nothing_to_the_words() -> None:
    import re

    end, checks = finished(item("A", "fail", "a")), [check("a", "fail", "500", "Do this.")]
    dull, vivid = io.StringIO(), io.StringIO()
    show_result(end, checks, Output(stdout=dull, stderr=io.StringIO(), color=False))
    show_result(end, checks, Output(stdout=vivid, stderr=io.StringIO(), color=True))
    assert "\x1b[" in vivid.getvalue()
    stripped = re.sub(r"\x1b\[[\d;]*m", "", vivid.getvalue())
    assert [text.rstrip() for text in stripped.splitlines()] == dull.getvalue().splitlines()
