"""A bucket with object lock takes nothing without a checksum, and keeps what is deleted."""

from __future__ import annotations

import threading
from itertools import count
from pathlib import Path

import pytest
from s3_server import environment, make_locked_bucket, versions
from store_places import Place
from store_worker import content, digest

from uscdr.backups import retention
from uscdr.errors import LockHeld
from uscdr.settings import Operator
from uscdr.store.bucket import SMALL
from uscdr.store.directory import new_private_file
from uscdr.store.lease import _hold, _holder
from uscdr.store.lease_records import LeaseTerms
from uscdr.store.store import NameTaken, Store, digest_of

LOCKED = "locked-safe"
ADA, BEN = Operator("ada", "desk", 4711), Operator("ben", "lap", 4712)
_numbers = count(1)


@pytest.fixture(scope="session")
def locked_port(s3_port: int) -> int:
    make_locked_bucket(s3_port, LOCKED)
    return s3_port


@pytest.fixture
def locked(locked_port: int, tmp_path: Path) -> Place:
    return Place(f"s3://{LOCKED}/t{next(_numbers)}", tmp_path / "state", environment(locked_port))


def test_documents_and_files_are_stored_and_created_only_once(locked: Place) -> None:
    store = locked.open()
    store.put_once("notes/one.json", b"first")
    with pytest.raises(NameTaken):
        store.put_once("notes/one.json", b"second")
    assert store.read("notes/one.json") == b"first"
    for size in (0, SMALL, SMALL + 17):
        name = f"kits/{size}"
        stored(store, name, size)
        assert digest_of(store, name) == (digest("x", size), size)
        with pytest.raises(NameTaken):
            stored(store, name, size)


def stored(store: Store, name: str, size: int) -> None:
    with store.staging() as staging:
        file = staging / "staged"
        with new_private_file(file) as target:
            target.writelines(content("x", size))
        store.create(name, file)


def test_several_writers_of_one_process_at_once(locked: Place) -> None:
    store = locked.open()
    writers = [threading.Thread(target=store.put_once, args=(f"n/{n}", b"%d" % n)) for n in range(8)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert store.names("n") == tuple(f"n/{n}" for n in range(8))


def test_a_lease_is_held_renewed_ended_and_taken_again(locked: Place) -> None:
    store, terms = locked.open(), LeaseTerms(seconds=0.6, grace=0.1, look=0.05)
    with _hold(store, "kits", ADA, terms=terms) as lease:
        threading.Event().wait(1.0)  # renewed meanwhile
        lease.check()
        with pytest.raises(LockHeld, match=": ada on desk"):
            _hold(locked.open(), "kits", BEN, terms=terms).__enter__()
    with _hold(locked.open(), "kits", BEN, terms=terms) as other:
        assert _holder(store, "kits") == other.record
    assert _holder(store, "kits") is None


def test_what_is_removed_is_said_to_stay_as_a_version(locked: Place, locked_port: int) -> None:
    store = locked.open()
    store.put_once("backups/one/manifest.json.age", b"x")
    store.put_once("backups/one/card.json", b"y")
    assert retention.what_stays(store, ("one",)) == retention.VERSIONS_STAY
    before = versions(locked_port, LOCKED)
    assert retention.carry_out(store, ("one",)) == ()
    assert store.names("backups") == ()
    assert versions(locked_port, LOCKED) == before


def test_a_bucket_without_versions_keeps_nothing(bucket: Place) -> None:
    store = bucket.open()
    store.put_once("backups/one/card.json", b"y")
    assert retention.what_stays(store, ("one",)) == ""
