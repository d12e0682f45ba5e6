"""Names are created once, whole or not at all."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from uscdr.errors import BadInput, CheckFailed, MachineError
from uscdr.files import _occupy, new_file
from uscdr.store import exclusive
from uscdr.store.directory import LocalStore, new_private_file
from uscdr.store.store import NameTaken


def staged(place: Path, data: bytes = b"data") -> Path:
    path = place / "staged"
    with new_private_file(path) as file:
        file.write(data)
    return path


def refuse_links(source: object, target: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def no_rename(file: Path, target: Path) -> bool:
    return False


DISKS = ["hard links", "exclusive renames", "neither"]


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the disk can do."""
    if request.param != "hard links":
        monkeypatch.setattr(os, "link", refuse_links)
    if request.param == "neither":
        monkeypatch.setattr(exclusive, "_rename", no_rename)
    monkeypatch.setattr(exclusive, "RESERVED", 0.3)
    return str(request.param)


@pytest.mark.usefixtures("disk")
def test_create_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "a" / "b")
    with store.staging() as place:
        store.create("kits/one/x.age", staged(place, b"first"))
        assert not (place / "staged").exists()
        with pytest.raises(MachineError, match="already exists"):
            store.create("kits/one/x.age", staged(place, b"second"))
    with store.open("kits/one/x.age") as file:
        assert file.read() == b"first"
    assert store.names("kits") == ("kits/one/x.age",)
    assert store.size("kits/one/x.age") == 5
    assert (tmp_path / "a" / "b" / "kits" / "one" / "x.age").stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("disk")
def test_of_many_who_want_one_name_one_has_it(tmp_path: Path) -> None:
    store, start, won = LocalStore(tmp_path), threading.Barrier(8), []

    def want(number: int) -> None:
        start.wait()
        try:
            store.put_once("leases/x/1", str(number).encode())
        except NameTaken:
            return
        won.append(number)

    threads = [threading.Thread(target=want, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(number).encode() for number in won] == [store.read("leases/x/1")]
    assert store.names("leases") == ("leases/x/1",)


@pytest.mark.usefixtures("disk")
def test_a_name_that_a_killed_process_only_reserved_is_free(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x").touch()
    store.put_once("runs/x", b"whole\n")
    assert store.read("runs/x") == b"whole\n"
    assert store.names("runs") == ("runs/x",)


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("when", ["while it is waited for", "as it is put aside"])
def test_a_reservation_that_is_filled_in_time_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    store, path = LocalStore(tmp_path), tmp_path / "runs" / "x"
    path.parent.mkdir()
    path.touch()

    def fill() -> None:
        (tmp_path / "first").write_bytes(b"first")
        (tmp_path / "first").replace(path)

    if when == "while it is waited for":
        monkeypatch.setattr(time, "sleep", lambda seconds: fill())
    else:
        removed = exclusive._removed

        def late(target: Path) -> bool:
            fill()
            return removed(target)

        monkeypatch.setattr(exclusive, "_removed", late)
    with pytest.raises(NameTaken):
        store.put_once("runs/x", b"second")
    assert store.read("runs/x") == b"first"
    assert store.names("runs") == ("runs/x",)


@pytest.mark.parametrize("how", ["put another in its place", "took the name away"])
def test_one_that_stood_still_between_reserving_and_filling_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(exclusive, "_rename", no_rename)
    monkeypatch.setattr(exclusive, "RESERVED", 0.0)
    store, path, new = LocalStore(tmp_path), tmp_path / "runs" / "x", new_file

    def stopped(target: Path) -> object:
        reserved = new(target)
        monkeypatch.setattr(exclusive, "new_file", new)
        if how == "put another in its place":
            store.put_once("runs/x", b"another")
        else:
            path.unlink()
        return reserved

    monkeypatch.setattr(exclusive, "new_file", stopped)
    with pytest.raises(MachineError):
        store.put_once("runs/x", b"mine")
    if how == "put another in its place":
        assert store.read("runs/x") == b"another"
    else:
        assert not path.exists()


def test_one_that_stood_still_right_before_filling_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its last look and the call of the system there is always a moment."""
    monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(exclusive, "_rename", no_rename)
    monkeypatch.setattr(exclusive, "RESERVED", 0.0)
    store, write, replace = LocalStore(tmp_path), os.write, Path.replace

    def another_first() -> None:
        monkeypatch.setattr(os, "write", write)
        monkeypatch.setattr(Path, "replace", replace)
        store.put_once("runs/x", b"another")

    def late_write(descriptor: int, data: bytes) -> int:
        another_first()
        return write(descriptor, data)

    def late_replace(file: Path, target: Path) -> Path:
        another_first()
        return replace(file, target)

    monkeypatch.setattr(os, "write", late_write)
    monkeypatch.setattr(Path, "replace", late_replace)
    with pytest.raises(NameTaken):
        store.put_once("runs/x", b"mine")
    assert store.read("runs/x") == b"another"
    assert store.names("runs") == ("runs/x",)


def test_a_disk_that_fills_leaves_the_name_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(exclusive, "_rename", no_rename)
    store, write = LocalStore(tmp_path), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:2]))
    with pytest.raises(MachineError, match="cannot write"):
        store.put_once("runs/x", b"mine")
    assert store.names("runs") == ()
    monkeypatch.setattr(os, "write", write)
    store.put_once("runs/x", b"mine")
    assert store.read("runs/x") == b"mine"


@pytest.mark.usefixtures("disk")
def test_what_is_large_arrives_whole(tmp_path: Path) -> None:
    store, data = LocalStore(tmp_path), b"x" * 200_000
    store.put_once("kits/x", data)
    assert store.read("kits/x") == data
    with pytest.raises(NameTaken):
        store.put_once("kits/x", b"y" * 200_000)
    assert store.read("kits/x") == data


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "kits/../../x", "kits//x", ".staging/x", "a\nb", "kits/.x"]
)
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput):
        LocalStore(tmp_path).open(name)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="kits/x is missing"):
        LocalStore(tmp_path).open("kits/x")
    assert LocalStore(tmp_path).size("kits/x") is None
    assert LocalStore(tmp_path / "nowhere").names("kits") == ()


def test_staging_leaves_nothing_and_takes_away_what_a_killed_process_left(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    left, used = tmp_path / ".staging" / "left", tmp_path / ".staging" / "used"
    for place in (left, used):
        place.mkdir(parents=True)
        (place / "staged").write_bytes(b"x")
    with _occupy(used), store.staging() as own:
        staged(own)
        assert not left.exists()
        assert used.exists()
    assert not own.exists()


def test_a_place_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(MachineError, match="cannot write"), LocalStore(tmp_path / "file" / "x").staging():
        pass


def test_a_full_disk_leaves_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with store.staging() as place:
        file = staged(place)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(MachineError) as caught:
            store.create("kits/one/x.age", file)
        monkeypatch.undo()
    assert caught.value.why == "No space left on device"
    assert store.names("kits") == ()


@pytest.mark.parametrize("size", [4, 1 << 17])
def test_what_is_stored_and_its_name_outlive_a_power_cut(
    tmp_path: Path, disk: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, synced = LocalStore(tmp_path), list[int]()
    with store.staging() as place:
        file = staged(place, b"x" * size)
        monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
        store.create("kits/one/x.age", file)
    there = tmp_path / "kits" / "one" / "x.age"
    assert there.stat().st_ino in synced
    assert synced[-1] == there.parent.stat().st_ino


@pytest.mark.parametrize("there", [PermissionError(13, "Permission denied", "x"), FileNotFoundError(2, "gone", "x")])
def test_a_directory_that_cannot_be_listed_is_unknown_and_one_that_went_away_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: OSError
) -> None:
    store = LocalStore(tmp_path / "a")
    with store.staging() as place:
        for name in ("kits/one/x.age", "kits/two/x.age"):
            store.create(name, staged(place, b"any"))
    scan = os.scandir

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if path.endswith("two"):
            raise there
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    if isinstance(there, FileNotFoundError):
        assert store.names("kits") == ("kits/one/x.age",)
    else:
        with pytest.raises(MachineError, match="uscdr cannot read"):
            store.names("kits")


def test_a_name_that_is_a_file_and_one_that_is_not_there_hold_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "a")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "kits").touch()
    assert store.names("kits") == store.names("runs") == ()
