"""`recover db`: the SQL of pending migrations is tried on a restored copy before users are shut out."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import rehearsal
from fakes import World
from rehearsal import Rehearsal
from uscdr.backups.proving import Code
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode
from uscdr.models.heroku import OneOffResult, Release
from uscdr.models.migrations import CodeMigrations, MigrationsVerdict
from uscdr.models.transfers import TransferKind
from uscdr.models.trial import PYTHON, ScriptEnd, pending_on
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.steps.try_migrations import _deployed_since

ONE, TWO, THREE = "patients.0001_initial", "patients.0002_names", "patients.0003_phone"
THERE = ScriptEnd(name=THREE, state="42701", words='column "phone" of relation "patients_patient" already exists')
STEP = "django.try_on_copy"


def clinic(state: Path, *, named: bool = False) -> Rehearsal:
    """`0003_phone` is pending on every backup. `named`: one backup alone, which is named, so that nothing is walked."""
    run = Rehearsal(state, World(keep=20))
    if named:
        run.request = Request("db", backup="b001")
    else:
        older = run.world.store(TransferKind.SCHEDULED_BACKUP, age=timedelta(hours=9))
        run.world.dumps[older.num] = deepcopy(run.world.dumps[1])
    return run


def knows(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Proofs compare with the deployed code, which has these migrations."""
    monkeypatch.setattr(rehearsal, "CODE", Code("cccc", CodeMigrations(migrations=names)))


def ended(ending: Outcome | None) -> tuple[ExitCode, str]:
    assert ending is not None
    return ending.code, f"{ending.error.message} {ending.error.why}" if ending.error else ""


def step(run: Rehearsal, kind: str) -> dict[str, object]:
    return next(one for one in run.events(kind) if one["name"] == STEP)


def notes(run: Rehearsal) -> str:
    return json.dumps(run.events("note"), ensure_ascii=False)


def planned(run: Rehearsal) -> dict[str, str]:
    steps = run.events("plan.ready")[-1]["steps"]
    return dict(next(one for one in steps if one["name"] == STEP))


def test_sql_that_fails_on_the_backup_ends_the_run_before_users_are_shut_out(quick: Path) -> None:
    run = clinic(quick)
    run.world.sql_ends[THREE] = THERE
    ending = run.begin()
    code, message = ended(ending)
    assert code is ExitCode.CHECK_FAILED
    assert f"The migration {THREE} fails on the data of" in message
    assert 'column "phone" of relation "patients_patient" already exists' in message
    assert "This run did not block users" in message
    assert (run.world.maintenance, run.person.phrases, run.world.restores) == (False, [], [])
    assert [write for write in run.world.writes if not write.startswith("run_one_off")] == []
    assert ending is not None
    assert ending.error is not None
    assert "recover db --backup a002 --new" in ending.error.next_action
    assert "recover app --ref REF --new" in ending.error.next_action


def test_resuming_with_other_code_goes_on(quick: Path) -> None:
    run = clinic(quick)
    run.world.sql_ends[THREE] = THERE
    run.begin()
    del run.world.sql_ends[THREE]
    assert ended(run.resume())[0] is ExitCode.DONE
    assert run.world.tried_on_copies == [THREE, THREE]


def test_sql_that_runs_is_tried_once_and_the_recovery_goes_on(quick: Path) -> None:
    run = clinic(quick)
    assert ended(run.begin())[0] is ExitCode.DONE
    assert run.world.tried_on_copies == [THREE]
    shut = run.world.writes.index("set_maintenance True")
    tried = [place for place, write in enumerate(run.world.writes) if "sqlmigrate" in write]
    assert [place < shut for place in tried] == [True]
    assert "the SQL of 1 pending migration runs on the copy of" in str(step(run, "step.succeeded")["summary"])


@pytest.mark.parametrize("fault", ["kill_before", "kill_after", "lost_after", "down"])
def test_a_trial_that_was_cut_short_is_made_again_or_named(quick: Path, fault: str) -> None:
    for call in (1, 2):
        run = clinic(quick / str(call))
        run.world.faults["run_one_off", call] = fault
        ending = run.begin()
        ending = run.resume() if ending is None else ending
        assert ended(ending)[0] is ExitCode.DONE
        if fault.startswith("kill"):
            assert run.world.tried_on_copies == [THREE]
        else:
            assert "uscdr could not ask the deployed code" in notes(run)
        assert len(run.world.restores) == 1


def test_a_dry_run_starts_no_dyno_and_says_what_was_not_tried(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    knows(monkeypatch, ONE, TWO, THREE)
    run = clinic(quick)
    assert ended(run.begin(dry_run=True))[0] is ExitCode.DONE
    assert (run.world.writes, run.world.tried_on_copies) == ([], [])
    assert f"({THREE})" in planned(run)["summary"]
    assert "NOT TRIED, because a dry run starts no dyno" in planned(run)["summary"]


def test_where_nothing_is_pending_nothing_is_asked_or_waited_for(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for named in (True, False):
        knows(monkeypatch, ONE, TWO)
        run = clinic(quick / str(named), named=named)
        run.world.deployed = [ONE, TWO]
        assert ended(run.begin())[0] is ExitCode.DONE
        assert step(run, "step.skipped")["reason"] == (
            "no code was deployed since b001, and no migration is known to be pending" if named
            else "no migration is pending on b001"
        )  # fmt: skip
        assert [write for write in run.world.writes if "sqlmigrate" in write] == []


def test_a_named_backup_is_tried_when_code_was_deployed_since(quick: Path) -> None:
    run = clinic(quick, named=True)
    run.world.sql_ends[THREE] = THERE
    new, old = datetime.now(UTC), datetime.now(UTC) - timedelta(days=9)
    run.world.releases = [
        Release(id="b", version=41, status="succeeded", current=True, slug_id="two", created_at=new),
        Release(id="a", version=40, status="succeeded", slug_id="one", created_at=old),
    ]
    code, message = ended(run.begin())
    assert (code, "fails on the data of b001" in message) == (ExitCode.CHECK_FAILED, True)
    assert run.world.maintenance is False


def test_python_is_named_as_not_tried(quick: Path) -> None:
    run = clinic(quick)
    run.world.sql_of[THREE] = "--\n-- Raw Python operation\n--\n-- THIS OPERATION CANNOT BE WRITTEN AS SQL"
    assert ended(run.begin())[0] is ExitCode.DONE
    assert f"Not tried before the restore: {THREE} ({PYTHON})" in notes(run)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            [OneOffResult(name="run.1", exit_status=1, output="django.db.utils.OperationalError: no route")],
            "the deployed code could not be asked: OperationalError",
        ),
        ([OneOffResult(name="run.1", exit_status=None, output="")], "uscdr could not ask the deployed code"),
        (
            [
                OneOffResult(name="run.1", exit_status=0, output=f"[X]  {ONE}\r\n[X]  {TWO}\r\n[ ]  {THREE}"),
                OneOffResult(name="run.2", exit_status=0, output="nothing of it arrived"),
            ],
            f"{THREE} (an earlier migration was not tried completely)",
        ),
    ],
)
def test_code_that_cannot_be_asked_beside_a_damaged_database_is_no_stop(
    quick: Path, told: list[OneOffResult], words: str
) -> None:
    run = clinic(quick)
    run.world.one_off_results = told
    assert ended(run.begin())[0] is ExitCode.DONE
    assert words in notes(run)


def test_a_migration_that_cannot_be_written_beside_the_live_database_is_named(quick: Path) -> None:
    run = clinic(quick)
    run.world.sql_of[THREE] = "ValueError: Found wrong number (0) of constraints for patients_patient(phone)"
    assert ended(run.begin())[0] is ExitCode.DONE
    assert "Django cannot write its SQL beside the live database: ValueError" in notes(run)


def test_sql_that_was_written_beside_a_damaged_database_may_lack_what_it_drops_first(quick: Path) -> None:
    """Nothing shows that the live database is whole, as the code's files are not to be had."""
    run = clinic(quick)
    run.world.sql_ends[THREE] = ScriptEnd(name=THREE, state="42710", words='constraint "x" already exists')
    assert ended(run.begin())[0] is ExitCode.DONE
    assert "its SQL was written for a database that differs from this copy, so this proves nothing" in notes(run)


def test_what_may_rest_on_something_unknown_is_not_refused(quick: Path) -> None:
    run = clinic(quick)
    run.world.sql_ends[THREE] = THERE
    plan = f"[X]  {ONE}\r\n[X]  {TWO}\r\n[X]  beat.0005_b_squashed\r\n[ ]  {THREE}\r\n"
    listed = "beat\r\n [X] 0005_b_squashed (2 squashed migrations)\r\n"
    run.world.one_off_results = [OneOffResult(name="run.1", exit_status=0, output=plan + listed)]
    assert ended(run.begin())[0] is ExitCode.DONE
    assert f"{THREE} (it may rest on beat.0005_b_squashed, which was not tried" in notes(run)
    assert "it may be applied under other names" in notes(run)


def test_other_code_since_a_moment() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def release(version: int, slug: str | None, days: int) -> Release:
        return Release(
            id=str(version), version=version, status="succeeded", slug_id=slug, created_at=at + timedelta(days=days)
        )

    assert not _deployed_since(at, [])
    assert not _deployed_since(at, [release(2, "a", -1), release(1, "b", -2)])
    assert not _deployed_since(at, [release(2, "a", 1), release(1, "a", -2)]), "a config variable"
    assert _deployed_since(at, [release(2, "b", 1), release(1, "a", -2)])
    assert _deployed_since(at, [release(3, "a", 2), release(2, "b", 1), release(1, "a", -2)]), "and back again"
    assert _deployed_since(at, [release(2, "a", 2), release(1, "a", 1)]), "the list does not go so far back"


def test_what_is_pending_on_a_copy() -> None:
    """Own names by the files, libraries' by the plan; a squashed one of a library may be there under other names."""
    plan = dict.fromkeys(("auth.0012_x", "beat.0005_squashed", "own.0001_squashed_0002", "own.0003_c"), True)
    copy = MigrationsVerdict(
        verdict="pending", pending=("own.0003_c", "gone.0001_a"), renamed=("own.0001_squashed_0002",)
    )
    names, unknown = pending_on(plan, ("beat", "own"), copy, {"own.0001_a", "own.0002_b"})
    assert names == ("auth.0012_x", "own.0003_c")
    assert [one.name for one in unknown] == ["beat.0005_squashed"], "what is not installed is not pending"
    beyond = copy.model_copy(update={"pending": ("own.0003_c", "own.0002_b")})
    assert [one.name for one in pending_on(plan, (), beyond, {"auth.0012_x", "beat.0005_squashed"})[1]] == [
        "own.0002_b"
    ]
