"""When a drill passes: done, as it was, and nothing beyond the plan."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from rehearsal import Rehearsal
from uscdr.cli import drill as commands
from uscdr.drills.baseline import Comparison, TableContents, losses, same_rows
from uscdr.drills.drill import DISASTERS, Drill, _drill_markdown, _drill_object, _drill_summary, _record
from uscdr.drills.scoring import FaultScore
from uscdr.drills.surprise import Surprise
from uscdr.errors import BadInput, ExitCode
from uscdr.exercises.basis import Basis
from uscdr.exercises.records import keep, read, store_of
from uscdr.journal.reader import Journal
from uscdr.models.postgres import TableDigest
from uscdr.report.model import Outcome
from uscdr.report.objectives import build
from uscdr.scenarios.config_exercises import DrillName
from uscdr.ui.console import json_text
from uscdr.ui.schemas import Schema

HOLDS, BROKEN = Comparison("rows", holds=True, evidence="3 of 3"), Comparison("files", holds=False, evidence="2 of 3")


def table(name: str, rows: int, digest: str = "same") -> TableDigest:
    return TableDigest(name=name, rows=rows, digest=digest)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Drill:
    """A drill around a real run's report."""
    run = Rehearsal(tmp_path_factory.mktemp("run"))
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    journal = Journal.read(run.journal_path)
    return Drill(
        scenario="db", how="drop-table", patients=40, damage={"how": "drop-table"},
        rows_before=3, rows_after=3, losses=(), restores=1,
        writes=4, beyond=(), findings=(HOLDS,), journal=str(journal.path),
        report=build(journal.records, last_hash=journal.last_hash),
    )  # fmt: skip


def test_a_drill_that_is_done_compared_and_within_its_plan_passes(finished: Drill) -> None:
    assert finished.sound
    assert "passed" in _drill_summary(finished, Path("reports"))
    facts = json.loads(json_text(Schema.DRILL, _drill_object(finished)))
    assert (facts["sound"], facts["rows_lost"], facts["recovery"]["outcome"]) == (True, 0, "done")
    page = _drill_markdown(finished)
    assert "| rows | yes | 3 of 3 |" in page
    assert "| assess | 10 min |" in page


def with_outcome(drill: Drill, *, outcome: Outcome = "done", **changes: Any) -> Drill:
    return replace(drill, report=drill.report.model_copy(update={"outcome": outcome}), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"findings": (HOLDS, BROKEN)},
        {"findings": ()},
        {"beyond": ("heroku DELETE /apps/usc-pis",)},
        {"outcome": "failed"},
        {"outcome": "unknown"},
    ],
)
def test_any_other_drill_fails_and_says_why(finished: Drill, changes: dict[str, Any]) -> None:
    drill = with_outcome(finished, **changes)
    assert not drill.sound
    words = _drill_summary(drill, Path("reports"))
    assert "FAILED" in words
    for finding in drill.findings:
        assert finding.name in words
    assert all(one in words for one in drill.beyond)


def with_faults(drill: Drill, *verdicts: str, recovers: bool = True, **changes: Any) -> Drill:
    """The drill with a fault for each of `handled`, `FAILED` and `did not strike`."""
    scored = tuple(
        FaultScore(
            "lost poll", "a read | breaks off", "survive", "" if verdict == "did not strike" else "GET /apps",
            detected=verdict == "handled", evidence="note" if verdict == "handled" else "",
            seconds=0.5 if verdict == "handled" else None, right=verdict == "handled", outcome="as expected",
        )
        for verdict in verdicts
    )  # fmt: skip
    assert [one.verdict for one in scored] == list(verdicts)
    return with_outcome(drill, surprise=Surprise(7, scored, recovers), **changes)


def test_a_drill_with_faults_passes_if_each_that_struck_was_handled(finished: Drill) -> None:
    for verdicts in (("handled",), ("did not strike",), ("handled", "did not strike")):
        assert with_faults(finished, *verdicts).sound
    failed = with_faults(finished, "handled", "FAILED")
    assert not failed.sound
    words = _drill_summary(failed, Path("reports"))
    assert "Surprise: seed 7" in words
    assert "Fault FAILED: lost poll (a read | breaks off); NOT DETECTED" in words
    facts = json.loads(json_text(Schema.DRILL, _drill_object(failed)))["surprise"]
    assert (facts["seed"], facts["handled"]) == (7, False)
    assert [one["verdict"] for one in facts["faults"]] == ["handled", "FAILED"]
    page = _drill_markdown(failed)
    assert "| lost poll: a read \\| breaks off | survive | GET /apps | **not detected** |" in page


def test_a_drill_that_a_fault_must_stop_needs_no_recovery_and_any_other_does(finished: Drill) -> None:
    stopped: dict[str, Any] = {"outcome": "failed", "findings": ()}
    assert with_faults(finished, "handled", recovers=False, **stopped).sound
    assert not with_faults(finished, "FAILED", recovers=False, **stopped).sound
    assert not with_faults(finished, "handled", recovers=False, beyond=("heroku DELETE /apps/a",), **stopped).sound
    assert not with_faults(finished, "handled", **stopped).sound
    assert not with_faults(finished, "handled", findings=(BROKEN,)).sound


def test_rows_that_were_not_counted_afterwards_are_not_called_lost(finished: Drill) -> None:
    words = _drill_summary(with_outcome(finished, outcome="failed", findings=(), rows_after=0), Path("reports"))
    assert "not counted afterwards" in words


def test_content_is_compared_by_digest_and_what_a_release_phase_writes_by_number() -> None:
    written = "reports_reporttemplate"
    before = TableContents((table("a", 3), table("b", 2), table(written, 9)), frozenset({written}))
    assert same_rows(before, TableContents((table("a", 3), table("b", 2), table(written, 9, "other")))).holds
    for after in (
        TableContents((table("a", 3, "other"), table("b", 2), table(written, 9))),
        TableContents((table("a", 3), table(written, 9))),
        TableContents((table("a", 3), table("b", 2), table(written, 8))),
        TableContents(),
    ):
        assert not same_rows(before, after).holds
    assert not same_rows(TableContents(), before).holds


@pytest.mark.parametrize(("changes", "code", "sound"), [({}, 0, True), ({"findings": (HOLDS, BROKEN)}, 1, False)])
def test_a_drill_is_recorded_with_what_it_showed(
    finished: Drill, changes: dict[str, Any], code: int, sound: bool, tmp_path: Path
) -> None:
    begun = datetime(2026, 11, 20, 4, tzinfo=UTC)
    record = _record(replace(finished, **changes), code, Basis("steps", "configuration", 7), begun)
    path = keep(store_of(tmp_path), record)
    assert Path(path).is_file()
    assert read(store_of(tmp_path)).drills == (record,)
    assert (record.scenario, record.how, record.patients, record.sound, record.exit_code) == (
        "db", "drop-table", 40, sound, code,
    )  # fmt: skip
    assert (record.steps, record.configuration, record.recovery_code) == ("steps", "configuration", 7)
    assert (record.rto_verdict, record.rto_seconds) == ("met", finished.report.rto.achieved_seconds)
    assert record.started_at == begun < record.ended_at
    assert record.run == finished.report.run


def test_losses_are_tables_with_another_number_of_rows(finished: Drill) -> None:
    before, after = (
        TableContents((table("a", 3), table("b", 2), table("c", 1))),
        TableContents((table("a", 3), table("b", 1))),
    )
    assert [(one.table, one.before, one.after) for one in losses(before, after)] == [("b", 2, 1), ("c", 1, 0)]
    assert replace(finished, losses=losses(before, after)).rows_lost == 2


@pytest.mark.parametrize("scenario", sorted(commands.KINDS))
def test_an_unknown_damage_is_bad_input_and_nothing_is_made(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    result = CliRunner().invoke(commands.app, [scenario, "--how", "meteor"])
    assert isinstance(result.exception, BadInput)
    assert "meteor" in result.exception.message
    assert not (tmp_path / "state").exists()


def test_the_calendar_knows_every_drill() -> None:
    assert set(get_args(DrillName)) == set(DISASTERS) == set(commands.KINDS)
