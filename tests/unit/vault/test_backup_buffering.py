"""Reading ahead and writing behind: the same bytes, the same errors, bounded, and no thread is left."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from uscdr.errors import Interrupted
from uscdr.vault.backups.buffering import PIECES, ReadAhead, WriteBehind


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [one.name for one in threading.enumerate() if one.name in ("read-ahead", "write-behind")]


def through(data: bytes, size: int) -> bytes:
    with ReadAhead(io.BytesIO(data).read) as ahead:
        return b"".join(iter(lambda: ahead.read(size), b""))


@pytest.mark.parametrize("size", [1000, 65_536, 1 << 20, -1])
def test_the_same_bytes_come_out(size: int) -> None:
    data = os.urandom(3_000_001)
    assert through(data, size) == data
    assert through(b"", size) == b""


def test_the_end_is_told_again_and_again() -> None:
    with ReadAhead(io.BytesIO(b"abc").read) as ahead:
        assert [ahead.read(2), ahead.read(2), ahead.read(2), ahead.read(2)] == [b"ab", b"c", b"", b""]


def test_an_error_comes_in_its_place_after_what_was_read_before_it() -> None:
    pieces = iter([b"one", b"two"])

    def read(_: int) -> bytes:
        for piece in pieces:
            return piece
        raise Interrupted("Interrupted during the download.")

    with ReadAhead(read) as ahead:
        assert (ahead.read(), ahead.read()) == (b"one", b"two")
        with pytest.raises(Interrupted):
            ahead.read()


def test_it_reads_no_further_ahead_than_its_pieces_and_stops_when_nobody_wants_more() -> None:
    asked = threading.Semaphore(0)
    count = [0]

    def read(_: int) -> bytes:
        count[0] += 1
        asked.release()
        return b"x"

    with ReadAhead(read) as ahead:
        ahead.read()
        for _ in range(PIECES + 1):
            asked.acquire()
    assert count[0] <= PIECES + 2


def test_all_is_written_at_the_end(tmp_path: Path) -> None:
    data = [os.urandom(70_001) for _ in range(40)]
    path = tmp_path / "file"
    with path.open("wb") as file, WriteBehind(file) as behind:
        assert [behind.write(one) for one in data] == [len(one) for one in data]
        behind.flush()
    assert path.read_bytes() == b"".join(data)


class Full(io.BytesIO):
    """A disk that is full after so many writes."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def write(self, data: object) -> int:
        self.left -= 1
        if self.left < 0:
            raise OSError(28, "No space left on device")
        return 1


def written(file: io.BytesIO, pieces: int, error: Exception | None = None) -> None:
    with WriteBehind(file) as behind:
        for _ in range(pieces):
            behind.write(b"x")
        if error is not None:
            raise error


@pytest.mark.parametrize("after", [0, 1, 39])
def test_a_full_disk_is_an_error_even_when_the_last_piece_meets_it(after: int) -> None:
    with pytest.raises(OSError, match="No space left"):
        written(Full(after), 40)


def test_an_error_elsewhere_is_not_hidden_by_what_waits_to_be_written() -> None:
    with pytest.raises(Interrupted):
        written(Full(0), 1, Interrupted("Interrupted."))


def test_the_error_of_an_earlier_write_ends_a_stream_without_an_end() -> None:
    with pytest.raises(OSError, match="No space left"):
        written(Full(0), sys.maxsize)
