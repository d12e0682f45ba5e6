"""What the kit says of its dump is what a restore showed, now or before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest

from fakes import Data
from kit_world import SECRET, Workshop, key
from uscdr.backups.proofs import Grade, ProofDocument
from uscdr.errors import MachineError
from uscdr.kit.collect.sources import ProofShelf, Sources
from uscdr.models.data_settings import Invariant
from uscdr.models.postgres import LeftOut

PATIENTS = Invariant(name="patients", sql="count patients_patient", minimum=1)
KEY = "PGP_ENCRYPTION_KEY"


class Vault:
    """Proofs made before."""

    def __init__(self, before: ProofDocument | None = None) -> None:
        self.before = before
        self.asked: list[str] = []
        self.kept: list[ProofDocument] = []

    def fresh(self, sha256: str) -> ProofDocument | None:
        self.asked.append(sha256)
        return self.before

    def sources(self, shop: Workshop, **instead: Any) -> Sources:
        return replace(shop.sources(**instead), proofs=ProofShelf(self.fresh, self.kept.append))


@pytest.fixture
def clinic(shop: Workshop) -> Workshop:
    shop.world.key = SECRET
    released = shop.world.releases[0].model_copy(update={"created_at": datetime.now(UTC) - timedelta(days=3)})
    shop.world.releases = [released]
    return shop


def build(shop: Workshop, vault: Vault, *, sources: Sources | None = None, **request: Any) -> Any:
    wanted = {"invariants": (PATIENTS,), "key": KEY, **request}
    return shop.build(sources=sources or vault.sources(shop), **wanted)


def test_a_restore_with_the_kits_own_key_earns_the_highest_grade(clinic: Workshop) -> None:
    vault = Vault()
    built = build(clinic, vault)
    assert (built.manifest.dump.grade, built.manifest.dump.origin) == (Grade.DECRYPTS, "build")
    assert built.card.dump.shown
    (kept,) = vault.kept
    dump = clinic.read(built).dump()
    assert dump is not None
    assert (kept.sha256, kept.sound) == (dump.sha256, True)
    assert clinic.read(built).find("proof.json")


def test_a_key_that_does_not_open_the_dump_is_a_gap(clinic: Workshop) -> None:
    clinic.world.key = "another"
    built = build(clinic, Vault())
    assert built.manifest.dump.grade == Grade.INVARIANTS
    assert not built.card.complete
    assert [gap.what for gap in built.manifest.part("dump").gaps] == ["a key that decrypts the encrypted columns"]
    assert SECRET not in built.manifest.model_dump_json()


def test_an_earlier_proof_of_the_same_bytes_is_used(clinic: Workshop) -> None:
    first = Vault()
    build(clinic, first)
    left = LeftOut(what="event trigger told", why="an ordinary owner may not make it")
    again = Vault(first.kept[0].model_copy(update={"left_out": (left,)}))

    class Refusing:
        def restore(self, *_: object) -> None:
            raise AssertionError("restored although a proof was there")

    built = build(clinic, again, sources=again.sources(clinic, scratch=Refusing()))
    assert again.asked == [first.kept[0].sha256]
    assert (built.manifest.dump.grade, built.manifest.dump.origin) == (Grade.DECRYPTS, "vault")
    assert built.manifest.dump.proven_at == first.kept[0].proven_at
    assert again.kept == []
    assert built.card.complete
    assert any(
        "does not cover these parts of the dump" in one and "event trigger told" in one for one in clinic.tell.said
    )


@pytest.mark.parametrize("change", ["released since", "no release known", "worse", "migrations ahead"])
def test_an_earlier_proof_that_may_not_hold_any_more_is_made_anew(clinic: Workshop, change: str) -> None:
    first = Vault()
    build(clinic, first)
    before = first.kept[0]
    if change == "released since":  # that may have been another key
        now = clinic.world.releases[0].model_copy(update={"created_at": datetime.now(UTC)})
        clinic.world.releases = [now]
    elif change == "no release known":
        clinic.world.faults["releases", 2] = "refused"
    elif change == "worse":
        before = before.model_copy(update={"grade": Grade.INVARIANTS})
    else:
        before = before.model_copy(update={"migrations": before.migrations.model_copy(update={"verdict": "ahead"})})
    again = Vault(before)
    built = build(clinic, again)
    assert built.manifest.dump.origin == "build"
    assert len(again.kept) == 1


def test_unproven_is_said_on_the_card_and_restores_nothing(clinic: Workshop) -> None:
    vault = Vault()
    built = build(clinic, vault, unproven=True)
    assert (built.card.dump.grade, built.card.dump.origin, built.card.dump.shown) == (Grade.EXISTS, "left out", False)
    assert (vault.asked, vault.kept) == ([], [])
    assert built.card.complete  # it was left out on purpose
    text = (clinic.root / "vault" / "kits" / built.card.kit / "card.txt").read_text()
    assert "NOT PROVEN" in text


def test_a_dump_that_does_not_restore_is_not_taken_for_proven(clinic: Workshop) -> None:
    clinic.world.dumps[1] = Data({})
    built = build(clinic, Vault())
    assert not built.manifest.dump.grade.reaches(Grade.RESTORES)
    assert not built.card.complete
    assert "a dump that restores" in [gap.what for gap in built.manifest.part("dump").gaps]


def test_a_machine_that_cannot_restore_says_nothing_for_the_dump(clinic: Workshop) -> None:
    class Broken:
        def prepare(self) -> None:
            pass

        def restore(self, *_: object) -> None:
            raise MachineError("There is no PostgreSQL on this machine.")

    vault = Vault()
    built = build(clinic, vault, sources=vault.sources(clinic, scratch=Broken()))
    assert (built.manifest.dump.origin, built.manifest.dump.shown) == ("failed", False)
    assert not built.card.complete
    assert vault.kept == []


def test_tables_that_should_be_there_and_are_not(clinic: Workshop) -> None:
    built = build(clinic, Vault(), expected_tables=("patients_patient", "no_such_table"))
    assert "expected tables" in [gap.what for gap in built.manifest.part("dump").gaps]
    assert built.manifest.dump.grade == Grade.RESTORES


def test_a_failing_disk_in_the_one_ends_the_other_soon(clinic: Workshop) -> None:
    """Dump and media are collected at once; what fails must not wait for hours of downloads."""
    for number in range(200):
        clinic.cloud.files[key(1000 + number)] = b"small"
    begun, failed = Event(), Event()

    class Failing:
        def prepare(self) -> None:
            pass

        def restore(self, *_: object) -> None:
            assert begun.wait(20)
            failed.set()
            raise OSError("disk")

    def slowly(number: int) -> None:
        begun.set()
        assert failed.wait(20)

    clinic.cloud.on_download = slowly
    vault = Vault()
    with pytest.raises(OSError, match="disk"):
        build(clinic, vault, sources=vault.sources(clinic, scratch=Failing()))
    assert len(clinic.cloud.downloads) < 200
    assert not list(clinic.root.rglob("manifest.json.age"))
