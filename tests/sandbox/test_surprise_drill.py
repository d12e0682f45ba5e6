"""Surprise drills from their seed to their score: a fault that is handled, and one that nobody notices."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from test_recover_db import Desk
from uscdr.drills import surprise
from uscdr.drills.drill import drill
from uscdr.drills.environment import DrillRequest, Stage
from uscdr.drills.faults import FaultRule, PlannedFault, Reaction, Sign, faults_of
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode
from uscdr.ui.console import Output
from uscdr.wiring.context import WaitReporter

HOW = "drop-table"


def seed_of(wanted: Callable[[PlannedFault], bool]) -> int:
    """The first seed with one fault, which is wanted."""
    plans = ((seed, faults_of(seed, "db", HOW)) for seed in range(10_000))
    return next(seed for seed, plan in plans if len(plan) == 1 and wanted(plan[0]))


def facts_of(reports: Path) -> dict[str, Any]:
    return dict(json.loads((reports / "drill-db.json").read_text()))


def test_a_bad_newest_backup_is_passed_over_and_every_row_is_back(tmp_path: Path) -> None:
    seed, reports, state = seed_of(lambda one: one.bad_backup == "transfer-cut"), tmp_path / "reports", tmp_path / "s"
    done = Desk(state).call(
        "drill", "db", "--patients", "20", "--surprise", str(seed), "--report", str(reports), code=0
    )  # fmt: skip
    assert f"Surprise: seed {seed}" in done.stdout
    assert "Fault handled: bad backup" in done.stdout
    assert f"To repeat it: uscdr drill db --how {HOW} --patients 20 --surprise {seed}" in done.stderr
    facts = facts_of(reports)
    (one,) = facts["surprise"]["faults"]
    assert (facts["sound"], facts["rows_lost"], facts["surprise"]["seed"]) == (True, 0, seed)
    assert (one["verdict"], one["detected"], one["right"]) == ("handled", True, True)
    assert one["evidence"].startswith("passed over b003 (pg_restore cannot decode the dump")
    assert one["seconds"] > 0
    assert "every row is the same as before" in {finding["name"] for finding in facts["findings"]}
    assert "passed over b003" in (reports / "drill-db.md").read_text()


def test_a_fault_that_uscdr_does_not_notice_fails_the_drill_although_it_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What says that a request is tried again is silenced: the retry works, and nothing shows it."""
    monkeypatch.setattr(WaitReporter, "__call__", lambda self, wait: None)
    seed = seed_of(lambda one: one.name == "server errors")
    request = DrillRequest(HOW, 20, tmp_path / "reports", tmp_path / "state", None, seed)
    assert drill("db", request, Output(quiet=True)) == ExitCode.CHECK_FAILED
    facts = facts_of(tmp_path / "reports")
    (one,) = facts["surprise"]["faults"]
    assert (one["verdict"], one["detected"], one["right"]) == ("FAILED", False, True)
    assert (facts["recovery"]["outcome"], facts["sound"]) == ("done", False)
    assert all(finding["holds"] for finding in facts["findings"])


def test_a_download_that_is_cut_is_taken_up_again_in_the_same_run(tmp_path: Path) -> None:
    seed, reports = seed_of(lambda one: one.name == "cut download"), tmp_path / "reports"
    request = DrillRequest(HOW, 20, reports, tmp_path / "state", None, seed)
    assert drill("db", request, Output(quiet=True)) == ExitCode.DONE
    facts = facts_of(reports)
    (one,) = facts["surprise"]["faults"]
    assert (one["verdict"], one["detected"], one["right"]) == ("handled", True, True)
    assert one["evidence"].startswith("note: Attempt 1 of 6 failed (The download was cut at ")
    assert one["outcome"] == "as expected (exit code 0)"


def test_storage_that_is_dead_ends_the_run_and_names_the_command_that_finishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = FaultRule("truncated", "GET", "/archives/*", count=0)
    dead = PlannedFault("dead storage", "", Reaction.AGAIN, Sign.BROKEN, rule, codes=(ExitCode.FAILED,))
    monkeypatch.setattr(surprise, "faults_of", lambda *_: (dead,))
    said: list[str] = []
    recover = Stage.recover

    def heard(stage: Stage, *asked: Any) -> Outcome:
        outcome = recover(stage, *asked)
        said.append(outcome.error.next_action if outcome.error else "")
        return outcome

    monkeypatch.setattr(Stage, "recover", heard)
    request = DrillRequest(HOW, 20, tmp_path / "reports", tmp_path / "state", None, 1)
    assert drill("db", request, Output(quiet=True)) == ExitCode.DONE
    (one,) = facts_of(tmp_path / "reports")["surprise"]["faults"]
    assert (one["verdict"], one["outcome"]) == ("handled", "as expected (exit code 3, then 0)")
    assert said == ["Resume the run (uscdr runs resume): it requests a new link. A link is valid for an hour at most."]
