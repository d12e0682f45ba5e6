"""Counts, content and times: what is healthy passes, and each way of losing rows is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kinds_database_world import NAME, Place

from uscdr.checks.check import CheckSpec
from uscdr.checks.kinds.data import ContentCheck, FreshnessCheck, RowsCheck
from uscdr.errors import NotFound, ProviderError

ROWS = RowsCheck(kind="rows")
FRESH = FreshnessCheck(kind="freshness")


def test_rows_of_a_healthy_database(place: Place) -> None:
    assert place.ask(ROWS) == ("pass", "203 rows in 3 tables; no baseline to compare with")
    place.keep(ROWS)
    assert place.ask(ROWS) == ("pass", "203 rows in 3 tables; the baseline has 203")
    place.run("INSERT INTO record (patient_id) SELECT id FROM patient", "DELETE FROM patient WHERE false")
    assert place.ask(ROWS) == ("pass", "303 rows in 3 tables; the baseline has 203")


@pytest.mark.parametrize(
    ("damage", "verdict", "words"),
    [
        ("DELETE FROM record WHERE id <= 5", "pass", "198 rows"),
        ("DELETE FROM record WHERE id <= 6", "fail", "record 100 -> 94"),
        ("DELETE FROM record", "fail", "record 100 -> 0"),
        ("DELETE FROM kind WHERE id = 2", "fail", "kind 3 -> 2"),
        ("DROP TABLE record", "fail", "missing: record"),
        ("ALTER TABLE kind RENAME TO kinds", "fail", "missing: kind"),
        ("TRUNCATE patient CASCADE", "fail", "patient 100 -> 0, record 100 -> 0"),
    ],
)
def test_rows_lost(place: Place, damage: str, verdict: str, words: str) -> None:
    place.keep(ROWS)
    place.run(damage)
    found, evidence = place.ask(ROWS)
    assert (found, words in evidence) == (verdict, True), evidence


def test_all_rows_lost_is_too_much_whatever_the_share(place: Place) -> None:
    generous = RowsCheck(kind="rows", tables=("kind",), shrink=1)
    place.keep(generous)
    place.run("DELETE FROM kind WHERE id < 3")
    assert place.ask(generous)[0] == "pass"
    place.run("DELETE FROM kind")
    assert place.ask(generous) == ("fail", "rows lost since the baseline: kind 3 -> 0")


def test_without_a_baseline_only_floors_and_missing_tables_fail(place: Place) -> None:
    floors = RowsCheck(kind="rows", minimum={"kind": 4, "patient": 100, "gone": 1})
    assert place.ask(floors) == ("fail", "missing: gone; kind has 3 rows, expected at least 4")
    place.run("TRUNCATE record")
    assert place.ask(ROWS)[0] == "pass"


def test_a_table_that_the_baseline_does_not_know(place: Place) -> None:
    place.keep(RowsCheck(kind="rows", tables=("kind",)))
    assert place.ask(ROWS) == ("pass", "203 rows in 3 tables; the baseline has 3, 2 tables not in it")


def test_no_table_named(place: Place) -> None:
    place.expected = replace(place.expected, tables=("session",))
    assert place.ask(ROWS)[0] == "inconclusive"


def test_a_database_that_is_gone_is_no_missing_table(place: Place) -> None:
    place.name = "uscdr_planted_elsewhere"
    with pytest.raises(NotFound) as caught:
        ROWS.run("it", place.world())
    assert "password" not in str(caught.value)
    assert place.server.password not in repr(vars(caught.value))


CONTENT = ContentCheck(kind="content", tables=("kind", "patient"))


def test_content_without_a_baseline(place: Place) -> None:
    assert place.ask(CONTENT) == ("pass", "no baseline: 103 rows in 2 tables not compared")
    place.run("TRUNCATE kind")
    assert place.ask(CONTENT) == ("fail", "empty: kind")


@pytest.mark.parametrize(
    ("change", "strict", "growing"),
    [
        ("SELECT 1", "pass", "pass"),
        ("UPDATE kind SET title = title", "pass", "pass"),
        ("UPDATE kind SET title = 'x' WHERE id = 1", "fail", "pass"),
        ("UPDATE kind SET title = NULL WHERE id = 1", "fail", "pass"),
        ("INSERT INTO kind (title) VALUES ('new')", "fail", "pass"),
        ("DELETE FROM kind WHERE id = 1", "fail", "fail"),
        ("DELETE FROM kind", "fail", "fail"),
        ("DROP TABLE kind", "fail", "fail"),
        (f"UPDATE patient SET name = '{NAME} x' WHERE id = 7", "fail", "pass"),
    ],
)
def test_content_against_the_baseline(place: Place, change: str, strict: str, growing: str) -> None:
    place.keep(CONTENT)
    place.run(change)
    assert place.ask(CONTENT)[0] == strict
    assert place.ask(CONTENT.model_copy(update={"may_grow": True}))[0] == growing


def test_content_says_how_it_differs(place: Place) -> None:
    place.keep(CONTENT)
    place.run(
        "UPDATE kind SET title = 'x' WHERE id = 1",
        "DELETE FROM patient WHERE id NOT IN (SELECT patient_id FROM record)",
    )
    assert place.ask(CONTENT) == ("fail", "as many rows as in the baseline, but other content: kind")
    place.run("DELETE FROM record WHERE id = 1", "DELETE FROM patient WHERE id = 1")
    assert "rows differ from the baseline: patient 100 -> 99" in place.ask(CONTENT)[1]


def test_an_empty_table_that_was_empty_in_the_baseline(place: Place) -> None:
    place.keep(CONTENT)
    both = ContentCheck(kind="content", tables=("kind", "session"))
    assert place.ask(both) == ("fail", "empty: session")
    place.run("INSERT INTO session VALUES ('a')")
    place.keep(both)
    assert place.measured
    assert set(place.measured["it"]["tables"]) == {"kind", "session"}


def test_freshness_of_a_healthy_database(place: Place) -> None:
    words = "the newest of 2: patient.created_at, 2 h ago"
    verdict, evidence = place.ask(FRESH)
    assert (verdict, evidence) == ("pass", f"{words}; no baseline to compare with")
    place.keep(FRESH)
    assert place.ask(FRESH) == ("pass", words)
    place.run("INSERT INTO record (patient_id, created_at) VALUES (1, '2026-11-24 11:59Z')")
    assert place.ask(FRESH) == ("pass", "the newest of 2: record.created_at, 1 min ago")


ODD = "(in the future, or before the year 1)"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE record SET created_at = '2026-11-23 09:00Z'", "older than in the baseline: record.created_at by 25 h"),
        ("TRUNCATE record", "no time left in record.created_at"),
        ("DROP TABLE record", "no time left in record.created_at"),
        (
            "UPDATE record SET created_at = 'infinity' WHERE id = 1; DELETE FROM record WHERE id <> 1",
            f"record.created_at: 1 row has an impossible time {ODD}; no time left in record.created_at",
        ),
        ("ALTER TABLE record RENAME created_at TO made", "no time left in record.created_at"),
        (
            "UPDATE record SET created_at = now() + interval '6 minutes' WHERE id IN (1, 2)",
            f"record.created_at: 2 rows have impossible times {ODD}",
        ),
        *(
            (
                f"UPDATE record SET created_at = '{time}' WHERE id = 1",
                f"record.created_at: 1 row has an impossible time {ODD}",
            )
            for time in ("20260-11-24", "0044-03-15 BC", "-infinity")
        ),
    ],
)
def test_time_goes_forward_only(place: Place, damage: str, words: str) -> None:
    place.keep(FRESH)
    place.run(damage)
    assert place.ask(FRESH) == ("fail", words)


def test_clocks_that_differ_a_little(place: Place) -> None:
    place.run("UPDATE record SET created_at = now() + interval '4 minutes' WHERE id = 1")
    assert place.ask(FRESH)[0] == "pass"


def test_today_is_no_future_where_the_day_begins_earlier(place: Place) -> None:
    dates = FreshnessCheck(kind="freshness", columns=("patient.born",))
    place.run("UPDATE patient SET born = now()::date + 1 WHERE id = 1")
    assert place.ask(dates)[0] == "pass"
    place.run("UPDATE patient SET born = now()::date + 2 WHERE id = 1")
    assert place.ask(dates)[0] == "fail"


def test_an_age_is_judged_only_when_one_is_given(place: Place) -> None:
    def within(age: str, *columns: str) -> tuple[str, str]:
        spec: dict[str, Any] = {"kind": "freshness", "max_age": age} | ({"columns": columns} if columns else {})
        return place.ask(FreshnessCheck.model_validate(spec))

    assert within("3h")[0] == "pass"
    assert within("1h")[0] == "fail"
    place.run("UPDATE patient SET created_at = NULL")
    assert within("3h") == ("inconclusive", "no time in patient.created_at")
    assert within("3h", "record.created_at")[0] == "pass"
    assert place.ask(FRESH)[1].startswith("the newest of 1: record.created_at, 2 h ago; no time in")


def test_no_time_at_all_says_nothing(place: Place) -> None:
    place.run("TRUNCATE record, patient")
    assert place.ask(FRESH)[0] == "inconclusive"
    place.expected = replace(place.expected, freshness=())
    assert place.ask(FRESH) == ("inconclusive", "no column is named")


@pytest.mark.parametrize("spec", [ROWS, CONTENT, FRESH])
def test_a_server_that_is_gone_is_never_a_verdict(place: Place, spec: CheckSpec) -> None:
    place.server = replace(place.server, port=1)
    with pytest.raises(ProviderError) as caught:
        spec.run("it", place.world())
    assert place.server.password not in f"{caught.value} {vars(caught.value)}"
