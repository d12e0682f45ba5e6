"""What a check says of tables that cannot be read: damage fails, what is out of reach leaves no pass."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from uscdr.checks.kinds.data import RowsCheck
from uscdr.checks.verdict import Finding
from uscdr.models.postgres import Unread
from uscdr.scenarios.config_app import ApplicationConfig

DAMAGED = Unread(table="patient", why="data corrupted", damaged=True)
LOCKED = Unread(table="visit", why="locked by session 7 (web)")
GOOD = Finding("pass", "5 rows in 2 tables", {"rows": {"kind": 5}})


def test_nothing_unread_changes_nothing() -> None:
    assert GOOD.as_far_as_read((None,), "counted") is GOOD


@pytest.mark.parametrize(
    ("unread", "found", "verdict", "evidence"),
    [
        ((LOCKED,), GOOD, "inconclusive", "visit: cannot be counted: locked by session 7 (web); 5 rows in 2 tables"),
        ((DAMAGED,), GOOD, "fail", "patient: data corrupted; 5 rows in 2 tables"),
        (
            (LOCKED, DAMAGED, LOCKED),
            GOOD,
            "fail",
            "patient: data corrupted, visit: cannot be counted: locked by session 7 (web); 5 rows in 2 tables",
        ),
        (
            (LOCKED,),
            Finding("fail", "missing: x"),
            "fail",
            "visit: cannot be counted: locked by session 7 (web); missing: x",
        ),
    ],
)
def test_the_gravest_comes_first(unread: tuple[Unread, ...], found: Finding, verdict: str, evidence: str) -> None:
    told = found.as_far_as_read(unread, "counted")
    assert (told.verdict, told.evidence) == (verdict, evidence)
    assert told.measures == found.measures


def test_names_in_scenarios_yaml_mean_one_table_each() -> None:
    app = ApplicationConfig(
        name="clinic",
        expected_tables=("public.visit", "audit.Event"),
        volatile_tables=('"a.b"',),
        freshness=("public.visit.at", "audit.event.Made at"),
    )
    assert app.expected_tables == ("visit", 'audit."Event"')
    assert app.volatile_tables == ('"a.b"',)
    assert app.freshness == ("visit.at", 'audit.event."Made at"')
    check = RowsCheck.model_validate({"kind": "rows", "tables": ["public.visit"], "minimum": {"public.visit": 3}})
    assert (check.tables, check.minimum) == (("visit",), {"visit": 3})


def test_a_column_without_its_table_is_refused() -> None:
    with pytest.raises(ValidationError, match="does not name a table's column"):
        ApplicationConfig(name="clinic", freshness=("created_at",))
