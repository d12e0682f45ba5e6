"""Many writers of one name: one of them stores it, the others hear that it is taken."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest
from cutting_proxy import Cuts, Proxy
from store_places import Place
from store_worker import content, digest
from worker_process import together, workers

from uscdr.cleanup import sweep
from uscdr.staging import STAGING
from uscdr.store.bucket import SMALL, ObjectStore
from uscdr.store.store import NameTaken, digest_of

WRITERS = 8
KILLED = 80 << 20
SIZES = (1000, SMALL + (1 << 20))


@pytest.mark.parametrize("size", SIZES)
def test_threads(place: Place, tmp_path: Path, size: int) -> None:
    said: list[str] = []
    start = threading.Barrier(WRITERS)

    def write(number: int) -> None:
        file, store = tmp_path / f"w{number}", place.open()
        file.write_bytes(b"".join(content(f"w{number}", size)))
        start.wait()
        try:
            store.create("kits/race", file)
        except NameTaken:
            said.append("taken")
        else:
            said.append(f"w{number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(said)["taken"] == WRITERS - 1
    (winner,) = (one for one in said if one != "taken")
    assert digest_of(place.open(), "kits/race") == (digest(winner, size), size)


@pytest.mark.parametrize("size", SIZES)
def test_processes(shared: Place, size: int) -> None:
    said = together(shared, *(("create", "kits/race", f"w{number}", str(size)) for number in range(WRITERS)))
    assert Counter(said)["taken"] == WRITERS - 1
    (winner,) = (number for number, one in enumerate(said) if one.startswith("created"))
    assert digest_of(shared.open(), "kits/race") == (digest(f"w{winner}", size), size)


def test_processes_with_the_same_document(shared: Place) -> None:
    said = together(shared, *[("put_once", "notes/race", "the same")] * WRITERS)
    assert Counter(said) == {"created": 1, "taken": WRITERS - 1}


@pytest.mark.parametrize("after", [1 << 20, 40 << 20, KILLED - (1 << 19)])
def test_a_writer_killed_in_the_middle_of_an_upload_leaves_no_name(bucket: Place, s3_port: int, after: int) -> None:
    with Proxy(s3_port, Cuts(stall_at=after)) as proxy:
        words = ("create", "kits/large", "killed", str(KILLED))
        with workers(bucket.through(proxy.port), words) as (worker,):
            worker.go()
            proxy.wait_for(after)  # and there it stands still
            worker.kill()
        assert after <= proxy.passed < KILLED
    store = bucket.open()
    assert store.size("kits/large") is None
    assert store.names("kits") == ()
    assert isinstance(store, ObjectStore)
    assert store._listed(STAGING) == ()


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.1, 0.3])
def test_a_writer_killed_at_any_moment_leaves_all_or_nothing(shared: Place, delay: float) -> None:
    with workers(shared, ("create", "kits/large", "killed", str(KILLED))) as (worker,):
        worker.go()
        worker.ends_within(delay)
        worker.kill()
    store = shared.open()
    if store.size("kits/large") is not None:
        assert digest_of(store, "kits/large") == (digest("killed", KILLED), KILLED)
    else:
        assert store.names("kits") == ()
    sweep(shared.scratch)  # as every command does that may write
    with store.staging() as staging:
        assert list(staging.parent.iterdir()) == [staging]
