"""What a migration's file does to tables is read from its text; what is not plain is said to be unclear."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.models.schema import Operation, SchemaState
from uscdr.providers.source.migrations import _parse

FILE = """
from django.conf import settings
from django.db import migrations, models
import mptt.fields


class Migration(migrations.Migration):
    dependencies = [("patients", "0001_initial"), migrations.swappable_dependency(settings.AUTH_USER_MODEL),
                    ("auth", "__first__")]
    operations = [
{operations}
    ]
"""


def read(*operations: str) -> tuple[Operation, ...]:
    found = _parse("patients.0002_x", FILE.format(operations=",\n".join(operations)))
    assert found.understood
    assert found.dependencies == ("patients.0001_initial",)
    return found.operations


CREATE = """migrations.CreateModel(name="Patient", fields=[
    ("id", models.BigAutoField(primary_key=True)),
    ("owner", models.ForeignKey(to=settings.AUTH_USER_MODEL, on_delete=models.CASCADE)),
    ("code", models.CharField(max_length=3, db_column="legacy_code")),
    ("friends", models.ManyToManyField(to="patients.Patient")),
    ("odd", mptt.fields.OddThing()),
], options=OPTIONS)"""


def columns(*operations: str) -> dict[str, set[str]]:
    state = SchemaState.after([_parse("patients.0002_x", FILE.format(operations=",\n".join(operations)))])
    assert not state.unclear
    return {table: set(model.columns()) for table, model in state.tables().items()}


def create(options: str = "{}") -> str:
    return CREATE.replace("OPTIONS", options)


WHOLE = {"id", "owner_id", "legacy_code", "odd", "odd_id"}


def test_columns_have_the_names_that_django_gives_them() -> None:
    assert columns(create()) == {"patients_patient": WHOLE}
    assert columns(create('{"db_table": "people"}')) == {"people": WHOLE}


@pytest.mark.parametrize("options", ['{"managed": False}', '{"proxy": True}', '{"swappable": "X"}'])
def test_a_model_without_a_table_of_its_own_is_not_judged(options: str) -> None:
    assert columns(create(options)) == {}


CHANGES = {
    'migrations.AddField("Patient", "phone", models.TextField(default=""))': WHOLE | {"phone"},
    'migrations.AlterField("patient", "code", models.CharField(max_length=9))': WHOLE - {"legacy_code"} | {"code"},
    'migrations.RemoveField("patient", "owner")': WHOLE - {"owner_id"},
    'migrations.RenameField("patient", "owner", "keeper")': WHOLE - {"owner_id"} | {"keeper_id"},
    'migrations.RenameField("patient", "code", "kind")': WHOLE,
    "migrations.RunPython(lambda apps, editor: None)": WHOLE,
    'migrations.RunSQL("ALTER TABLE patients_patient ADD x int")': WHOLE,
    'migrations.AddIndex("patient", index=models.Index(fields=["code"], name="i"))': WHOLE,
    """migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("patient", "owner")])""": WHOLE
    - {"owner_id"},
    """migrations.SeparateDatabaseAndState(database_operations=[migrations.RemoveField("patient", "owner")])""": WHOLE,
    """migrations.RunSQL("x", state_operations=[migrations.RemoveField("patient", "owner")])""": WHOLE - {"owner_id"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_followed(change: str) -> None:
    assert columns(create(), change) == {"patients_patient": CHANGES[change]}


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ('migrations.RenameModel("Patient", "Person")', "patients_person"),
        ('migrations.AlterModelTable("patient", "people")', "people"),
        ('migrations.AlterModelTable("patient", None)', "patients_patient"),
    ],
)
def test_a_table_is_followed_to_its_new_name(change: str, table: str) -> None:
    assert columns(create(), change) == {table: WHOLE}


def test_a_deleted_model_has_no_table() -> None:
    assert columns(create(), 'migrations.DeleteModel("Patient")') == {}


@pytest.mark.parametrize(
    "operations",
    ["*SHARED", "make()", 'migrations.CreateModel(name="A", fields=FIELDS)', "migrations.AddField(**given)", "Own()"],
)
def test_what_is_not_plain_makes_the_application_unclear(operations: str) -> None:
    assert SchemaState.after([_parse("patients.0002_x", FILE.format(operations=operations))]).unclear == {"patients"}


@pytest.mark.parametrize(
    "text", ["", "x = (", "class Migration: ...\n", "class Other: ...\n", "\0", "-" * 100_000 + "1"]
)
def test_any_text_can_be_read(text: str) -> None:
    assert _parse("patients.0002_x", text).operations == ()


def test_python_of_its_own_is_known() -> None:
    found = _parse("patients.0002_x", FILE.format(operations="migrations.RunPython(f)"))
    assert (found.runs_code, _parse("p.1", FILE.format(operations=create())).runs_code) == (True, False)


def test_every_migration_of_the_packaged_application_is_understood() -> None:
    from uscdr.sandbox import clinic

    root = Path(next(iter(clinic.__path__)))
    files = [
        _parse(f"{one.parent.parent.name}.{one.stem}", one.read_text()) for one in root.glob("*/*/migrations/0*.py")
    ]
    assert len(files) > 20
    assert [one.name for one in files if not one.understood] == []
    assert SchemaState.after(sorted(files, key=lambda one: one.name)).unclear == set()
