"""How a create in a bucket is settled, and what is tidied up there: obstore's memory, with answers that get lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore import exceptions
from obstore.store import MemoryStore

from uscdr.backups import retention
from uscdr.errors import MachineError, OutcomeUnknown
from uscdr.staging import STAGING
from uscdr.store import bucket
from uscdr.store.bucket import SMALL, Handles, ObjectStore
from uscdr.store.store import NameTaken, StoreRefused, StoreUnreachable

LOST = exceptions.GenericError("HTTP error: kind: Timeout")


class Bench:
    """A store, and what it waited between attempts."""

    def __init__(self, scratch: Path, largest_copy: int | None = None) -> None:
        self.memory = MemoryStore()
        self.waits: list[float] = []
        handles = Handles(self.memory, self.memory, self.memory, self.memory, largest_copy)
        self.store = ObjectStore("memory", handles, scratch, self.waits.append)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "scratch")


def instead(
    monkeypatch: pytest.MonkeyPatch, name: str, *acts: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    """One act a call; afterwards the real one."""
    real, left = getattr(obstore, name), list(acts)

    def call(*args: Any, **options: Any) -> Any:
        return (left.pop(0)(real) if left else real)(*args, **options)

    monkeypatch.setattr(obstore, name, call)


def lost_after(real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        real(*args, **options)
        raise LOST

    return call


def lost_before(real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        raise LOST

    return call


def large(tmp_path: Path, fill: bytes = b"x") -> Path:
    path = tmp_path / "staged"
    path.write_bytes(fill * (SMALL + 1))
    return path


def test_a_write_that_never_arrived_is_sent_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "put", lost_before, lost_before, lost_before)
    bench.store.put_once("x", b"mine")
    assert bench.store.read("x") == b"mine"
    assert bench.waits == [0.2, 0.8, 2.0]


def test_attempts_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "put", *[lost_before] * 4)
    with pytest.raises(StoreUnreachable):
        bench.store.put_once("x", b"mine")
    assert bench.store.size("x") is None


def test_a_write_whose_answer_was_lost_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "put", lost_after)
    bench.store.put_once("x", b"mine")
    assert len(bench.waits) == 1


@pytest.mark.parametrize("other", [b"his!", b"longer"])
def test_a_lost_answer_about_a_name_that_is_taken(bench: Bench, monkeypatch: pytest.MonkeyPatch, other: bytes) -> None:
    bench.store.put_once("x", other)
    instead(monkeypatch, "put", lost_before)
    with pytest.raises(NameTaken):
        bench.store.put_once("x", b"mine")
    assert bench.store.read("x") == other


def test_nothing_is_adopted_without_a_lost_answer(bench: Bench) -> None:
    bench.store.put_once("x", b"same")
    with pytest.raises(NameTaken):
        bench.store.put_once("x", b"same")
    assert bench.waits == []


def test_a_store_that_cannot_be_looked_at_leaves_it_unknown(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "put", lost_after)
    instead(monkeypatch, "head", *[lost_before] * 9)
    with pytest.raises(OutcomeUnknown, match="memory did not confirm that it stored x"):
        bench.store.put_once("x", b"mine")


def test_a_copy_whose_answer_was_lost_is_told_by_its_bytes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    instead(monkeypatch, "copy", lost_after)
    bench.store.create("x", large(tmp_path))
    instead(monkeypatch, "copy", lost_before)
    with pytest.raises(NameTaken):
        bench.store.create("x", large(tmp_path, b"y"))
    assert bench.store.read("x") == b"x" * (SMALL + 1)
    assert bench.store._listed(STAGING) == ()


def test_ctrl_c_in_the_middle_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(source: object, watch: object) -> Any:
        yield b"x" * bucket.PART
        raise KeyboardInterrupt

    monkeypatch.setattr(bucket, "_pieces", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.store.create("x", large(tmp_path))
    assert bench.store.size("x") is None
    assert bench.store._listed(STAGING) == ()


def test_what_a_store_cannot_copy_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "scratch", largest_copy=SMALL)
    with pytest.raises(StoreRefused, match="too large"):
        bench.store.create("x", large(tmp_path))
    assert list(obstore.list(bench.memory)) == []


def test_a_file_that_cannot_be_read(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="uscdr cannot read"):
        bench.store.create("x", tmp_path / "nowhere")


def test_what_killed_writers_left_is_removed_after_a_day(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    obstore.put(bench.memory, f"{STAGING}/left", b"x")
    with bench.store.staging():
        assert len(bench.store._listed(STAGING)) == 1

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(UTC) + timedelta(hours=25)

    monkeypatch.setattr(bucket, "datetime", Later)
    with bench.store.staging():
        assert bench.store._listed(STAGING) == ()


def test_an_object_that_is_replaced_while_it_is_read(bench: Bench) -> None:
    obstore.put(bench.memory, "x", b"x" * (SMALL * 2))
    with bench.store.open("x") as file:
        assert file.read(1) == b"x"
        obstore.put(bench.memory, "x", b"y" * (SMALL * 2))
        with pytest.raises(Exception, match="x is missing from memory") as caught:
            file.read()
    assert caught.type.__name__ == "ObjectLost"


def refused(code: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def act(_real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*_args: Any, **_options: Any) -> Any:
            raise exceptions.GenericError(
                f"Server returned non-2xx status code: 400 Bad Request: <Error><Code>{code}</Code></Error>"
            )

        return call

    return act


def test_a_store_that_wants_another_checksum_gets_the_md5_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, asked = MemoryStore(), list[str]()

    def carrying(md5: str) -> MemoryStore:
        asked.append(md5)
        return memory

    other = Handles(memory, memory, memory, memory, carrying=(carrying, carrying))
    store = ObjectStore("memory", Handles(memory, memory, memory, memory, with_md5=other), tmp_path)
    instead(monkeypatch, "put", refused("InvalidRequest"))
    store.put_once("notes/one", b"first")
    store.put_once("notes/two", b"second")
    assert (store.read("notes/one"), store.read("notes/two")) == (b"first", b"second")
    assert asked == ["iwTV43ddKY54RV78XKQE1Q==", "qfDmGhN9hqqdtTRl4IAWEg=="]


def test_a_store_that_takes_neither_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "put", refused("NotImplemented"))
    with pytest.raises(StoreRefused, match="refused the write") as caught:
        bench.store.put_once("notes/one", b"first")
    assert "neither the checksums" in (caught.value.why or "")


@pytest.mark.parametrize("code", ["RetentionPolicyNotMet", "BlobImmutableDueToPolicy", "ObjectLockedByBucketPolicy"])
def test_a_copy_that_retention_holds_is_not_said_to_be_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    for copy in ("one", "two"):
        bench.store.put_once(f"backups/{copy}/manifest.json.age", b"x")
        bench.store.put_once(f"backups/{copy}/card.json", b"x")
    instead(monkeypatch, "delete", refused(code))
    assert retention.carry_out(bench.store, ("one", "two")) == ("one",)
    assert bench.store.names("backups") == ("backups/one/card.json", "backups/one/manifest.json.age")
