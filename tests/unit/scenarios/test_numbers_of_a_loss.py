"""What a restore loses, in numbers: a lower bound says so, and one backup has one age."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeDatabase
from rehearsal import Rehearsal
from uscdr.backups.loss import DatabaseState, Earlier
from uscdr.errors import ExitCode
from uscdr.journal.reader import Journal
from uscdr.report.objectives import build
from uscdr.scenarios.adapters import Adapters

TABLE = "patients_patient"


def facts(run: Rehearsal) -> dict[str, Any]:
    """What the person is asked to confirm."""
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    found: dict[str, Any] = run.events("gate.asked")[0]["facts"]
    return found


def test_rows_that_the_damage_took_make_the_number_a_lower_bound(quick: Path) -> None:
    run = Rehearsal(quick)
    assert facts(run)["rows lost"] == "at least 10"
    report = json.dumps(run.events("plan.ready") + run.events("step.succeeded"))
    assert "Lost rows newer than the backup cannot be counted" in report


def test_where_only_newer_rows_are_lost_the_number_is_exact(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.live.tables[TABLE] |= dict.fromkeys(range(1, 11), 1)
    assert facts(run)["rows lost"] == "10"


def test_a_table_that_is_gone_is_at_least(quick: Path) -> None:
    run = Rehearsal(quick)
    del run.world.live.tables[TABLE]
    run.world.live.tables["feedback_feedback"] = {1: 1, 2: 1}
    assert facts(run)["rows lost"] == "at least 2"


def test_rows_that_only_a_later_look_knew_are_counted(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backup has 50, the live database 50 others of 60; the baseline, taken between, had 75."""
    run = Rehearsal(quick)
    later = DatabaseState("the baseline", datetime.now(UTC) - timedelta(minutes=30), {TABLE: 75})
    real = Rehearsal.adapters

    def adapters(self: Rehearsal, *given: Any) -> Adapters:
        return real(self, *given).but(knows=lambda: Earlier((later,)))

    monkeypatch.setattr(Rehearsal, "adapters", adapters)
    assert facts(run)["rows lost"] == "at least 25"


def test_age_and_writes_lost_are_rounded_alike(quick: Path) -> None:
    """The backup is 150 minutes old, the last write 20: 130 minutes of writes are lost."""
    run = Rehearsal(quick)
    asked = facts(run)
    assert asked["backup taken"].endswith(", 2 h 30 min ago")
    assert asked["writes lost"] == "those of 2 h 10 min"


def test_a_backup_of_a_minute_ago_is_no_hour_old(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.transfers[0] = run.world.transfers[0].model_copy(
        update={"created_at": datetime.now(UTC) - timedelta(minutes=1), "finished_at": datetime.now(UTC)}
    )
    assert " h " not in facts(run)["backup taken"].partition(", ")[2]


@pytest.mark.parametrize("age", ["within the objective", "beyond it"])
def test_lost_rows_that_no_time_is_known_of_are_no_loss_of_no_seconds(quick: Path, age: str) -> None:
    """`freshness` tells of a write, but not of those of the table that loses rows."""
    run = Rehearsal(quick)
    minutes = 120 if age == "within the objective" else 250
    run.world.transfers[0] = run.world.transfers[0].model_copy(
        update={
            f"{one}_at": datetime.now(UTC) - timedelta(minutes=minutes) for one in ("created", "started", "finished")
        }
    )
    run.world.live.tables["file_uploads_patientdocument"] = dict.fromkeys((7, 8, 9), 1)
    asked = facts(run)
    assert asked["writes lost"].startswith(f"at most those of {minutes // 60} h")
    assert "file_uploads_patientdocument" in asked["writes lost"]
    report = build(Journal.read(run.journal_path).records)
    assert "the time of lost rows in file_uploads_patientdocument is unknown" in report.rpo.basis
    assert (report.rpo.verdict, report.rpo.at_most) == (("met", True) if minutes == 120 else ("not known", False))


def test_a_newest_time_of_long_ago_is_no_last_write(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import of old papers into a column of `freshness`: the year 1950 can be, and nobody wrote here then."""
    monkeypatch.setattr(FakeDatabase, "newest", lambda _, names: dict.fromkeys(names, "1950-01-01T00:00:00+00:00"))
    run = Rehearsal(quick)
    assert facts(run)["writes lost"] == "not known"


def test_a_plan_counts_the_rows_of_the_backup_once(quick: Path) -> None:
    """Sessions are in the backup, but in no number: the proof, the question and the last screen agree."""
    run = Rehearsal(quick)
    app = run.config.app
    run.config = run.config.model_copy(update={"app": app.model_copy(update={"volatile_tables": (TABLE,)})})
    asked = facts(run)
    told = {event["name"]: event["summary"] for event in run.events("step.succeeded")}
    in_backup = next(words for name, words in asked.items() if name.startswith("rows in "))
    assert f" {in_backup} rows, " in told["backup.prove"]
    assert f"{in_backup} in the backup" in told["data.ledger"]
    assert told["data.compare"].endswith(f" {in_backup} rows")
