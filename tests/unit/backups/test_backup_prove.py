"""What a proof shows and how it is graded, by `backup prove` and by a recovery alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from backup_world import NOW, Safe
from fakes import FakeBackups, FakeDatabase, FakeScratch, World
from uscdr.backups import proofs
from uscdr.backups.proofs import Grade, ProofDocument, ProvenInvariant
from uscdr.backups.proving import TABLES_THERE, Code, Decoded, EncryptionKey, ProofSubject, Questions
from uscdr.engine.wait import Stop
from uscdr.errors import CheckFailed, MachineError
from uscdr.models.data_settings import CanaryColumn, Invariant
from uscdr.models.migrations import CodeMigrations
from uscdr.models.postgres import CanaryResult, LeftOut, TableDigest
from uscdr.report.backups import show_proof
from uscdr.scenarios.prover import DumpSource, Prover
from uscdr.scenarios.results.db import Proof
from uscdr.ui.console import Output

THERE = Invariant(name="patients are there", sql="count patients_patient", minimum=50)
COLUMN = CanaryColumn(table="patients_patient", encrypted="first_name_enc", plain="first_name")
ASKED = Questions(
    invariants=(THERE,), expected_tables=("patients_patient",), canaries=(COLUMN,),
    key=EncryptionKey("PGP_ENCRYPTION_KEY", SecretStr("key")),
    code=Code("main", CodeMigrations(migrations=("patients.0001_initial",))),
)  # fmt: skip
OLD = ("patients.0001_initial", "patients.0002_names")
SUBJECT = ProofSubject(
    sha256="ab" * 32, size=10, app="usc-pis", backup="b001", transfer_id="transfer-1", taken_at=NOW, source="vault"
)


def decoded(_: Path) -> Decoded:
    return Decoded("17.2", "17", ("pgcrypto",))


def refusing(_: Path) -> Decoded:
    raise CheckFailed("pg_restore cannot decode the dump.", why="It is a web page.")


def proven(
    tmp_path: Path,
    questions: Questions = ASKED,
    decode: Callable[[Path], Decoded] = decoded,
    world: World | None = None,
) -> ProofDocument:
    world = world or World()
    dump = tmp_path / "b001.dump"
    dump.write_text("https://signed.example/1")
    return SUBJECT.prove(dump, questions, decode, cast("Any", FakeScratch(world)), lambda done, total: None)


def test_everything_shown_is_the_best_grade(tmp_path: Path) -> None:
    found = proven(tmp_path)
    assert (found.grade, found.why, found.sound) == (Grade.DECRYPTS, "", True)
    assert (found.tables, found.rows) == (3, 57)
    assert [(one.name, one.holds) for one in found.invariants] == [
        ("patients are there", True), ("expected tables are there", True),
    ]  # fmt: skip
    assert (found.canary.verdict, found.canary.matching) == ("pass", 50)
    assert found.extensions == ("pgcrypto",)
    assert (found.pg_restore, found.server, found.dumped_from) == ("17.2", "17.2", "17")
    assert found.demands == proofs.demands_digest((THERE,))


CASES: dict[str, tuple[dict[str, Any], Grade, str, bool]] = {
    "broken invariant": (
        {"invariants": (THERE.model_copy(update={"minimum": 51}),)}, Grade.RESTORES, "failed: patients are", False,
    ),
    "missing table": ({"expected_tables": ("nowhere",)}, Grade.RESTORES, "tables are missing: nowhere", False),
    "nothing asked": ({"invariants": ()}, Grade.RESTORES, "has no invariant that applies", False),
    "wrong key": ({"key": EncryptionKey("K", SecretStr("other"))}, Grade.INVARIANTS, "not decrypt 50 of 50", False),
    "no key": ({"key": EncryptionKey("K", why="the app is gone")}, Grade.INVARIANTS, "the app is gone", True),
    "empty key": ({"key": EncryptionKey("K", SecretStr(""))}, Grade.INVARIANTS, "K is not set", True),
    "no encrypted column": ({"canaries": ()}, Grade.INVARIANTS, "names no encrypted column", True),
    "column that is not there": (
        {"canaries": (COLUMN.model_copy(update={"table": "gone"}),)}, Grade.INVARIANTS, "no table gone", False,
    ),
    "one of two columns": (
        {"canaries": (COLUMN, COLUMN.model_copy(update={"table": "gone"}))}, Grade.INVARIANTS, "no table gone", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_lack_lowers_the_grade_and_is_named(tmp_path: Path, case: str) -> None:
    change, grade, why, sound = CASES[case]
    found = proven(tmp_path, replace(ASKED, **change))
    assert found.grade is grade
    assert why in found.why
    assert found.sound is sound


def test_what_does_not_decode_or_restore_is_told_in_a_document(tmp_path: Path) -> None:
    found = proven(tmp_path, decode=refusing)
    assert (found.grade, found.why) == (Grade.EXISTS, "pg_restore cannot decode the dump. It is a web page.")
    world = World()
    world.dumps[1].tables.clear()
    dump = tmp_path / "b001.dump"
    found = SUBJECT.prove(dump, ASKED, decoded, cast("Any", FakeScratch(world)), lambda done, total: None)
    assert (found.grade, found.sound) == (Grade.DECODES, False)


def test_an_extension_that_is_not_there_after_the_restore_is_no_restore(tmp_path: Path) -> None:
    found = proven(tmp_path, decode=lambda _: Decoded("17.2", "17", ("pgcrypto", "postgis")))
    assert (found.grade, found.why) == (Grade.DECODES, "the restored database lacks the extension postgis")


def test_an_extension_that_was_left_out_and_said_lowers_no_grade(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World()
    world.not_restored = (LeftOut(what="extension postgis", why="the server does not have it"),)
    found = proven(tmp_path, decode=lambda _: Decoded("17.2", "17", ("pgcrypto", "postgis")), world=world)
    assert (found.grade, found.left_out) == (Grade.DECRYPTS, world.not_restored)
    show_proof(found, "p", Output())
    assert "NOT PROVEN  extension postgis (the server does not have it)" in capsys.readouterr().out


def test_a_machine_that_fails_proves_nothing_against_the_dump(tmp_path: Path) -> None:
    def failing(_: Path) -> Decoded:
        raise MachineError("this machine needs pg_restore")

    with pytest.raises(MachineError):
        proven(tmp_path, decode=failing)


def test_no_encrypted_value_is_not_a_key_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = CanaryResult(table="patients_patient", column="first_name_enc", unencrypted=3)
    monkeypatch.setattr(FakeDatabase, "canary", lambda *_, **__: (nothing,))
    found = proven(tmp_path)
    assert (found.grade, found.canary.verdict) == (Grade.INVARIANTS, "not checked")


@pytest.mark.parametrize(
    ("applied", "verdict", "pending", "ahead"),
    [
        ({"patients.0001_initial", "patients.0002_phone", "auth.0001_initial"}, "same", (), ()),
        ({"patients.0001_initial"}, "pending", ("patients.0002_phone",), ()),
        ({"patients.0001_initial", "patients.0002_phone", "patients.0003_new"}, "ahead", (), ("patients.0003_new",)),
        ({"patients.0003_new"}, "ahead", ("patients.0001_initial", "patients.0002_phone"), ("patients.0003_new",)),
    ],
)
def test_migrations_against_the_code(
    tmp_path: Path, applied: set[str], verdict: str, pending: tuple[str, ...], ahead: tuple[str, ...]
) -> None:
    code = CodeMigrations(migrations=("patients.0001_initial", "patients.0002_phone"))
    world = World()
    world.dumps[1].applied = sorted(applied)
    found = proven(tmp_path, replace(ASKED, code=Code("main", code)), world=world).migrations
    assert (found.verdict, found.against, found.pending, found.ahead) == (verdict, "main", pending, ahead)
    unknown = proven(tmp_path, replace(ASKED, code=Code(why="no repository")), world=world).migrations
    assert (unknown.verdict, unknown.why) == ("not checked", "no repository")


def test_a_squashed_migration_in_the_dump_is_told_from_one_that_the_code_lacks(tmp_path: Path) -> None:
    world, squashed = World(), "patients.squashed_initial"
    asked = replace(ASKED, code=Code("main", CodeMigrations(migrations=(squashed,), replaces={squashed: OLD})))
    assert proven(tmp_path, asked, world=world).migrations.verdict == "same"
    world.dumps[1].applied.append(squashed)
    assert proven(tmp_path, asked, world=world).migrations.verdict == "same"
    lacking = replace(ASKED, code=Code("main", CodeMigrations(migrations=OLD)))
    assert proven(tmp_path, lacking, world=world).migrations.ahead == (squashed,)


def here(world: World, place: Path, questions: Questions = ASKED) -> tuple[Proof, Prover]:
    """The proof that a recovery makes of b001."""
    candidate = Prover(cast("Any", FakeScratch(world)), decoded, place, lambda: questions, Stop())
    tell = cast("Any", SimpleNamespace(progress=lambda *_, **__: None))
    return candidate.proof(DumpSource.stored(FakeBackups(world), "usc-pis", world.transfers[0]), tell), candidate


@pytest.mark.parametrize("case", ["nothing is wrong", *CASES])
def test_a_recovery_and_backup_prove_judge_the_same_bytes_alike(quick: Path, case: str) -> None:
    questions = replace(ASKED, **CASES.get(case, ({},))[0])
    kept = proven(quick, questions)
    proof, candidate = here(World(), quick, questions)
    assert (proof.grade, proof.key, proof.extensions) == (kept.grade.value, kept.canary, kept.extensions)
    assert (len(proof.tables), proof.rows, proof.migrations) == (kept.tables, kept.rows, kept.migrations.applied)
    seen = [ProvenInvariant(name=one.name, holds=one.holds) for one in proof.invariants]
    assert [*seen, ProvenInvariant(name=TABLES_THERE, holds=not proof.missing)] == list(kept.invariants)
    assert candidate.digests()
    assert candidate.open_database().tables()
    candidate.close()
    with pytest.raises(MachineError):
        candidate.open_database()


def test_a_recovery_goes_on_with_nothing_that_does_not_restore(quick: Path) -> None:
    empty = World()
    empty.dumps[1].tables.clear()
    with pytest.raises(CheckFailed, match="does not decode"):
        here(empty, quick)


def test_a_recovery_reads_every_table_once(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Counting(FakeDatabase):
        def counts(self, tables: Sequence[str]) -> Mapping[str, int]:
            asked.append("counts")
            return super().counts(tables)

        def digests(self, tables: Sequence[str]) -> tuple[TableDigest, ...]:
            asked.append("digests")
            return super().digests(tables)

    monkeypatch.setattr("fakes.FakeDatabase", Counting)
    here(World(), quick)
    assert asked == ["digests"]


def test_a_proof_is_kept_under_the_bytes_it_speaks_of(quick: Path) -> None:
    safe = Safe(quick)
    card = safe.pull()
    safe.prove(card)
    assert proofs.Proofs(safe.store).of(card.dump.plain_sha256) is not None
    assert [name.split("/")[1] for name in safe.names() if name.startswith("proofs/")] == [card.dump.plain_sha256]
