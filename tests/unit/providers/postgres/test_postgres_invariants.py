"""Invariants: what holds, what is shown, what cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest

from uscdr.models.data_settings import Invariant
from uscdr.models.postgres import InvariantResult


def ask(clinic: Any, sql: str, **bounds: Any) -> InvariantResult:
    (result,) = clinic.adapter().invariants([Invariant(name="it", sql=sql, **bounds)])
    assert isinstance(result, InvariantResult)
    return result


@pytest.mark.parametrize(
    ("sql", "bounds", "holds", "seen", "expected"),
    [
        ("SELECT count(*) FROM patients_patient", {"minimum": 300}, True, "300", ">= 300"),
        ("SELECT count(*) FROM patients_patient", {"minimum": 301}, False, "300", ">= 301"),
        ("SELECT count(*) FROM patients_patient", {"minimum": 1, "maximum": 299}, False, "300", None),
        ("SELECT count(*) FROM patients_patient", {"equals": "300"}, True, "300", "= 300"),
        ("SELECT sum(0.00)", {"equals": "0"}, True, "0.00", "= 0"),
        ("SELECT 1.5::float8", {"maximum": 1.5}, True, "1.5", "<= 1.5"),
        ("SELECT true", {"equals": "True"}, True, "true", "= True"),
        ("SELECT false", {"equals": "t"}, False, "false", "= t"),
        ("SELECT true", {"minimum": 1}, False, "true", ">= 1"),
        ("SELECT NULL", {"minimum": 0}, False, "null", ">= 0"),
        ("SELECT NULL::int", {"equals": "null"}, True, "null", "= null"),
        ("SELECT 'UTF8'", {"equals": "UTF8"}, True, "UTF8", "= UTF8"),
        ("SELECT 'LATIN1'", {"equals": "UTF8"}, False, "another text (6 characters)", "= UTF8"),
        ("SELECT date '2026-01-01'", {"equals": "2026-01-01"}, True, "a date", "= 2026-01-01"),
        ("SELECT 100 % 7", {"equals": "2"}, True, "2", "= 2"),
    ],
)
def test_bounds(clinic: Any, sql: str, bounds: dict[str, Any], holds: bool, seen: str, expected: str | None) -> None:
    result = ask(clinic, sql, **bounds)
    assert (result.holds, result.seen) == (holds, seen)
    assert expected is None or result.expected == expected


@pytest.mark.parametrize(
    ("sql", "seen"),
    [
        ("SELECT * FROM gone", "query failed: undefined table (42P01)"),
        ("SELEC 1", "query failed: syntax error (42601)"),
        ("SELECT 1 / 0", "query failed: division by zero (22012)"),
        ("SELECT 1 WHERE false", "the query returned no row"),
        ("SELECT id FROM patients_patient", "the query returned more than one row"),
        ("SELECT 1, 2", "it returned 2 columns"),
    ],
)
def test_a_query_that_gives_no_value_is_a_result(clinic: Any, sql: str, seen: str) -> None:
    result = ask(clinic, sql, equals="1")
    assert result.holds is None
    assert result.seen == seen


def test_a_failing_query_does_not_spoil_the_next(clinic: Any) -> None:
    wanted = [
        Invariant(name="bad", sql="SELECT 1 / 0", equals="1"),
        Invariant(name="settings", sql="SET statement_timeout = '1ms'", equals="1"),
        Invariant(name="good", sql="SELECT count(*) FROM generate_series(1, 300000)", equals="300000"),
    ]
    results = clinic.adapter().invariants(wanted)
    assert [(result.name, result.holds) for result in results] == [("bad", None), ("settings", None), ("good", True)]


def test_the_time_is_the_querys_own(clinic: Any) -> None:
    slow = Invariant(name="it", sql="SELECT count(*) FROM pg_sleep(0.3)", equals="1")
    result, seconds = clinic.adapter().timed(slow)
    assert (result.holds, 0.3 <= seconds < 5) == (True, True)
    failing = Invariant(name="it", sql="SELECT 1 / count(*) FROM pg_sleep(0.3) WHERE false", equals="1")
    result, seconds = clinic.adapter().timed(failing)
    assert (result.holds, seconds < 5) == (None, True)
