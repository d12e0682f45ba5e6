"""What a proof shows and how it is graded; what a recovery makes of an earlier one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from backup_world import NOW, Safe
from fakes import FakeBackups, FakeDatabase, FakeScratch, World
from uscdr.engine.wait import Stop
from uscdr.errors import CheckFailed, MachineError
from uscdr.models.postgres import CanaryColumn, CanaryResult, Invariant
from uscdr.scenarios.candidate import Candidate, Demands, stored_dump
from uscdr.scenarios.results import Proof
from uscdr.scenarios.steps.prove import beside_earlier
from uscdr.vault.backups import proofs
from uscdr.vault.backups.grade import Grade
from uscdr.vault.backups.proofs import CanaryVerdict, ProofDocument
from uscdr.vault.backups.proving import Code, Decoded, Key, Questions, Subject, compare, prove

THERE = Invariant(name="patients are there", sql="count patients_patient", minimum=50)
COLUMN = CanaryColumn(table="patients_patient", encrypted="first_name_enc", plain="first_name")
ASKED = Questions(
    invariants=(THERE,), expected_tables=("patients_patient",), canaries=(COLUMN,),
    key=Key("PGP_ENCRYPTION_KEY", SecretStr("key")), code=Code("main", frozenset({"patients.0001_initial"})),
)  # fmt: skip
SUBJECT = Subject(
    sha256="ab" * 32, size=10, app="usc-pis", backup="b001", transfer_id="transfer-1", taken_at=NOW, source="vault"
)


def decoded(_: Path) -> Decoded:
    return Decoded("17.2", "17", ("pgcrypto",))


def refusing(_: Path) -> Decoded:
    raise CheckFailed("the dump does not decode", why="it is a web page")


def proven(tmp_path: Path, questions: Questions = ASKED, decode: Callable[[Path], Decoded] = decoded) -> ProofDocument:
    world = World()
    dump = tmp_path / "b001.dump"
    dump.write_text("https://signed.example/1")
    return prove(SUBJECT, dump, questions, decode, cast("Any", FakeScratch(world)), lambda done, total: None)


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
        {"invariants": (THERE.model_copy(update={"minimum": 51}),)}, Grade.RESTORES, "breaks: patients are", False,
    ),
    "missing table": ({"expected_tables": ("nowhere",)}, Grade.RESTORES, "tables are missing: nowhere", False),
    "nothing asked": ({"invariants": ()}, Grade.RESTORES, "names no invariant", False),
    "wrong key": ({"key": Key("K", SecretStr("other"))}, Grade.INVARIANTS, "K does not open 50 of 50", False),
    "no key": ({"key": Key("K", why="the app is gone")}, Grade.INVARIANTS, "the app is gone", True),
    "empty key": ({"key": Key("K", SecretStr(""))}, Grade.INVARIANTS, "K is not set", True),
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
    assert (found.grade, found.why) == (Grade.EXISTS, "the dump does not decode it is a web page")
    world = World()
    world.dumps[1].tables.clear()
    dump = tmp_path / "b001.dump"
    found = prove(SUBJECT, dump, ASKED, decoded, cast("Any", FakeScratch(world)), lambda done, total: None)
    assert (found.grade, found.sound) == (Grade.DECODES, False)


def test_an_extension_that_is_not_there_after_the_restore_is_no_restore(tmp_path: Path) -> None:
    found = proven(tmp_path, decode=lambda _: Decoded("17.2", "17", ("pgcrypto", "postgis")))
    assert (found.grade, found.why) == (Grade.DECODES, "the restored database lacks the extension postgis")


def test_a_machine_that_fails_proves_nothing_against_the_dump(tmp_path: Path) -> None:
    def failing(_: Path) -> Decoded:
        raise MachineError("pg_restore is needed on this machine")

    with pytest.raises(MachineError):
        proven(tmp_path, decode=failing)


def test_no_encrypted_value_is_not_a_key_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blank = CanaryResult(table="patients_patient", column="first_name_enc", sampled=3, blank=3)
    monkeypatch.setattr(FakeDatabase, "canary", lambda *_, **__: (blank,))
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
    applied: set[str], verdict: str, pending: tuple[str, ...], ahead: tuple[str, ...]
) -> None:
    found = compare(applied, Code("main", frozenset({"patients.0001_initial", "patients.0002_phone"})))
    assert (found.verdict, found.pending, found.ahead) == (verdict, pending, ahead)
    assert compare(applied, Code(why="no repository")).verdict == "not checked"


class Heard:
    def __init__(self) -> None:
        self.words: list[str] = []

    def accepted(self, provider_id: str) -> None:
        raise AssertionError("nothing is written")

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """Nobody looks."""

    def warn(self, text: str) -> None:
        self.words.append(f"warning: {text}")

    def check(self, name: str, verdict: str, evidence: str) -> None:
        self.words.append(f"{name}: {verdict}: {evidence}")


def here(world: World, place: Path, earlier: ProofDocument | None) -> tuple[Proof, Candidate, Heard]:
    """The proof that a recovery makes of b001, with what the vault says of its bytes."""
    sha256 = hashlib.sha256(b"https://signed.example/1").hexdigest()
    demands = Demands((THERE,), ())
    candidate = Candidate(
        cast("Any", FakeScratch(world)), place, demands, Stop(), lambda seen: earlier if seen == sha256 else None
    )
    heard = Heard()
    proof = candidate.proof(stored_dump(FakeBackups(world), "usc-pis", world.transfers[0]), heard)
    beside_earlier(proof, candidate.earlier(), heard)
    return proof, candidate, heard


def document(**facts: Any) -> ProofDocument:
    given = {"grade": Grade.DECRYPTS, "tables": 3, "rows": 57, **facts}
    return ProofDocument(
        format=1, sha256="ab" * 32, bytes=1, app="usc-pis", backup="b001", transfer_id="t", taken_at=NOW, seconds=1.0,
        proven_at=datetime.now(UTC) - timedelta(hours=2), source="vault", uscdr="0", **given,
    )  # fmt: skip


def test_an_earlier_proof_adds_to_the_words_and_takes_nothing_from_the_proof(quick: Path) -> None:
    alone, _, silent = here(World(), quick, None)
    beside, candidate, heard = here(World(), quick, document())
    assert silent.words == []
    said = "proven before, 2 h ago, same SHA-256: encrypted columns decrypt"
    assert heard.words == [f"proof in the vault: pass: {said}"]
    assert beside.model_dump(exclude={"seconds", "newest"}) == alone.model_dump(exclude={"seconds", "newest"})
    assert candidate.digests()
    candidate.close()
    assert candidate.earlier() is None


def test_a_planted_proof_waves_no_broken_backup_through(quick: Path) -> None:
    broken, empty = World(), World()
    del broken.dumps[1].tables["patients_patient"][1]
    empty.dumps[1].tables.clear()
    proof, _, heard = here(broken, quick, document())
    assert [one.holds for one in proof.invariants] == [False]
    assert "What was seen here counts" in heard.words[0]
    with pytest.raises(CheckFailed, match="does not decode"):
        here(empty, quick, document())


def test_a_key_that_was_seen_not_to_fit_is_a_warning(quick: Path) -> None:
    verdict = CanaryVerdict(verdict="fail", why="K does not open 9 of 9 sampled values")
    _, _, heard = here(World(), quick, document(grade=Grade.INVARIANTS, canary=verdict))
    assert heard.words[0].startswith("warning: b001 was proven before")
    assert "does not open 9 of 9" in heard.words[0]


def test_a_proof_is_kept_under_the_bytes_it_speaks_of(quick: Path) -> None:
    safe = Safe(quick)
    card = safe.pull()
    safe.prove(card)
    assert proofs.Proofs(safe.store).of(card.dump.plain_sha256) is not None
    assert [name.split("/")[1] for name in safe.names() if name.startswith("proofs/")] == [card.dump.plain_sha256]
