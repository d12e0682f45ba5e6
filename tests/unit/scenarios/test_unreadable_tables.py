"""A table that cannot be read: of the damaged state it is named and all goes on; of the recovered it is no success."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

from fakes import FakeDatabase, World
from rehearsal import Rehearsal
from uscdr.errors import ExitCode, ProviderError
from uscdr.models.postgres import TableSize
from uscdr.models.transfers import TransferKind
from uscdr.scenarios.adapters import Request

CORRUPTED = "django_session: data corrupted"


def world() -> World:
    world = World()
    world.store(TransferKind.SCHEDULED_BACKUP)
    world.live.tables["patients_patient"][99] = 1
    return world


def planned(run: Rehearsal, step: str) -> str:
    steps = run.events("plan.ready")[-1]["steps"]
    return str(next(line["summary"] for line in steps if line["id"] == step))


def test_a_damaged_table_is_named_and_what_is_lost_is_at_least_so_much(quick: Path) -> None:
    run = Rehearsal(quick, world())
    run.world.disk.uncounted["django_migrations"] = "data corrupted"
    phrase = run.phrase()
    assert "django_migrations: data corrupted" in planned(run, "database")
    assert "answers: 3 tables" in planned(run, "database")
    ledger = planned(run, "ledger")
    assert "More may be lost in tables that cannot be compared: django_migrations: data corrupted" in ledger
    assert "patients_patient 1 (99)" in ledger
    assert phrase.endswith("lose at least 1")
    ending = run.begin(confirm=phrase)
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert 99 not in run.world.live.tables["patients_patient"]
    (asked,) = run.events("gate.asked")
    assert asked["facts"]["rows now"] == "at least 51"
    assert asked["facts"]["rows lost"] == "at least 1"


def test_a_table_that_can_be_counted_but_not_compared_is_counted(quick: Path) -> None:
    run = Rehearsal(quick, world())
    run.world.disk.unread["patients_patient"] = "data corrupted"
    phrase = run.phrase()
    assert "data corrupted" not in planned(run, "database")
    assert "patients_patient: data corrupted" in planned(run, "ledger")
    assert phrase.endswith("lose at least 0")
    ending = run.begin(confirm=phrase)
    assert ending is not None
    assert ending.code is ExitCode.DONE
    (asked,) = run.events("gate.asked")
    assert asked["facts"]["rows lost"] == "at least 0"


def test_a_table_that_cannot_be_read_after_the_restore_is_no_success(quick: Path) -> None:
    run = Rehearsal(quick, world())
    run.world.disk.uncounted_again["django_session"] = "data corrupted"
    ending = run.begin(confirm=run.phrase())
    assert ending is not None
    assert ending.code is not ExitCode.DONE
    assert run.world.maintenance
    text = json.dumps(run.events())
    assert f"After the restore, uscdr cannot read every table: {CORRUPTED}. Maintenance mode stays on." in text
    run.world.disk.uncounted.clear()
    again = run.resume()
    assert again is not None
    assert again.code is ExitCode.DONE
    assert not run.world.maintenance


HIDDEN = "cannot be compared: row-level security is forced"


def test_a_table_that_row_level_security_hides_in_the_backup_too_is_named_and_users_come_in_again(quick: Path) -> None:
    """It is meant so: nobody is kept out for it, and it is no whole success either."""
    run = Rehearsal(quick, world())
    run.world.disk.hidden = ("django_session",)
    ending = run.begin(confirm=run.phrase())
    assert ending is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert ending.error is not None
    assert ending.error.message == f"Recovered, but some checks could not run: django_session: {HIDDEN}"
    assert "do not repeat the recovery" in ending.error.next_action
    assert not run.world.maintenance
    assert run.world.formation == {"web": 2, "worker": 3, "beat": 1, "cron": 0}
    compared = next(one["result"] for one in run.events("step.succeeded") if one["step"] == "compare")
    assert (compared["hidden"], compared["unread"]) == ([f"django_session: {HIDDEN}"], [])
    assert "NOT COMPARED with the backup: django_session" in json.dumps(run.events("note"))
    assert run.events("run.finished")[-1]["follow_up"][1:] == list(run.config.scenarios["db"].follow_up)


def test_an_invariant_over_a_hidden_table_is_not_taken_for_a_broken_one(quick: Path) -> None:
    run = Rehearsal(quick, world())
    run.world.disk.hidden = ("patients_patient",)
    ending = run.begin(confirm=run.phrase())
    assert ending is not None
    assert ending.error is not None
    assert f"patients_patient: {HIDDEN}; the query “patients are there” did not run" in ending.error.message
    assert not run.world.maintenance


def test_a_damaged_table_beside_a_hidden_one_keeps_users_out(quick: Path) -> None:
    run = Rehearsal(quick, world())
    run.world.disk.hidden = ("django_session",)
    run.world.disk.uncounted_again["django_migrations"] = "data corrupted"
    ending = run.begin(confirm=run.phrase())
    assert ending is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert run.world.maintenance
    assert ending.error is not None
    assert (
        "After the restore, uscdr cannot read every table: django_migrations: data corrupted." in ending.error.message
    )


def test_times_that_cannot_be_are_named(quick: Path) -> None:
    run = Rehearsal(quick, world())
    column = run.config.app.freshness[0]
    run.world.disk.beyond[column] = 2
    run.begin(dry_run=True)
    assert f"{column}: 2 rows have impossible times (in the future, or before the year 1)" in planned(run, "database")


def test_recover_app_ends_at_a_table_that_cannot_be_read(quick: Path) -> None:
    run = Rehearsal(quick, world(), request=Request("app"))
    run.world.disk.uncounted["django_session"] = "data corrupted"
    ending = run.begin()
    assert ending is not None
    assert ending.code is not ExitCode.DONE
    text = json.dumps(run.events(), ensure_ascii=False)
    assert f"uscdr cannot read every table: {CORRUPTED}." in text
    assert "uscdr recover db" in text


def test_a_database_whose_catalogue_is_damaged_is_as_one_that_does_not_answer(quick: Path) -> None:
    run = Rehearsal(quick, world())

    sound = FakeDatabase.tables

    def damaged(database: FakeDatabase) -> tuple[TableSize, ...]:
        if database._fixed is None:
            raise ProviderError("the database cannot read what it stored", provider="postgres")
        return sound(database)

    with mock.patch.object(FakeDatabase, "tables", damaged):
        run.begin(dry_run=True)
    assert "cannot read what it stored" in planned(run, "database")
    assert "it cannot list the lost rows" in planned(run, "ledger")
