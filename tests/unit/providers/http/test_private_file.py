"""A private file: named when it is whole, gone when it is not."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from uscdr.errors import MachineError
from uscdr.providers.http import download


def test_it_is_private_from_its_first_byte_and_has_its_name_at_the_end(tmp_path: Path) -> None:
    destination = tmp_path / ("n" * 250)

    def chunks() -> Iterator[bytes]:
        (part,) = tmp_path.iterdir()
        assert part != destination
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        yield b"one"
        yield b"two"

    before = os.umask(0)
    try:
        done = download.write(chunks(), destination, shown="it")
    finally:
        os.umask(before)
    assert destination.read_bytes() == b"onetwo"
    assert (done.size, done.sha256) == (6, hashlib.sha256(b"onetwo").hexdigest())
    assert stat.S_IMODE(destination.stat().st_mode) == 0o600


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), ValueError("x")])
def test_whatever_ends_it_early_leaves_what_was_there(cause: BaseException, tmp_path: Path) -> None:
    destination = tmp_path / "name"
    destination.write_text("precious")

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise cause

    with pytest.raises(type(cause)):
        download.write(chunks(), destination, shown="it")
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
    assert destination.read_text() == "precious"


def test_what_the_disk_refuses_is_told_in_the_given_words(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"^The copy could not be written\.$") as caught:
        download.write([b"x"], tmp_path / "missing" / "canary", shown="The copy")
    assert caught.value.why == "No such file or directory."
    assert caught.value.__cause__ is None
    with pytest.raises(MachineError, match=r"^The copy already exists\.$"):
        download.require_new(tmp_path, shown="The copy")
