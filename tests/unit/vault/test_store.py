"""Names are created once, whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from uscdr.errors import BadInput, CheckFailed, MachineError
from uscdr.files import occupy
from uscdr.vault.store import LocalStore, new_private_file


def staged(place: Path, data: bytes = b"data") -> Path:
    path = place / "staged"
    with new_private_file(path) as file:
        file.write(data)
    return path


def refuse_links(source: object, target: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
def test_create_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", refuse_links)
    store = LocalStore(tmp_path / "a" / "b")
    with store.staging() as place:
        store.create("kits/one/x.age", staged(place, b"first"))
        assert not (place / "staged").exists()
        with pytest.raises(MachineError, match="exists already"):
            store.create("kits/one/x.age", staged(place, b"second"))
    with store.open("kits/one/x.age") as file:
        assert file.read() == b"first"
    assert store.names("kits") == ("kits/one/x.age",)
    assert store.size("kits/one/x.age") == 5
    assert (tmp_path / "a" / "b" / "kits" / "one" / "x.age").stat().st_mode & 0o777 == 0o600


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
    with occupy(used), store.staging() as own:
        staged(own)
        assert not left.exists()
        assert used.exists()
    assert not own.exists()


def test_a_place_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(MachineError, match="cannot be written"), LocalStore(tmp_path / "file" / "x").staging():
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
