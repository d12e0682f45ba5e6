"""`recover app` where the database and the code do not fit: seen before users are shut out, and again at the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from broken_app import advice, broken, ended, running, sent, unmigrated

from rehearsal import Rehearsal
from uscdr.errors import ExitCode
from uscdr.models.heroku import OneOffResult
from uscdr.models.postgres import TableColumn
from uscdr.models.schema import FieldMade, MigrationFile, Operation

ONE, TWO, THREE = "patients.0001_initial", "patients.0002_names", "patients.0003_phone"


DISORDERED = (
    "Traceback (most recent call last):\r\n"
    "django.db.migrations.exceptions.InconsistentMigrationHistory: Migration admin.0001_initial is applied before its "
    "dependency patients.0001_initial on database 'default'.\r\n"
)


def made(name: str) -> FieldMade:
    return FieldMade(name=name, columns=(name,))


def adds(field: str) -> Operation:
    return Operation(kind="add", model="patient", fields=(made(field),))


FILES = (
    MigrationFile(name=ONE, operations=(Operation(kind="create", model="patient", fields=(made("id"),)),)),
    MigrationFile(name=TWO, dependencies=(ONE,), operations=(adds("name"),)),
    MigrationFile(name=THREE, dependencies=(TWO,), operations=(adds("phone"),)),
)


def columns(*names: str, must: tuple[str, ...] = ()) -> tuple[TableColumn, ...]:
    return tuple(TableColumn(table="patients_patient", name=one, must_be_given=one in must) for one in (*names, *must))


def known(run: Rehearsal, *names: str, must: tuple[str, ...] = ()) -> Rehearsal:
    """With files that say what the migrations do, and with these columns."""
    run.world.files, run.world.columns = FILES, columns(*names, must=must)
    return run


def test_a_migration_that_is_half_done_is_seen_before_users_are_shut_out(quick: Path) -> None:
    run = known(unmigrated(quick), "id", "name", "phone")
    run.world.bad_slugs = {"slug-41"}
    ending = run.begin()
    code, message = ended(ending)
    assert code is ExitCode.CHECK_FAILED
    assert f"{THREE}: the column patients_patient.phone already exists" in message
    assert "migrate --fake patients 0003_phone" in message
    assert (run.world.writes, run.world.maintenance) == ([], False)


def test_a_history_that_is_not_in_order_is_seen_before_users_are_shut_out(quick: Path) -> None:
    run = known(unmigrated(quick), "id", "name")
    run.world.live.applied = [TWO]
    run.world.deployed = [ONE, TWO]
    code, message = ended(run.begin())
    assert (code, run.world.writes) == (ExitCode.CHECK_FAILED, [])
    assert f"{TWO} before {ONE}" in message
    assert "migrate --fake patients 0001_initial" in message


def test_a_rollback_whose_release_phase_would_fail_is_not_begun_either(quick: Path) -> None:
    run = known(broken(quick), "id", "name", "phone")
    run.world.deployed.append(THREE)
    code, message = ended(run.begin())
    assert (code, "already exists" in message, run.world.writes) == (ExitCode.CHECK_FAILED, True, [])


def test_a_listed_danger_is_seen_before_users_are_shut_out(quick: Path) -> None:
    run = unmigrated(quick)
    run.world.deployed.append("patients.0008_drop_unlinked")
    code, message = ended(run.begin())
    assert (code, run.world.writes) == (ExitCode.CHECK_FAILED, [])
    assert "patients.0008_drop_unlinked is pending and listed as dangerous" in message


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (DISORDERED, "InconsistentMigrationHistory: Migration admin.0001_initial is applied before its dependency"),
        ("CommandError: Conflicting migrations detected; multiple leaf nodes", "CommandError: Conflicting migrations"),
        ("killed", "the output gives no reason"),
    ],
)
def test_what_django_itself_refuses_is_told_before_users_are_shut_out(quick: Path, output: str, words: str) -> None:
    run = unmigrated(quick)
    run.world.one_off_results = [OneOffResult(name="run.9", exit_status=1, output=output)]
    ending = run.begin()
    code, message = ended(ending)
    assert (code, words in message, "This run did not block users" in message) == (ExitCode.CHECK_FAILED, True, True)
    assert [write for write in run.world.writes if not write.startswith("run_one_off")] == []
    assert "--release vN --new" in advice(ending)


def test_files_of_what_is_not_installed_do_not_close_the_application(quick: Path) -> None:
    run = unmigrated(quick)
    run.world.one_off_results = [OneOffResult(name="run.1", exit_status=0, output=f"[X]  {ONE}\r\n[X]  {TWO}\r\n")]
    code, message = ended(run.begin())
    assert (code, "has no pending migration" in message, run.world.maintenance) == (ExitCode.CHECK_FAILED, True, False)
    assert sent(run, "set_maintenance") == []


def test_a_dry_run_starts_no_dyno_and_says_what_a_run_would_look_at(quick: Path) -> None:
    run = unmigrated(quick)
    run.begin(dry_run=True)
    planned = next(one for one in run.events("plan.ready")[-1]["steps"] if one["name"] == "django.try")
    assert (planned["action"], run.world.writes) == ("later", [])
    assert "a dry run starts no dyno" in planned["summary"]


def test_python_in_a_migration_is_named_as_not_tried(quick: Path) -> None:
    run = known(unmigrated(quick), "id", "name")
    run.world.files = (*FILES[:2], FILES[2].model_copy(update={"operations": (Operation(kind="python"),)}))
    run.begin(dry_run=True)
    assert f"not tried beforehand, because they run Python code: {THREE}" in decision(run)


def decision(run: Rehearsal) -> str:
    steps = run.events("plan.ready")[-1]["steps"]
    return str(next(one["summary"] for one in steps if one["name"] == "app.decide"))


def test_a_migration_that_fails_in_the_middle_tells_why_and_how_users_get_in(quick: Path) -> None:
    run = unmigrated(quick)
    failed = (
        "Running migrations:\r\n  Applying patients.0003_phone...Traceback (most recent call last):\r\n"
        'psycopg.errors.NotNullViolation: column "phone" of relation "patients_patient" contains null values\r\n'
        "DETAIL:  Failing row contains (7, Ada Lovelace, null).\r\n"
        'django.db.utils.IntegrityError: column "phone" of relation "patients_patient" contains null values\r\n'
    )
    told = OneOffResult(name="run.1", exit_status=0, output=f"[X]  {ONE}\r\n[ ]  {THREE}\r\n")
    fine = OneOffResult(name="run.2", exit_status=0, output="BEGIN;")
    run.world.one_off_results = [told, fine, told, OneOffResult(name="run.4", exit_status=1, output=failed)]
    ending = run.begin()
    code, message = ended(ending)
    assert code is ExitCode.FAILED
    assert message.startswith(
        'The migration patients.0003_phone failed: IntegrityError: column "phone" of relation "patients_patient" '
        "contains null values."
    )
    assert "Ada" not in message
    assert "heroku maintenance:off --app usc-pis" in advice(ending)
    assert "--ref REF --new" in advice(ending)
    assert ended(run.resume())[0] is ExitCode.DONE
    assert run.world.live.applied[-1] == THREE


def test_a_resumed_run_looks_again_before_it_migrates(quick: Path) -> None:
    run = known(unmigrated(quick), "id", "name")
    told = OneOffResult(name="run.1", exit_status=0, output=f"[ ]  {THREE}\r\n")
    fail = OneOffResult(name="run.4", exit_status=1, output="killed")
    run.world.one_off_results = [told, fail.model_copy(update={"exit_status": 0}), told, fail]
    assert ended(run.begin())[0] is ExitCode.FAILED
    run.world.columns = columns("id", "name", "phone")
    before = len(run.world.writes)
    ending = run.resume()
    code, message = ended(ending)
    assert (code, "already exists" in message) == (ExitCode.CHECK_FAILED, True)
    assert run.world.writes[before:] == ["run_one_off showmigrations --plan"]
    assert "heroku maintenance:off" in advice(ending)


def test_code_that_cannot_fill_a_column_is_not_recovered(quick: Path) -> None:
    run = known(broken(quick), "id", "name", must=("consent",))
    code, message = ended(run.begin())
    assert (code, running(run.world)) == (ExitCode.CHECK_FAILED, "Rollback to v40")
    assert "patients_patient.consent" in message
    assert "CANNOT SAVE rows" in str(run.events("gate.asked")[0]["facts"]["database"])


def test_a_column_that_something_fills_is_no_finding(quick: Path) -> None:
    run = known(broken(quick), "id", "name", "consent")
    assert ended(run.begin())[0] is ExitCode.DONE


def test_a_column_that_is_recorded_and_gone_is_not_recovered(quick: Path) -> None:
    run = known(broken(quick), "id")
    code, message = ended(run.begin())
    assert (code, "recorded as applied, but missing in the database: patients_patient.name" in message) == (
        ExitCode.CHECK_FAILED, True,
    )  # fmt: skip


def test_a_release_whose_phase_applies_nothing_is_not_recovered(quick: Path) -> None:
    run = broken(quick, ref="main")
    run.world.deployed.append(THREE)
    ending = run.begin()
    code, message = ended(ending)
    assert (code, f"1 migration pending: {THREE}" in message) == (ExitCode.CHECK_FAILED, True)
    assert "migrate --noinput" in advice(ending)
    run.world.live.applied.append(THREE)
    assert ended(run.resume())[0] is ExitCode.DONE


def test_the_worst_is_named_first(quick: Path) -> None:
    run = known(broken(quick), "id", must=("consent",))
    run.world.unsaved = ("patients.Patient",)
    message = ended(run.begin())[1]
    order = [
        "cannot save: patients.Patient: cannot be saved",
        "recorded as applied, but missing in the database",
        "required column unknown to the deployed code",
    ]
    assert sorted(order, key=message.index) == order


def test_without_its_files_the_code_itself_is_asked(quick: Path) -> None:
    run = broken(quick)
    run.world.build_list = []
    run.world.deployed.append(THREE)
    run.world.live.applied.append(THREE)
    assert ended(run.begin())[0] is ExitCode.DONE
    assert sent(run, "run_one_off")[-2:] == ["run_one_off showmigrations --plan", "run_one_off write_check"]


@pytest.mark.parametrize(
    ("output", "optional", "code", "words"),
    [
        ("Unknown command: 'write_check'\r\n", True, ExitCode.DONE, ""),
        ("Unknown command: 'write_check'\r\n", False, ExitCode.CHECK_FAILED, "has no command write_check"),
        (
            "ModuleNotFoundError: No module named 'packaging'",
            True,
            ExitCode.CHECK_FAILED,
            "No module named 'packaging'",
        ),
        (None, True, ExitCode.CHECK_FAILED, "it is not known whether it can save"),
    ],
)
def test_a_write_check_that_is_absent_is_said_and_one_that_fails_counts(
    quick: Path, output: str | None, optional: bool, code: ExitCode, words: str
) -> None:
    run = broken(quick)
    check = run.config.app.write_check
    assert check is not None
    app = run.config.app.model_copy(update={"write_check": check.model_copy(update={"optional": optional})})
    run.config = run.config.model_copy(update={"app": app})
    fine = OneOffResult(name="run.1", exit_status=0, output=f"[X]  {ONE}\r\n[X]  {TWO}\r\n")
    wrong = OneOffResult(name="run.2", exit_status=1 if output else None, output=output or "")
    run.world.one_off_results = [fine, wrong]
    found, message = ended(run.begin())
    assert (found, words in message) == (code, True)
    warned = [one.event.text for one in run.seen if one.event.kind == "note"]
    assert any("saving" in text or "uscdr did not check whether rows can be saved" in text for text in warned) is (
        found is ExitCode.DONE
    )


def test_a_release_phase_that_fails_tells_why_and_how_users_get_in(quick: Path) -> None:
    run = broken(quick)
    run.world.release_doom = ["failed"]
    run.world.told = (
        "Running migrations:", "  Applying patients.0003_phone...Traceback (most recent call last):",
        'django.db.utils.ProgrammingError: column "phone" of relation "patients_patient" already exists',
    )  # fmt: skip
    ending = run.begin()
    code, message = ended(ending)
    assert code is ExitCode.FAILED
    assert (
        "Its release phase ended with an error of the migration patients.0003_phone: ProgrammingError: column "
        '"phone" of relation "patients_patient" already exists.'
    ) in message
    assert "heroku maintenance:off --app usc-pis" in advice(ending)


def test_a_table_that_is_gone_is_seen_before_users_are_shut_out_for_a_rollback(quick: Path) -> None:
    run = known(broken(quick))
    run.world.columns = (TableColumn(table="django_migrations", name="id"),)
    run.world.live.tables.pop("patients_patient")
    code, message = ended(run.begin())
    assert (code, run.world.writes, run.world.maintenance) == (ExitCode.CHECK_FAILED, [], False)
    assert "The database lacks patients_patient. A release cannot restore tables." in message
    assert "uscdr recover db" in message


def test_a_column_that_is_gone_is_named_as_what_the_rollback_does_not_bring_back(quick: Path) -> None:
    run = known(broken(quick), "id")
    run.begin()
    told = str(run.events("gate.asked")[0]["facts"]["NOT restored"])
    assert told.startswith("patients_patient.name.")
    assert "uscdr recover db" in told


def test_where_no_release_helps_the_scenario_that_does_is_named(quick: Path) -> None:
    run = known(broken(quick), "id")
    run.world.crashing, run.world.bad_slugs, run.world.maintenance = set(), set(), True
    ending = run.begin()
    code, message = ended(ending)
    assert (code, run.world.writes) == (ExitCode.CHECK_FAILED, [])
    assert "recorded as applied, but missing in the database: patients_patient.name" in message
    assert advice(ending).startswith("This run changed nothing; an earlier run left this state (see: uscdr runs list).")
    assert "uscdr recover db" in advice(ending)
