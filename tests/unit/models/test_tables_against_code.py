"""Tables against what the code's migrations make of them: half done, lacking, not to be filled, not in order."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from uscdr.models.migrations import CodeMigrations, MigrationsVerdict
from uscdr.models.postgres import Migration, TableColumn
from uscdr.models.schema import FieldMade, MigrationFile, Operation

ONE, TWO, THREE = "patients.0001_initial", "patients.0002_more", "patients.0003_new"


def plain(name: str) -> FieldMade:
    return FieldMade(name=name, columns=(name,))


def create(*fields: str, model: str = "patient") -> Operation:
    return Operation(kind="create", model=model, fields=tuple(map(plain, fields)))


def add(field: str, model: str = "patient") -> Operation:
    return Operation(kind="add", model=model, fields=(plain(field),))


def file(name: str, *operations: Operation, after: tuple[str, ...] = ()) -> MigrationFile:
    return MigrationFile(name=name, dependencies=after, operations=operations)


FILES = (
    file(ONE, create("id")),
    file(TWO, add("name"), after=(ONE,)),
    file(THREE, add("phone"), create("id", "text", model="note"), after=(TWO,)),
)
HERE = {"patients_patient": ("id", "name"), "django_migrations": ("id",)}


def judged(
    *applied: str,
    files: tuple[MigrationFile, ...] = FILES,
    must: str = "",
    more: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    **tables: tuple[str, ...],
) -> MigrationsVerdict:
    rows = tuple(Migration(app=one.partition(".")[0], name=one.partition(".")[2]) for one in applied)
    columns = [TableColumn(table=t, name=n) for t, names in {**HERE, **more, **tables}.items() for n in names]
    if must:
        columns.append(TableColumn(table=must.partition(".")[0], name=must.partition(".")[2], must_be_given=True))
    code = CodeMigrations(migrations=tuple(one.name for one in files), steps=files)
    return MigrationsVerdict.compare(code, rows, columns, against="main")


def test_what_fits_is_no_finding() -> None:
    found = judged(ONE, TWO, files=FILES[:2])
    assert (found.fits, found.problems, found.unclear) == (True, (), ())
    pending = judged(ONE, TWO)
    assert (pending.verdict, pending.stuck, pending.problems) == ("pending", (), (f"1 migration pending: {THREE}",))


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"patients_patient": ("id", "name", "phone")}, "the column patients_patient.phone already exists"),
        ({"patients_note": ("id",)}, "the table patients_note already exists"),
        (
            {"patients_patient": ("id", "name"), "patients_note": ("id", "text")},
            "the table patients_note already exists",
        ),
    ],
)
def test_work_that_is_there_without_its_row_is_half_done(tables: dict[str, tuple[str, ...]], words: str) -> None:
    found = judged(ONE, TWO, more=tables)
    assert found.obstacles[0].startswith(f"{THREE}: {words}")
    assert "a migration was applied only in part, or its tables were changed by hand" in found.stuck[0]


PENDING = {
    "removing what is gone": (Operation(kind="remove", model="patient", field="name"), ("id",)),
    "renaming what is gone": (Operation(kind="rename_field", model="patient", field="name", new="full"), ("id",)),
    "altering what is gone": (Operation(kind="alter", model="patient", fields=(plain("name"),)), ("id",)),
}


@pytest.mark.parametrize("case", PENDING)
def test_what_a_pending_one_rests_on_must_be_there(case: str) -> None:
    operation, there = PENDING[case]
    found = judged(ONE, TWO, files=(*FILES[:2], file(THREE, operation, after=(TWO,))), patients_patient=there)
    assert found.obstacles == (f"{THREE}: the column patients_patient.name does not exist",)


DROPPED = "ALTER TABLE patients_patient DROP x"
FINE = {
    "removed and made again": (Operation(kind="remove", model="patient", field="name"), add("name")),
    "deleted and made again": (Operation(kind="delete", model="patient"), create("id")),
    "its own column again": (Operation(kind="alter", model="patient", fields=(plain("name"),)),),
    "in the state alone": (add("legacy").model_copy(update={"side": "state"}),),
    "dropped by SQL before": (
        Operation(kind="sql", table="ALTER TABLE patients_patient DROP x", side="database"),
        add("x"),
    ),
    "after SQL that cannot be read": (Operation(kind="sql", side="database"), add("x")),
    "after an operation of their own": (Operation(kind="opaque"), add("x")),
    "another's table": (Operation(kind="create", model="x", fields=(plain("id"),), table="django_x", managed=False),),
}


@pytest.mark.parametrize("case", FINE)
def test_a_pending_one_that_can_run_is_not_held_up(case: str) -> None:
    files = (*FILES[:2], file(THREE, *FINE[case], after=(TWO,)))
    there = ("id", "name", "x", "legacy")
    assert judged(ONE, TWO, files=files, patients_patient=there, django_x=("id",)).stuck == ()


def test_a_row_without_its_work_is_lacking_whatever_made_it() -> None:
    assert judged(ONE, TWO, THREE).lacking == ("patients_note", "patients_patient.phone")
    assert judged(ONE, TWO, files=FILES[:2], patients_patient=("id",)).lacking == ("patients_patient.name",)


def test_a_field_of_an_unknown_kind_is_not_missed() -> None:
    odd = FieldMade(name="odd", columns=("odd", "odd_id"), sure=False)
    files = (FILES[0], file(TWO, Operation(kind="add", model="patient", fields=(odd,)), after=(ONE,)))
    assert judged(ONE, TWO, files=files, patients_patient=("id",)).fits
    assert judged(ONE, TWO, files=files, must="patients_patient.odd_id").fits


def test_a_column_that_must_be_filled_and_that_no_model_knows_stops_every_save() -> None:
    found = judged(ONE, TWO, "patients.0004_consent", files=FILES[:2], must="patients_patient.consent")
    assert (found.ahead, found.unfillable) == (("patients.0004_consent",), ("patients_patient.consent",))
    assert "required column unknown to the deployed code, which cannot save rows in that table" in found.problems[0]
    assert judged(ONE, TWO, files=FILES[:2], must="patients_patient.consent").unfillable == (
        "patients_patient.consent",
    )
    assert judged(ONE, TWO, files=FILES[:2], must="other_table.consent").fits


def test_a_column_that_a_pending_migration_takes_away_is_pending_and_no_more() -> None:
    files = (*FILES[:2], file(THREE, Operation(kind="remove", model="patient", field="name"), after=(TWO,)))
    found = judged(ONE, TWO, files=files, patients_patient=("id",), must="patients_patient.name")
    assert (found.unfillable, found.verdict) == ((), "pending")


def test_a_history_out_of_order_and_two_ends_stop_everything() -> None:
    assert judged(TWO, files=FILES[:2]).disordered == (f"{TWO} before {ONE}",)
    fork = (*FILES[:2], file("patients.0002_other", after=(ONE,)))
    assert judged(ONE, TWO, files=fork).disordered == ("patients.0002_more and patients.0002_other",)
    merged = (*fork, file("patients.0003_merge", after=(TWO, "patients.0002_other")))
    assert judged(ONE, TWO, files=merged).disordered == ()


SQUASHED = "patients.0001_squashed_0002_more"


@pytest.mark.parametrize("applied", [(ONE, TWO), (SQUASHED,), (ONE, TWO, SQUASHED)])
@pytest.mark.parametrize("kept", [True, False])
def test_a_squashed_one_stands_for_those_it_replaces_in_either_direction(applied: tuple[str, ...], kept: bool) -> None:
    squashed = file(SQUASHED, create("id", "name"))
    last = file(THREE, add("phone"), after=(SQUASHED,))
    files = (*(FILES[:2] if kept else ()), squashed, last)
    code = CodeMigrations(
        migrations=tuple(one.name for one in files), replaces={SQUASHED: (ONE, TWO)}, steps=files
    )  # fmt: skip
    rows = tuple(Migration(app="patients", name=one.partition(".")[2]) for one in applied)
    columns = [TableColumn(table="patients_patient", name=name) for name in ("id", "name")]
    found = MigrationsVerdict.compare(code, rows, columns)
    assert (found.verdict, found.pending, found.problems[1:]) == ("pending", (THREE,), ())
    assert (found.lacking, found.stuck) == ((), ())


def test_an_application_that_cannot_be_read_is_named_and_not_judged() -> None:
    files = (*FILES[:2], MigrationFile(name=THREE, understood=False))
    found = judged(ONE, TWO, THREE, files=files, patients_patient=(), must="patients_patient.x")
    assert (found.unclear, found.lacking, found.unfillable, found.verdict) == (("patients",), (), (), "same")


def test_without_columns_only_names_are_compared() -> None:
    code = CodeMigrations(migrations=(ONE, TWO), steps=FILES[:2])
    found = MigrationsVerdict.compare(code, (Migration(app="patients", name="0002_more"),))
    assert (found.pending, found.disordered, found.lacking) == ((ONE,), (f"{TWO} before {ONE}",), ())
