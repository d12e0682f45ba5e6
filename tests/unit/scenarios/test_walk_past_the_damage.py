"""Which backup is taken when nobody names one: the newest that lost nothing since the one before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeDatabase, World
from rehearsal import Rehearsal
from uscdr.backups.loss import DatabaseState, Earlier
from uscdr.backups.proving import Code
from uscdr.errors import ExitCode, NotFound, ProviderError, WrongContent
from uscdr.models.heroku import Release
from uscdr.models.migrations import CodeMigrations
from uscdr.models.postgres import CanaryResult, TableSize
from uscdr.models.transfers import TransferKind
from uscdr.scenarios.adapters import Adapters

SCHEDULED = TransferKind.SCHEDULED_BACKUP
MAIN = ("patients_patient", "patients_medicalrecord", "feedback_feedback")


def backup(world: World, hours: float) -> str:
    """One of the data as they are."""
    return world.store(SCHEDULED, age=timedelta(hours=hours)).name


def remove(world: World, table: str, keys: range) -> None:
    for key in keys:
        world.live.tables[table].pop(key)


def add(world: World, keys: range, *tables: str) -> None:
    for table in tables:
        world.live.tables[table] |= dict.fromkeys(keys, 1)


def rewrite(world: World, keys: range, *tables: str) -> None:
    for table in tables:
        world.live.tables[table] |= dict.fromkeys(keys, 2)


def exchange(world: World, *tables: str) -> None:
    for table in tables:
        world.live.tables[table] = {key + 10_000: value for key, value in world.live.tables[table].items()}


def desk(state: Path) -> Rehearsal:
    """A clinic with two main tables, and a001 and a002 of a healthy state."""
    run = Rehearsal(state, World(keep=20, age=timedelta(hours=50)))
    run.config = run.config.model_copy(update={"app": run.config.app.model_copy(update={"expected_tables": MAIN})})
    run.config = run.config.model_copy(update={"invariants": ()})
    add(run.world, range(100, 200), "patients_patient")
    run.world.live.tables["patients_medicalrecord"] = dict.fromkeys(range(1, 201), 1)
    run.world.live.tables["feedback_feedback"] = dict.fromkeys(range(1, 201), 1)
    run.world.transfers.clear()
    run.config = run.config.model_copy(update={"objectives": run.config.objectives.model_copy(update={"rpo": 86400.0})})
    backup(run.world, 20)
    return run


def looked(run: Rehearsal) -> dict[str, Any]:
    """What the dry run's plan says of the backup."""
    run.begin(dry_run=True)
    lines = run.events("plan.ready")[-1]["steps"]
    return {"choose": next(line["summary"] for line in lines if line["id"] == "choose"), "text": json.dumps(lines)}


def asked(run: Rehearsal) -> str:
    """Why a person has to choose, and how."""
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert ending.error is not None
    assert ending.code is ExitCode.DECLINED
    return f"{ending.error.message} {ending.error.why} {ending.error.next_action}"


DAMAGES: dict[str, Callable[[World], object]] = {
    "a third of the rows is gone": lambda w: remove(w, "patients_medicalrecord", range(1, 70)),
    "a table is empty": lambda w: remove(w, "patients_medicalrecord", range(1, 201)),
    "a table is gone": lambda w: w.live.tables.pop("patients_medicalrecord"),
    "rows of three tables were rewritten": lambda w: rewrite(w, range(100, 150), *MAIN),
    "rows are another clinic's": lambda w: exchange(w, *MAIN),
    "rows were loaded twice": lambda w: add(w, range(1001, 1201), *MAIN),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_backup_made_after_the_damage_is_passed_over(quick: Path, damage: str) -> None:
    run = desk(quick)
    DAMAGES[damage](run.world)
    backup(run.world, 5)
    backup(run.world, 1)
    seen = looked(run)
    assert seen["choose"].startswith("a001 ")
    assert "passed over: a003 (" in seen["choose"]
    assert "a002 (" in seen["choose"]
    assert "the damage came after a001" in seen["choose"]
    assert "patients_medicalrecord" in seen["choose"]


TEMPLATES = "reports_reporttemplate"


def warned(run: Rehearsal) -> str:
    """What a dry run warns of."""
    run.begin(dry_run=True)
    return json.dumps(run.events("note"))


@pytest.mark.parametrize(
    ("released", "told"), [(10.0, False), (None, False), (40.0, True), (2.0, True)],
    ids=["between the two", "nobody knows when", "before both", "after both"],
)  # fmt: skip
def test_what_every_release_writes_anew_is_no_damage_when_one_lies_between(
    quick: Path, released: float | None, told: bool
) -> None:
    run = desk(quick)
    app = run.config.app.model_copy(update={"expected_tables": (*MAIN, TEMPLATES)})
    assert app.written_by_release == (TEMPLATES,)
    run.config = run.config.model_copy(update={"app": app})
    run.world.live.tables[TEMPLATES] = dict.fromkeys(range(1, 10), 1)
    run.world.transfers.clear()
    backup(run.world, 20)
    now = datetime.now(UTC)
    hours = (60.0, released) if released is not None else (None,)
    run.world.releases = [
        Release(id=f"r{at}", version=40 + place, status="succeeded", current=place == len(hours) - 1,
                created_at=None if at is None else now - timedelta(hours=at))
        for place, at in enumerate(hours)
    ][::-1]  # fmt: skip
    rewrite(run.world, range(1, 10), TEMPLATES)
    backup(run.world, 5)
    add(run.world, range(5000, 5003), "patients_patient")  # the live database is not the backup
    assert (f"9 rows of {TEMPLATES} have other content" in warned(run)) is told
    rewrite(run.world, range(100, 150), *MAIN[:2])
    backup(run.world, 1)
    add(run.world, range(5003, 5006), "patients_patient")
    if not told:
        assert "rows of patients_patient have other content" in warned(run), "of other tables it is told as before"
    run.world.live.tables[TEMPLATES].clear()
    backup(run.world, 0.5)
    assert f"{TEMPLATES} is empty; it had 9 rows" in looked(run)["choose"]


def test_one_table_that_is_rewritten_is_told_and_one_value_in_all_its_rows_is_damage(quick: Path) -> None:
    run = desk(quick)
    run.world.live.tables["feedback_feedback"] = {key: key % 50 for key in range(1, 201)}
    backup(run.world, 19)
    run.world.live.tables["feedback_feedback"] = {key: key % 40 for key in range(1, 201)}
    backup(run.world, 5)
    add(run.world, range(5000, 5003), "patients_patient")  # the live database is not the backup
    told = looked(run)
    assert told["choose"].startswith("a003 ")
    assert "rows of feedback_feedback have other content than in a002" in json.dumps(run.events("note"))
    run.world.live.tables["feedback_feedback"] = dict.fromkeys(range(1, 201), 7)
    backup(run.world, 1)
    seen = looked(run)["choose"]
    assert seen.startswith("a003 ")
    assert "passed over: a004 (" in seen
    assert "every row of feedback_feedback has the same content; a003 has 40 values" in seen


def test_rows_that_miss_theirs_are_damage_where_the_key_that_forbids_it_is_gone(quick: Path) -> None:
    run = desk(quick)
    run.world.live.keys_gone = {"feedback_feedback_fk": 0}
    backup(run.world, 5)
    assert looked(run)["choose"].startswith("a002 ")
    assert "feedback_feedback has lost its foreign key feedback_feedback_fk since a001" in json.dumps(
        run.events("note")
    )
    run.world.live.keys_gone = {"feedback_feedback_fk": 3}
    backup(run.world, 1)
    seen = looked(run)["choose"]
    words = "3 rows of feedback_feedback refer to a missing row, and the key that prevents it in a001 is gone"
    assert "passed over: a003 (" in seen
    assert words in seen


def test_rows_that_are_there_again_are_damage_where_the_key_that_forbids_it_is_gone(quick: Path) -> None:
    run = desk(quick)
    run.world.live.keys_gone = {"feedback_feedback": 0}
    backup(run.world, 5)
    assert looked(run)["choose"].startswith("a002 ")
    assert "nothing keeps feedback_feedback (mark) unique since a001" in json.dumps(run.events("note"))
    run.world.live.keys_gone = {"feedback_feedback": 3}
    backup(run.world, 1)
    seen = looked(run)["choose"]
    assert "passed over: a003 (" in seen
    assert "3 rows are duplicated in feedback_feedback (mark), and the key that prevents it in a001 is gone" in seen


def test_a_backup_without_what_opens_encrypted_columns_is_passed_over(quick: Path) -> None:
    run = desk(quick)
    run.world.vars, run.world.key = frozenset({"PGP_ENCRYPTION_KEY"}), "a value"
    run.world.live.sealed = "extension pgcrypto"
    backup(run.world, 1)
    seen = looked(run)["choose"]
    assert seen.startswith("a001 ")
    assert "passed over: a002 (there is no extension pgcrypto, which a001 has)" in seen


def test_rows_exchanged_in_one_table_are_told_only(quick: Path) -> None:
    run = desk(quick)
    exchange(run.world, "feedback_feedback")
    backup(run.world, 1)
    add(run.world, range(1, 4), "feedback_feedback")
    seen = looked(run)
    assert seen["choose"].startswith("a002 ")
    words = "200 rows of feedback_feedback are missing, and as many others are there that a001 does not have"
    assert words in json.dumps(run.events("note"))


@pytest.mark.parametrize("kind", [NotFound, WrongContent])
def test_a_backup_whose_file_is_gone_or_another_is_passed_over(quick: Path, kind: type[ProviderError]) -> None:
    run = desk(quick)
    backup(run.world, 1)
    run.world.undelivered = {"2": kind("It is not there.", provider="heroku", why="It was dropped.")}
    seen = looked(run)["choose"]
    assert seen.startswith("a001 ")
    assert "passed over: a002 (It is not there: It was dropped)" in seen


def test_a_backup_that_cannot_be_fetched_now_is_not_passed_over(quick: Path) -> None:
    run = desk(quick)
    backup(run.world, 1)
    run.world.undelivered = {"2": ProviderError("The line is cut.", provider="heroku", retryable=True)}
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert ending.code is ExitCode.FAILED
    assert ending.error is not None
    assert ending.error.message == "The line is cut."


def test_the_run_takes_what_the_dry_run_took_and_proves_each_backup_once(quick: Path) -> None:
    run = desk(quick)
    DAMAGES["a third of the rows is gone"](run.world)
    backup(run.world, 1)
    phrase = run.phrase()
    assert " a001 " in phrase
    before = run.world.calls["public_url"]
    ending = run.begin(confirm=phrase)
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert len(run.world.live.tables["patients_medicalrecord"]) == 200
    assert run.world.calls["public_url"] - before == 3, "two to look at, one to restore from"


def test_rows_that_users_removed_pass_nothing_over(quick: Path) -> None:
    run = desk(quick)
    remove(run.world, "patients_medicalrecord", range(1, 8))
    backup(run.world, 1)
    add(run.world, range(2000, 2003), "patients_medicalrecord")
    seen = looked(run)
    assert seen["choose"].startswith("a002 ")
    assert "passed over" not in seen["choose"]


def test_a_backup_that_the_live_database_equals_is_no_default_while_an_older_one_has_more(quick: Path) -> None:
    run = desk(quick)
    remove(run.world, "patients_medicalrecord", range(1, 4))
    backup(run.world, 1)
    words = asked(run)
    assert "live database equals a002 in every row" in words
    assert "a001 has rows that both lack (3 of patients_medicalrecord)" in words
    assert "uscdr recover db --backup a001" in words
    assert run.world.writes == []


def test_a_backup_that_the_live_database_equals_is_no_default_while_an_older_one_has_other_content(quick: Path) -> None:
    """All passwords were set to one, and the schedule took a backup of that."""
    run = desk(quick)
    rewrite(run.world, range(1, 201), "feedback_feedback")
    backup(run.world, 1)
    words = asked(run)
    assert "live database equals a002 in every row" in words
    assert "a001 has rows with other content (200 of feedback_feedback)" in words
    assert "If that is the damage, a002 was taken after it" in words
    assert "uscdr recover db --backup a001" in words
    assert run.world.writes == []


def test_on_a_healthy_database_the_plan_says_that_nothing_changes(quick: Path) -> None:
    run = desk(quick)
    backup(run.world, 1)
    run.begin(dry_run=True)
    told = json.dumps(run.events("note"))
    assert "the live database equals a002 in every row: restoring it changes nothing" in told
    assert looked(run)["choose"].startswith("a002 ")


def test_when_all_are_damaged_a_person_chooses(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = desk(quick)
    healthy = DatabaseState("the baseline", datetime.now(UTC) - timedelta(days=3), {"patients_medicalrecord": 1000})
    real = Rehearsal.adapters

    def adapters(self: Rehearsal, *given: Any) -> Adapters:
        return real(self, *given).but(knows=lambda: Earlier((healthy,)))

    monkeypatch.setattr(Rehearsal, "adapters", adapters)
    backup(run.world, 1)
    words = asked(run)
    assert "patients_medicalrecord has 200 of 1,000 rows since the baseline" in words
    assert "a002 (" in words
    assert "a001 (" in words
    assert "uscdr recover db --backup" in words


def test_no_more_than_five_are_tried(quick: Path) -> None:
    run = desk(quick)
    for hours in range(18, 4, -2):
        left = len(run.world.live.tables["patients_medicalrecord"]) // 3
        run.world.live.tables["patients_medicalrecord"] = dict.fromkeys(range(1, 1 + left), 1)
        backup(run.world, hours)
    words = asked(run)
    assert "the time for choosing is used up" in words
    assert run.world.calls["public_url"] == 5


def test_a_backup_that_neither_code_nor_live_database_leads_to_is_passed_over(quick: Path, known_code: None) -> None:
    run = desk(quick)
    run.world.live.applied.append("patients.0099_future")
    add(run.world, range(3000, 3005), "patients_medicalrecord")
    backup(run.world, 1)
    run.world.live.applied.remove("patients.0099_future")
    seen = looked(run)
    assert seen["choose"].startswith("a001 ")
    assert "neither the code nor the live database knows: patients.0099_future" in seen["choose"]


def test_migrations_that_come_after_it_are_told_with_the_proof(quick: Path, known_code: None) -> None:
    run = desk(quick)
    seen = looked(run)
    assert "1 migration will be applied after the restore" in seen["text"]


@pytest.fixture
def known_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployed code's migrations are known: three, of which the clinic has applied two."""
    code = CodeMigrations(migrations=("patients.0001_initial", "patients.0002_names", "patients.0003_phone"))
    monkeypatch.setattr("rehearsal.CODE", Code("abc", code))


def test_a_table_without_its_primary_key_is_passed_over(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = desk(quick)
    add(run.world, range(3000, 3005), "patients_medicalrecord")
    backup(run.world, 1)
    whole = FakeDatabase.tables

    def tables(self: FakeDatabase) -> tuple[TableSize, ...]:
        keyed = len(self._data().tables["patients_medicalrecord"]) == 200
        return tuple(one.model_copy(update={"keyed": keyed}) for one in whole(self))

    monkeypatch.setattr(FakeDatabase, "tables", tables)
    seen = looked(run)
    assert seen["choose"].startswith("a001 ")
    assert "a002 (no primary key in " in seen["choose"]


@pytest.mark.parametrize(("sealed", "taken"), [(40, "a001"), (3, "a002")], ids=["a column", "a few values"])
def test_a_backup_with_a_column_under_another_key_is_passed_over_for_one_that_can_be_read(
    quick: Path, monkeypatch: pytest.MonkeyPatch, sealed: int, taken: str
) -> None:
    run = desk(quick)
    add(run.world, range(3000, 3005), "patients_medicalrecord")
    backup(run.world, 1)

    def canary(self: FakeDatabase, *_: object, **__: object) -> tuple[CanaryResult, ...]:
        wrong = sealed if len(self._data().tables["patients_medicalrecord"]) > 200 else 0
        names = CanaryResult(table="patients_patient", column="first_name_enc", sampled=100, matching=100)
        last = CanaryResult(
            table="patients_patient", column="last_name_enc", sampled=40, matching=40 - wrong, unreadable=wrong
        )
        return names, last

    monkeypatch.setattr(FakeDatabase, "canary", canary)
    run.world.vars = frozenset({"PGP_ENCRYPTION_KEY"})
    seen = looked(run)
    assert seen["choose"].startswith(f"{taken} ")
    words = f"{sealed} of 40 in patients_patient.last_name_enc cannot be read with the key; in a001 all could"
    assert (f"a002 ({words})" in seen["choose"]) is (taken == "a001")
    assert words in json.dumps(run.events("note")) or taken == "a001"


def test_what_a_restore_replaced_is_no_measure_for_what_comes_after(quick: Path) -> None:
    """Rows that were loaded twice are in a backup; the state that was restored after it has half as many."""
    run = desk(quick)
    DAMAGES["rows were loaded twice"](run.world)
    backup(run.world, 1)
    ending = run.begin(confirm=run.phrase())
    assert ending is not None
    assert ending.code is ExitCode.DONE
    add(run.world, range(5000, 5003), "patients_medicalrecord")
    newest = run.world.store(SCHEDULED).name
    add(run.world, range(5003, 5005), "patients_medicalrecord")
    seen = looked(run)
    assert seen["choose"].startswith(f"{newest} ")
    assert "passed over" not in seen["choose"]


def test_no_backup_is_proposed_that_would_be_refused(quick: Path) -> None:
    run = desk(quick)
    run.world.transfers.clear()
    del run.world.live.tables["patients_medicalrecord"]
    backup(run.world, 3)
    backup(run.world, 2)
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DECLINED
    assert ending.error is not None
    assert "tables are missing: patients_medicalrecord" in ending.error.why
    assert "--backup" not in ending.error.next_action
    assert "uscdr kit list" in ending.error.next_action
    assert run.world.writes == []
