"""What lies in our own directories and is no file, or has no end: nobody waits for it, and no memory is taken."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from uscdr.checks.attempts import Attempts
from uscdr.errors import MachineError
from uscdr.pgserver.server import _read_record, reap
from uscdr.shared.lease import _noted
from uscdr.staging import CleanupNote


def _large(path: Path) -> None:
    path.touch()
    os.truncate(path, 6 << 30)


ODD: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "no end": lambda path: path.symlink_to("/dev/zero"),
    "a directory": Path.mkdir,
    "a file of 6 GiB": _large,
    "deep nesting": lambda path: path.write_bytes(b"[" * 30_000),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_paper_of_ours_is_passed_over(odd: str, tmp_path: Path) -> None:
    made = CleanupNote.write(tmp_path, "database", {"name": "x"})
    made.path.unlink()
    ODD[odd](made.path)
    assert not list(CleanupNote.all_in(tmp_path))
    server = tmp_path / "server"
    server.mkdir()
    ODD[odd](server / "server.json")
    assert not _read_record(server)
    reap(server)
    assert os.path.lexists(server / "server.json")
    ODD[odd](tmp_path / "lease")
    assert _noted(tmp_path / "lease") == ""


@pytest.mark.parametrize("odd", ["a pipe", "no end", "a directory", "a file of 6 GiB"])
def test_a_book_that_cannot_be_read_is_said(odd: str, tmp_path: Path) -> None:
    book = Attempts(tmp_path, "a place", lambda: datetime.now(UTC))
    book.note("/login/")
    (path,) = tmp_path.rglob("*.txt")
    path.unlink()
    ODD[odd](path)
    with pytest.raises(MachineError, match="uscdr cannot count its earlier requests"):
        book.held("/login/")
