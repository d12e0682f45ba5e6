"""A run that made backups, or that only looked, neither stands in a recovery's way nor hides one that is unfinished."""

from __future__ import annotations

import pytest

from uscdr.journal.runs import RunSummary


@pytest.mark.parametrize(
    ("scenario", "touches"),
    [("db", True), ("infra", True), ("dns", True), ("backups", False), ("verify all", False), ("watch db", False)],
)
def test_what_may_leave_the_application_half_done(scenario: str, *, touches: bool) -> None:
    summary = RunSummary("r", scenario, "sandbox", "", "failed", "step", "ada", wrote=True)
    assert summary.touches_application is touches
