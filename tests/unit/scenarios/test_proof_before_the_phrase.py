"""`recover db`: what a backup must show before its phrase is asked for; nothing is restored otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeDatabase, World
from rehearsal import Rehearsal
from uscdr.backups.proving import Code
from uscdr.errors import ExitCode
from uscdr.models.heroku import Release
from uscdr.models.migrations import CodeMigrations
from uscdr.models.postgres import CanaryResult, LeftOut
from uscdr.scenarios.results.db import Proof

KEY = "PGP_ENCRYPTION_KEY"


def clinic(quick: Path, *, key: str | None) -> Rehearsal:
    """An application whose key is `a value`, when it has one, and data that were encrypted with `key`."""
    world = World()
    if key is not None:
        world.vars, world.key = frozenset({KEY}), key
    return Rehearsal(quick, world)


def refused(run: Rehearsal) -> str:
    """The words with which a run ended that asked for no phrase and restored nothing."""
    ending = run.begin()
    assert ending is not None
    assert (ending.code, run.person.phrases) == (ExitCode.CHECK_FAILED, [])
    assert not [write for write in run.world.writes if write.startswith("restore")]
    assert ending.error is not None
    return f"{ending.error.message} {ending.error.why} {ending.error.next_action}"


def checked(run: Rehearsal) -> list[tuple[str, str]]:
    """Verdict and evidence on the key."""
    found = run.events("check.finished")
    return [(one["verdict"], one["evidence"]) for one in found if one["check"] == "the application's key fits"]


def warnings(run: Rehearsal) -> str:
    return json.dumps(run.events("note"))


def test_a_key_that_fits_is_told_and_kept_in_the_journal(quick: Path) -> None:
    run = clinic(quick, key="a value")
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert checked(run)[0] == ("pass", "50 of 50 sampled values decrypted correctly")
    kept = next(one["result"] for one in run.events("step.succeeded") if one["step"] == "prove")
    assert (kept["grade"], kept["key"]["verdict"], kept["key"]["matching"]) == ("encrypted columns decrypt", "pass", 50)
    assert "a value" not in run.journal_path.read_text()


def test_a_key_that_does_not_open_the_backup_ends_the_run_before_the_phrase(quick: Path) -> None:
    run = clinic(quick, key="another")
    words = refused(run)
    assert f"{KEY} does not fit the backup b001: 50 of 50 sampled values" in words
    assert "Choose a backup that was taken with this key" in words
    assert run.world.writes == [], "nobody is shut out for it"
    assert "a value" not in run.journal_path.read_text()


def test_what_is_not_proven_of_a_backup_is_said_and_stops_nothing(quick: Path) -> None:
    run = clinic(quick, key="a value")
    run.world.not_restored = (
        LeftOut(what="event trigger own", why="only a superuser may create an event trigger"),
        LeftOut(what="schema _heroku", why="it belongs to the platform", of_platform=True),
    )
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    said = "The proof of b001 does not cover: event trigger own (only a superuser may create an event"
    assert said in warnings(run)
    assert "_heroku" not in warnings(run)
    kept = next(one["result"] for one in run.events("step.succeeded") if one["step"] == "prove")
    assert [one["what"] for one in kept["left_out"]] == ["event trigger own"]


def test_the_dry_run_says_so_too(quick: Path) -> None:
    run = clinic(quick, key="another")
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert "does not fit" in json.dumps(run.events("plan.ready")[-1])


@pytest.mark.parametrize("case", ["no key", "nothing encrypted"])
def test_a_key_that_could_not_be_tried_is_a_warning_and_no_stop(
    quick: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = clinic(quick, key=None if case == "no key" else "a value")
    if case == "nothing encrypted":
        nothing = CanaryResult(table="patients_patient", column="first_name_enc")
        monkeypatch.setattr(FakeDatabase, "canary", lambda *_, **__: (nothing,))
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert f"NOT CHECKED: whether {KEY} opens the encrypted columns of b001" in warnings(run)
    assert checked(run)[0][0] == "not checked"


def test_a_backup_without_a_column_that_must_be_tried_is_refused(quick: Path) -> None:
    run = clinic(quick, key="a value")
    gone = run.config.recovery.canaries[0].model_copy(update={"table": "patients_old"})
    run.config = run.config.model_copy(
        update={"recovery": run.config.recovery.model_copy(update={"canaries": (gone,)})}
    )
    words = refused(run)
    assert "there is no table patients_old" in words
    assert "recovery.canaries" in words


def test_a_backup_without_an_expected_table_is_refused(quick: Path) -> None:
    run = clinic(quick, key="a value")
    app = run.config.app.model_copy(update={"expected_tables": ("patients_patient", "patients_gone")})
    run.config = run.config.model_copy(update={"app": app})
    words = refused(run)
    assert "b001 restores, but tables are missing: patients_gone. There is no other backup" in words
    assert "app.expected_tables" in words


def test_a_backup_without_an_extension_that_its_own_list_has_is_refused(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = clinic(quick, key="a value")
    monkeypatch.setattr(FakeDatabase, "extensions", lambda _: ())
    assert "the restored database lacks the extension pgcrypto" in refused(run)


def test_a_proof_of_an_older_journal_is_still_read() -> None:
    old = {
        "backup": "b001", "transfer_id": "t", "sha256": "ab", "bytes": 1, "rows": 1, "tables": [], "invariants": [],
        "migrations": 1, "extensions": [], "newest": {}, "seconds": 1.0,
    }  # fmt: skip
    found = Proof.model_validate(old)
    assert (found.grade, found.missing, found.key.verdict) == ("", (), "not checked")


def test_a_key_that_was_changed_is_found_before_users_are_shut_out(quick: Path) -> None:
    """The message knows the key that did fit, and the release that changed it."""
    run = clinic(quick, key="another")
    run.request = replace(run.request, backup="b001")
    run.world.releases.insert(
        0, Release(id="r2", version=42, status="succeeded", description=f"Set {KEY}, DEBUG config vars", current=True)
    )
    words = refused(run)
    assert "Release v42 changed PGP_ENCRYPTION_KEY" in words
    assert "uscdr recover app --release v41" in words
    assert run.world.writes == []
    assert not run.world.maintenance


def test_a_few_damaged_values_are_told_and_stop_nothing(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = clinic(quick, key="a value")
    few = CanaryResult(table="patients_patient", column="first_name_enc", sampled=50, matching=48, unreadable=2)
    monkeypatch.setattr(FakeDatabase, "canary", lambda *_, **__: (few,))
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert "does not decrypt 2 of 50 sampled values" in warnings(run)


def test_values_whose_plain_column_was_emptied_are_opened_all_the_same(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = clinic(quick, key="a value")
    blank = CanaryResult(table="patients_patient", column="first_name_enc", sampled=50, matching=20, blank=30)
    monkeypatch.setattr(FakeDatabase, "canary", lambda *_, **__: (blank,))
    run.begin(dry_run=True)
    assert checked(run)[0] == ("pass", "50 of 50 sampled values decrypted correctly")


def test_a_table_under_another_key_is_not_hidden_by_many_columns_that_can_be_read(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = clinic(quick, key="a value")
    good = [
        CanaryResult(table="authentication_user", column=f"c{number}_enc", sampled=200, matching=200)
        for number in range(6)
    ]
    other = CanaryResult(table="patients_medicalrecord", column="diagnosis_enc", sampled=200, unreadable=200)
    monkeypatch.setattr(FakeDatabase, "canary", lambda *_, **__: (*good, other))
    words = refused(run)
    assert f"{KEY} does not fit the backup b001: 200 of 1,400 sampled values cannot be decrypted with it" in words
    assert "(200 of 200 in patients_medicalrecord.diagnosis_enc)" in words


@pytest.mark.parametrize("pending", [True, False], ids=["older than the code", "as the code has it"])
def test_a_column_that_pending_migrations_may_bring_is_told_and_any_other_refused(
    quick: Path, monkeypatch: pytest.MonkeyPatch, pending: bool
) -> None:
    run = clinic(quick, key="a value")
    names = ("patients.0001_initial", "patients.0002_names", *(("patients.0003_phone",) if pending else ()))
    monkeypatch.setattr("rehearsal.CODE", Code("abc", CodeMigrations(migrations=names)))
    found = (
        CanaryResult(table="patients_patient", column="first_name_enc", sampled=50, matching=50),
        CanaryResult(table="patients_patient", column="phone_enc", missing="column patients_patient.phone_enc"),
    )
    monkeypatch.setattr(FakeDatabase, "canary", lambda *_, **__: found)
    if not pending:
        assert f"It is not known whether {KEY} fits the backup b001: there is no column patients_patient.phone_enc" in (
            refused(run)
        )
        return
    run.begin(dry_run=True)
    assert run.events("plan.ready")[-1]["phrase"]
    assert "there is no column patients_patient.phone_enc" in warnings(run)
    assert "checks them afterwards" in warnings(run)


def test_a_key_that_was_unset_is_told_with_the_release_that_did_it(quick: Path) -> None:
    run = clinic(quick, key=None)
    run.world.releases.insert(
        0, Release(id="r2", version=42, status="succeeded", description=f"Remove {KEY} config vars", current=True)
    )
    run.begin(dry_run=True)
    told = warnings(run)
    assert f"NOT CHECKED: whether {KEY} opens the encrypted columns of b001" in told
    assert f"Release v42 changed {KEY}. Restore the earlier one: uscdr recover app --release v41" in told
