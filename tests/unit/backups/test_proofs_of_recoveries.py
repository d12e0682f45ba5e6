"""A proof that a recovery makes is kept with all others, good or bad; that it cannot be kept ends nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fakes import APP, FakeBackups, FakePlatform, FakeScratch, World
from uscdr.backups.catalog import Scope
from uscdr.backups.proofs import Proofs
from uscdr.backups.proving import Code, Decoded, EncryptionKey, Questions
from uscdr.engine.wait import Stop
from uscdr.errors import CheckFailed, MachineError
from uscdr.models.data_settings import Invariant
from uscdr.scenarios.config_targets import HerokuTarget
from uscdr.scenarios.prover import DumpSource, Prover
from uscdr.store.directory import LocalStore
from uscdr.store.store import Store
from uscdr.wiring.stores import keeping

ASKED = Questions(
    invariants=(Invariant(name="patients", sql="count patients_patient", minimum=1),),
    expected_tables=(), canaries=(), key=EncryptionKey("KEY"), code=Code(),
)  # fmt: skip


class Recovery:
    """A recovery's look at b001."""

    def __init__(self, world: World, place: Path, store: Store) -> None:
        keep = keeping(HerokuTarget(app=APP), cast("Any", FakePlatform(world)), lambda: store, identity="a-sandbox")
        decoded = Decoded("17.2", "17", ())
        scratch = cast("Any", FakeScratch(world))
        self.world, self.store, self.warned = world, store, list[str]()
        self.candidate = Prover(scratch, lambda _: decoded, place, lambda: ASKED, Stop(), keep)

    def prove(self, **changed: object) -> None:
        tell = cast("Any", SimpleNamespace(progress=lambda *_, **__: None, warn=self.warned.append))
        source: DumpSource = DumpSource.stored(FakeBackups(self.world), APP, self.world.transfers[0])
        try:
            self.candidate.proof(replace(source, **changed), tell)  # type: ignore[arg-type]
        finally:
            self.candidate.close()

    def listed(self) -> Any:
        addon = FakePlatform(self.world).database(APP)
        transfers = FakeBackups(self.world).transfers(addon)
        return Scope(APP, addon.addon_id).entries(transfers, (), Proofs(self.store))[0]


@pytest.fixture
def run(tmp_path: Path) -> Recovery:
    return Recovery(World(), tmp_path, LocalStore(tmp_path / "vault"))


def test_a_proof_says_of_which_sandbox_the_backup_is(run: Recovery) -> None:
    run.prove()
    assert [one.identity for one in Proofs(run.store).all()] == ["a-sandbox"]


def test_the_list_of_backups_knows_what_a_recovery_proved(run: Recovery) -> None:
    assert run.listed().proof is None
    run.prove()
    kept = run.listed().proof
    assert (kept.backup, kept.app, kept.addon_id, kept.source, kept.grade.value) == (
        "b001", APP, "addon-1", "platform", "satisfies the invariants",
    )  # fmt: skip
    assert kept.taken_at == run.world.transfers[0].taken_at
    assert run.listed().proven
    assert run.warned == []


def test_what_does_not_restore_is_known_as_well(run: Recovery) -> None:
    run.world.dumps[1].tables.clear()
    with pytest.raises(CheckFailed):
        run.prove()
    assert run.listed().proof.grade.value == "decodes"
    assert not run.listed().proven


def test_the_dump_of_a_kit_is_proven_in_the_kit(run: Recovery) -> None:
    run.prove(taken_at=None)
    assert run.listed().proof is None


def test_a_vault_that_cannot_be_written_is_said_and_ends_nothing(
    run: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MachineError("The disk is full.")

    monkeypatch.setattr(LocalStore, "put_once", full)
    run.prove()
    assert run.warned == ["The proof of b001 could not be saved: The disk is full."]
