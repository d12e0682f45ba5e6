"""Directories for files under way, made and cleared away by many processes at once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from uscdr.errors import MachineError
from uscdr.journal import lock
from uscdr.vault.staging import staging_below


def is_locked(directory: Path) -> bool:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        return True
    finally:
        os.close(descriptor)


def test_no_directory_is_judged_while_another_is_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or one process takes away what another one made and has not yet marked as its own."""
    seen: list[tuple[str, bool]] = []

    def watched(name: str) -> None:
        real: Callable[[Path], Any] = getattr(lock, name)

        def call(directory: Path) -> Any:
            seen.append((name, is_locked(tmp_path)))
            return real(directory)

        monkeypatch.setattr(lock, name, call)

    watched("occupied")
    watched("occupy")
    (tmp_path / "left").mkdir()
    with staging_below(tmp_path) as place:
        assert seen == [("occupied", True), ("occupy", True)]
        assert not is_locked(tmp_path)
        assert list(tmp_path.iterdir()) == [place]
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot be written"), staging_below(tmp_path / "gone"):
        pass
