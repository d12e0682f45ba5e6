"""A verification as JUnit XML for test reporters: one suite per checklist, and one with all checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from uscdr.models.runs import LIST_TITLES
from uscdr.report.model import UNENDED
from uscdr.words import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uscdr.report.model import CheckReport, ItemReport, RoundReport, RunReport

ELEMENTS: Mapping[str, str] = {"fail": "failure", "inconclusive": "error", "not checked": "skipped"}
"""The XML element for a verdict other than pass; an unknown verdict is an error."""
PASS = "pass"  # noqa: S105 - a verdict


@dataclass(frozen=True)
class _Case:
    name: str
    group: str
    verdict: str
    seconds: float
    message: str = ""
    text: str = ""


def to_junit(report: RunReport) -> str:
    """XML of the newest complete round, ending in a newline. A run without a round is an error, never empty."""
    one = report.round
    suites = _suites(report, one) if one else {"run": [_no_round(report)]}
    every = [case for cases in suites.values() for case in cases]
    spent = one.lasted if one else 0.0
    totals = _counts(every, spent)
    del totals["skipped"]  # Jenkins' schema allows it in suites only
    root = ET.Element("testsuites", {"name": _clean(f"uscdr {report.scenario}".strip()), **totals})
    for name, cases in suites.items():
        root.append(_suite(name, cases, report))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suites(report: RunReport, one: RoundReport) -> dict[str, list[_Case]]:
    suites: dict[str, list[_Case]] = {}
    for item in one.items:
        suites.setdefault(LIST_TITLES.get(item.list, item.list), []).append(_line(one, item))
    checks = [_check(check) for check in one.checks]
    checks += [_Case(name, "checks", "inconclusive", 0.0, UNENDED) for name in one.unended]
    checks += [_Case(name, "checks", "not checked", 0.0, "skipped: --skip-manual") for name in one.skipped]
    suites["checks"] = checks or [_no_round(report)]
    if later := report.cut_off:  # its results are newer than those of the complete round
        suites[f"round {later.number}, cut off"] = [_check(check) for check in later.checks]
    return suites


def _no_round(report: RunReport) -> _Case:
    return _Case("checks", "run", "inconclusive", 0.0, f"{report.result}; {report.outcome}: {report.summary}")


def _line(one: RoundReport, item: ItemReport) -> _Case:
    mine = [check for check in one.checks if check.check in item.checks]
    # Checks run in parallel: a line takes as long as the longest of its checks.
    seconds = max((check.seconds for check in mine), default=0.0)
    advice = [f"why {check.check}: {check.why}" for check in mine if check.why and check.verdict != PASS]
    text = _lines([*one.evidence(item), *advice])
    return _Case(item.item, item.list, item.verdict, seconds, "; ".join(one.problems(item)), text)


def _check(check: CheckReport) -> _Case:
    text = _lines([check.evidence, *([f"why: {check.why}"] if check.why else [])])
    return _Case(check.check, "checks", check.verdict, check.seconds, check.evidence, text)


def _suite(name: str, cases: Sequence[_Case], report: RunReport) -> ET.Element:
    spent = sum(case.seconds for case in cases)
    suite = ET.Element("testsuite", {"name": _clean(name), **_counts(cases, spent), **_when(report)})
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(report).items():
        ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    for case in cases:
        suite.append(_case(case))
    return suite


def _counts(cases: Sequence[_Case], seconds: float) -> dict[str, str]:
    told = [_element(case) for case in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(told.count("failure")),
        "errors": str(told.count("error")),
        "skipped": str(told.count("skipped")),
        "time": f"{seconds:.3f}",
    }


def _element(case: _Case) -> str:
    return "" if case.verdict == PASS else ELEMENTS.get(case.verdict, "error")


def _when(report: RunReport) -> dict[str, str]:
    # Ant's schema, which many readers check, has no time zone: this is UTC.
    one = report.round
    begun = one.started_at if one else report.started_at
    return {"timestamp": f"{begun.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"} if begun else {}


def _properties(report: RunReport) -> dict[str, str]:
    one = report.round
    return {
        "app": report.app,
        "target": report.target,
        "run": report.run,
        "baseline": one.baseline if one else "no round of checks started",
        "result": report.result,
        "journal.sha256": report.integrity.last_hash or "not available",
    }


def _case(case: _Case) -> ET.Element:
    names = {"name": _clean(case.name), "classname": _clean(f"uscdr.{case.group}"), "time": f"{case.seconds:.3f}"}
    found = ET.Element("testcase", names)
    if element := _element(case):
        told = ET.SubElement(found, element, {"message": _clean(case.message or case.verdict)})
        if element != "skipped":
            told.set("type", _clean(case.verdict))
            told.text = case.text or _clean(case.message)
    return found


def _lines(texts: Sequence[str]) -> str:
    return "\n".join(map(_clean, texts))


def _clean(text: str) -> str:
    """One line that is valid in XML 1.0: control characters, surrogates and non-characters are escaped."""
    return escape(text)
