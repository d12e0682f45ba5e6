"""What is quoted of a one-off dyno's output: the reason, never what a row holds."""

from __future__ import annotations

import pytest

from uscdr.models.migrations import CodeMigrations, Listed, MigrationsVerdict
from uscdr.models.postgres import Migration
from uscdr.scenarios.django import DjangoOutput, quotable

EXISTS = 'django.db.utils.ProgrammingError: column "phone" of relation "patients_patient" already exists'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (EXISTS, 'ProgrammingError: column "phone" of relation "patients_patient" already exists'),
        (
            'django.db.utils.ProgrammingError: relation "x_y" already exists',
            'ProgrammingError: relation "x_y" already exists',
        ),
        (
            'django.db.utils.IntegrityError: duplicate key value violates unique constraint "u"',
            'IntegrityError: duplicate key value violates unique constraint "u"',
        ),
        ("ModuleNotFoundError: No module named 'packaging'", "ModuleNotFoundError: No module named 'packaging'"),
        ("CommandError: Conflicting migrations detected", "CommandError: Conflicting migrations detected"),
        (
            'django.db.utils.DataError: invalid input syntax for type integer: "Ada Lovelace"',
            "DataError (its words may quote a row and are not shown)",
        ),
        ("ValueError: Ada Lovelace has no birthday", "ValueError (its words may quote a row and are not shown)"),
        ("KeyError: 'Ada'", "KeyError (its words may quote a row and are not shown)"),
        ("RuntimeError", "RuntimeError"),
        ("nothing of the kind", ""),
        ("", ""),
    ],
)
def test_the_reason_names_no_value(line: str, words: str) -> None:
    assert DjangoOutput(f"Traceback (most recent call last):\r\n  File x\r\n{line}\r\n").reason == words


def test_the_last_error_of_a_chain_is_the_reason_and_details_are_left_out() -> None:
    output = f"psycopg.errors.DuplicateColumn: x\r\nDETAIL:  Key (name)=(Ada) exists.\r\n\r\n{EXISTS}\r\n"
    assert (
        DjangoOutput(output).reason == 'ProgrammingError: column "phone" of relation "patients_patient" already exists'
    )


def test_which_migration_failed_and_which_went_before() -> None:
    output = "Running migrations:\r\n  Applying a.0001_x... OK\r\n  Applying a.0002_y...Traceback (most\r\n"
    assert (DjangoOutput(output).failed_migration, DjangoOutput(output).applied) == ("a.0002_y", ("a.0001_x",))
    assert DjangoOutput("  Applying a.0001_x... OK\r\n").failed_migration == ""
    assert DjangoOutput("").failed_migration == ""


def test_an_unknown_command_is_told_from_one_that_fails() -> None:
    assert DjangoOutput("Unknown command: 'save_all'\r\nType 'manage.py help' for usage.\r\n").lacks_command("save_all")
    assert not DjangoOutput("Unknown command: 'other'").lacks_command("save_all")
    assert not DjangoOutput("CommandError: no").lacks_command("save_all")


def test_a_line_of_the_application_keeps_names_and_loses_values() -> None:
    assert quotable('p.P: null value in column "phone"') == 'p.P: null value in column "phone"'
    assert quotable('p.P: invalid input "Ada Lovelace 7"') == "p.P: invalid input …"


LISTING = (
    "auth\r\n [X] 0001_initial\r\n [ ] 0002_more\r\npatients\r\n [X] 0001_initial\r\n"
    "sites\r\n [-] 0001_squashed_0003 (3 squashed migrations) run 'manage.py migrate' to finish recording.\r\n"
    "staticfiles\r\n (no migrations)\r\np.P: saved and rolled back\r\n"
)


def rows(*names: str) -> tuple[Migration, ...]:
    return tuple(Migration(app=name.partition(".")[0], name=name.partition(".")[2]) for name in names)


def test_what_the_code_lists_itself_is_read() -> None:
    assert DjangoOutput(LISTING).listed() == Listed(
        known=("auth.0001_initial", "auth.0002_more", "patients.0001_initial", "sites.0001_squashed_0003"),
        pending=("auth.0002_more",), squashed=("sites",),
    )  # fmt: skip
    assert DjangoOutput("Traceback (most recent call last):\r\nImportError: no\r\n").listed() is None


def test_libraries_are_judged_by_what_the_code_lists_and_its_own_by_its_files() -> None:
    listed = DjangoOutput(LISTING).listed()
    assert listed is not None
    code = CodeMigrations(migrations=("patients.0001_initial",))
    applied = rows("auth.0001_initial", "auth.0003_newer", "patients.0001_initial", "sites.0001_initial", "gone.0001_x")
    found = MigrationsVerdict.compare(code, applied).with_listed(code, applied, listed)
    assert (found.verdict, found.ahead, found.pending) == ("ahead", ("auth.0003_newer",), ("auth.0002_more",))
    unknown = MigrationsVerdict(verdict="not checked", why="no source").with_listed(None, applied, listed)
    assert (unknown.known, unknown.ahead, unknown.why) == (True, ("auth.0003_newer",), "")


def test_an_application_that_is_not_installed_has_nothing_pending() -> None:
    listed = DjangoOutput("patients\r\n [X] 0001_initial\r\n").listed()
    assert listed is not None
    code = CodeMigrations(migrations=("patients.0001_initial", "old.0001_initial"))
    applied = rows("patients.0001_initial")
    assert MigrationsVerdict.compare(code, applied).pending == ("old.0001_initial",)
    assert MigrationsVerdict.compare(code, applied).with_listed(code, applied, listed).fits
