"""Lines that break, answers that are lost, keys that are refused: S3 behind a proxy that cuts."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cutting_proxy import Cuts, Proxy
from s3_server import BUCKET, KEY_ID, SECRET, environment, s3
from store_places import Place
from store_worker import content, digest

from uscdr.errors import MachineError, OutcomeUnknown
from uscdr.staging import STAGING
from uscdr.store.bucket import SMALL, ObjectStore
from uscdr.store.store import NameTaken, Store, StoreRefused, StoreUnreachable, digest_of

LARGE = SMALL + (4 << 20)
NAME = "kits/one/x.age"


def file_of(tmp_path: Path, seed: str = "x", size: int = LARGE) -> Path:
    path = tmp_path / f"{seed}.staged"
    path.write_bytes(b"".join(content(seed, size)))
    return path


def staged_objects(store: Store) -> tuple[object, ...]:
    assert isinstance(store, ObjectStore)
    return store._listed(STAGING)


@pytest.fixture(scope="module")
def whole_upload(s3_port: int, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Bytes that a large object sends up, from its first request to its last."""
    place = Place(f"s3://{BUCKET}/measured", tmp_path_factory.mktemp("state"), environment(s3_port))
    with Proxy(s3_port, Cuts()) as proxy:
        place.through(proxy.port).open().create(NAME, file_of(place.scratch))
        return proxy.passed


@pytest.mark.parametrize("after", [0, 1 << 20, SMALL, LARGE, *(-left for left in range(300, 4500, 600))])
def test_a_line_that_goes_dead_leaves_the_whole_object_or_none(
    bucket: Place, s3_port: int, tmp_path: Path, whole_upload: int, after: int
) -> None:
    direct = bucket.open()
    with Proxy(s3_port, Cuts(after=after if after >= 0 else whole_upload + after)) as proxy:
        failure = _failure(bucket.through(proxy.port).open(), file_of(tmp_path))
        assert proxy.cuts.cut
    if direct.size(NAME) is None:
        assert failure is not None
        assert direct.names("kits") == ()
        direct.create(NAME, file_of(tmp_path))
    else:
        assert not isinstance(failure, StoreUnreachable), "it is there, and nothing of that was known"
    assert digest_of(direct, NAME) == (digest("x", LARGE), LARGE)


def _failure(store: Store, file: Path) -> StoreUnreachable | OutcomeUnknown | None:
    try:
        store.create(NAME, file)
    except (StoreUnreachable, OutcomeUnknown) as error:
        return error
    return None


LOST = {
    "beginning of the upload": (b"POST", b"?uploads"),
    "a part": (b"PUT", b"partNumber=2"),
    "end of the upload": (b"POST", b".staging", b"?uploadId="),
    "beginning of the copy": (b"POST", b"/kits/", b"?uploads"),
    "the copy": (b"PUT", b"x-amz-copy-source"),
    "end of the copy": (b"POST", b"/kits/", b"?uploadId="),
    "removal of what was staged": (b"POST", b"?delete"),
}


@pytest.mark.parametrize("what", LOST)
def test_a_lost_answer_to_one_request_of_a_large_object(bucket: Place, s3_port: int, tmp_path: Path, what: str) -> None:
    with Proxy(s3_port, Cuts(answers_to=LOST[what])) as proxy:
        bucket.through(proxy.port).open().create(NAME, file_of(tmp_path))
        assert len(proxy.cuts.lost) == 1
    direct = bucket.open()
    assert digest_of(direct, NAME) == (digest("x", LARGE), LARGE)
    assert staged_objects(direct) == ()


@pytest.mark.parametrize("times", [1, 2, 99])
def test_a_lost_answer_to_a_small_create_is_settled_by_looking(bucket: Place, s3_port: int, times: int) -> None:
    with Proxy(s3_port, Cuts(answers_to=(b"PUT", b"/notes/x"), times=times)) as proxy:
        bucket.through(proxy.port).open().put_once("notes/x", b"mine")
        # after the first the others are told that the name is taken, or get no answer either
        assert 1 <= len(proxy.cuts.lost) <= min(times, 4)
    assert bucket.open().read("notes/x") == b"mine"


@pytest.mark.parametrize("other", [b"his", b"his own"])
def test_what_somebody_else_stored_is_never_taken_for_ones_own(bucket: Place, s3_port: int, other: bytes) -> None:
    bucket.open().put_once("notes/x", other)
    with Proxy(s3_port, Cuts(answers_to=(b"PUT", b"/notes/x"))) as proxy:
        with pytest.raises(NameTaken):
            bucket.through(proxy.port).open().put_once("notes/x", b"own")
        assert proxy.cuts.lost
    assert bucket.open().read("notes/x") == other


def test_a_large_object_of_somebody_else_is_told_by_its_bytes(bucket: Place, s3_port: int, tmp_path: Path) -> None:
    direct = bucket.open()
    direct.create(NAME, file_of(tmp_path, "his"))
    with Proxy(s3_port, Cuts(answers_to=LOST["end of the copy"])) as proxy:
        with pytest.raises(NameTaken):
            bucket.through(proxy.port).open().create(NAME, file_of(tmp_path, "mine"))
        assert proxy.cuts.lost
    assert digest_of(direct, NAME) == (digest("his", LARGE), LARGE)
    assert staged_objects(direct) == ()


@pytest.mark.parametrize("large", [False, True])
def test_an_outcome_that_cannot_be_looked_at_is_unknown(
    bucket: Place, s3_port: int, tmp_path: Path, large: bool
) -> None:
    lost = LOST["end of the copy"] if large else (b"PUT", b"/notes/x")
    with Proxy(s3_port, Cuts(answers_to=lost, then_dead=True)) as proxy:
        store = bucket.through(proxy.port).open()
        with pytest.raises(OutcomeUnknown, match="did not confirm that it stored"):
            store.create(NAME, file_of(tmp_path)) if large else store.put_once("notes/x", b"mine")
    stored = bucket.open().size(NAME if large else "notes/x")
    assert stored == (LARGE if large else 4)  # it had arrived


@pytest.mark.parametrize("after", [10_000, SMALL + 1000, LARGE - 1000])
def test_reading_goes_on_after_a_cut(bucket: Place, s3_port: int, tmp_path: Path, after: int) -> None:
    bucket.open().create(NAME, file_of(tmp_path))
    with Proxy(s3_port, Cuts(download_after=after)) as proxy:
        assert digest_of(bucket.through(proxy.port).open(), NAME) == (digest("x", LARGE), LARGE)
        assert proxy.cuts.cut == 1


def test_reading_over_a_dead_line_ends(bucket: Place, s3_port: int, tmp_path: Path) -> None:
    bucket.open().create(NAME, file_of(tmp_path))
    with Proxy(s3_port, Cuts()) as proxy, bucket.through(proxy.port).open().open(NAME) as file:
        assert file.read(10)
        proxy.cuts.after = 0
        with pytest.raises(StoreUnreachable, match="cannot reach"):
            file.read()


def every_call(tmp_path: Path) -> dict[str, Callable[[Store], object]]:
    return {
        "staging": lambda store: store.staging(),
        "create": lambda store: store.create(NAME, file_of(tmp_path, size=10)),
        "create large": lambda store: store.create(NAME, file_of(tmp_path)),
        "put_once": lambda store: store.put_once(NAME, b"x"),
        "read": lambda store: store.read(NAME),
        "open": lambda store: store.open(NAME),
        "size": lambda store: store.size(NAME),
        "names": lambda store: store.names("kits"),
        "listing": lambda store: store.listing("kits"),
        "delete": lambda store: store.delete(NAME),
    }


def test_a_missing_bucket_is_named_by_every_call(bucket: Place, tmp_path: Path) -> None:
    absent = replace(bucket, text="s3://no-such-bucket/safe")
    for call in every_call(tmp_path).values():
        with pytest.raises(StoreRefused, match="The bucket s3://no-such-bucket/safe does not exist"):
            call(absent.open())


def test_a_port_where_nobody_listens(bucket: Place) -> None:
    with Proxy(1, Cuts()) as proxy:
        port = proxy.port  # free again below
    with pytest.raises(StoreUnreachable) as caught:
        bucket.through(port).open().names("kits")
    assert caught.value.why == "No connection could be made."


def test_refused_keys_are_named_by_every_call_and_never_shown(tmp_path: Path) -> None:
    # the making of the bucket is the one call for which no key is looked at
    with s3(tmp_path / "log", INITIAL_NO_AUTH_ACTION_COUNT="1") as port:
        place = Place(f"s3://{BUCKET}/safe", tmp_path / "state", environment(port))
        for name, call in every_call(tmp_path).items():
            with pytest.raises(MachineError) as caught:
                call(place.open())
            shown = "".join(traceback.format_exception(caught.value)) + repr(place.open())
            assert isinstance(caught.value, StoreRefused), name
            assert "refused these credentials" in caught.value.message, name
            assert KEY_ID not in shown
            assert SECRET not in shown
