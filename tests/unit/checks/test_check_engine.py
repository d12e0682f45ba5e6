"""Whatever a check does, it ends with a verdict, and only a pass is a pass."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from uscdr.checks.check import Check
from uscdr.checks.kinds.http import HttpCheck
from uscdr.checks.run import Result, _run_checks
from uscdr.checks.verdict import Finding
from uscdr.errors import ProviderError

SECRET = "patient Ada, key 1234567890"


def check(name: str, **fields: object) -> Check:
    return Check(name, HttpCheck.model_validate({"kind": "http", "path": "/", **fields}), "http")


def ended(ask: Callable[[Check], Finding], *names: str, **fields: object) -> dict[str, Finding]:
    return {one.check.name: one.finding for one in _run_checks([check(name, **fields) for name in names], ask)}


def test_a_check_that_raises_is_inconclusive_and_its_text_is_not_told() -> None:
    def ask(one: Check) -> Finding:
        raise RuntimeError(SECRET)

    finding = ended(ask, "a")["a"]
    assert finding.verdict == "inconclusive"
    assert SECRET not in finding.evidence
    assert "RuntimeError" in finding.evidence


def test_a_provider_that_fails_is_inconclusive_in_its_own_words() -> None:
    def ask(one: Check) -> Finding:
        raise ProviderError("heroku could not be reached.", provider="heroku", why="no route")

    finding = ended(ask, "a")["a"]
    assert (finding.verdict, finding.evidence) == ("inconclusive", "heroku could not be reached. (no route)")


def test_a_check_that_hangs_is_inconclusive_and_the_rest_reports() -> None:
    over = threading.Event()

    def ask(one: Check) -> Finding:
        if one.name == "hangs":
            over.wait(30)
        return Finding("pass", "well")

    try:
        found = {
            one.check.name: one.finding
            for one in _run_checks([check("hangs", timeout="0.2s"), check("b"), check("c")], ask)
        }
    finally:
        over.set()
    assert found["hangs"].verdict == "inconclusive"
    assert [found[name].verdict for name in "bc"] == ["pass", "pass"]


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", "not checked"])
def test_a_baseline_keeps_only_what_passed(verdict: str) -> None:
    def ask(one: Check) -> Finding:
        return Finding("pass" if one.name == "good" else verdict, "", {"rows": 3})  # type: ignore[arg-type]

    results = list(_run_checks([check("good"), check("bad")], ask))
    assert Result.measures(results) == {"good": {"rows": 3}}
