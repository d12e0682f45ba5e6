"""A living old place: what it wrote until it was stopped comes along, unless it is damaged or not to be had."""

from __future__ import annotations

from pathlib import Path

import pytest
from lost_place import NEW, Recovery, alive, ended, lost, sent, without_database

from uscdr.errors import ExitCode
from uscdr.models.transfers import TransferKind, TransferState

DONE = ExitCode.DONE
TABLE = "patients_patient"


def told(run: Recovery) -> str:
    return " ".join(one["text"] for one in run.events("note"))


def result(run: Recovery, step: str) -> dict[str, object]:
    return dict(next(one["result"] for one in run.events("step.succeeded") if one["step"] == step))


def planned(run: Recovery, step: str) -> str:
    return str(next(line["summary"] for line in run.events("plan.ready")[-1]["steps"] if line["id"] == step))


def rows(run: Recovery) -> dict[int, int]:
    return run.places.apps[NEW].live.tables[TABLE]


def test_what_it_wrote_to_the_very_end_is_in_the_new_place(quick: Path) -> None:
    run = alive(quick)
    old = run.places.old

    def written() -> None:
        if old.formation.get("web"):  # users are at work until it is stopped
            old.live.tables[TABLE].setdefault(70, 1)

    run.places.on_look = written
    assert ended(run.begin()) == (DONE, "")
    assert rows(run)[70] == 1
    assert rows(run) == old.live.tables[TABLE]
    assert sent(run, "capture") == ["capture of usc-pis", f"capture of {NEW}"]
    writes = run.places.writes
    assert writes.index("capture of usc-pis") > max(
        i for i, one in enumerate(writes) if one.startswith("scale usc-pis ")
    )
    assert result(run, "choose_last")["backup"] == result(run, "capture_last")["name"] == "b002"
    assert result(run, "prove_last")["backup"] == result(run, "load")["backup"] == "b002"
    assert "LOST in the new application" not in told(run)
    assert "b002: it lacks rows that b001 has: 10 of patients_patient." in told(run)
    assert "of an unknown database" not in told(run), "it was taken of the old place in this run"


def test_the_plan_says_that_it_will_be_captured(quick: Path) -> None:
    run = alive(quick)
    run.begin(dry_run=True)
    assert run.places.writes == []
    assert "usc-pis answers: what it writes until it is stopped is captured then" in planned(run, "choose")
    assert "LOST" not in planned(run, "decide").partition("data: ")[2].partition(";")[2].partition(";")[0]
    assert planned(run, "capture_last").startswith("capture the database of usc-pis after its last write")


@pytest.mark.parametrize("case", [lost, without_database])
def test_where_no_old_place_can_be_captured_the_first_choice_stands(case: object, quick: Path) -> None:
    run: Recovery = case(quick)  # type: ignore[operator]
    run.begin(dry_run=True)
    assert "no last capture: " in planned(run, "capture_last")
    assert "later writes are LOST, and access that was withdrawn since then is open again" in planned(run, "decide")
    assert ended(run.begin()) == (DONE, "")
    assert "capture of usc-pis" not in sent(run, "capture")[:-1]
    assert result(run, "choose_last") == result(run, "choose")


def test_a_last_state_that_is_damaged_is_left_for_the_first_choice_and_said(quick: Path) -> None:
    run = alive(quick)
    run.places.old.live.tables[TABLE].clear()
    assert ended(run.begin()) == (DONE, "")
    assert rows(run) == run.places.old.dumps[1].tables[TABLE]
    assert "The last capture of usc-pis, b002, is not used: " in told(run)
    assert "is not in b001: LOST in the new application; the old database still has it." in told(run)
    assert "b002 (" in str(result(run, "choose_last")["passed_over"])


def test_a_last_state_that_does_not_restore_is_left_too(quick: Path) -> None:
    run = alive(quick)
    run.places.old.live.tables.clear()
    assert ended(run.begin()) == (DONE, "")
    assert rows(run) == run.places.old.dumps[1].tables[TABLE]
    assert "The last capture of usc-pis, b002, is not used: " in told(run)


@pytest.mark.parametrize("how", ["failed", "refused"])
def test_a_platform_that_cannot_capture_it_does_not_end_the_recovery(quick: Path, how: str) -> None:
    run = alive(quick)
    if how == "failed":
        run.places.old.doom = [TransferState.FAILED]
    else:
        run.places.faults["capture", 1] = "refused"
    assert ended(run.begin()) == (DONE, "")
    assert rows(run) == run.places.old.dumps[1].tables[TABLE]
    assert "uscdr could not capture the last writes of usc-pis. " in told(run)
    assert "LOST in the new application" in told(run)
    assert "Access that was withdrawn there since then is open again here." in told(run)


def test_a_platform_that_refuses_to_capture_it_does_not_end_the_recovery(quick: Path) -> None:
    run = alive(quick)
    run.places.old.faults["capture", 1] = "refused"
    assert ended(run.begin()) == (DONE, "")
    assert rows(run) == run.places.old.dumps[1].tables[TABLE]
    assert "uscdr could not capture the last writes of usc-pis. " in told(run)


def test_a_backup_that_was_named_is_the_one_that_is_loaded(quick: Path) -> None:
    run = alive(quick, backup="b001")
    assert ended(run.begin()) == (DONE, "")
    assert rows(run) == run.places.old.dumps[1].tables[TABLE]
    assert "capture of usc-pis" not in sent(run, "capture")
    assert "is not in b001: LOST in the new application; the old database still has it." in told(run)


def test_it_does_not_push_out_the_very_backup_that_was_chosen(quick: Path) -> None:
    run = alive(quick)
    run.places.old.transfers = [one.model_copy(update={"num_keep": 1}) for one in run.places.old.transfers]
    ending = run.begin()
    assert sent(run, "capture") == []
    assert "Heroku would drop b001, the chosen backup" in ended(ending)[1]


def test_damaged_backups_of_a_living_place_are_passed_over_at_the_first_choice(quick: Path) -> None:
    run = alive(quick)
    whole = dict(run.places.old.live.tables[TABLE])
    run.places.old.live.tables[TABLE].clear()
    run.places.old.store(TransferKind.MANUAL_BACKUP)
    run.places.old.live.tables[TABLE].update(whole)
    run.begin(dry_run=True)
    assert planned(run, "choose").startswith("b001 of ")
    assert "passed over: b002 (it breaks: patients are there (0, " in planned(run, "choose")
