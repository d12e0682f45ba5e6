"""One list of all backups; what the next capture drops; removing copies so that no manifest outlives its dump."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backup_world import ADDON, APP, NOW, Safe, dump, transfer
from uscdr.backups import catalog, proofs
from uscdr.backups import retention as pruning
from uscdr.backups.catalog import BackupEntry, Scope, StoredCopies, find, judged
from uscdr.backups.proofs import Grade, Proofs
from uscdr.backups.retention import Eviction, Pruning
from uscdr.backups.rpo import RpoState
from uscdr.errors import BadInput
from uscdr.models.data_settings import Retention
from uscdr.models.postgres import CanaryVerdict
from uscdr.models.transfers import Transfer, TransferKind, TransferState
from uscdr.scenarios.backup_inventory import _forgotten, _points
from uscdr.store.directory import LocalStore

HOUR = timedelta(hours=1)


@pytest.fixture
def safe(quick: Path) -> Safe:
    return Safe(quick)


def listed(safe: Safe, *transfers: Transfer, damaged: frozenset[str] = frozenset()) -> tuple[BackupEntry, ...]:
    return Scope(APP, ADDON, damaged).entries(transfers, StoredCopies.of(safe.store).copies, Proofs(safe.store))


def test_a_backup_is_one_entry_wherever_it_is(safe: Safe) -> None:
    old, both, here = (transfer(n, at=NOW - (4 - n) * HOUR) for n in (1, 2, 3))
    safe.prove(safe.pull(old, dump(1)))
    safe.prove(safe.pull(both, dump(2)), grade=Grade.RESTORES, why="it breaks: patients are there")
    safe.pull(transfer(9), dump(9), app="another-app")
    found = listed(safe, both, here)
    assert [(one.name, one.where) for one in found] == [("b001", "vault"), ("b002", "both"), ("b003", "platform")]
    assert [one.proven for one in found] == [True, False, False]
    grades = [verdict.grade for _, verdict in judged(found, NOW, 4 * 3600)]
    assert grades == [Grade.DECRYPTS, Grade.RESTORES, Grade.PLAUSIBLE]
    assert find(found, "newest").name == "b003"
    assert find(found, "b001") is found[0]
    assert find(found, found[1].copies[0].id[:-3]) is found[1]
    with pytest.raises(BadInput, match="no backup"):
        find(found, "b099")


def test_what_the_platform_dropped_lives_on_as_a_copy_and_a_failed_one_is_nothing(safe: Safe) -> None:
    dropped = transfer(1, expired=True)
    safe.pull(dropped)
    failed = transfer(2, state=TransferState.FAILED)
    found = listed(safe, dropped, failed, transfer(3, kind=TransferKind.RESTORE))
    assert [(one.name, one.where) for one in found] == [("b001", "vault"), ("b002", "nowhere")]
    assert judged(found, NOW, 4 * 3600)[1][1].why == "failed"
    assert find(found, "newest").name == "b001"


def test_a_capture_of_a_damaged_state_is_never_the_newest_nor_proven(safe: Safe) -> None:
    good, bad = transfer(1, at=NOW - 2 * HOUR), transfer(2)
    safe.prove(safe.pull(bad))
    found = listed(safe, good, bad, damaged=frozenset({bad.id}))
    assert find(found, "newest").name == "b001"
    assert not found[1].proven


@pytest.mark.parametrize(
    "text", ["", "no json canary-text", "{}", '{"format": 9}', "[[[["], ids=["empty", "text", "bare", "newer", "cut"]
)  # fmt: skip
def test_a_document_that_is_none_proves_nothing(safe: Safe, text: str) -> None:
    card = safe.pull()
    safe.prove(card)
    name = f"proofs/{card.dump.plain_sha256}/20991231T235959.000000Z-00.json"
    (safe.root / "safe" / name).write_text(text)
    assert Proofs(safe.store).of(card.dump.plain_sha256) is None
    assert not listed(safe)[0].proven


def test_a_proof_of_other_bytes_under_this_name_proves_nothing(safe: Safe) -> None:
    card = safe.pull()
    proof = safe.prove(card)
    folder = safe.root / "safe" / "proofs"
    (folder / ("0" * 64)).mkdir()
    (folder / ("0" * 64) / "20261123T120000.000000Z-00.json").write_text(proof.model_dump_json())
    assert Proofs(safe.store).of("0" * 64) is None


def test_the_newest_proof_counts_and_a_fresh_one_has_asked_the_same_and_is_young(safe: Safe) -> None:
    card = safe.pull()
    sha256, demands = card.dump.plain_sha256, proofs.demands_digest(())
    safe.prove(card, proven_at=NOW - 3 * HOUR, demands=demands)
    assert Proofs(safe.store).fresh(sha256, (), NOW) is not None
    assert Proofs(safe.store).fresh(sha256, (), NOW + 22 * HOUR) is None
    assert Proofs(safe.store).fresh(sha256, (), NOW - 4 * HOUR) is None, "a proof of the future"
    assert Proofs(safe.store).fresh("1" * 64, (), NOW) is None
    safe.prove(card, proven_at=NOW - 2 * HOUR, demands="others")
    assert Proofs(safe.store).fresh(sha256, (), NOW) is None
    safe.prove(card, proven_at=NOW - HOUR, demands=demands, grade=Grade.RESTORES)
    assert Proofs(safe.store).fresh(sha256, (), NOW) is None


def history(safe: Safe, number: int, *, proven: tuple[int, ...], pulled: tuple[int, ...]) -> tuple[BackupEntry, ...]:
    """That many manual backups, one an hour; some proven on the platform's word, some pulled."""
    made = [transfer(n, at=NOW - (number - n + 1) * HOUR) for n in range(1, number + 1)]
    for one in made:
        if one.num in proven:
            card = safe.pull(one, dump(one.num))
            safe.prove(card)
            if one.num not in pulled:
                pruning.carry_out(safe.store, [card.id])
    return listed(safe, *made)


def test_room_left_means_that_nothing_goes(safe: Safe) -> None:
    assert Eviction.next(history(safe, 4, proven=(1,), pulled=())) is None


@pytest.mark.parametrize(
    ("proven", "pulled", "last_here", "newest"),
    [
        ((1,), (), True, True),
        ((1,), (1,), True, False),
        ((1, 5), (), False, False),
        ((1, 5), (5,), False, False),
        ((2,), (), False, False),
        ((), (), False, False),
    ],
)
def test_what_is_lost_with_the_one_that_goes(
    safe: Safe, proven: tuple[int, ...], pulled: tuple[int, ...], last_here: bool, newest: bool
) -> None:
    goes = Eviction.next(history(safe, 5, proven=proven, pulled=pulled))
    assert goes is not None
    assert (goes.entry.name, goes.kept) == ("b001", 5)
    assert (goes.last_proven_here, goes.newest_proven) == (last_here, newest)


def months(safe: Safe, count: int = 12) -> tuple[BackupEntry, ...]:
    """One copy every ten days, all proven but the newest."""
    for number in range(1, count + 1):
        card = safe.pull(transfer(number, at=NOW - timedelta(days=10 * (count - number))), dump(number))
        if number < count:
            safe.prove(card)
    return listed(safe)


RULE = Retention(daily=2, weekly=2, monthly=2)


def test_copies_of_another_database_are_neither_removed_for_ours_nor_kept_in_their_place(safe: Safe) -> None:
    day = timedelta(days=1)
    old = safe.pull(transfer(20, at=NOW - 9 * day), dump(20))
    safe.prove(old)
    taken = [safe.pull(transfer(n, at=NOW - 5 * day + n * HOUR), dump(n), addon="another") for n in (31, 32)]
    safe.prove(taken[0])
    ours = safe.pull(transfer(40, at=NOW - 5 * day), dump(40))
    safe.prove(ours)
    one = Retention(daily=1, weekly=0, monthly=0)
    planned = Pruning.of(listed(safe), StoredCopies.of(safe.store), one, NOW)
    assert planned.copies == (old,)
    assert planned.proven == ours
    safe.prove(safe.pull(transfer(33, at=NOW - day), dump(33), addon="another"))
    planned = Pruning.of(listed(safe), StoredCopies.of(safe.store), one, NOW)
    assert planned.copies == (old, *taken)
    assert planned.proven == ours


def test_a_name_means_this_databases_backup_before_a_newer_one_of_another(safe: Safe) -> None:
    safe.pull(transfer(1).model_copy(update={"id": "theirs"}), addon="another")
    mine = transfer(1, at=NOW - 2 * HOUR)
    assert find(listed(safe, mine), "b001").transfer_id == mine.id


def test_pruning_removes_what_the_rule_does_not_keep_and_says_how_much(safe: Safe) -> None:
    found = months(safe)
    planned = Pruning.of(found, StoredCopies.of(safe.store), RULE, NOW)
    assert planned.proven is not None
    assert planned.proven.origin.name == "b011"
    gone = {card.origin.name for card in planned.copies}
    assert not gone & {"b011", "b012"}
    assert planned.phrase == f"remove {len(gone)} of 12, {sum(card.dump.size for card in planned.copies)} bytes"
    pruning.carry_out(safe.store, planned.ids)
    left = listed(safe)
    assert {one.name for one in left} == {one.name for one in found} - gone
    assert not Pruning.of(left, StoredCopies.of(safe.store), RULE, NOW).copies
    assert {name.split("/")[1] for name in safe.names() if name.startswith("backups/")} == {
        one.copies[0].id for one in left
    }


class Killed(BaseException):
    """The process is gone."""


class Dying(LocalStore):
    """Dies before the n-th removal."""

    def __init__(self, root: Path, at: int) -> None:
        super().__init__(root)
        self.left = at

    def delete(self, name: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed
        super().delete(name)


def test_killed_before_any_removal_no_manifest_names_what_is_gone_and_the_next_call_cleans_up(safe: Safe) -> None:
    months(safe, 6)
    at, later = 0, NOW + timedelta(days=3650)
    while True:
        planned = Pruning.of(listed(safe), StoredCopies.of(safe.store), Retention(daily=0, weekly=0, monthly=0), later)
        dying = Dying(safe.root / "safe", at)
        try:
            pruning.carry_out(dying, planned.ids)
            break
        except Killed:
            found = StoredCopies.of(safe.store)
            assert found.damaged == ()
            assert planned.proven in found.copies
        at += 1
    assert at > 1
    assert [card.origin.name for card in StoredCopies.of(safe.store).copies] == ["b005", "b006"]
    assert StoredCopies.of(safe.store).unfinished == {}


def test_leftovers_go_when_they_are_a_day_old_and_not_before(safe: Safe) -> None:
    card = safe.pull()
    (safe.root / "safe" / "backups" / card.id / "manifest.json.age").unlink()
    there = StoredCopies.of(safe.store)
    written = there.unfinished[card.id]
    assert Pruning.of((), there, RULE, written + timedelta(hours=23)).leftovers == ()
    planned = Pruning.of((), there, RULE, written + timedelta(hours=25))
    assert planned.leftovers == (card.id,)
    pruning.carry_out(safe.store, planned.ids)
    assert safe.names() == []


def test_a_damaged_copy_is_no_reason_to_remove_a_sound_older_one(safe: Safe) -> None:
    old, new = transfer(1, at=NOW - 48 * HOUR), transfer(2)
    safe.prove(safe.pull(old, dump(1)))
    card = safe.pull(new, dump(2))
    safe.prove(card)
    (safe.root / "safe" / card.dump.path).write_bytes(b"short")
    planned = Pruning.of(listed(safe), StoredCopies.of(safe.store), Retention(daily=0, weekly=0, monthly=0), NOW)
    assert planned.copies == ()


def test_what_retention_removed_is_no_gap_of_the_last_day(safe: Safe) -> None:
    for number in range(1, 13):
        safe.prove(safe.pull(transfer(number, at=NOW - (13 - number) * 3 * HOUR), dump(number)))
    planned = Pruning.of(listed(safe), StoredCopies.of(safe.store), Retention(daily=1, weekly=0, monthly=0), NOW)
    pruning.carry_out(safe.store, planned.ids)
    left = listed(safe)
    assert [one.name for one in left] == ["b012"]
    told = tuple(_forgotten(left, Proofs(safe.store).since(NOW - 9 * 24 * HOUR), Scope(APP, ADDON)))
    assert [one.name for one in told] == [f"b{number:03}" for number in range(1, 12)]
    assert RpoState.of((*_points(left), *told), (), NOW, 4 * 3600).met
    assert not RpoState.of(_points(left), (), NOW, 4 * 3600).met
    assert not list(_forgotten(left, Proofs(safe.store).since(NOW - 9 * 24 * HOUR), Scope("another-app", ADDON)))


def test_two_copies_of_one_backup_are_one_entry_with_the_newer_first(safe: Safe) -> None:
    first, second = safe.pull(), safe.pull()
    (found,) = listed(safe, transfer())
    assert [card.id for card in found.copies] == [second.id, first.id]


def test_facts_of_an_entry_survive_the_platform(safe: Safe) -> None:
    facts: dict[str, Any] = {"warnings": 3}
    safe.pull(transfer(7, **facts))
    (found,) = listed(safe)
    there = BackupEntry(transfer(7, **facts))
    assert (found.name, found.kind, found.taken_at, found.finished_at, found.transfer_id, found.warnings) == (
        there.name, there.kind, there.taken_at, there.finished_at, there.transfer_id, there.warnings,
    )  # fmt: skip
    assert catalog.StoredCopies.of(safe.store).unfinished == {}


@pytest.mark.parametrize(
    ("key", "demands", "grade", "why"),
    [
        ("aaa", "rules", Grade.DECRYPTS, ""),
        ("", "", Grade.DECRYPTS, ""),
        ("bbb", "rules", Grade.INVARIANTS, "the application's key has changed since the proof (now bbb, then aaa)"),
        ("aaa", "others", Grade.RESTORES, "the invariants have changed since the proof"),
    ],
)
def test_a_proof_counts_for_its_key_and_its_rules_alone(
    safe: Safe, key: str, demands: str, grade: Grade, why: str
) -> None:
    one = transfer(1)
    canary = CanaryVerdict(verdict="pass", sampled=5, matching=5, fingerprint="aaa")
    safe.prove(safe.pull(one, dump(1)), canary=canary, demands="rules")
    (found,) = Scope(APP, ADDON, (), lambda: key, demands).entries(
        (one,), StoredCopies.of(safe.store).copies, Proofs(safe.store)
    )
    assert found.proof is not None
    assert (found.proof.grade, found.proof.why) == (grade, why)


def test_the_key_is_not_asked_for_without_a_proof_that_used_one(safe: Safe) -> None:
    one = transfer(1)
    safe.pull(one, dump(1))
    copies, asked = StoredCopies.of(safe.store).copies, pytest.fail
    (found,) = Scope(APP, ADDON, (), lambda: asked("the key was asked for")).entries((one,), copies, Proofs(safe.store))
    assert found.proof is None
    safe.prove(safe.pull(one, dump(1)), canary=CanaryVerdict(verdict="not checked"))
    (found,) = Scope(APP, ADDON, (), lambda: asked("the key was asked for")).entries((one,), copies, Proofs(safe.store))
    assert found.proof is not None
